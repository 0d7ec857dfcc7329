/** Names of codes against T10's lists, both ways. */
import { strict as assert } from 'node:assert';
import { statusName } from '../../src/scsi/sam.ts';
import * as senseModule from '../../src/scsi/sense.ts';
import * as codes from '../../src/scsi/sense-codes.ts';
import { additionalSenseText, senseKeyText, senseText } from '../../src/scsi/sense-text.ts';
import { SENSE_TEXT_HIGH } from '../../src/scsi/sense-text-high.ts';
import { SENSE_TEXT_LOW } from '../../src/scsi/sense-text-low.ts';
import { jsonVector } from '../support/vectors.ts';

interface Assignment {
  readonly asc: number;
  readonly ascq: number | null;
  readonly ascqRange?: readonly [number, number];
  readonly text: string;
}

const assignments = jsonVector<readonly Assignment[]>('t10/asc-ascq.json');
const keys = jsonVector<readonly { key: number; name: string }[]>('t10/sense-keys.json');
const statuses = jsonVector<readonly { status: number; name: string }[]>('t10/status-codes.json');

const symbol = (text: string): string =>
  text
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/_$/, '');

describe('sense in words', () => {
  it('knows every assignment of T10 in T10 spelling', () => {
    assert.equal(assignments.length, 767);
    for (const { asc, ascq, ascqRange, text } of assignments) {
      if (ascq !== null) {
        assert.equal(additionalSenseText(asc, ascq)?.toUpperCase(), text.toUpperCase());
        continue;
      }
      assert.ok(ascqRange);
      for (const each of ascqRange) {
        if (assignments.some((a) => a.asc === asc && a.ascq === each)) continue;
        const number = `${each.toString(16).toUpperCase().padStart(2, '0')}h`;
        assert.equal(additionalSenseText(asc, each), text.replace(/\bNN\b/, number));
      }
    }
  });

  it('has no entry that T10 has not', () => {
    const lines = `${SENSE_TEXT_LOW}${SENSE_TEXT_HIGH}`.split('\n').filter((line) => line !== '');
    assert.equal(lines.length, assignments.length);
    for (let asc = 0; asc < 256; asc += 1) {
      for (let ascq = 0; ascq < 256; ascq += 1) {
        const assigned = assignments.some(
          (a) =>
            a.asc === asc &&
            (a.ascq === ascq ||
              (a.ascqRange !== undefined && ascq >= a.ascqRange[0] && ascq <= a.ascqRange[1])),
        );
        if (!assigned) assert.equal(additionalSenseText(asc, ascq), null);
      }
    }
  });

  it('names the sense keys and the status codes', () => {
    for (const { key, name } of keys) assert.equal(senseKeyText(key), name.toUpperCase());
    const current = statuses.filter(({ name }) => !name.includes('OBSOLETE'));
    for (const { status, name } of current) assert.equal(statusName(status), name);
  });

  it('writes one line with the numbers', () => {
    assert.equal(
      senseText(5, 0x21, 0),
      'ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE (5/21/00)',
    );
    assert.equal(
      senseText(0xb, 0x4d, 0x2a),
      'ABORTED COMMAND, TAGGED OVERLAPPED COMMANDS (2Ah = TASK TAG) (B/4D/2A)',
    );
    assert.equal(
      senseText(4, 0x40, 0x81),
      'HARDWARE ERROR, DIAGNOSTIC FAILURE ON COMPONENT 81h (80h-FFh) (4/40/81)',
    );
    assert.match(senseText(9, 0x80, 0), /^VENDOR SPECIFIC\(9\), VENDOR SPECIFIC ADDITIONAL/);
    assert.match(senseText(5, 0x7f, 0), /UNASSIGNED ADDITIONAL SENSE CODE \(5\/7F\/00\)$/);
  });
});

describe('sense codes of this target', () => {
  for (const [name, packed] of Object.entries(codes)) {
    it(`${name} carries the code T10 gives that text`, () => {
      const asc = (packed >> 8) & 0xff;
      const ascq = packed & 0xff;
      const text = assignments.find((a) => a.asc === asc && a.ascq === ascq)?.text ?? '';
      assert.equal(name, symbol(text));
      assert.ok(packed >> 16 <= 0xf);
    });
  }

  it('names the sense keys as T10 does', () => {
    const exported: Readonly<Record<string, unknown>> = senseModule;
    const named = keys.filter(({ name }) => typeof exported[symbol(name)] === 'number');
    assert.ok(named.length >= 10);
    for (const { key, name } of named) assert.equal(exported[symbol(name)], key);
  });
});
