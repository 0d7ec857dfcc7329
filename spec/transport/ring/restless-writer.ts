/** A hostile thread: never stops writing to memory that it shares with the spec that started it. */
import { workerData } from 'node:worker_threads';
import { mapShared } from '../../../src/libc.ts';

interface Orders {
  readonly fd: number;
  readonly bytes: number;
  readonly stop: Int32Array;
  /** flip: every byte of [from, to) between two patterns; noise: random words there; produce: element after element. */
  readonly kind: 'flip' | 'noise' | 'produce';
  readonly from: number;
  readonly to: number;
}

const { fd, bytes, stop, kind, from, to } = workerData as Orders;
const { buffer } = mapShared(fd, bytes);
const view = new Uint8Array(buffer);
const words = new Int32Array(buffer);

function flip(round: number): void {
  // Both patterns have bit 7 of the first byte set: the element stays valid while every byte of it changes.
  view.fill(round % 2 === 0 ? 0x80 : 0xff, from, to);
}

let seed = 12345;
function noise(): void {
  for (let i = from / 4; i < to / 4; i += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    words[i] = seed;
  }
}

let cursor = from / 4;
function produce(): void {
  Atomics.store(words, cursor, 0x0180);
  cursor += 4;
  if (cursor === to / 4) cursor = from / 4;
}

for (let round = 0; Atomics.load(stop, 0) === 0; round += 1) {
  if (kind === 'flip') flip(round);
  else if (kind === 'noise') noise();
  else produce();
  if (round === 0) {
    Atomics.store(stop, 1, 1);
    Atomics.notify(stop, 1);
  }
}
