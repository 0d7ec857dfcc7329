/**
 * The file of a recordable disc (decision 17): a header, two slots that hold its state in turn, then its sectors at fixed places.
 *
 *     0          header: magic, kind of medium, length of the file, SHA-256 of those
 *     64 KiB     slot 0: magic, sequence number, length, SHA-256, state
 *     576 KiB    slot 1
 *     2 MiB      sectors
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { mapAnonymous } from '../../libc.ts';
import {
  type BlockStore,
  type DiscJournal,
  DONE,
  FULL,
  PENDING,
  type StoreReply,
} from '../../scsi/contracts.ts';
import {
  afterInterruption,
  type DiscState,
  decodeDiscState,
  encodeDiscState,
  newDiscState,
} from '../../scsi/mmc/burn/disc-state.ts';
import { factsOf, isMediumKind, MEDIUM_KINDS, type MediumKind } from '../../scsi/mmc/burn/media.ts';
import { sectorBytesOf } from '../../scsi/mmc/burn/recordable-disc.ts';
import { newPrivateTask } from '../../scsi/private-task.ts';
import { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import { DiscImageError } from './disc-image.ts';

const MAGIC = 'RINGSCSI BURN 1\n';
const KIND_BYTES = 16;
const KIND_AT = MAGIC.length;
const LENGTH_AT = KIND_AT + KIND_BYTES;
const HEADER_SUM_AT = LENGTH_AT + 8;
const SUM_BYTES = 32;
const HEADER_BYTES = HEADER_SUM_AT + SUM_BYTES;

const SLOT_MAGIC = 'BURNSLOT';
const SLOTS_AT = 64 * 1024;
export const SLOT_BYTES: number = 512 * 1024;
const SEQUENCE_AT = SLOT_MAGIC.length;
const STATE_LENGTH_AT = SEQUENCE_AT + 8;
const STATE_SUM_AT = STATE_LENGTH_AT + 4;
const STATE_AT = STATE_SUM_AT + SUM_BYTES;

/** Byte of the file where its sectors begin. */
export const SECTORS_AT: number = 2 * 1024 * 1024;
const NEW_FILE_MODE = 0o600;

/** Bytes of the file of a medium. */
export function burnStoreBytes(kind: MediumKind): number {
  return SECTORS_AT + sectorBytesOf(factsOf(kind));
}

const slotAt = (slot: number): number => SLOTS_AT + slot * SLOT_BYTES;

function sumOf(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The header of a medium's file. */
function headerOf(kind: MediumKind): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const text = new TextEncoder();
  header.set(text.encode(MAGIC));
  header.set(text.encode(kind), KIND_AT);
  new DataView(header.buffer).setBigUint64(LENGTH_AT, BigInt(burnStoreBytes(kind)));
  header.set(sumOf(header.subarray(0, HEADER_SUM_AT)), HEADER_SUM_AT);
  return header;
}

/** Writes a state as a slot has it to `into`; returns its length, 0: it is too long. */
function fillSlot(into: Uint8Array, sequence: number, state: Uint8Array): number {
  if (STATE_AT + state.length > SLOT_BYTES) return 0;
  const view = new DataView(into.buffer, into.byteOffset);
  into.set(new TextEncoder().encode(SLOT_MAGIC));
  view.setBigUint64(SEQUENCE_AT, BigInt(sequence));
  view.setUint32(STATE_LENGTH_AT, state.length);
  into.set(state, STATE_AT);
  into.set(sumOf(into.subarray(0, STATE_SUM_AT), state), STATE_SUM_AT);
  return STATE_AT + state.length;
}

interface Slot {
  readonly sequence: number;
  readonly state: Uint8Array;
}

/** What a slot holds, or null: it was never written, or not to its end. */
function readSlot(bytes: Uint8Array): Slot | null {
  const magic = new TextDecoder().decode(bytes.subarray(0, SEQUENCE_AT));
  if (magic !== SLOT_MAGIC || bytes.length < STATE_AT) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = view.getUint32(STATE_LENGTH_AT);
  if (STATE_AT + length > bytes.length) return null;
  const state = bytes.slice(STATE_AT, STATE_AT + length);
  const sum = bytes.subarray(STATE_SUM_AT, STATE_AT);
  if (!timingSafeEqual(sum, sumOf(bytes.subarray(0, STATE_SUM_AT), state))) return null;
  return { sequence: Number(view.getBigUint64(SEQUENCE_AT)), state };
}

/** What the file of a medium says. Plain data: it can be sent between threads. */
export interface BurnStore {
  readonly kind: MediumKind;
  readonly state: DiscState;
  /** The slot that the state is in, and its number. */
  readonly slot: number;
  readonly sequence: number;
  readonly bytes: number;
}

/** Reads bytes [position, position + length) of a file; fewer where it ends. */
export type ReadBytes = (position: number, length: number) => Uint8Array;

/** Reads and checks what a file says. Throws DiscImageError; `bytes` is how long the file is. */
export function readBurnStore(path: string, read: ReadBytes, bytes: number): BurnStore {
  const refuse = (what: string): never => {
    throw new DiscImageError(`Cannot use the recordable disc "${path}": ${what}`);
  };
  const header = read(0, HEADER_BYTES);
  const text = new TextDecoder();
  if (text.decode(header.subarray(0, KIND_AT)) !== MAGIC) {
    return refuse('it is the file of no recordable disc, make one with media create');
  }
  const sum = sumOf(header.subarray(0, HEADER_SUM_AT));
  if (header.length < HEADER_BYTES || !timingSafeEqual(header.subarray(HEADER_SUM_AT), sum)) {
    return refuse('its header is damaged, restore it from a backup');
  }
  const kind = text.decode(header.subarray(KIND_AT, LENGTH_AT)).replace(/\0+$/, '');
  if (!isMediumKind(kind)) {
    return refuse(`it is a "${kind}", known are ${MEDIUM_KINDS.join(', ')}: use a newer version`);
  }
  if (bytes !== burnStoreBytes(kind)) {
    const should = burnStoreBytes(kind);
    return refuse(`it has ${bytes} bytes, not ${should}: it was cut, restore it from a backup`);
  }
  const slots = [0, 1].map((slot) => readSlot(read(slotAt(slot), SLOT_BYTES)));
  const [first = null, second = null] = slots;
  const slot = (second?.sequence ?? -1) > (first?.sequence ?? -1) ? 1 : 0;
  const newest = slots[slot] ?? null;
  if (newest === null) return refuse('neither of its states is whole, restore it from a backup');
  const state = decodeDiscState(newest.state);
  if (typeof state === 'string') return refuse(`its state is no legal one: ${state}`);
  if (state.kind !== kind) return refuse('its state is that of another medium');
  return { kind, state: afterInterruption(state), slot, sequence: newest.sequence, bytes };
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs `use` with the descriptor of a file that is closed afterwards. Throws DiscImageError. */
export function withBurnStore<T>(path: string, use: (fd: number, burnt: BurnStore) => T): T {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw new DiscImageError(`Cannot use the recordable disc "${path}": ${why(error)}`);
  }
  try {
    const read = (position: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
    };
    return use(fd, readBurnStore(path, read, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

/** Reads and checks the file of a medium. Throws DiscImageError. */
export function openBurnStore(path: string): BurnStore {
  return withBurnStore(path, (_, burnt) => burnt);
}

/** Makes a blank medium of a kind: a sparse file that must not exist. Throws DiscImageError; nothing is left then. */
export function createBurnStore(path: string, kind: MediumKind): void {
  const refusal = (error: unknown): DiscImageError =>
    new DiscImageError(`Cannot create the recordable disc "${path}": ${why(error)}`);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, NEW_FILE_MODE);
  } catch (error) {
    throw refusal(error);
  }
  try {
    ftruncateSync(fd, burnStoreBytes(kind));
    const slot = new Uint8Array(SLOT_BYTES);
    const length = fillSlot(slot, 1, encodeDiscState(newDiscState(kind)));
    writeSync(fd, slot, 0, length, slotAt(0));
    writeSync(fd, headerOf(kind), 0, HEADER_BYTES, 0);
    fsyncSync(fd);
    const directory = openSync(dirname(path), constants.O_RDONLY);
    fsyncSync(directory);
    closeSync(directory);
  } catch (error) {
    unlinkSync(path);
    throw refusal(error);
  } finally {
    closeSync(fd);
  }
}

/** The bytes that a new medium has in front of its sectors, for stores that are no files. */
export function newBurnStoreBytes(kind: MediumKind): Uint8Array {
  const bytes = new Uint8Array(slotAt(1));
  bytes.set(headerOf(kind));
  fillSlot(bytes.subarray(slotAt(0)), 1, encodeDiscState(newDiscState(kind)));
  return bytes;
}

/** Memory that a slot is written from. */
export interface SlotMemory {
  readonly bytes: Uint8Array;
  readonly segments: Segments;
}

/** Memory that system calls can write from. */
export function slotMemory(): SlotMemory {
  const iovecs = Segments.iovecBytes(1);
  const page = 4096;
  const memory = mapAnonymous(page + SLOT_BYTES);
  const bytes = new Uint8Array(memory.buffer, page, SLOT_BYTES);
  const segments = new Segments({
    words: new Uint32Array(memory.buffer, 0, iovecs / 4),
    address: memory.address,
  });
  segments.append(
    { view: new Uint8Array(memory.buffer), address: memory.address },
    page,
    SLOT_BYTES,
  );
  return { bytes, segments };
}

/** Keeps the state of the disc in the slots of its file. One save at a time. */
export class SlotJournal implements DiscJournal {
  readonly #store: BlockStore;
  readonly #memory: SlotMemory;
  readonly #worker = newPrivateTask();
  #slot: number;
  #sequence: number;

  constructor(store: BlockStore, { slot, sequence }: BurnStore, memory: SlotMemory) {
    this.#store = store;
    this.#memory = memory;
    this.#slot = slot;
    this.#sequence = sequence;
  }

  save(task: Task, state: Uint8Array): StoreReply {
    const slot = 1 - this.#slot;
    const { bytes, segments } = this.#memory;
    const length = fillSlot(bytes, this.#sequence + 1, state);
    if (length === 0) return FULL;
    let answered: StoreReply = PENDING;
    let waits = false;
    this.#worker.unit = task.unit;
    const reply = this.#store.write(this.#worker, slotAt(slot), length, segments, true);
    this.#worker.await(reply, (_, later) => {
      // A slot that was not written to its end is the one that is written next, too.
      if (later === DONE) {
        this.#slot = slot;
        this.#sequence += 1;
      }
      answered = later;
      if (waits) task.stored(later);
    });
    waits = true;
    return answered;
  }
}
