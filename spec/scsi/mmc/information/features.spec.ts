/** The features of a drive against T10's lists, and against the commands that it has. */
import { strict as assert } from 'node:assert';
import type { LogicalUnit } from '../../../../src/scsi/logical-unit.ts';
import { burnCommands } from '../../../../src/scsi/mmc/burn/commands.ts';
import { MEDIUM_KINDS, type MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import { opticalCommands } from '../../../../src/scsi/mmc/commands.ts';
import { featuresOf } from '../../../../src/scsi/mmc/information/features.ts';
import type { MmcCommand } from '../../../../src/scsi/mmc/mmc-command.ts';
import { burner } from '../../../support/burner.ts';
import { dataDisc, optical } from '../../../support/optical.ts';
import type { TestNexus } from '../../../support/target.ts';
import { jsonVector } from '../../../support/vectors.ts';

const NAMES = new Map(
  jsonVector<readonly { feature: number; name: string }[]>('t10/mmc-features.json').map(
    ({ feature, name }) => [feature, name],
  ),
);

/** Feature → operation codes of the commands that a drive with it has (MMC-6 5.3). An empty list: the feature has none of its own. */
const COMMANDS: Readonly<Record<number, readonly number[]>> = {
  0: [],
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
  // READ CAPACITY, WRITE(10), WRITE AND VERIFY(10), SYNCHRONIZE CACHE, VERIFY(10).
  32: [0x25, 0x2a, 0x2e, 0x35, 0x2f],
  // READ DISC and TRACK INFORMATION, RESERVE TRACK, SEND OPC INFORMATION, REPAIR TRACK, CLOSE TRACK/SESSION, SYNCHRONIZE CACHE, WRITE(10).
  33: [0x51, 0x52, 0x53, 0x54, 0x58, 0x5b, 0x35, 0x2a],
  // FORMAT UNIT, READ FORMAT CAPACITIES, VERIFY(10).
  35: [0x04, 0x23, 0x2f],
  36: [0xad],
  // READ DISC and TRACK INFORMATION, SYNCHRONIZE CACHE, WRITE(10).
  38: [0x51, 0x52, 0x35, 0x2a],
  // FORMAT UNIT, CLOSE TRACK/SESSION, READ DISC STRUCTURE, and the four.
  42: [0x04, 0x5b, 0xad, 0x51, 0x52, 0x35, 0x2a],
  // RESERVE TRACK, CLOSE TRACK/SESSION, READ DISC STRUCTURE, and the four.
  43: [0x53, 0x5b, 0xad, 0x51, 0x52, 0x35, 0x2a],
  // BLANK, SEND OPC INFORMATION, CLOSE TRACK/SESSION, and the four.
  44: [0xa1, 0x54, 0x5b, 0x51, 0x52, 0x35, 0x2a],
  // BLANK, CLOSE TRACK/SESSION, READ BUFFER CAPACITY; 2Eh SEND CUE SHEET; 2Fh SEND DISC STRUCTURE.
  45: [0xa1, 0x5b, 0x5c, 0x2a, 0x35],
  46: [0x5d, 0xa1, 0x5c, 0x2a, 0x35],
  47: [0xa1, 0xbf, 0x5c, 0x2a, 0x35],
  55: [0xa1],
  56: [],
  // Those of DVD+R, and SEND DISC STRUCTURE (the layer boundary).
  59: [0xbf, 0x53, 0x5b, 0xad, 0x51, 0x52, 0x35, 0x2a],
  // READ(10), READ(12), READ DISC INFORMATION, READ DISC STRUCTURE, READ TRACK INFORMATION, READ TOC/PMA/ATIP.
  64: [0x28, 0xa8, 0x51, 0xad, 0x52, 0x43],
  65: [0x5b, 0xad, 0x51, 0x52, 0x35, 0x2a],
  256: [0x4a, 0x1b],
  // PAUSE/RESUME, PLAY AUDIO(10), MSF, (12), TRACK INDEX, READ SUB-CHANNEL, SCAN, STOP PLAY/SCAN, MECHANISM STATUS.
  259: [0x4b, 0x45, 0x47, 0xa5, 0x48, 0x42, 0xba, 0x4e, 0xbd],
  261: [],
  // GET PERFORMANCE, READ(12), SET CD SPEED, SET READ AHEAD, SET STREAMING; WRITE(12) of writers.
  263: [0xac, 0xa8, 0xbb, 0xa7, 0xb6, 0xaa],
  264: [],
  266: [0xad],
  // Of features that no drive here has: LOAD/UNLOAD MEDIUM of changers, REPORT KEY and SEND KEY of DVD CSS, READ MEDIA SERIAL NUMBER, and
  // ERASE(10) of sector erasable media.
  34: [0x2c],
  258: [0xa6, 0xbd],
  262: [0xa4, 0xa3],
  265: [0xab],
};
const ABSENT: readonly number[] = [0x0022, 0x0102, 0x0106, 0x0109];
/** Commands of features of readers that writers alone have. */
const OF_WRITERS: readonly number[] = [0xaa];

/**
 * Commands that every drive has whatever features it has, as hosts send them to all: READ FORMAT CAPACITIES and VERIFY(10), REPORT KEY
 * for the region, and LOAD/UNLOAD MEDIUM, which acts like START STOP UNIT where there is one slot.
 */
const OF_EVERY_DRIVE: readonly number[] = [0x23, 0x2f, 0xa4, 0xa6];
/** Of no feature: SEEK(10), READ HEADER and VERIFY(12). */
const OF_NO_FEATURE: readonly number[] = [0x2b, 0x44, 0xaf];

/** SEND KEY of DVD CSS, which is not there: SPC has commands of that operation code. */
const OF_SPC: readonly number[] = [0xa3];

type Table = readonly { readonly row: { readonly opcode: number } }[];

/** Feature and operation code of each command that a table lacks of these features. */
function missing(table: Table, features: readonly number[], writes: boolean): string[] {
  const known = new Set(table.map(({ row }) => row.opcode));
  return features.flatMap((code) => {
    const commands = COMMANDS[code];
    assert(commands, `feature ${code.toString(16)}h is in the table`);
    return commands
      .filter((opcode) => !known.has(opcode) && (writes || !OF_WRITERS.includes(opcode)))
      .map((opcode) => `${code.toString(16)} ${opcode.toString(16)}`);
  });
}

/** Commands of MMC in the column of the table that belong to none of these features. */
function homeless(table: readonly MmcCommand[], features: readonly number[]): number[] {
  return table
    .filter(([, , column]) => !column.some((code) => features.includes(code)))
    .map(([{ opcode }]) => opcode);
}

/** Feature codes in an answer to GET CONFIGURATION of this REQUEST TYPE. */
function featuresTold(nexus: TestNexus, requestType: number): number[] {
  const { sense, dataIn } = nexus.run([0x46, requestType, 0, 0, 0, 0, 0, 4, 0, 0], { in: 1024 });
  assert.equal(sense, '');
  const codes: number[] = [];
  for (let at = 8; at < dataIn.length; at += 4 + (dataIn[at + 3] as number)) {
    codes.push(((dataIn[at] as number) << 8) | (dataIn[at + 1] as number));
  }
  return codes;
}
const ALL = 0;
const CURRENT = 1;

/** Operation codes of the commands of these features. */
function commandsOf(features: readonly number[], writes: boolean): ReadonlySet<number> {
  const all = features.flatMap((code) => COMMANDS[code] ?? []);
  return new Set(all.filter((opcode) => writes || !OF_WRITERS.includes(opcode)));
}

/** The drive knows the command, whatever it says to this CDB. */
function isKnown(nexus: TestNexus, opcode: number): boolean {
  return nexus.run([opcode, ...new Array(11).fill(0)], { in: 64 }).sense !== '5/20/00';
}

interface Drive {
  readonly unit: LogicalUnit;
  readonly nexus: TestNexus;
}
function reader(profile: 0x08 | 0x10 | 0x40): Drive {
  const { bed, unit } = optical(dataDisc(1, profile), new Uint8Array(2048));
  return { unit, nexus: bed.nexus('a').clear() };
}
/** A writer with a disc of this kind, and what happened to it. */
function writer(kind: MediumKind, list = ''): Drive {
  const { a, unit } = burner(kind);
  if (list !== '') assert.equal(a.run('04 11 00 00 00 00', { out: list }).sense, '');
  return { unit, nexus: a };
}

const DRIVES: Readonly<Record<string, () => Drive>> = {
  'CD-ROM': () => reader(0x08),
  'DVD-ROM': () => reader(0x10),
  'BD-ROM': () => reader(0x40),
  ...Object.fromEntries(MEDIUM_KINDS.map((kind) => [`blank ${kind}`, () => writer(kind)])),
  'formatted cd-rw': () => writer('cd-rw', '0000 0008 00008000 40 000020'),
  'formatted dvd-rw': () => writer('dvd-rw', '0000 0008 00000000 54 000010'),
  'formatted dvd+rw': () => writer('dvd+rw', '0000 0008 00230540 98 000000'),
  'formatted bd-r (POW)': () => writer('bd-r', '0000 0008 00b47400 c8 000000'),
  'formatted bd-re': () => writer('bd-re', '0000 0008 00b47400 c0 000000'),
  'a CD-ROM in a writer': () => {
    const { bed, unit } = optical(dataDisc(1), new Uint8Array(2048), { writes: true });
    return { unit, nexus: bed.nexus('a').clear() };
  },
};

describe('features', () => {
  const readerFeatures = featuresOf(false);
  const writerFeatures = featuresOf(true);

  it('have the names of T10, and ascend', () => {
    const codes = writerFeatures.map(({ code }) => code);
    assert.deepEqual(
      writerFeatures.map(({ name }) => name),
      codes.map((code) => NAMES.get(code)),
    );
    assert.deepEqual(
      codes,
      [...codes].sort((a, b) => a - b),
    );
  });

  it('of a reader are those that need no writing', () => {
    assert.deepEqual(
      readerFeatures.map(({ code }) => code.toString(16)),
      ['0', '1', '2', '3', '10', '1d', '1e', '1f', '40', '100', '103', '105', '107', '108'],
    );
  });

  it('have data of a multiple of four bytes', () => {
    const { unit } = optical(dataDisc(1), new Uint8Array(2048), { writes: true });
    for (const feature of writerFeatures) {
      assert.equal(feature.data(unit, null).length % 4, 0, feature.name);
    }
  });

  it('each has its list of commands, and the column of the command table says the same', () => {
    const listed = new Map<number, number[]>();
    for (const [code, commands] of Object.entries(COMMANDS)) {
      for (const opcode of commands) {
        listed.set(
          opcode,
          [...(listed.get(opcode) ?? []), Number(code)].sort((x, y) => x - y),
        );
      }
    }
    const table = [...opticalCommands, ...burnCommands];
    assert.equal(table.length, 46);
    for (const [{ opcode, name }, , column] of table) {
      assert.deepEqual(column, listed.get(opcode) ?? [], name);
      assert.equal(column.length === 0, OF_NO_FEATURE.includes(opcode), name);
    }
  });

  const everCurrent = new Set<number>();
  for (const [name, make] of Object.entries(DRIVES)) {
    it(`current with ${name} have all their commands, and none is only of absent ones`, () => {
      const { unit, nexus } = make();
      const writes = unit.optical?.writes === true;
      const current = featuresTold(nexus, CURRENT);
      for (const code of current) everCurrent.add(code);
      assert.ok(current.length >= 8, `${current.length} are current`);
      const { commands } = unit.deviceType;
      assert.deepEqual(missing(commands, current, writes), []);
      for (const opcode of commandsOf(current, writes)) {
        assert.equal(isKnown(nexus, opcode), true, opcode.toString(16));
      }
      const own = [...opticalCommands, ...(writes ? burnCommands : [])];
      const exempt = [...OF_EVERY_DRIVE, ...OF_NO_FEATURE, ...OF_SPC];
      assert.deepEqual(
        homeless(own, featuresTold(nexus, ALL)).filter((opcode) => !exempt.includes(opcode)),
        [],
      );
      const others = [...commandsOf(ABSENT, writes)].filter(
        (opcode) => !exempt.includes(opcode) && !commandsOf(current, writes).has(opcode),
      );
      assert.ok(others.length > 0);
      for (const opcode of others) {
        assert.equal(isKnown(nexus, opcode), false, opcode.toString(16));
      }
    });
  }

  it('restricted overwrite is current with a CD-RW once it is formatted in fixed packets', () => {
    const isCurrent = ({ nexus }: Drive): boolean => featuresTold(nexus, CURRENT).includes(0x0026);
    const formatted = writer('cd-rw', '0000 0008 00008000 40 000020');
    assert.deepEqual([isCurrent(writer('cd-rw')), isCurrent(formatted)], [false, true]);
  });

  it('every one of a writer was current with one of these discs, and none that is absent', () => {
    assert.deepEqual(
      [...everCurrent].sort((x, y) => x - y),
      writerFeatures.map(({ code }) => code),
    );
    assert.deepEqual(
      ABSENT.filter((code) => everCurrent.has(code)),
      [],
    );
  });

  it('a command that is taken away, or is there without its feature, is found', () => {
    const { unit, nexus } = writer('cd-r');
    const { commands } = unit.deviceType;
    const current = featuresTold(nexus, CURRENT);
    const withCommands = current.filter((code) => (COMMANDS[code] ?? []).length > 0);
    for (const code of withCommands) {
      for (const opcode of COMMANDS[code] ?? []) {
        const rest = commands.filter(({ row }) => row.opcode !== opcode);
        const found = missing(rest, current, true);
        assert.ok(found.includes(`${code.toString(16)} ${opcode.toString(16)}`));
      }
    }
    const table = [...opticalCommands, ...burnCommands];
    const without = featuresTold(nexus, ALL).filter((code) => code !== 0x002e);
    assert.ok(homeless(table, without).includes(0x5d));
  });
});
