/** What a daemon has promised of the disc it burns, and what is missing of that in the file that it left. */
import { closeSync, openSync, readSync } from 'node:fs';
import { openBurnStore, SECTORS_AT } from '../../src/luns/disc/burn-store.ts';
import { RecordableDisc } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import { SECTOR } from '../support/burn-commands.ts';

/** Of each block the number of the write that it must have. */
export type Blocks = ReadonlyMap<number, number>;

export interface Promised {
  /** Of each closed session what was written to it. */
  readonly closed: readonly Blocks[];
  /** What was synchronized of the session that is open, or of a disc that is overwritten. */
  readonly open: Blocks;
}

export const NOTHING: Promised = { closed: [], open: new Map() };

/** What has been promised so far, and what the disc may be as well while a command is under way that erases. */
export class Promises {
  now: Promised = NOTHING;
  /** What it will be when the command that is under way has done its work; null: the same, and a session more at most. */
  soon: Promised | null = null;
  /** It is or may be formatted so that blocks are overwritten: later writes may be there, too. */
  overwrites = false;

  /** Blocks that are being overwritten: they may be neither what they were nor what they are to be, as a packet is when power is lost. */
  writing: Blocks = new Map();

  /** Blocks are on the disc: their write was synchronized. */
  synchronized(blocks: Blocks): void {
    this.now = { ...this.now, open: new Map([...this.now.open, ...blocks]) };
  }

  /** The session that was open is closed. */
  sessionClosed(): void {
    this.now = { closed: [...this.now.closed, this.now.open], open: new Map() };
  }

  /** A command begins that makes `soon` of the disc. */
  begins(soon: Promised): void {
    this.soon = soon;
  }

  /** It has ended well. */
  ended(): void {
    this.now = this.soon ?? this.now;
    this.soon = null;
  }
}

/** A sector that says which it is, and by which write. */
export function sectorOf(lba: number, serial: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR).fill(serial & 0xff);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, serial);
  view.setInt32(4, lba);
  return bytes;
}

/** User data of a sector that is kept raw begins behind its header. */
const RAW_USER_DATA = 16;

class LeftDisc {
  readonly disc: RecordableDisc;
  readonly #fd: number;

  constructor(path: string) {
    this.disc = new RecordableDisc(openBurnStore(path).state, SECTORS_AT);
    this.#fd = openSync(path, 'r');
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** What is wrong with blocks that were promised, or null. */
  missing(blocks: Blocks, { overwrites, writing }: Promises): string | null {
    for (const [lba, serial] of blocks) {
      if (overwrites && writing.has(lba)) continue;
      const run = this.disc.runAt(lba);
      if (run === null) return `block ${lba} is not recorded`;
      const bytes = Buffer.alloc(SECTOR);
      const user = run.stored === 'raw' ? RAW_USER_DATA : 0;
      readSync(this.#fd, bytes, 0, SECTOR, this.disc.positionOf(lba) + user);
      const found = bytes.readUInt32BE(0);
      const whole = Buffer.from(sectorOf(lba, found)).equals(bytes);
      if (!whole || (overwrites ? found < serial : found !== serial)) {
        return `block ${lba} has write ${found}, not ${serial}`;
      }
    }
    return null;
  }

  breach({ closed, open }: Promised, promises: Promises): string | null {
    const { sessions } = this.disc.state;
    if (sessions.length < closed.length || sessions.length > closed.length + 1) {
      return `${sessions.length} sessions are there, ${closed.length} were closed`;
    }
    for (const blocks of [...closed, open]) {
      const missing = this.missing(blocks, promises);
      if (missing !== null) return missing;
    }
    return null;
  }

  /** A track that was written at once or by a plan, and has not ended, is damaged. */
  unharmed(): string | null {
    const track = this.disc.state.tracks.find(
      ({ state, method, damaged, next, start }) =>
        state !== 'complete' &&
        method !== 'incremental' &&
        !damaged &&
        !(state === 'reserved' && next === start),
    );
    return track === undefined ? null : `track ${track.number} was interrupted and is not damaged`;
  }
}

/** What is lost of what was promised, or null. Throws DiscImageError where the file is no disc any more. */
export function lossOf(path: string, promises: Promises): string | null {
  const { now, soon } = promises;
  const left = new LeftDisc(path);
  try {
    const before = left.breach(now, promises);
    const breach = before === null || soon === null ? before : left.breach(soon, promises);
    return breach ?? left.unharmed();
  } finally {
    left.close();
  }
}
