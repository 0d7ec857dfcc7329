/** Sectors and sub-channel Q against vectors that other encoders made: making them, and taking them apart. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { crc16 } from '../../../../src/scsi/mmc/sector/crc-16.ts';
import { edc } from '../../../../src/scsi/mmc/sector/error-correction.ts';
import { type DataForm, inspectFrame, makeFrame } from '../../../../src/scsi/mmc/sector/frame.ts';
import { SCRAMBLER_SEQUENCE, scramble } from '../../../../src/scsi/mmc/sector/scrambler.ts';
import {
  putCatalog,
  putIsrc,
  putPointer,
  putPosition,
  readQ,
} from '../../../../src/scsi/mmc/sector/sub-channel-q.ts';
import { hex } from '../../../support/direct-port.ts';
import { jsonVector } from '../../../support/vectors.ts';

interface SectorVector {
  readonly name: string;
  readonly edc_offset: number;
  readonly edc: string;
  readonly p: string | null;
  readonly q: string | null;
  readonly md5: string;
  readonly scrambled_md5: string;
}
interface QVector {
  readonly ctl: number;
  readonly tno: number;
  readonly index: number;
  readonly rel: number;
  readonly abs_lba: number;
  readonly q: string;
}
interface Vectors {
  readonly scramble_table: string;
  readonly sectors: readonly SectorVector[];
  readonly q: readonly QVector[];
}

const vectors = jsonVector<Vectors>('cd-sectors/cd-sector-vectors.json');
const flat = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const CHECK = Uint8Array.from(Buffer.from('123456789'));
const counting = Uint8Array.from({ length: 2324 }, (_, i) => i);

/** What the vectors are made of, by their names. */
const MADE_OF: Record<string, readonly [number, DataForm, Uint8Array, Uint8Array?]> = {
  'mode1 lba0 data=2048x00': [0, 'mode1', new Uint8Array(2048)],
  'mode1 lba16 data=i&255': [16, 'mode1', counting],
  'mode2form1 lba16 sub=00000800 data=i&255': [16, 'form1', counting, Uint8Array.of(0, 0, 8, 0)],
  'mode2form2 lba16 sub=00002000 data=2324x(i&255)': [
    16,
    'form2',
    counting,
    Uint8Array.of(0, 0, 0x20, 0),
  ],
  'mode1 lba449849(99:59:74) data=FF': [449849, 'mode1', new Uint8Array(2048).fill(0xff)],
};

describe('CD sectors', () => {
  it('the check sums of "123456789"', () => {
    // Stored 6E C2 ED C4, most significant byte first in the vector.
    assert.equal(edc(CHECK, 0, 9), 0x6ec2edc4);
    assert.equal(crc16(CHECK, 0, 9), 0x31c3);
  });

  it('the scrambler sequence', () => {
    assert.ok(flat(SCRAMBLER_SEQUENCE).startsWith(vectors.scramble_table));
    assert.equal(vectors.scramble_table.length, 2340 * 2);
  });

  it('there are five vectors of sectors and each is made', () => {
    assert.deepEqual(
      vectors.sectors.map(({ name }) => name),
      Object.keys(MADE_OF),
    );
  });

  for (const vector of vectors.sectors) {
    const [lba, form, data, subheader] = MADE_OF[vector.name] as (typeof MADE_OF)[string];

    it(`makes ${vector.name}`, () => {
      const frame = makeFrame(lba, form, data, subheader);
      assert.equal(flat(frame.subarray(vector.edc_offset, vector.edc_offset + 4)), vector.edc);
      if (vector.p !== null) assert.equal(flat(frame.subarray(2076, 2248)), vector.p);
      if (vector.q !== null) assert.equal(flat(frame.subarray(2248)), vector.q);
      assert.equal(md5(frame), vector.md5);
      scramble(frame);
      assert.equal(md5(frame), vector.scrambled_md5);
    });

    it(`takes ${vector.name} apart`, () => {
      const frame = makeFrame(lba, form, data, subheader);
      scramble(frame);
      scramble(frame);
      const parity = vector.p === null ? null : true;
      // 99:59:74 is the frame in front of the leading pause: addresses from 90 minutes on are those of the lead-in.
      const address = lba === 449849 ? -151 : lba;
      assert.deepEqual(inspectFrame(frame), { form, lba: address, edc: 'good', parity });
    });

    it(`sees damage in ${vector.name}`, () => {
      const frame = makeFrame(lba, form, data, subheader);
      frame[1000] = (frame[1000] as number) ^ 0x10;
      const found = inspectFrame(frame);
      assert.deepEqual([found?.edc, found?.parity], ['bad', vector.p === null ? null : false]);
    });
  }

  it('sees damage in the parity alone', () => {
    const frame = makeFrame(7, 'form1', counting);
    frame[2351] = (frame[2351] as number) ^ 1;
    assert.deepEqual(inspectFrame(frame), { form: 'form1', lba: 7, edc: 'good', parity: false });
  });

  it('bytes without sync pattern are audio, mode 0 is empty, mode 3 is nothing', () => {
    assert.equal(inspectFrame(new Uint8Array(2352))?.form, 'audio');
    const frame = makeFrame(0, 'mode1', counting);
    frame[15] = 0;
    assert.equal(inspectFrame(frame)?.form, 'empty');
    frame[15] = 3;
    assert.equal(inspectFrame(frame), null);
  });

  it('a form 2 sector need not have an EDC', () => {
    const frame = makeFrame(0, 'form2', counting);
    frame.fill(0, 2348);
    assert.equal(inspectFrame(frame)?.edc, 'none');
  });
});

describe('sub-channel Q', () => {
  const q = new Uint8Array(12);

  for (const vector of vectors.q) {
    const position = {
      control: vector.ctl,
      track: vector.tno,
      index: vector.index,
      relative: vector.rel,
      lba: vector.abs_lba,
    };

    it(`track ${vector.tno} index ${vector.index} at ${vector.abs_lba}, both ways`, () => {
      putPosition(q, 0, position);
      assert.equal(flat(q), vector.q);
      assert.deepEqual(readQ(Buffer.from(vector.q, 'hex')), { kind: 'position', ...position });
    });
  }

  it('lead-out, both ways', () => {
    const position = { control: 4, track: 0xaa, index: 1, relative: 0, lba: 1248 };
    putPosition(q, 0, position);
    assert.equal(flat(q), '41aa010000000000184811b3');
    const read = readQ(q);
    assert.deepEqual(read?.kind === 'position' && [read.track, read.lba], [0xaa, 1248]);
  });

  it('pointer A0h of a lead-in, both ways', () => {
    putPointer(q, 0, 4, 0xa0, -11635, Uint8Array.of(1, 0, 0));
    assert.equal(flat(q), '4100a09726650001000054dd');
    const says = Uint8Array.of(1, 0, 0);
    assert.deepEqual(readQ(q), { kind: 'pointer', control: 4, point: 0xa0, says });
  });

  it('catalogue number: 13 digits from byte 1, the frame in byte 9', () => {
    putCatalog(q, 0, 0, '0123456789012', 40);
    assert.equal(hex(q.subarray(0, 10)), '02 01 23 45 67 89 01 20 00 40');
    assert.deepEqual(readQ(q), { kind: 'catalog', control: 0, catalog: '0123456789012' });
  });

  it('ISRC: five characters of six bits, seven digits', () => {
    // U 100101, S 100011, R 100010, C 010011, 1 000001, two bits; then 76 07839 and four bits.
    putIsrc(q, 0, 0, 'USRC17607839', 75);
    assert.equal(hex(q.subarray(0, 10)), '03 96 38 93 04 76 07 83 90 00');
    assert.deepEqual(readQ(q), { kind: 'isrc', control: 0, isrc: 'USRC17607839' });
  });

  it('is nothing when its CRC is wrong', () => {
    putPosition(q, 0, { control: 4, track: 1, index: 1, relative: 0, lba: 0 });
    q[5] = 1;
    assert.equal(readQ(q), null);
    assert.equal(readQ(new Uint8Array(12)), null);
  });
});
