/** What every generated hostile front end is given and judged by. */
import { strict as assert } from 'node:assert';
import { lunField } from '../../src/initiator/vhost/scsi-driver.ts';
import {
  type BackEnd,
  openDescriptors,
  type Pair,
  type ServedFrontEnd,
} from '../support/vhost/back-end.ts';
import type { Seeded } from '../transport/control/seeded.ts';

/** Values that have broken others: zero, one, edges of 7, 8, 15, 16, 31 and 32 bits, and page sizes. */
const EDGES = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0x1001,
  0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffff000, 0xfffffffe,
  0xffffffff,
] as const;

/** A word: an edge, near another value, or anything. */
export function hostileWord(random: Seeded, near: number): number {
  const kind = random.below(4);
  if (kind === 0) return (near + random.below(5) - 2) >>> 0;
  if (kind === 1) return (near ^ (1 << random.below(32))) >>> 0;
  if (kind === 2) return random.below(2 ** 32);
  return EDGES[random.below(EDGES.length)] as number;
}

export function pick<T>(random: Seeded, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** A reason of one line that names something. */
export function checkReason(reason: string): void {
  assert.match(reason, /^[ -~]{10,300}$/, 'one line');
  assert.doesNotMatch(reason, /internal failure|undefined|NaN|\[object/, reason);
}

export function checkServed(served: ServedFrontEnd): void {
  assert.ok(served.broken.length <= 1, `broken off once: ${served.broken.join(' | ')}`);
  for (const reason of served.broken) checkReason(reason);
}

/** The healthy guest still works, whatever state others have left the logical unit in. */
export function checkHealthy(backEnd: BackEnd, healthy: Pair): void {
  assert.deepEqual(backEnd.internalErrors, []);
  healthy.run({ lun: lunField(1), cdb: new Uint8Array([0x1b, 0, 0, 0, 1, 0]) });
  healthy.smoke(1);
}

/** Descriptors of the process are as many as before. */
export class DescriptorCount {
  readonly #before = openDescriptors();
  check(): void {
    assert.equal(openDescriptors(), this.#before, 'descriptors are back');
  }
}
