/** Changes the Control mode page of a disk in this process, as a host does: MODE SENSE(6), edit, MODE SELECT(6). */
import { strict as assert } from 'node:assert';
import type { TestNexus } from './target.ts';

const HEADER_BYTES = 4;

/** Sets the bits `mask` of byte `byte` of the Control page to `bits`; the nexus must have no unit attention pending. */
export function setControl(nexus: TestNexus, byte: number, mask: number, bits: number): void {
  const list = nexus.run('1a 08 0a 00 ff 00', { in: 255 }).dataIn.slice();
  // MODE DATA LENGTH and the DEVICE-SPECIFIC PARAMETER are reserved in a parameter list.
  list[0] = 0;
  list[2] = 0;
  list[HEADER_BYTES + byte] = ((list[HEADER_BYTES + byte] as number) & ~mask) | bits;
  assert.equal(nexus.run('15 10 00 00 10 00', { out: list }).status, 0);
}
