/** The store of a disc: several files, one behind the other, that are only read. */
import { assert } from '../../assert.ts';
import { mapAnonymous } from '../../libc.ts';
import {
  type AllocationRun,
  DATA,
  DONE,
  READ_ONLY,
  type StoreReply,
} from '../../scsi/contracts.ts';
import { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import type { DiskStore, StoreCounters } from './disk-store.ts';

const GRANULE_BYTES = 4096;
const PIECE_IOVECS = 256;

let sharedPiece: Segments | null = null;

/** Iovecs for one piece of a transfer over several files. One per thread: they are used inside one call only. */
function pieceSegments(): Segments {
  if (sharedPiece === null) {
    const memory = mapAnonymous(Segments.iovecBytes(PIECE_IOVECS));
    const words = new Uint32Array(memory.buffer);
    sharedPiece = new Segments({ words, address: memory.address });
  }
  return sharedPiece;
}

interface Part {
  readonly store: DiskStore;
  /** First byte of it here, and the one behind its last. */
  readonly first: number;
  readonly end: number;
}

/**
 * A read inside one file is that file's, queued like every other. One over a boundary is rare (tracks are read one by one) and done at
 * once, piece by piece. Nothing is ever written, so there is nothing to flush: a disc whose file has vanished can still be taken out.
 */
export class JoinedStore implements DiskStore {
  readonly bytes: number;
  readonly readOnly = true;
  readonly canDiscard = false;
  readonly canReserve = false;
  readonly discardBytes = GRANULE_BYTES;
  readonly volatileCache = false;
  readonly atomicBytes = 0;
  readonly key = null;
  readonly counters: StoreCounters;
  readonly #parts: readonly Part[];

  /** `counters`: those of all `stores`. */
  constructor(stores: readonly DiskStore[], counters: StoreCounters) {
    let at = 0;
    this.#parts = stores.map((store) => {
      const first = at;
      at += store.bytes;
      return { store, first, end: at };
    });
    this.bytes = at;
    this.counters = counters;
  }

  turn(): void {
    for (const { store } of this.#parts) store.turn();
  }

  grow(): void {
    assert(false, 'a disc does not grow');
  }

  close(): void {
    for (const { store } of this.#parts) store.close();
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    const { store, first, end } = this.#partAt(position);
    if (position + length <= end) return store.read(task, position - first, length, into);
    return this.#readAcross(task, position, length, into);
  }

  readNow(task: Task, position: number, length: number, into: Segments): StoreReply {
    const { store, first, end } = this.#partAt(position);
    if (position + length <= end) return store.readNow(task, position - first, length, into);
    return this.#readAcross(task, position, length, into);
  }

  write(task: Task): StoreReply {
    return refuse(task);
  }
  writeAtomic(task: Task): StoreReply {
    return refuse(task);
  }
  discard(task: Task): StoreReply {
    return refuse(task);
  }
  writeZeroes(task: Task): StoreReply {
    return refuse(task);
  }

  flush(): StoreReply {
    return DONE;
  }
  syncNow(): StoreReply {
    return DONE;
  }

  /** It is not known what of it takes space. */
  allocation(): AllocationRun {
    return { state: DATA, end: this.bytes };
  }

  /** Whoever reads a file ends every request by itself. */
  cancel(): void {}

  #partAt(position: number): Part {
    const part = this.#parts.find(({ end }) => position < end) ?? this.#parts.at(-1);
    assert(part !== undefined, 'a disc is in a file');
    return part;
  }

  #readAcross(task: Task, position: number, length: number, into: Segments): StoreReply {
    const piece = pieceSegments();
    let done = 0;
    while (done < length) {
      const { store, first, end } = this.#partAt(position + done);
      const bytes = into.partInto(done, Math.min(length - done, end - position - done), piece);
      const reply = store.readNow(task, position + done - first, bytes, piece);
      piece.clear();
      if (reply !== DONE) {
        task.storedBytes += done;
        return reply;
      }
      done += bytes;
    }
    return DONE;
  }
}

function refuse(task: Task): StoreReply {
  task.storedBytes = 0;
  return READ_ONLY;
}
