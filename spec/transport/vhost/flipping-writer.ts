/** A thread of a hostile guest: flips bits of its rings, tables and headers as fast as it can while the device reads them. */
import { workerData } from 'node:worker_threads';
import { mapShared, unmap } from '../../../src/libc.ts';
import { Seeded } from '../control/seeded.ts';

export interface FlippingOrder {
  readonly fd: number;
  readonly bytes: number;
  /** Ranges to flip in, as [from, to). */
  readonly ranges: readonly (readonly [number, number])[];
  readonly seed: number;
  /** Word 0: 1 when the thread runs, 2 when it is to end, 3 when it has. */
  readonly word: Int32Array;
}

const { fd, bytes, ranges, seed, word } = workerData as FlippingOrder;
const mapping = mapShared(fd, bytes);
const view = new Uint8Array(mapping.buffer);
const seeded = new Seeded(seed);
Atomics.store(word, 0, 1);
Atomics.notify(word, 0);
while (Atomics.load(word, 0) === 1) {
  const [from, to] = ranges[seeded.below(ranges.length)] as readonly [number, number];
  const at = from + seeded.below(to - from);
  const bit = 1 << seeded.below(8);
  // And back again: most of the time the request is right, and changes under the reader's eyes.
  view[at] = (view[at] as number) ^ bit;
  view[at] = (view[at] as number) ^ bit;
}
unmap(mapping);
Atomics.store(word, 0, 3);
Atomics.notify(word, 0);
