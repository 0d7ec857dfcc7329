/** Trace files and rules of `inject`: what is written is read, what is damaged is refused. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRule } from '../../src/cli/inject.ts';
import { entryText } from '../../src/cli/trace.ts';
import { readTrace, TraceWriter } from '../../src/cli/trace-file.ts';
import type { TraceEntry } from '../../src/daemon/reactor-messages.ts';

const READ: TraceEntry = {
  sequence: 5,
  atUs: 12_345_678.25,
  guest: 1,
  lun: 3,
  peripheralType: 0,
  cdb: Uint8Array.of(0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0),
  status: 2,
  sense: 0x052100,
  bytesIn: 0,
  bytesOut: 0,
  durationUs: 17,
};

describe('command: trace', () => {
  let directory = '';
  let path = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-trace-'));
    path = join(directory, 'trace');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function save(count: number): void {
    const writer = new TraceWriter(path);
    for (let i = 0; i < count; i++) writer.write({ ...READ, sequence: i });
    writer.close();
  }

  function show(): TraceEntry[] {
    const entries: TraceEntry[] = [];
    readTrace(path, (entry) => entries.push(entry));
    return entries;
  }

  it('gives back what was saved, over many reads of the file', () => {
    save(2000);
    const entries = show();
    assert.equal(entries.length, 2000);
    assert.deepEqual(
      { ...entries[1999], cdb: [...(entries[1999]?.cdb ?? [])] },
      {
        ...READ,
        sequence: 1999,
        cdb: [...READ.cdb],
      },
    );
  });

  it('shows a file whose end is missing up to there', () => {
    save(10);
    truncateSync(path, readFileSync(path).length - 5);
    assert.equal(show().length, 9);
  });

  it('refuses files that are none', () => {
    for (const content of ['', 'plain text', '\0\0\0\x01\x80', '\0\0\0\x02\x01\x02']) {
      writeFileSync(path, content, 'latin1');
      if (content === '' || content.length > 4) {
        assert.throws(show, { code: 'ERR_TRACE_FILE' }, JSON.stringify(content));
      }
    }
    save(1);
    appendFileSync(path, '\0\0\0\x01\x80', 'latin1');
    assert.throws(show, { code: 'ERR_TRACE_FILE', message: /entry 2 is none/ });
  });

  it('tells a command in words', () => {
    assert.equal(
      entryText(READ),
      '    12.345678  guest 1  lun 3  READ(10) [28 00 ff ff ff ff 00 00 01 00]  CHECK CONDITION  ' +
        'ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE (5/21/00)  17 us',
    );
  });
});

/** T10's operation code list: one code, another command for each device type. */
const NAMES: readonly (readonly [cdb: string, peripheralType: number, name: string])[] = [
  ['53000000000000001000', 0x00, 'XDWRITEREAD(10)'],
  ['53000000000000001000', 0x05, 'RESERVE TRACK'],
  ['42000000000000001800', 0x00, 'UNMAP'],
  ['42000000000000001800', 0x05, 'READ SUB-CHANNEL'],
  ['5b000200000000000000', 0x05, 'CLOSE TRACK/SESSION'],
  ['5b000200000000000000', 0x00, 'command 5bh'],
  ['5b000200000000000000', 0x0e, 'CLOSE TRACK/SESSION'],
  ['a30000000000000000000800', 0x05, 'SEND KEY'],
  ['a30c00000000000000000800', 0x05, 'REPORT SUPPORTED OPERATION CODES'],
  ['a30c00000000000000000800', 0x01, 'REPORT SUPPORTED OPERATION CODES'],
  ['2b000000000000000000', 0x01, 'LOCATE(10)'],
  ['2b000000000000000000', 0x05, 'SEEK(10)'],
  ['28000000000000000100', 0x05, 'READ(10)'],
  ['120000006000', 0x08, 'INQUIRY'],
  ['a50000000000000000000000', 0x08, 'MOVE MEDIUM'],
  ['a50000000000000000000000', 0x05, 'PLAY AUDIO(12)'],
  ['d1000000000000000000', 0x05, 'command d1h'],
];

describe('names of commands in a trace', () => {
  for (const [digits, peripheralType, name] of NAMES) {
    it(`${digits.slice(0, 2)}h to a unit of type ${peripheralType.toString(16)}h: ${name}`, () => {
      const cdb = Uint8Array.from(Buffer.from(digits, 'hex'));
      const words = entryText({ ...READ, cdb, peripheralType }).split('  ');
      assert.equal(
        words
          .find((word) => word.includes(' ['))
          ?.split(' [')[0]
          ?.trim(),
        name,
      );
    });
  }
});

describe('command: inject rules', () => {
  for (const [text, rule] of [
    ['read,fault=medium', { operation: 'read', fault: 'medium' }],
    ['any,delay=100', { operation: 'any', delayMs: 100 }],
    [
      'write,fault=full,lba=10-20,count=3',
      { operation: 'write', fault: 'full', firstLba: 10, lastLba: 20, count: 3 },
    ],
    ['flush,fault=gone,lba=7', { operation: 'flush', fault: 'gone', firstLba: 7, lastLba: 7 }],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseRule(text), rule));
  }

  for (const text of [
    '',
    'read',
    'erase,fault=full',
    'read,fault=bad',
    'read,delay',
    'read,lba=9-8,delay=1',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseRule(text)));
  }
});
