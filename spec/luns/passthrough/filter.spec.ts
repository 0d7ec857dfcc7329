/** The filter: what is refused by name, before anything reaches the device. */
import { strict as assert } from 'node:assert';
import { FILTERS } from '../../../src/luns/passthrough/unit.ts';
import { bytesOf } from '../../support/direct-port.ts';
import { PassthroughBed } from '../../support/scripted-device.ts';
import { jsonVector } from '../../support/vectors.ts';

interface Denied {
  readonly what: string;
  readonly cdb: string;
  readonly sense?: string;
  readonly pointer?: string;
  readonly out?: string;
}

const UNKNOWN = '5/20/00';
const FIELD = '5/24/00';
const LIST = '5/26/00';

const HEADER_10 = '00 00 00 00 00 00 00 00';

const OPTICAL: readonly Denied[] = [
  { what: 'REZERO UNIT', cdb: '01 00 00 00 00 00' },
  { what: 'SEND DIAGNOSTIC', cdb: '1d 04 00 00 00 00' },
  { what: 'RECEIVE DIAGNOSTIC RESULTS', cdb: '1c 00 00 00 ff 00' },
  { what: 'COPY', cdb: '18 00 00 00 00 00' },
  { what: 'ERASE(10)', cdb: '2c 00 00 00 00 00 00 00 00 00' },
  { what: 'WRITE BUFFER, download microcode', cdb: '3b 05 00 00 00 00 00 00 00 00' },
  { what: 'WRITE LONG(10)', cdb: '3f 00 00 00 00 00 00 00 00 00' },
  { what: 'LOG SELECT', cdb: '4c 00 00 00 00 00 00 00 00 00' },
  { what: 'ATA PASS-THROUGH(16)', cdb: '85 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'C0h, vendor', cdb: 'c0 00 00 00 00 00 00 00 00 00' },
  { what: 'D8h, vendor: READ CD-DA', cdb: 'd8 00 00 00 00 00 00 00 00 01 00 00' },
  { what: 'E5h, vendor, as wodim sends it', cdb: 'e5 00 00 00 00 01 00 00 00 00 0e 00' },
  { what: 'FFh, vendor', cdb: 'ff 00 00 00 00 00 00 00 00 00 00 00' },
  {
    what: 'READ BUFFER, vendor mode',
    cdb: '3c 01 00 00 00 00 00 00 04 00',
    sense: FIELD,
    pointer: 'cdb 1.4',
  },
  {
    what: 'READ BUFFER, echo buffer',
    cdb: '3c 0a 00 00 00 00 00 00 04 00',
    sense: FIELD,
    pointer: 'cdb 1.4',
  },
  {
    what: 'SEND KEY, region',
    cdb: 'a3 00 00 00 00 00 00 00 00 08 06 00',
    sense: FIELD,
    pointer: 'cdb 10.5',
    out: '00 06 00 00 01 00 00 00',
  },
  {
    what: 'VERIFY(10) that compares',
    cdb: '2f 02 00 00 00 00 00 00 01 00',
    sense: FIELD,
    pointer: 'cdb 1.1',
  },
  {
    what: 'GET PERFORMANCE, defects',
    cdb: 'ac 00 00 00 00 00 00 00 00 01 02 00',
    sense: FIELD,
    pointer: 'cdb 10.7',
  },
  {
    what: 'FORMAT UNIT without a list',
    cdb: '04 01 00 00 00 00',
    sense: FIELD,
    pointer: 'cdb 1.4',
  },
  {
    what: 'FORMAT UNIT with two descriptors',
    cdb: '04 11 00 00 00 00',
    sense: LIST,
    pointer: 'list 2',
    out: '00 02 00 10 00 00 00 00 98 00 00 00',
  },
  {
    what: 'MODE SELECT(10), vendor page',
    cdb: '55 10 00 00 00 00 00 00 0c 00',
    sense: LIST,
    pointer: 'list 8',
    out: `${HEADER_10} 20 02 00 00`,
  },
  {
    what: 'MODE SELECT(10), blocks of 512 bytes',
    cdb: '55 10 00 00 00 00 00 00 10 00',
    sense: LIST,
    pointer: 'list 13',
    out: '00 00 00 00 00 00 00 08 00 00 00 00 00 00 02 00',
  },
  {
    what: 'MODE SELECT(10), a page that is cut short',
    cdb: '55 10 00 00 00 00 00 00 0c 00',
    sense: '5/1a/00',
    out: `${HEADER_10} 05 32 00 00`,
  },
];

const DISK: readonly Denied[] = [
  { what: 'WRITE BUFFER', cdb: '3b 05 00 00 00 00 00 00 00 00' },
  { what: 'ATA PASS-THROUGH(12)', cdb: 'a1 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'ATA PASS-THROUGH(16)', cdb: '85 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'SECURITY PROTOCOL OUT', cdb: 'b5 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'SANITIZE', cdb: '48 01 00 00 00 00 00 00 00 00' },
  { what: 'REASSIGN BLOCKS', cdb: '07 00 00 00 00 00' },
  { what: 'EXTENDED COPY', cdb: '83 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'FORMAT UNIT with a list', cdb: '04 10 00 00 00 00', sense: FIELD, pointer: 'cdb 1.4' },
  {
    what: 'READ(10) with protection information',
    cdb: '28 20 00 00 00 00 00 00 01 00',
    sense: FIELD,
    pointer: 'cdb 1.7',
  },
  {
    what: 'LOG SENSE that saves',
    cdb: '4d 01 00 00 00 00 00 00 04 00',
    sense: FIELD,
    pointer: 'cdb 1.0',
  },
  {
    what: 'READ LONG(16)',
    cdb: '9e 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    sense: FIELD,
    pointer: 'cdb 1.4',
  },
];

const TAPE: readonly Denied[] = [
  { what: 'WRITE BUFFER', cdb: '3b 05 00 00 00 00 00 00 00 00' },
  { what: 'FORMAT MEDIUM', cdb: '04 00 00 00 00 00' },
  { what: 'WRITE ATTRIBUTE', cdb: '8d 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00' },
  { what: 'SECURITY PROTOCOL OUT', cdb: 'b5 00 00 00 00 00 00 00 00 00 00 00' },
];

const CHANGER: readonly Denied[] = [
  { what: 'WRITE BUFFER', cdb: '3b 05 00 00 00 00 00 00 00 00' },
  { what: 'MODE SELECT(6)', cdb: '15 10 00 00 00 00' },
];

function sweep(name: string, type: number, cases: readonly Denied[]): void {
  describe(`passthrough: the filter of ${name}`, () => {
    for (const { what, cdb, sense = UNKNOWN, pointer = '', out } of cases) {
      it(`refuses ${what}: ${sense}`, () => {
        const bed = new PassthroughBed({ type });
        const outcome = bed
          .client('a')
          .send(cdb, { in: 64, ...(out === undefined ? {} : { out }) });
        assert.equal(outcome.sense, sense);
        assert.equal(outcome.pointer, pointer);
        assert.deepEqual(bed.device.sent, []);
      });
    }
  });
}

sweep('CD/DVD drives', 0x05, OPTICAL);
sweep('disks', 0x00, DISK);
sweep('tape drives', 0x01, TAPE);
sweep('changers', 0x08, CHANGER);

describe('passthrough: what the filter lets through', () => {
  it('a page 05 and a descriptor alone, as wodim ends with', () => {
    const bed = new PassthroughBed();
    const a = bed.client('a');
    const page = bytesOf(`${HEADER_10} 05 32 41 04 08 ${'00'.repeat(47)}`);
    assert.equal(a.send('55 10 00 00 00 00 00 00 3c 00', { out: page }).status, 0);
    const end = '00 00 00 00 00 00 00 08 00 00 00 00 00 00 08 00';
    assert.equal(a.send('55 10 00 00 00 00 00 00 10 00', { out: end }).status, 0);
    assert.equal(bed.device.sent.length, 2);
  });

  it('reserved bits and the format in the control byte are for the drive to judge', () => {
    const bed = new PassthroughBed();
    bed.client('a').send('43 00 00 00 00 00 00 00 0c 40', { in: 12 });
    assert.deepEqual(bed.device.sent, ['43 00 00 00 00 00 00 00 0c 40']);
  });

  it('trailing bytes of a CDB that is too long are not sent', () => {
    const bed = new PassthroughBed();
    bed.client('a').send('28 00 00 00 00 00 00 00 01 00 00 00', { in: 2048 });
    assert.deepEqual(bed.device.sent, ['28 00 00 00 00 00 00 00 01 00']);
  });

  it('an operation code of the operator', () => {
    const allow = [
      { opcode: 0xe9, data: 'in', lengthFirst: 7, lengthLast: 8, cdbBytes: 12 },
    ] as const;
    const bed = new PassthroughBed({ allow, answers: { e9: { data: '01 02' } } });
    const outcome = bed.client('a').send('e9 00 00 00 00 00 00 00 02 00 00 00', { in: 2 });
    assert.deepEqual([...outcome.dataIn], [1, 2]);
  });

  it('but no microcode, whatever the operator says', () => {
    const allow = [
      { opcode: 0x3b, data: 'out', lengthFirst: 6, lengthLast: 8, cdbBytes: 10 },
    ] as const;
    const bed = new PassthroughBed({ allow });
    const a = bed.client('a');
    for (const mode of ['04', '05', '06', '07', '0d', '0e', '0f']) {
      assert.equal(a.send(`3b ${mode} 00 00 00 00 00 00 00 00`).sense, FIELD);
    }
    assert.deepEqual(bed.device.sent, []);
  });

  it('timeouts: BLANK three hours, CLOSE twenty minutes, READ one', () => {
    const bed = new PassthroughBed();
    const a = bed.client('a');
    bed.device.timeouts.length = 0;
    a.send('28 00 00 00 00 00 00 00 01 00', { in: 2048 });
    a.send('5b 00 01 00 00 01 00 00 00 00');
    a.send('a1 00 00 00 00 00 00 00 00 00 00 00');
    assert.deepEqual(bed.device.timeouts.slice(0, 3), [60_000, 1_200_000, 10_800_000]);
  });
});

interface OpcodeRow {
  readonly opcode: number;
  readonly sa: number | null;
  readonly name: string;
  readonly cdbLength: number;
}

/** Commands that T10's list has under an older name, or does not have for optical drives. */
const OTHERWISE_LISTED = new Set([
  'PLAY AUDIO TRACK INDEX',
  'SEND EVENT',
  'READ DISC STRUCTURE',
  'SEND DISC STRUCTURE',
]);

describe('passthrough: rows of the filter', () => {
  const opcodes = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');
  const names = new Set(opcodes.map(({ name }) => name));

  it('have the opcode, service action, name and CDB length that T10 lists', () => {
    const rows = [...FILTERS.values()].flat().filter(({ name }) => !OTHERWISE_LISTED.has(name));
    const strangers = rows.filter(({ opcode, serviceAction, name, cdbBytes }) => {
      const sa = serviceAction < 0 ? null : serviceAction;
      return !opcodes.some(
        (each) =>
          each.opcode === opcode &&
          each.sa === sa &&
          each.name === name &&
          each.cdbLength === cdbBytes,
      );
    });
    assert.deepEqual(
      strangers.map(({ name }) => name),
      [],
    );
  });

  it('that T10 lists otherwise are these alone', () => {
    assert.deepEqual(
      [...OTHERWISE_LISTED].filter((name) => names.has(name)),
      [],
    );
  });
});
