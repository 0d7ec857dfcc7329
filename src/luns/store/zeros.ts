/** A gather list of zeros for writing them where the kernel cannot: one mapped buffer named many times. */
import { mapAnonymous } from '../../libc.ts';
import { Segments } from '../../scsi/segments.ts';

const IOVEC_PAGE_BYTES = 4096;
const ZERO_BYTES = 64 * 1024;
const REPEATS = 16;

let shared: Segments | null = null;

/** Segments of 1 MiB of zeros, mapped when first asked for and kept for the life of the thread. Never written to. */
export function zeroSegments(): Segments {
  if (shared !== null) return shared;
  const memory = mapAnonymous(IOVEC_PAGE_BYTES + ZERO_BYTES);
  const words = new Uint32Array(memory.buffer, 0, Segments.iovecBytes(REPEATS) / 4);
  const segments = new Segments({ words, address: memory.address });
  const view = new Uint8Array(memory.buffer);
  for (let i = 0; i < REPEATS; i += 1) {
    segments.append({ view, address: memory.address }, IOVEC_PAGE_BYTES, ZERO_BYTES);
  }
  shared = segments;
  return segments;
}
