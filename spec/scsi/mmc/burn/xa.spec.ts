/** Data block types 8 to 13 of a CD: what is sent, and that the sectors on the disc are those of other people's encoders. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import type { MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import { burner, selectWrite } from '../../../support/burner.ts';
import type { TestNexus } from '../../../support/target.ts';
import { jsonVector } from '../../../support/vectors.ts';

interface Vectors {
  readonly sectors: readonly { readonly name: string; readonly md5: string }[];
}

const { sectors } = jsonVector<Vectors>('cd-sectors/cd-sector-vectors.json');
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
/** What the vectors are made of, all for LBA 16. */
const FORM_1_HEAD = [0, 0, 8, 0, 0, 0, 8, 0];
const FORM_2_HEAD = [0, 0, 0x20, 0, 0, 0, 0x20, 0];
const MODE_1 = 'mode1 lba16 data=i&255';
const FORM_1 = 'mode2form1 lba16 sub=00000800 data=i&255';
const FORM_2 = 'mode2form2 lba16 sub=00002000 data=2324x(i&255)';
const md5Of = (name: string): string => sectors.find((each) => each.name === name)?.md5 ?? 'none';

const bytes = (...parts: readonly ArrayLike<number>[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => Array.from(part)));

/** Data block type → a block as the host sends it, and the sector that has to be on the disc. */
const BLOCKS: readonly (readonly [type: number, what: string, block: Uint8Array, name: string])[] =
  [
    [8, 'mode 1', counting(2048), MODE_1],
    [10, 'form 1', counting(2048), FORM_1],
    [11, 'form 1 with its subheader', bytes(FORM_1_HEAD, counting(2048)), FORM_1],
    [12, 'form 2', counting(2324), FORM_2],
    [13, 'mixed, a form 2 sector', bytes(FORM_2_HEAD, counting(2324)), FORM_2],
    // Behind the user data of a form 1 sector the block has 276 bytes that stand for EDC and parity.
    [
      13,
      'mixed, a form 1 sector',
      bytes(FORM_1_HEAD, counting(2048), new Uint8Array(276).fill(0xee)),
      FORM_1,
    ],
  ];

/** Bytes 2 and 3 of the write parameters: packets, track at once; data track. */
const WRITE_TYPES = { 'in packets': '0005', 'track at once': '0104' } as const;
const TARGET = 16;

function write(a: TestNexus, lba: number, block: Uint8Array, opcode = 0x2a): string {
  return a.run([opcode, 0, 0, 0, 0, lba, 0, 0, 1, 0], { out: block }).sense;
}
function frameAt(a: TestNexus, lba: number): Uint8Array {
  const { sense, dataIn } = a.run([0xbe, 0, 0, 0, 0, lba, 0, 0, 1, 0xf8, 0, 0], { in: 2352 });
  assert.equal(sense, '');
  return dataIn;
}
function prepared(kind: MediumKind, bytes23: string, type: number, page?: string) {
  const bed = burner(kind);
  assert.equal(selectWrite(bed.a, `${bytes23}0${type.toString(16)}`, page), '');
  return bed;
}

for (const kind of ['cd-r', 'cd-rw'] as const) {
  for (const [how, bytes23] of Object.entries(WRITE_TYPES)) {
    describe(`data block types of a ${kind}, ${how}`, () => {
      for (const [type, what, block, name] of BLOCKS) {
        it(`${type}, ${what}: ${block.length} bytes`, () => {
          const { a } = prepared(kind, bytes23, type);
          for (let lba = 0; lba <= TARGET; lba += 1) assert.equal(write(a, lba, block), '');
          assert.equal(md5(frameAt(a, TARGET)), md5Of(name));
          // One byte too few is no block.
          assert.equal(write(a, TARGET + 1, block.subarray(1)), '5/24/00');
          const isForm1 = name !== FORM_2;
          const { sense, dataIn } = a.run([0x28, 0, 0, 0, 0, TARGET, 0, 0, 1, 0], { in: 2048 });
          assert.equal(sense, isForm1 ? '' : '5/64/00');
          if (isForm1) assert.deepEqual(dataIn, counting(2048));
        });
      }

      it('9, formless mode 2: 2336 bytes, as they are', () => {
        const { a } = prepared(kind, bytes23, 9);
        const block = counting(2336).reverse();
        assert.equal(write(a, 0, block), '');
        assert.deepEqual(frameAt(a, 0).subarray(16), block);
        assert.equal(write(a, 1, block.subarray(1)), '5/24/00');
      });
    });
  }
}

describe('sectors with a subheader that the host sends', () => {
  it('of both forms are in one track, over more blocks than a buffer has', () => {
    const { a, disc } = prepared('cd-r', '0005', 13);
    const one = (i: number): Uint8Array =>
      bytes(i % 3 === 0 ? FORM_2_HEAD : FORM_1_HEAD, new Uint8Array(2324).fill(i));
    const all = bytes(...Array.from({ length: 100 }, (_, i) => one(i)));
    assert.equal(a.run([0x2a, 0, 0, 0, 0, 0, 0, 0, 100, 0], { out: all }).sense, '');
    for (let i = 0; i < 100; i += 1) {
      const frame = frameAt(a, i);
      const length = i % 3 === 0 ? 2324 : 2048;
      assert.deepEqual(frame.subarray(16, 24 + length), one(i).subarray(0, 8 + length));
    }
    assert.deepEqual([disc.tracks[0]?.form, disc.tracks[0]?.nextWritable], ['mixed', 100]);
    // READ TRACK INFORMATION: data mode 2.
    const { dataIn } = a.run('52 01 00 00 00 01 00 00 24 00', { in: 36 });
    assert.equal((dataIn[6] as number) & 0x0f, 2);
  });

  it('are compared by WRITE AND VERIFY', () => {
    for (const [type, , block] of BLOCKS) {
      const { a } = prepared('cd-r', '0005', type);
      assert.equal(write(a, 0, block, 0x2e), '', `block type ${type}`);
    }
  });

  it('are refused with 5/64/00 when they are of another form, or the subheader is not there twice', () => {
    const wrong: readonly (readonly [number, readonly number[], number])[] = [
      [11, FORM_2_HEAD, 2048],
      [11, [0, 0, 8, 0, 0, 0, 0, 0], 2048],
      [13, [1, 0, 8, 0, 0, 0, 8, 0], 2324],
    ];
    for (const [type, head, length] of wrong) {
      const { a, disc } = prepared('cd-r', '0005', type);
      const good = bytes(FORM_1_HEAD, counting(length));
      const out = bytes(good, good, bytes(head, counting(length)));
      const { sense, information } = a.run([0x2a, 0, 0, 0, 0, 0, 0, 0, 3, 0], { out });
      assert.deepEqual([sense, information], ['5/64/00', 2]);
      assert.equal(disc.tracks[0]?.lastRecorded, null);
      assert.equal(write(a, 0, good), '');
    }
  });

  it('a track takes blocks of its own form only', () => {
    const { a } = prepared('cd-r', '0005', 10);
    assert.equal(write(a, 0, counting(2048)), '');
    assert.equal(selectWrite(a, '00050b'), '');
    assert.equal(write(a, 1, bytes(FORM_1_HEAD, counting(2048))), '');
    for (const [type, length] of [
      ['08', 2048],
      ['0d', 2332],
    ] as const) {
      assert.equal(selectWrite(a, `0005${type}`), '');
      assert.equal(write(a, 2, bytes(FORM_1_HEAD, counting(length - 8))), '5/64/00');
    }
  });
});

describe('SUB-HEADER of the write parameters', () => {
  /** Bytes 5 to 51 of the page: the last four are the subheader. */
  const page = (subheader: string): string => `${'00'.repeat(43)}${subheader}`;

  it('is that of the sectors of block types 10 and 12, in the form of the type', () => {
    for (const [type, length, asked, made] of [
      [10, 2048, '01020809', '01020809'],
      [10, 2048, '01022809', '01020809'],
      [12, 2324, '05060007', '05062007'],
      [10, 2048, '00000000', '00000800'],
      [12, 2324, '00000000', '00002000'],
    ] as const) {
      const { a } = prepared('cd-r', '0005', type, page(asked));
      assert.equal(write(a, 0, counting(length), 0x2e), '');
      const frame = frameAt(a, 0);
      assert.equal(Buffer.from(frame.subarray(16, 24)).toString('hex'), made + made);
      assert.deepEqual(frame.subarray(24, 24 + length), counting(length));
    }
  });

  it('gives the sector that the vector has, EDC and parity included', () => {
    const { a } = prepared('cd-r', '0005', 12, page('00010000'));
    assert.equal(write(a, 0, counting(2324)), '');
    assert.equal(selectWrite(a, '00050c', page('00002000')), '');
    for (let lba = 1; lba <= TARGET; lba += 1) assert.equal(write(a, lba, counting(2324)), '');
    assert.equal(md5(frameAt(a, TARGET)), md5Of(FORM_2));
  });
});

describe('features of a burner', () => {
  it('0021h and 002Dh name the data block types that MODE SELECT takes, and no other', () => {
    const { a } = burner('cd-r');
    const featureBits = (code: number, at: number): number => {
      const { dataIn } = a.run([0x46, 2, 0, code, 0, 0, 0, 0, 64, 0], { in: 64 });
      assert.equal(dataIn[9], code);
      return ((dataIn[8 + at] as number) << 8) | (dataIn[9 + at] as number);
    };
    const taken = (bytes23: string): number => {
      let bits = 0;
      for (let type = 0; type < 16; type += 1) {
        if (selectWrite(a, `${bytes23}0${type.toString(16)}`) === '') bits |= 1 << type;
      }
      return bits;
    };
    assert.equal(taken('0005'), 0x3f00);
    assert.equal(featureBits(0x21, 4), taken('0005'));
    assert.equal(taken('0104'), 0x3f01);
    assert.equal(featureBits(0x2d, 6), taken('0104'));
    // Of a session at once the cue sheet says what is sent; sub-channels go as well.
    assert.equal(taken('0204'), 0x3f0f);
  });
});
