/** The features of a drive against T10's lists, and against the commands that it has. */
import { strict as assert } from 'node:assert';
import type { Disc } from '../../../../src/scsi/mmc/disc.ts';
import { featuresOf, isCurrent } from '../../../../src/scsi/mmc/information/features.ts';
import { dataDisc, optical } from '../../../support/optical.ts';
import { jsonVector } from '../../../support/vectors.ts';

const NAMES = new Map(
  jsonVector<readonly { feature: number; name: string }[]>('t10/mmc-features.json').map(
    ({ feature, name }) => [feature, name],
  ),
);

/** Feature → operation codes of the commands that a drive with it has (MMC-6 5.3), but for those that writers alone need. */
const COMMANDS: Readonly<Record<number, readonly number[]>> = {
  // GET CONFIGURATION, GET EVENT STATUS NOTIFICATION, INQUIRY, MODE SELECT and SENSE(10), REQUEST SENSE, TEST UNIT READY.
  1: [0x46, 0x4a, 0x12, 0x55, 0x5a, 0x03, 0x00],
  2: [0x46, 0x4a],
  // GET EVENT STATUS NOTIFICATION, MECHANISM STATUS, PREVENT ALLOW MEDIUM REMOVAL, START STOP UNIT.
  3: [0x4a, 0xbd, 0x1e, 0x1b],
  // READ CAPACITY, READ(10).
  16: [0x25, 0x28],
  // READ(10), READ CD, READ DISC INFORMATION, READ TRACK INFORMATION.
  29: [0x28, 0xbe, 0x51, 0x52],
  // READ CD, READ CD MSF, READ TOC/PMA/ATIP.
  30: [0xbe, 0xb9, 0x43],
  // READ(10), READ(12), READ DISC STRUCTURE, READ TOC/PMA/ATIP.
  31: [0x28, 0xa8, 0xad, 0x43],
  // WRITE(10), WRITE AND VERIFY(10), SYNCHRONIZE CACHE, VERIFY(10).
  32: [0x25, 0x2a, 0x2e, 0x35, 0x2f],
  // CLOSE TRACK/SESSION, RESERVE TRACK, SEND OPC INFORMATION, READ DISC and TRACK INFORMATION.
  33: [0x51, 0x52, 0x53, 0x54, 0x5b, 0x35, 0x2a],
  // FORMAT UNIT, READ FORMAT CAPACITIES, VERIFY(10).
  35: [0x04, 0x23, 0x2f],
  36: [0xad],
  // BLANK, SEND CUE SHEET, SEND DISC STRUCTURE, READ BUFFER CAPACITY.
  45: [0xa1, 0x5b, 0x5c, 0x2a, 0x35],
  46: [0x5d, 0xa1, 0x5c, 0x2a, 0x35],
  47: [0xa1, 0xbf, 0x5c, 0x2a, 0x35],
  // READ(10), READ(12), READ DISC INFORMATION, READ DISC STRUCTURE, READ TRACK INFORMATION, READ TOC/PMA/ATIP.
  64: [0x28, 0xa8, 0x51, 0xad, 0x52, 0x43],
  256: [0x4a, 0x1b],
  // PAUSE/RESUME, PLAY AUDIO(10), MSF, (12), TRACK INDEX, READ SUB-CHANNEL, SCAN, STOP PLAY/SCAN, MECHANISM STATUS.
  259: [0x4b, 0x45, 0x47, 0xa5, 0x48, 0x42, 0xba, 0x4e, 0xbd],
  // DVD CSS: REPORT KEY, SEND KEY.
  262: [0xa4, 0xa3],
  // GET PERFORMANCE, READ(12), SET CD SPEED, SET READ AHEAD, SET STREAMING.
  263: [0xac, 0xa8, 0xbb, 0xa7, 0xb6],
  265: [0xab],
};

/**
 * Commands of no feature of a reader that hosts send to every drive all the same (READ FORMAT CAPACITIES, VERIFY(10), and REPORT KEY
 * for the region), and operation codes that SPC has given another meaning (maintenance).
 */
const OF_EVERY_DRIVE: readonly number[] = [0x23, 0x2f, 0xa4, 0xa3];

describe('features', () => {
  const reader = featuresOf(false);
  const writer = featuresOf(true);

  it('have the names of T10, and ascend', () => {
    const codes = writer.map(({ code }) => code);
    assert.deepEqual(
      writer.map(({ name }) => name),
      codes.map((code) => NAMES.get(code)),
    );
    assert.deepEqual(
      codes,
      [...codes].sort((a, b) => a - b),
    );
  });

  it('of a reader are those that need no writing', () => {
    assert.deepEqual(
      reader.map(({ code }) => code.toString(16)),
      ['0', '1', '2', '3', '10', '1d', '1e', '1f', '40', '100', '103', '105', '107', '108'],
    );
  });

  it('have data of a multiple of four bytes', () => {
    const { unit } = optical(dataDisc(1), new Uint8Array(2048), { writes: true });
    for (const feature of writer) {
      assert.equal(feature.data(unit, null).length % 4, 0, feature.name);
    }
  });

  for (const [name, profile] of [
    ['CD-ROM', 0x0008],
    ['DVD-ROM', 0x0010],
    ['BD-ROM', 0x0040],
  ] as const) {
    it(`current with a ${name} have all their commands`, () => {
      const { unit } = optical(dataDisc(1, profile), new Uint8Array(2048));
      const disc = unit.optical?.disc as Disc;
      const missing = reader
        .filter((feature) => isCurrent(feature, disc))
        .flatMap(({ code }) => COMMANDS[code] ?? [])
        .filter((opcode) => unit.deviceType.opcodes[opcode] === null);
      assert.deepEqual(missing, []);
    });
  }

  it('no command belongs to absent ones only', () => {
    const { unit } = optical(dataDisc(1), new Uint8Array(2048));
    const present = new Set(reader.flatMap(({ code }) => COMMANDS[code] ?? []));
    const known = new Set(Object.values(COMMANDS).flat());
    const homeless = unit.deviceType.commands
      .map(({ row }) => row.opcode)
      .filter((opcode) => known.has(opcode) && !present.has(opcode));
    assert.deepEqual(
      homeless.filter((opcode) => !OF_EVERY_DRIVE.includes(opcode)),
      [],
    );
  });
});
