/** READ CD and READ CD MSF: every field selection of every kind of sector, sub-channels, ranges and refusals. */
import { strict as assert } from 'node:assert';
import { cdCommands } from '../../../../src/scsi/mmc/cd/commands.ts';
import type {
  DiscLayout,
  SectorForm,
  SectorRun,
  StoredForm,
} from '../../../../src/scsi/mmc/disc.ts';
import { CD_ROM, DVD_ROM } from '../../../../src/scsi/mmc/profile.ts';
import { inspectFrame, makeFrame } from '../../../../src/scsi/mmc/sector/frame.ts';
import { readQ } from '../../../../src/scsi/mmc/sector/sub-channel-q.ts';
import { hex } from '../../../support/direct-port.ts';
import { type OpticalBed, optical, track, userRun } from '../../../support/optical.ts';
import type { TestNexus } from '../../../support/target.ts';
import { jsonVector } from '../../../support/vectors.ts';

const BLOCKS = 40;

interface Kept {
  readonly form: SectorForm;
  readonly stored: StoredForm;
  readonly stride: number;
  readonly blocks?: number;
}

/** A disc of tracks that are kept one behind the other; every byte of sector n of track t of the store is t * 40 + n. */
function disc(...kept: readonly Kept[]): { layout: DiscLayout; bytes: Uint8Array } {
  const runs: SectorRun[] = [];
  let lba = 0;
  let position = 0;
  for (const { form, stored, stride, blocks = BLOCKS } of kept) {
    runs.push({ ...userRun(lba, blocks, position), form, stored, strideBytes: stride });
    lba += blocks;
    position += blocks * stride;
  }
  const bytes = new Uint8Array(position);
  runs.forEach((run, t) => {
    for (let n = 0; n < run.blocks; n += 1) {
      const at = run.position + n * run.strideBytes;
      bytes.fill(t * 40 + n, at, at + run.strideBytes);
    }
  });
  const tracks = runs.map((run, i) => track(i + 1, run.first, run.first + run.blocks, run.form));
  const sessions = [
    { number: 1, type: 0, firstTrack: 1, lastTrack: tracks.length, leadOut: lba },
  ] as const;
  const layout: DiscLayout = {
    profile: CD_ROM,
    sessions,
    tracks,
    runs,
    catalog: null,
    cdText: null,
  };
  return { layout, bytes };
}

const AUDIO: Kept = { form: 'audio', stored: 'raw', stride: 2352 };
const MODE_1: Kept = { form: 'mode1', stored: 'user', stride: 2048 };
const MODE_2: Kept = { form: 'mode2', stored: 'mode2', stride: 2336 };
const FORM_1: Kept = { form: 'form1', stored: 'user', stride: 2048 };
const FORM_2: Kept = { form: 'form2', stored: 'form2', stride: 2324 };

/** Tracks of all kinds, 40 sectors each: audio 0, mode 1 40, formless 80, form 1 120, form 2 160. */
function allKinds(): OpticalBed {
  const { layout, bytes } = disc(AUDIO, MODE_1, MODE_2, FORM_1, FORM_2);
  return optical(layout, bytes);
}

function readCd(
  a: TestNexus,
  lba: number,
  blocks: number,
  options: { type?: number; flags?: number; c2?: number; sub?: number; in?: number } = {},
) {
  const { type = 0, flags = 0xf8, c2 = 0, sub = 0 } = options;
  const cdb = new Uint8Array(12);
  cdb.set([0xbe, type << 2]);
  new DataView(cdb.buffer).setInt32(2, lba);
  cdb.set([0, blocks >> 8, blocks & 0xff, flags | (c2 << 1), sub], 6);
  return a.run(cdb, { in: options.in ?? 128 * 1024 });
}

/** Bytes of a sector by flags (byte 9, bits 7 to 3), in the order of `allKinds`; null is refused. Transcribed from the fact sheet. */
const SIZES: Readonly<Record<number, readonly (number | null)[]>> = {
  0: [0, 0, 0, 0, 0],
  32: [2352, 4, 4, 4, 4],
  64: [2352, 0, 0, 8, 8],
  96: [2352, 4, 4, 12, 12],
  16: [2352, 2048, 2336, 2048, 2328],
  24: [2352, 2336, 2336, 2328, 2328],
  48: [2352, 2052, 2340, null, null],
  56: [2352, 2340, 2340, null, null],
  80: [2352, 2048, 2336, 2056, 2336],
  88: [2352, 2336, 2336, 2336, 2336],
  112: [2352, 2052, 2340, 2060, 2340],
  120: [2352, 2340, 2340, 2340, 2340],
  128: [2352, 12, 12, 12, 12],
  160: [2352, 16, 16, 16, 16],
  224: [2352, 16, 16, 24, 24],
  176: [2352, 2064, 2352, null, null],
  184: [2352, 2352, 2352, null, null],
  240: [2352, 2064, 2352, 2072, 2352],
  248: [2352, 2352, 2352, 2352, 2352],
};
const KINDS = ['CD-DA', 'mode 1', 'formless mode 2', 'mode 2 form 1', 'mode 2 form 2'];

describe('READ CD field selection', () => {
  const a = allKinds().bed.nexus('a').clear();

  for (const [key, sizes] of Object.entries(SIZES)) {
    const flags = Number(key);
    it(`${flags.toString(16)}h gives as many bytes as the standard says`, () => {
      sizes.forEach((size, kind) => {
        const r = readCd(a, kind * BLOCKS + 3, 2, { flags, type: kind + 1 });
        if (size === null) {
          assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 9.7'], KINDS[kind]);
        } else {
          assert.deepEqual(
            [r.sense, r.dataIn.length, r.dataInWanted],
            ['', 2 * size, 2 * size],
            KINDS[kind],
          );
        }
      });
    });
  }

  it('everything else is refused for every kind', () => {
    for (let flags = 0; flags < 256; flags += 8) {
      if (SIZES[flags] !== undefined) continue;
      for (let type = 0; type < 6; type += 1) {
        const r = readCd(a, 3, 1, { flags, type });
        assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 9.7'], `${flags}, type ${type}`);
      }
    }
  });

  it('what cannot be read of the sectors that are there is refused without an expected type, too', () => {
    const r = readCd(a, 3 * BLOCKS, 1, { flags: 0x30 });
    assert.deepEqual([r.sense, r.pointer, r.dataIn.length], ['5/24/00', 'cdb 9.7', 0]);
  });

  it('expected types 6 and 7, C2 code 3 and sub-channels 3, 5, 6 and 7 are reserved', () => {
    for (const type of [6, 7]) assert.equal(readCd(a, 0, 1, { type }).pointer, 'cdb 1.4');
    assert.equal(readCd(a, 0, 1, { c2: 3 }).pointer, 'cdb 9.2');
    for (const sub of [3, 5, 6, 7]) assert.equal(readCd(a, 0, 1, { sub }).pointer, 'cdb 10.2');
  });

  it('a sector of another kind is refused with 5/64/00 and its address', () => {
    for (let kind = 0; kind < 5; kind += 1) {
      for (let type = 1; type < 6; type += 1) {
        const r = readCd(a, kind * BLOCKS + 7, 1, { type });
        const expected = type === kind + 1 ? ['', -1] : ['5/64/00', kind * BLOCKS + 7];
        assert.deepEqual([r.sense, r.information], expected, `${KINDS[kind]}, type ${type}`);
      }
    }
  });

  it('stops where another kind begins, with what came before', () => {
    const r = readCd(a, 38, 4, { type: 1 });
    assert.deepEqual([r.sense, r.information, r.dataIn.length], ['5/64/00', 40, 2 * 2352]);
  });

  it('any type goes from one kind to the next', () => {
    const r = readCd(a, 38, 4, { flags: 0x10 });
    assert.deepEqual([r.sense, r.dataIn.length], ['', 2 * 2352 + 2 * 2048]);
    assert.deepEqual([r.dataIn[0], r.dataIn[2352 * 2], r.dataIn.at(-1)], [38, 40, 41]);
  });
});

describe('READ CD sectors', () => {
  it('kept as user data have header, EDC and parity', () => {
    const a = allKinds().bed.nexus('a').clear();
    const forms = ['mode1', 'mode2', 'form1', 'form2'] as const;
    forms.forEach((form, i) => {
      const lba = (i + 1) * BLOCKS + 5;
      const { dataIn } = readCd(a, lba, 1);
      const data = new Uint8Array(2336).fill((i + 1) * 40 + 5);
      // Formless data of one value looks like a subheader.
      if (form !== 'mode2') {
        const parity = form === 'form2' ? null : true;
        assert.deepEqual(inspectFrame(dataIn), { form, lba, edc: 'good', parity });
      }
      assert.deepEqual(dataIn, makeFrame(lba, form, data));
    });
  });

  it('kept raw and as 2336 bytes come as they are, subheaders included', () => {
    const whole = Array.from({ length: 4 }, (_, i) =>
      makeFrame(
        i,
        i % 2 === 0 ? 'form1' : 'form2',
        new Uint8Array(2324).fill(i),
        Uint8Array.of(1, 2, i % 2 === 0 ? 8 : 0x28, 9),
      ),
    );
    const rows: readonly (readonly [Kept, number])[] = [
      [{ form: 'mixed', stored: 'raw', stride: 2352, blocks: 4 }, 0],
      [{ form: 'mixed', stored: 'mode2', stride: 2336, blocks: 4 }, 16],
    ];
    for (const [kept, from] of rows) {
      const { layout, bytes } = disc(kept);
      whole.forEach((frame, i) => {
        bytes.set(frame.subarray(from), i * kept.stride);
      });
      const a = optical(layout, bytes).bed.nexus('a').clear();
      assert.deepEqual(readCd(a, 0, 4).dataIn, new Uint8Array(Buffer.concat(whole)), kept.stored);
      const user = readCd(a, 0, 2, { flags: 0x10 });
      assert.deepEqual([user.dataIn.length, user.dataInWanted], [2048 + 2328, 2048 + 2328]);
      const exact = readCd(a, 0, 1, { flags: 0x10, in: 2048 });
      assert.deepEqual([exact.dataIn.length, exact.dataInWanted], [2048, 2048]);
      const other = readCd(a, 0, 2, { type: 4 });
      assert.deepEqual([other.sense, other.information, other.dataIn.length], ['5/64/00', 1, 2352]);
    }
  });

  it('samples that are kept big-endian come little-endian', () => {
    const { layout, bytes } = disc({ ...AUDIO, stored: 'swapped' });
    bytes.set([1, 2, 3, 4]);
    const a = optical(layout, bytes).bed.nexus('a').clear();
    assert.equal(hex(readCd(a, 0, 1).dataIn.subarray(0, 6)), '02 01 04 03 00 00');
  });

  it('of which nothing is kept are silence or zeros', () => {
    const { layout, bytes } = disc(
      { ...AUDIO, stored: 'nothing' },
      { ...MODE_1, stored: 'nothing' },
    );
    const a = optical(layout, bytes).bed.nexus('a').clear();
    assert.deepEqual(readCd(a, 5, 1).dataIn, new Uint8Array(2352));
    assert.deepEqual(readCd(a, 45, 1).dataIn, makeFrame(45, 'mode1', new Uint8Array(2048)));
  });

  it('are read straight when the store has them whole', () => {
    const { bed, store } = allKinds();
    const r = readCd(bed.nexus('a').clear(), 10, 30, { type: 1, flags: 0x10 });
    assert.deepEqual([r.sense, r.dataIn[0], r.dataIn.at(-1)], ['', 10, 39]);
    assert.deepEqual(
      store.requests.map(({ length }) => length),
      [30 * 2352],
    );
  });

  it('more than a bounce buffer holds', () => {
    const a = allKinds().bed.nexus('a').clear();
    const r = readCd(a, 40, 40, { flags: 0x10 });
    const firsts = Array.from({ length: 40 }, (_, i) => r.dataIn[i * 2048]);
    assert.deepEqual(
      firsts,
      Array.from({ length: 40 }, (_, i) => 40 + i),
    );
  });

  it('a short buffer gets the beginning, down to part of a sector', () => {
    const a = allKinds().bed.nexus('a').clear();
    for (const lba of [0, 40]) {
      const r = readCd(a, lba, 3, { in: 2352 + 100 });
      assert.deepEqual([r.sense, r.dataIn.length, r.dataInWanted], ['', 2452, 3 * 2352]);
    }
  });

  it('what is not read because of an error would have been moved', () => {
    const a = allKinds().bed.nexus('a').clear();
    const r = readCd(a, 38, 4, { type: 1, flags: 0x10 });
    assert.deepEqual([r.dataIn.length, r.dataInWanted], [2 * 2352, 2 * 2352 + 2 * 2048]);
  });

  it('no sectors are no error, and too many are refused', () => {
    const a = allKinds().bed.nexus('a').clear();
    assert.deepEqual([readCd(a, 500, 0).sense, readCd(a, 0, 0).dataIn.length], ['', 0]);
    const tooMany = a.run('be 00 00 00 00 00 01 00 00 f8 00 00', { in: 2352 });
    assert.deepEqual([tooMany.sense, tooMany.pointer], ['5/24/00', 'cdb 6.7']);
  });

  it('C2 error pointers follow the sector: 294 bytes, or 296', () => {
    const a = allKinds().bed.nexus('a').clear();
    for (const [c2, size] of [
      [1, 294],
      [2, 296],
    ] as const) {
      const { dataIn } = readCd(a, 1, 2, { c2 });
      assert.equal(dataIn.length, 2 * (2352 + size));
      assert.deepEqual(dataIn.subarray(2352, 2352 + size), new Uint8Array(size));
      assert.equal(dataIn[2352 + size], 2);
    }
  });
});

describe('READ CD ranges', () => {
  it('behind the end is 5/21/00 with the address, after what is in front of it', () => {
    const a = allKinds().bed.nexus('a').clear();
    const r = readCd(a, 198, 4);
    assert.deepEqual([r.sense, r.information, r.dataIn.length], ['5/21/00', 200, 2 * 2352]);
    assert.equal(readCd(a, 200, 1).sense, '5/21/00');
  });

  it('the pause in front of the first track is silence, what is before it 5/21/00', () => {
    const a = allKinds().bed.nexus('a').clear();
    assert.deepEqual(
      readCd(a, -150, 150, { in: 150 * 2352 }).dataIn,
      new Uint8Array(150 * 2352).fill(0),
    );
    assert.deepEqual(
      readCd(a, -2, 4).dataIn.subarray(2 * 2352 - 1, 3 * 2352 + 1),
      Uint8Array.of(0, ...new Array(2352).fill(0), 1),
    );
    const r = readCd(a, -151, 1);
    assert.deepEqual([r.sense, r.information], ['5/21/00', 0xffffff69]);
  });

  it('the pause in front of a data track is sectors of zeros', () => {
    const { layout, bytes } = disc(MODE_1);
    const a = optical(layout, bytes).bed.nexus('a').clear();
    assert.deepEqual(readCd(a, -1, 1).dataIn, makeFrame(-1, 'mode1', new Uint8Array(2048)));
  });

  it('stops at the first unreadable sector with 3/11/05', () => {
    for (const kept of [AUDIO, MODE_1]) {
      const { layout, bytes } = disc(kept);
      const faults = [{ operation: 'read', first: 5, end: 7 }] as const;
      const a = optical(layout, bytes, { faults }).bed.nexus('a').clear();
      const r = readCd(a, 3, 8);
      assert.deepEqual([r.sense, r.information, r.dataIn.length], ['3/11/05', 5, 2 * 2352]);
    }
  });

  it('discs that are no CD are refused with 5/30/02', () => {
    const { layout, bytes } = disc(MODE_1);
    const a = optical({ ...layout, profile: DVD_ROM }, bytes)
      .bed.nexus('a')
      .clear();
    assert.equal(readCd(a, 0, 1).sense, '5/30/02');
    assert.equal(a.run('b9 00 00 00 02 00 00 02 01 f8 00 00', { in: 2352 }).sense, '5/30/02');
    assert.equal(a.run('44 00 00 00 00 00 00 00 08 00', { in: 8 }).sense, '5/30/02');
  });
});

describe('READ CD MSF', () => {
  const msf = (a: TestNexus, start: string, end: string) =>
    a.run(`b9 00 00 ${start} ${end} f8 00 00`, { in: 65536 });

  it('reads from the first address up to the second', () => {
    const a = allKinds().bed.nexus('a').clear();
    const r = msf(a, '00 02 05', '00 02 08');
    assert.deepEqual(
      [r.sense, r.dataIn.length, r.dataIn[0], r.dataIn.at(-1)],
      ['', 3 * 2352, 5, 7],
    );
    assert.equal(msf(a, '00 02 05', '00 02 05').dataInWanted, 0);
    assert.equal(msf(a, '00 01 4a', '00 02 01').dataIn.at(-1), 0);
  });

  it('refuses what is no time, and an end in front of the start', () => {
    const a = allKinds().bed.nexus('a').clear();
    assert.equal(msf(a, '64 00 00', '64 00 01').pointer, 'cdb 3.7');
    assert.equal(msf(a, 'ff 02 05', 'ff 02 08').pointer, 'cdb 3.7');
    assert.equal(msf(a, '00 02 00', '64 02 00').pointer, 'cdb 6.7');
    assert.equal(msf(a, '00 3c 00', '00 3d 00').pointer, 'cdb 4.7');
    assert.equal(msf(a, '00 02 4b', '00 03 00').pointer, 'cdb 5.7');
    assert.equal(msf(a, '00 02 00', '00 02 4b').pointer, 'cdb 8.7');
    assert.equal(msf(a, '00 02 05', '00 02 04').pointer, 'cdb 6.7');
  });
});

describe('READ CD sub-channels', () => {
  it('formatted Q is 16 bytes behind the sector, P in the last', () => {
    const a = allKinds().bed.nexus('a').clear();
    const { dataIn } = readCd(a, 16, 1, { sub: 2 });
    // Relative and absolute: 16 frames.
    assert.equal(hex(dataIn.subarray(2352, 2362)), '01 01 01 00 00 16 00 00 02 16');
    assert.equal(hex(dataIn.subarray(2364)), '00 00 00 00');
    const pause = readCd(a, -150, 1, { sub: 2 }).dataIn;
    assert.equal(hex(pause.subarray(2352, 2362)), '01 01 00 00 02 00 00 00 00 00');
    assert.equal(pause.at(-1), 0x80);
  });

  it('Q of a data track is that of the vectors', () => {
    const { layout, bytes } = disc(MODE_1);
    const a = optical(layout, bytes).bed.nexus('a').clear();
    assert.equal(
      hex(readCd(a, 0, 1, { flags: 0, sub: 2 }).dataIn.subarray(0, 12)),
      '41 01 01 00 00 00 00 00 02 00 28 32',
    );
    assert.equal(
      hex(readCd(a, 16, 1, { flags: 0, sub: 2 }).dataIn.subarray(0, 12)),
      '41 01 01 00 00 16 00 00 02 16 93 1a',
    );
  });

  it('pregaps count down, indexes up, tracks from their start', () => {
    const { layout, bytes } = disc({ ...AUDIO, blocks: 400 });
    const tracks = [
      { ...track(1, 0, 100, 'audio'), indexes: [50, 60] },
      { ...track(2, 200, 400, 'audio'), pregap: 100 },
    ];
    const a = optical({ ...layout, tracks }, bytes)
      .bed.nexus('a')
      .clear();
    const seen = [49, 50, 60, 99, 100, 199, 200].map((lba) => {
      const q = readQ(readCd(a, lba, 1, { flags: 0, sub: 2 }).dataIn);
      return q?.kind === 'position' ? [q.track, q.index, q.relative, q.lba] : q;
    });
    assert.deepEqual(seen, [
      [1, 1, 49, 49],
      [1, 2, 50, 50],
      [1, 3, 60, 60],
      [1, 3, 99, 99],
      [2, 0, 100, 100],
      [2, 0, 1, 199],
      [2, 1, 0, 200],
    ]);
  });

  it('any hundred sectors have the catalogue number and the ISRC', () => {
    const { layout, bytes } = disc({ ...AUDIO, blocks: 300 });
    const tracks = [
      { ...track(1, 0, 130, 'audio'), isrc: 'USRC17607839' },
      { ...track(2, 130, 300, 'audio'), isrc: 'FRZ039800212' },
    ];
    const a = optical({ ...layout, tracks, catalog: '0123456789012' }, bytes)
      .bed.nexus('a')
      .clear();
    const { dataIn } = readCd(a, 0, 300, { flags: 0, sub: 2 });
    const kinds = Array.from({ length: 300 }, (_, i) => readQ(dataIn, i * 16));
    for (let i = 0; i + 100 <= 300; i += 1) {
      const some = kinds.slice(i, i + 100);
      const has = (kind: string): boolean => some.some((q) => q?.kind === kind);
      assert.ok(has('catalog') && (has('isrc') || i < 130), String(i));
      // ADR 1 in nine of ten.
      assert.ok(some.filter((q) => q?.kind === 'position').length >= 90);
    }
    const codes = kinds.flatMap((q) => (q?.kind === 'isrc' ? [q.isrc] : []));
    assert.deepEqual([...new Set(codes)], ['USRC17607839', 'FRZ039800212']);
  });

  it('raw ones are 96 bytes: P in bit 7, Q in bit 6, R to W zeros where none are kept', () => {
    const a = allKinds().bed.nexus('a').clear();
    const { dataIn } = readCd(a, -1, 1, { flags: 0, sub: 1 });
    assert.equal(dataIn.length, 96);
    // P is set; Q begins 01 01 00.
    assert.equal(hex(dataIn.subarray(0, 16)), '80 80 80 80 80 80 80 c0 80 80 80 80 80 80 80 c0');
    assert.deepEqual(readCd(a, -1, 1, { flags: 0, sub: 4 }).dataIn, new Uint8Array(96));
  });

  /** An audio disc of 40 sectors whose sub-channels are kept as `sub` says, R to W with a pattern. */
  function kept(sub: Partial<SectorRun>, put: (bytes: Uint8Array, lba: number) => void): TestNexus {
    const { layout } = disc(AUDIO);
    const bytes = new Uint8Array(BOOK);
    for (let lba = 0; lba < BLOCKS; lba += 1) put(bytes, lba);
    const [run] = layout.runs;
    assert.ok(run);
    return optical({ ...layout, runs: [{ ...run, ...sub }] }, bytes)
      .bed.nexus('a')
      .clear();
  }
  const BOOK = 40 * 2448;
  const q0 = Uint8Array.from(Buffer.from('010199000000000002003fce', 'hex'));

  it('kept behind each sector come as they are', () => {
    const a = kept(
      { strideBytes: 2448, subChannel: 'interleaved', subPosition: 2352, subStrideBytes: 2448 },
      (bytes, lba) => {
        bytes.fill(lba, lba * 2448, lba * 2448 + 2352);
        bytes.fill(0x41, lba * 2448 + 2352, (lba + 1) * 2448);
      },
    );
    const { dataIn } = readCd(a, 1, 30, { sub: 1 });
    assert.equal(dataIn.length, 30 * 2448);
    assert.deepEqual([dataIn[29 * 2448], dataIn[29 * 2448 + 2352]], [30, 0x41]);
    assert.equal(readCd(a, 1, 1, { flags: 0, sub: 4 }).dataIn[95], 0x01);
    assert.equal(
      hex(readCd(a, 1, 1, { flags: 0, sub: 2 }).dataIn),
      `${'ff '.repeat(12)}00 00 00 00`,
    );
  });

  it('kept in a place of their own come as they are, more than a bounce buffer holds', () => {
    const a = kept(
      { subChannel: 'separate', subPosition: 40 * 2352, subStrideBytes: 96 },
      (bytes, lba) => {
        bytes.fill(lba, lba * 2352, (lba + 1) * 2352);
        bytes.set(q0, 40 * 2352 + lba * 96 + 12);
        bytes[40 * 2352 + lba * 96 + 95] = lba;
      },
    );
    const { dataIn } = readCd(a, 0, 40, { sub: 1 });
    assert.equal(dataIn.length, 40 * 2448);
    for (let lba = 0; lba < 40; lba += 1) {
      assert.equal(dataIn[lba * 2448], lba);
      // The last byte of W: eight bits in the last eight bytes.
      const w = dataIn.subarray(lba * 2448 + 2440, lba * 2448 + 2448);
      assert.equal(
        w.reduce((value, byte) => value * 2 + (byte & 1), 0),
        lba,
      );
    }
    assert.equal(hex(readCd(a, 7, 1, { flags: 0, sub: 2 }).dataIn.subarray(0, 12)), hex(q0));
  });

  it('kept without Q have one made', () => {
    const a = kept(
      { strideBytes: 2448, subChannel: 'interleaved', subPosition: 2352, subStrideBytes: 2448 },
      (bytes, lba) => bytes.fill(0x09, lba * 2448 + 2352, (lba + 1) * 2448),
    );
    const { dataIn } = readCd(a, 16, 1, { flags: 0, sub: 1 });
    assert.equal((dataIn[7] as number) & 0x7f, 0x49);
    assert.equal(hex(readCd(a, 16, 1, { flags: 0, sub: 2 }).dataIn.subarray(0, 3)), '01 01 01');
  });

  it('behind sector and C2 error pointers', () => {
    const a = allKinds().bed.nexus('a').clear();
    const { dataIn } = readCd(a, 16, 1, { c2: 1, sub: 2 });
    assert.equal(dataIn.length, 2352 + 294 + 16);
    assert.equal(hex(dataIn.subarray(2646, 2649)), '01 01 01');
  });
});

describe('READ HEADER', () => {
  it('says mode and address', () => {
    const a = allKinds().bed.nexus('a').clear();
    const lba = a.run('44 00 00 00 00 29 00 00 08 00', { in: 8 });
    assert.equal(hex(lba.dataIn), '01 00 00 00 00 00 00 29');
    const msf = a.run('44 02 00 00 00 a1 00 00 08 00', { in: 8 });
    assert.equal(hex(msf.dataIn), '02 00 00 00 00 00 04 0b');
  });

  it('audio has none, nor has what is not there', () => {
    const a = allKinds().bed.nexus('a').clear();
    const audio = a.run('44 00 00 00 00 01 00 00 08 00', { in: 8 });
    assert.deepEqual([audio.sense, audio.information], ['5/64/00', 1]);
    assert.equal(a.run('44 00 00 00 00 c8 00 00 08 00', { in: 8 }).sense, '5/21/00');
  });
});

describe('READ CD, READ CD MSF and READ HEADER', () => {
  it('refuse bits that mean nothing, and are called and as long as T10 says', () => {
    interface OpcodeRow {
      readonly opcode: number;
      readonly name: string;
      readonly cdbLength: number;
    }
    const theirs = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');
    const a = allKinds().bed.nexus('a').clear();
    for (const [row] of cdCommands) {
      const named = theirs.find(({ opcode, name }) => opcode === row.opcode && name === row.name);
      assert.equal(named?.cdbLength, row.lengthBytes, row.name);
      for (let bit = 8; bit < row.lengthBytes * 8; bit += 1) {
        const [byte, mask] = [bit >> 3, 1 << (bit & 7)];
        if (((row.honoured[byte] as number) & mask) !== 0) continue;
        const cdb = new Uint8Array(row.lengthBytes);
        cdb[0] = row.opcode;
        cdb[byte] = mask;
        const { sense, pointer } = a.run(cdb, { in: 8 });
        assert.deepEqual([sense, pointer], ['5/24/00', `cdb ${byte}.${bit & 7}`], row.name);
      }
    }
  });
});

describe('READ CD and the store', () => {
  it('a fault of the medium names the sector', () => {
    const { layout, bytes } = disc({ ...MODE_1 });
    const { bed, store } = optical(layout, bytes);
    const a = bed.nexus('a').clear();
    store.fail('read', 2, 3 * 2048);
    const r = readCd(a, 4, 8);
    assert.deepEqual([r.sense, r.information, r.dataIn.length], ['3/11/00', 7, 3 * 2352]);
  });

  it('one in a straight read, too', () => {
    const { bed, store } = allKinds();
    store.fail('read', 2, 3 * 2352 + 10);
    const r = readCd(bed.nexus('a').clear(), 4, 8);
    assert.deepEqual([r.sense, r.information], ['3/11/00', 7]);
  });

  it('an aborted command ends when its read does', () => {
    const { bed, store } = allKinds();
    const a = bed.nexus('a').clear();
    store.hold = true;
    const pending = a.start('be 00 00 00 00 28 00 00 28 f8 00 00', { in: 40 * 2352 });
    a.manage(0x02);
    store.releaseAll();
    assert.equal(pending.done, true);
    assert.equal(store.requests.length, 1);
  });
});
