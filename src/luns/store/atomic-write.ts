/** An atomic write to an image: after a power cut all of its blocks are there or none, and a write that fails changes none. */
import type { Segments } from '../../scsi/segments.ts';
import { type AtomicJournal, atomicScratch, UNKNOWN, writePiece } from './atomic-journal.ts';
import type { IoEngine } from './io-engine.ts';

/** The file ends inside the capacity. */
const ENXIO = 6;

export interface AtomicTarget {
  readonly engine: IoEngine;
  readonly fd: number;
  /** Null where nothing survives a power cut: then only a failure has to leave nothing behind. */
  readonly journal: AtomicJournal | null;
}

/**
 * 0: all is written, and stable where anything is. -errno: nothing is. UNKNOWN: the record of a journal says what will be there
 * after the image is opened again.
 * Every step is a system call that is waited for: nothing else of this thread can come in between, and atomic writes are rare.
 * The data is copied out of the initiator's memory once: what it changes afterwards must not make record and image differ.
 */
export function writeAtomically(
  target: AtomicTarget,
  position: number,
  length: number,
  from: Segments,
): number {
  const { engine, fd, journal } = target;
  const { data, old } = atomicScratch();
  from.get(0, data.bytes, 0, length);
  const got = engine.read(fd, old.segments.iovAddress, old.segments.iovecsFor(length), position);
  if (got !== length) return got < 0 ? got : -ENXIO;
  const recorded = journal?.record(position, length) ?? 0;
  if (recorded !== 0) return recorded;
  let done = 0;
  const failure = writePiece(engine, fd, data, length, position, (bytes) => {
    done += bytes;
  });
  // Back to what was there. Those bytes have their space, so even a full file system takes them.
  if (failure < 0 && done > 0) {
    if (writePiece(engine, fd, old, done, position) < 0) return UNKNOWN;
  }
  if (journal !== null && (engine.sync(fd) < 0 || journal.clear() < 0)) return UNKNOWN;
  return failure;
}
