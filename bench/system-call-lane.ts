/** The bare loop: preadv and pwritev on the file, in this process, by the same foreign call that the store uses. */
import { closeSync, openSync } from 'node:fs';
import {
  close,
  createMemoryFile,
  errorName,
  mapAnonymous,
  mapShared,
  readVector,
  writeVector,
} from '../src/libc.ts';
import { Segments } from '../src/scsi/segments.ts';
import { type Lane, LaneError, MAX_BYTES, MAX_DEPTH, type Operation, READ } from './lane.ts';

export class SystemCallLane implements Lane {
  readonly ended = new Int32Array(MAX_DEPTH);
  readonly doorbellFd = -1;
  readonly #fd: number;
  readonly #segments: readonly Segments[];
  #count = 0;

  constructor(file: string) {
    this.#fd = openSync(file, 'r+');
    const memory = createMemoryFile('bench', MAX_DEPTH * MAX_BYTES);
    const mapping = mapShared(memory, MAX_DEPTH * MAX_BYTES);
    close(memory);
    const view = new Uint8Array(mapping.buffer);
    const iovecs = mapAnonymous(MAX_DEPTH * Segments.iovecBytes(1));
    const words = new Uint32Array(iovecs.buffer);
    this.#segments = Array.from({ length: MAX_DEPTH }, (_, slot) => {
      const segments = new Segments({
        words: words.subarray(slot * 4, slot * 4 + 4),
        address: iovecs.address + slot * Segments.iovecBytes(1),
      });
      const offset = slot * MAX_BYTES;
      segments.append({ view, address: mapping.address }, offset, MAX_BYTES);
      return segments;
    });
  }

  start(slot: number, operation: Operation, position: number, bytes: number): void {
    const segments = this.#segments[slot] as Segments;
    const count = segments.iovecsFor(bytes);
    const moved =
      operation === READ
        ? readVector(this.#fd, segments.iovAddress, count, position)
        : writeVector(this.#fd, segments.iovAddress, count, position, false);
    if (moved !== bytes) {
      throw new LaneError(`System call moved ${moved < 0 ? errorName(-moved) : moved} of ${bytes}`);
    }
    this.ended[this.#count] = slot;
    this.#count += 1;
  }

  flush(): void {}

  poll(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }

  arm(): boolean {
    return false;
  }

  disarm(): void {}

  close(): void {
    closeSync(this.#fd);
  }
}
