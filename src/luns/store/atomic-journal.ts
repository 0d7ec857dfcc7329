/** The redo journal of atomic writes: one record beside the image, whole before the image is touched, applied when it is opened. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { assert } from '../../assert.ts';
import { EIO, mapAnonymous } from '../../libc.ts';
import { Segments } from '../../scsi/segments.ts';
import { type IoEngine, systemCalls } from './io-engine.ts';

/** Nobody knows what the medium holds: a sync failed, or what was there before could not be put back. */
export const UNKNOWN = 1;
/** Longest atomic write, and so the data of a record. */
export const MAX_ATOMIC_BYTES = 1024 * 1024;
/** Header of a record. The data follows it. */
const HEADER_BYTES = 4096;
const IOVEC_PAGE_BYTES = 4096;
const DIGEST_BYTES = 32;
const JOURNAL_MODE = 0o600;

/** "RSATOMIC", format 1. */
const MAGIC = 0x5253_4154_4f4d_4943n;
const FORMAT = 1;
/** Header: magic (8), format (4), data length (4), position in the image (8), inode of the image (8), SHA-256 over all of it. */
const AT = { magic: 0, format: 8, length: 12, position: 16, inode: 24, digest: 32 } as const;

/** Private memory as one segment that the kernel can be told about. */
export interface Piece {
  readonly segments: Segments;
  readonly bytes: Uint8Array;
}

interface Scratch {
  /** A record: header and data, so that one write stores both. */
  readonly record: Piece;
  /** What the image held before. */
  readonly old: Piece;
  /** The data of the record, once more as a piece of its own. */
  readonly data: Piece;
}

let shared: Scratch | null = null;

/** Mapped when first asked for and kept for the life of the thread; used inside one call only. */
export function atomicScratch(): Scratch {
  if (shared !== null) return shared;
  const recordBytes = HEADER_BYTES + MAX_ATOMIC_BYTES;
  const memory = mapAnonymous(IOVEC_PAGE_BYTES + recordBytes + MAX_ATOMIC_BYTES);
  const view = new Uint8Array(memory.buffer);
  let iovecs = 0;
  const piece = (at: number, bytes: number): Piece => {
    const words = new Uint32Array(memory.buffer, iovecs, 4);
    const segments = new Segments({ words, address: memory.address + iovecs });
    iovecs += Segments.iovecBytes(1);
    segments.append({ view, address: memory.address }, at, bytes);
    return { segments, bytes: view.subarray(at, at + bytes) };
  };
  shared = {
    record: piece(IOVEC_PAGE_BYTES, recordBytes),
    data: piece(IOVEC_PAGE_BYTES + HEADER_BYTES, MAX_ATOMIC_BYTES),
    old: piece(IOVEC_PAGE_BYTES + recordBytes, MAX_ATOMIC_BYTES),
  };
  return shared;
}

/** Writes the first `length` bytes of a piece. 0 when all are written, else -errno, and `onPut` was told how many were. */
export function writePiece(
  engine: IoEngine,
  fd: number,
  { bytes, segments }: Piece,
  length: number,
  position: number,
  onPut: (bytes: number) => void = () => undefined,
): number {
  const first = engine.write(fd, segments.iovAddress, segments.iovecsFor(length), position, false);
  if (first <= 0) return first === 0 ? -EIO : first;
  onPut(first);
  let done = first;
  const rest = new Segments({ words: segments.iovecs, address: segments.iovAddress });
  const memory = segments.memory[0];
  const offset = segments.offset[0];
  assert(memory !== undefined && offset !== undefined, 'a piece is one segment');
  let failure = 0;
  while (done < length && failure === 0) {
    rest.clear();
    rest.append(memory, offset + done, length - done);
    const put = engine.write(fd, rest.iovAddress, 1, position + done, false);
    if (put <= 0) failure = put === 0 ? -EIO : put;
    else onPut(put);
    done += Math.max(put, 0);
  }
  // The iovec was borrowed: the piece describes itself again.
  segments.clear();
  segments.append(memory, offset, bytes.length);
  return failure;
}

function digestOf(header: Uint8Array, data: Uint8Array): Uint8Array {
  return createHash('sha256').update(header.subarray(0, AT.digest)).update(data).digest();
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Where a journal lies: next to the image, so that whoever opens the image finds it, and a renamed directory keeps it. */
export function atomicJournalPath(imagePath: string): string {
  return `${imagePath}.atomic`;
}

/** Makes the name of a new journal durable: a record that cannot be found after a power cut is no record. */
function createJournal(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, JOURNAL_MODE);
  try {
    assert(fstatSync(fd).isFile(), 'a journal is a regular file');
    fsyncSync(fd);
    const directory = openSync(dirname(path), constants.O_RDONLY);
    fsyncSync(directory);
    closeSync(directory);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export interface JournalPlace {
  /** Opens or makes the journal file, its name durable. Throws. */
  open(): number;
  /** Takes an empty journal away. */
  remove(fd: number): void;
}

export function journalBeside(imagePath: string): JournalPlace {
  const path = atomicJournalPath(imagePath);
  return {
    open: () => createJournal(path),
    remove(fd) {
      try {
        unlinkSync(path);
      } catch {
        // It stays, empty: no harm.
      }
      closeSync(fd);
    },
  };
}

/**
 * One slot. The order is what makes it work:
 *   EMPTY --record written, synced--> FULL --image written, synced--> (same) --header cleared, synced--> EMPTY
 * The slot is cleared durably before the write is answered: a record that outlived its write would undo later ones.
 */
export class AtomicJournal {
  readonly #place: JournalPlace;
  readonly #engine: IoEngine;
  readonly #inode: bigint;
  #fd = -1;
  #full = false;

  constructor(imageFd: number, place: JournalPlace, engine: IoEngine = systemCalls) {
    this.#place = place;
    this.#engine = engine;
    this.#inode = fstatSync(imageFd, { bigint: true }).ino;
  }

  /**
   * Makes a record of the first `length` bytes of the scratch data durable: 0, -errno when there is none for certain, or UNKNOWN:
   * it may be on the medium and cannot be cleared.
   */
  record(position: number, length: number): number {
    if (this.#full) return -EIO;
    const fd = this.#open();
    if (fd < 0) return -EIO;
    const { record } = atomicScratch();
    const header = record.bytes.subarray(0, HEADER_BYTES).fill(0);
    const view = viewOf(header);
    view.setBigUint64(AT.magic, MAGIC);
    view.setUint32(AT.format, FORMAT);
    view.setUint32(AT.length, length);
    view.setBigUint64(AT.position, BigInt(position));
    view.setBigUint64(AT.inode, this.#inode);
    const data = record.bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
    header.set(digestOf(header, data), AT.digest);
    // From the first byte on: a record that failed half way, or whose sync failed, may be whole on the medium.
    this.#full = true;
    const put = writePiece(this.#engine, fd, record, HEADER_BYTES + length, 0);
    const failure = put < 0 ? put : Math.min(0, this.#engine.sync(fd));
    return failure < 0 && this.clear() < 0 ? UNKNOWN : failure;
  }

  /** Empties the slot durably: 0 or -errno, and then the journal stays full and takes no further record. */
  clear(): number {
    if (this.#fd < 0 || !this.#full) return 0;
    const failure = clearRecord(this.#engine, this.#fd);
    if (failure === 0) this.#full = false;
    return failure;
  }

  close(): void {
    if (this.#fd < 0) return;
    if (this.#full) closeSync(this.#fd);
    else this.#place.remove(this.#fd);
    this.#fd = -1;
  }

  #open(): number {
    if (this.#fd >= 0) return this.#fd;
    try {
      this.#fd = this.#place.open();
    } catch {
      return -1;
    }
    return this.#fd;
  }
}

function clearRecord(engine: IoEngine, fd: number): number {
  const { record } = atomicScratch();
  record.bytes.fill(0, 0, HEADER_BYTES);
  const put = writePiece(engine, fd, record, HEADER_BYTES, 0);
  return put < 0 ? put : Math.min(0, engine.sync(fd));
}

/** `torn`: the power went while the record was written, the image is as before. `foreign`: of another file. */
export type ReplayOutcome = 'empty' | 'torn' | 'foreign' | 'applied';

interface FoundRecord {
  readonly outcome: ReplayOutcome;
  readonly position: number;
  readonly length: number;
}

/** Reads the record of a journal into the scratch and judges it. */
function findRecord(journalFd: number, imageFd: number): FoundRecord {
  const none = (outcome: ReplayOutcome): FoundRecord => ({ outcome, position: 0, length: 0 });
  const { record } = atomicScratch();
  const got = readSync(journalFd, record.bytes, 0, record.bytes.length, 0);
  const header = record.bytes.subarray(0, HEADER_BYTES);
  const view = viewOf(header);
  if (got < HEADER_BYTES || view.getBigUint64(AT.magic) !== MAGIC) return none('empty');
  const length = view.getUint32(AT.length);
  if (view.getUint32(AT.format) !== FORMAT || length === 0 || length > got - HEADER_BYTES) {
    return none('torn');
  }
  const data = record.bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
  const digest = header.subarray(AT.digest, AT.digest + DIGEST_BYTES);
  if (!digestOf(header, data).every((byte, i) => byte === digest[i])) return none('torn');
  const image = fstatSync(imageFd, { bigint: true });
  if (view.getBigUint64(AT.inode) !== image.ino) return none('foreign');
  const position = view.getBigUint64(AT.position);
  if (position + BigInt(length) > image.size) return none('foreign');
  return { outcome: 'applied', position: Number(position), length };
}

/** Whether a journal holds a record that has to be applied to the image before anybody reads it. */
export function hasRecord(journalFd: number, imageFd: number): boolean {
  return findRecord(journalFd, imageFd).outcome === 'applied';
}

/**
 * Applies a whole record to the image and empties the journal, both durably. Cut anywhere, it can be done again.
 * Throws when the image or the journal cannot be written: the image must not be used then.
 */
export function replayAtomic(
  journalFd: number,
  imageFd: number,
  engine: IoEngine = systemCalls,
): ReplayOutcome {
  const { outcome, position, length } = findRecord(journalFd, imageFd);
  if (outcome === 'empty') return outcome;
  if (outcome === 'applied') {
    const put = writePiece(engine, imageFd, atomicScratch().data, length, position);
    must(put < 0 ? put : engine.sync(imageFd), 'apply the atomic write that was cut');
  }
  must(clearRecord(engine, journalFd), 'clear the journal of atomic writes');
  return outcome;
}

function must(result: number, what: string): void {
  if (result < 0) throw new Error(`Cannot ${what}: error ${-result}`);
}
