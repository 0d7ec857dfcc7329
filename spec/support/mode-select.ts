/** Changes one byte of a mode page the way a host does: MODE SENSE(6), edit, MODE SELECT(6) (SPC-4 6.9, 6.11). */
import { strict as assert } from 'node:assert';
import { sense, type TestInitiator } from './ports.ts';

export const CACHING_PAGE = 0x08;
export const CONTROL_PAGE = 0x0a;
/** Caching page byte 2. */
export const WCE = 0x04;
/** Control page byte 5. */
export const TAS = 0x40;

const HEADER_BYTES = 4;

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** Sets (or clears) the bits `mask` of byte `byte` of a page; returns that byte as it was. */
export async function modeSelect(
  initiator: TestInitiator,
  page: number,
  byte: number,
  mask: number,
  on: boolean,
): Promise<number> {
  const sensed = await initiator.run(`1a 08 ${hex(page)} 00 ff 00`, { dataInBytes: 255 });
  assert.equal(sensed.status, 0, sense(sensed));
  const list = sensed.dataIn.slice();
  // MODE DATA LENGTH and the DEVICE-SPECIFIC PARAMETER are reserved in a parameter list, and so is PS.
  list[0] = 0;
  list[2] = 0;
  list[HEADER_BYTES] = page;
  const before = list[HEADER_BYTES + byte] as number;
  list[HEADER_BYTES + byte] = on ? before | mask : before & ~mask;
  const selected = await initiator.run(`15 10 00 00 ${hex(list.length)} 00`, { dataOut: list });
  assert.equal(selected.status, 0, sense(selected));
  return before;
}
