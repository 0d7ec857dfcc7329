/** Files of recordable discs that were burnt in memory. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  burnStoreBytes,
  createBurnStore,
  newBurnStoreBytes,
  openBurnStore,
  SECTORS_AT,
  SLOT_BYTES,
  SlotJournal,
  type SlotMemory,
} from '../../src/luns/disc/burn-store.ts';
import { newDiscState } from '../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { type BurnerBed, burner } from './burner.ts';
import { SparseStore } from './sparse-store.ts';

/** Memory of a slot that no system call has to reach. */
export function plainSlotMemory(): SlotMemory {
  const bytes = new Uint8Array(SLOT_BYTES);
  const segments = new Segments({ words: new Uint32Array(4), address: 0 });
  segments.append({ view: bytes, address: 0 }, 0, bytes.length);
  return { bytes, segments };
}

/** A directory that is gone when `use` has ended. */
export function inDirectory(use: (path: (name: string) => string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-burnt-'));
  try {
    use((name) => join(directory, name));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Makes a file, lets `burn` burn in memory, and writes what that did to the file. */
export function burntFile(path: string, kind: MediumKind, burn: (bed: BurnerBed) => void): void {
  createBurnStore(path, kind);
  const { slot, sequence } = openBurnStore(path);
  const store = new SparseStore(burnStoreBytes(kind));
  store.begin(newBurnStoreBytes(kind));
  const found = { kind, slot, sequence, state: newDiscState(kind), bytes: store.bytes };
  const journal = new SlotJournal(store, found, plainSlotMemory());
  burn(burner(kind, { store, journal, base: SECTORS_AT }));
  const fd = openSync(path, 'r+');
  for (const [position, bytes] of store.memory.pages()) {
    writeSync(fd, bytes, 0, Math.min(bytes.length, store.bytes - position), position);
  }
  closeSync(fd);
}
