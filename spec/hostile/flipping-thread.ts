/** A hostile thread of a guest: never stops changing words of its memory between two values, or filling a part with noise. */
import { parentPort, workerData } from 'node:worker_threads';
import { mapShared, unmap } from '../../src/libc.ts';

interface Orders {
  readonly fd: number;
  readonly bytes: number;
  readonly stop: Int32Array;
  /** Address in the memory, the two values there, and whether they are a 32-bit word or a byte. */
  readonly words: readonly (readonly [at: number, one: number, other: number, bytes: 1 | 4])[];
  readonly noise?: { readonly from: number; readonly to: number };
}

const { fd, bytes, stop, words, noise } = workerData as Orders;
const mapping = mapShared(fd, bytes);
const aligned = new Int32Array(mapping.buffer);
const view = new Uint8Array(mapping.buffer);

let seed = 4711;
function makeNoise(from: number, to: number): void {
  for (let i = from / 4; i < to / 4; i += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    aligned[i] = seed;
  }
}

for (let round = 0; Atomics.load(stop, 0) === 0; round += 1) {
  for (const [at, one, other, width] of words) {
    const value = ((round >> words.length) & 1) === 0 ? one : other;
    if (width === 4) Atomics.store(aligned, at / 4, value);
    else view[at] = value;
  }
  if (noise !== undefined) makeNoise(noise.from, noise.to);
  if (round === 0) parentPort?.postMessage('changing');
}
unmap(mapping);
