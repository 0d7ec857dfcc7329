/** The dirty page log of live migration: a bitmap the front end shares, one bit per 4 KiB page of guest memory (vhost-user, Migration). */
import { type Mapping, mapShared, unmap } from '../../libc.ts';
import { memoryFileFault } from '../memory-file.ts';
import { VhostMemoryError, WINDOW_BYTES } from './guest-memory.ts';

export const LOG_PAGE_BYTES = 4096;

export class DirtyLog {
  readonly #mapping: Mapping;
  readonly #bits: Uint8Array;

  constructor(mapping: Mapping) {
    this.#mapping = mapping;
    this.#bits = new Uint8Array(mapping.buffer);
  }

  /** Maps the log of SET_LOG_BASE. The descriptor stays the caller's. Throws VhostMemoryError. */
  static map(fd: number, bytes: number, offset: number): DirtyLog {
    if (!(bytes > 0 && bytes <= WINDOW_BYTES)) {
      throw new VhostMemoryError(`log size is ${bytes}; 1 to ${WINDOW_BYTES} bytes are served`);
    }
    if (!(offset >= 0 && offset % LOG_PAGE_BYTES === 0 && Number.isSafeInteger(offset + bytes))) {
      throw new VhostMemoryError(
        `log offset is ${offset}; a multiple of ${LOG_PAGE_BYTES} below 2^53 is served`,
      );
    }
    const fault = memoryFileFault(fd, offset + bytes);
    if (fault !== null) throw new VhostMemoryError(`log fd ${fault}`);
    return new DirtyLog(mapShared(fd, bytes, offset));
  }

  /** Marks every page that [guestAddress, guestAddress + bytes) touches. Pages past the end of the log are nobody's. */
  mark(guestAddress: number, bytes: number): void {
    if (bytes <= 0) return;
    const last = Math.floor((guestAddress + bytes - 1) / LOG_PAGE_BYTES);
    const limit = Math.min(last, this.#bits.length * 8 - 1);
    for (let page = Math.floor(guestAddress / LOG_PAGE_BYTES); page <= limit; page += 1) {
      Atomics.or(this.#bits, Math.floor(page / 8), 1 << (page % 8));
    }
  }

  /** Unmaps. Nothing may be marked afterwards. */
  close(): void {
    unmap(this.#mapping);
  }
}
