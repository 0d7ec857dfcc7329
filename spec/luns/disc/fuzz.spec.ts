/** Descriptions with random damage: they are read, or refused with DiscImageError, quickly; never anything else. */
import { strict as assert } from 'node:assert';
import { ccdImage } from '../../../src/luns/disc/ccd.ts';
import { cueImage } from '../../../src/luns/disc/cue.ts';
import { type DiscImage, DiscImageError } from '../../../src/luns/disc/disc-image.ts';
import { mdsImage } from '../../../src/luns/disc/mds.ts';
import { nrgImage } from '../../../src/luns/disc/nrg.ts';
import { decodeSheet } from '../../../src/luns/disc/sheet-text.ts';
import { tocImage } from '../../../src/luns/disc/toc.ts';
import { STORED_BYTES } from '../../../src/scsi/mmc/disc.ts';
import { makeCdText, readCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
import {
  cueChunk,
  daoChunk,
  END_CHUNK,
  etnChunk,
  mdsFile,
  nrgChunk,
  nrgFile,
} from './built-images.ts';
import { type MemoryFiles, memoryFiles, sheetVector, wave } from './memory-source.ts';

const MUTATIONS = 500;
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

/** xorshift32. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

const NASTY = [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x0a, 0x30, 0x39, 0x2d, 0x3a, 0x7b, 0x7d];

/** Damages one to six places: a byte, a number, a piece gone, doubled or moved, or the end cut off. */
function damage(good: Uint8Array, random: Random): Uint8Array {
  let bytes = good;
  for (let i = random.below(6); i >= 0; i -= 1) {
    const at = random.below(bytes.length + 1);
    const length = random.below(Math.min(40, bytes.length - at + 1));
    const piece = bytes.subarray(at, at + length);
    const before = bytes.subarray(0, at);
    const behind = bytes.subarray(at + length);
    const parts = [
      [before, behind],
      [before, piece, piece, behind],
      [before],
      [before, Uint8Array.of(NASTY[random.below(NASTY.length)] as number), bytes.subarray(at + 1)],
      [before, Uint8Array.of(random.below(256)), bytes.subarray(at + 1)],
      [before, Buffer.from(String(random.below(2 ** 31))), bytes.subarray(at + 1)],
      [before, new Uint8Array(4).fill(0xff), bytes.subarray(at + 4)],
    ];
    // The end is cut off seldom: little is left to go wrong then.
    const kind = random.below(parts.length * 3) % parts.length;
    bytes = Buffer.concat(parts[kind === 2 && random.below(4) > 0 ? 3 : kind] ?? []);
  }
  return new Uint8Array(bytes);
}

/** What the commands rely on. */
function check({ layout, files }: DiscImage): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let end = Number.NEGATIVE_INFINITY;
  for (const run of layout.runs) {
    assert.ok(run.blocks > 0 && run.first >= end && Number.isInteger(run.position), 'runs ascend');
    end = run.first + run.blocks;
    if (run.stored !== 'nothing') {
      const last = run.position + (run.blocks - 1) * run.strideBytes + STORED_BYTES[run.stored];
      assert.ok(run.position >= 0 && last <= bytes, 'runs lie inside the files');
    }
    if (run.subChannel !== 'none') {
      const last = run.subPosition + (run.blocks - 1) * run.subStrideBytes + 96;
      assert.ok(run.subPosition >= 0 && last <= bytes, 'sub-channels lie inside the files');
    }
  }
  let lba = Number.NEGATIVE_INFINITY;
  for (const track of layout.tracks) {
    assert.ok(
      track.pregap >= lba && track.start >= track.pregap && track.end > track.start,
      'tracks ascend',
    );
    lba = track.end;
    for (const index of track.indexes) assert.ok(index > track.start && index < track.end);
  }
  assert.ok((layout.sessions.at(-1)?.leadOut ?? -1) === lba);
  if (layout.cdText !== null) readCdText(layout.cdText);
}

const CUE = `CATALOG 0123456789012\nTITLE "Album"\nFILE "a.bin" BINARY\n  TRACK 01 MODE2/2352\n    INDEX 01 00:00:00
  TRACK 02 AUDIO\n    TITLE "One"\n    FLAGS DCP PRE\n    ISRC USRC17607839\n    PREGAP 00:02:00\n    INDEX 01 00:00:40
    INDEX 02 00:00:50\nREM SESSION 02\nFILE "b.wav" WAVE\n  TRACK 03 AUDIO\n    INDEX 00 00:00:00\n    INDEX 01 00:00:20\n`;
const CCD = `[Disc]\nSessions=1\nDataTracksScrambled=0\nCATALOG=0123456789012\n[Entry 0]\nSession=1\nPoint=0xa2\nControl=0x00
PLBA=60\n[Entry 1]\nSession=1\nPoint=0x01\nControl=0x04\nPLBA=0\n[Entry 2]\nSession=1\nPoint=0x02\nControl=0x00\nPLBA=40
[TRACK 1]\nMODE=1\nINDEX 1=0\n[TRACK 2]\nMODE=0\nINDEX 0=30\nINDEX 1=40\nINDEX 2=50\nISRC=USRC17607839\n`;
const FILES: MemoryFiles = {
  'a.bin': 100 * 2352,
  'b.wav': wave(60 * 2352),
  'data.iso': 51_200,
  'one.raw': 940_800,
  'two.wav': wave(500 * 2352),
  'disc.img': 60 * 2352,
  'disc.sub': 60 * 96,
  'disc.mdf': 60 * 2352,
};
const packs = makeCdText([{ language: 9, fields: { title: ['A', 'B', 'C'] } }], 1, 2) as Uint8Array;
const NRG = nrgFile(new Uint8Array(210 * 16), [
  cueChunk([
    [0x41, 1, 1, 0],
    [1, 2, 1, 40],
    [1, 2, 2, 50],
  ]),
  daoChunk(1, [{ mode: 5, sectorBytes: 2352, offsets: [0, 0, 2352] }], 2, '0123456789012'),
  nrgChunk('CDTX', packs),
  etnChunk([[0, 2048, 0, 12_000]]),
  END_CHUNK,
]);
const MDS = mdsFile([
  {
    tracks: [
      {
        point: 1,
        mode: 0xaa,
        control: 4,
        sectorBytes: 2352,
        start: 0,
        at: 0,
        pregap: 150,
        blocks: 30,
      },
      {
        point: 2,
        mode: 0xa9,
        control: 0,
        sectorBytes: 2352,
        start: 40,
        at: 40 * 2352,
        pregap: 10,
        blocks: 20,
      },
    ],
    leadOut: [0, 2, 60],
  },
]);

describe('damaged descriptions of discs', () => {
  const text =
    (parse: typeof cueImage, name: string) =>
    (bytes: Uint8Array): DiscImage =>
      parse(decodeSheet(bytes), memoryFiles(name, FILES));
  const kinds: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => DiscImage])[] = [
    ['CUE', Buffer.from(CUE), text(cueImage, 'disc.cue')],
    ['TOC', Buffer.from(sheetVector('disc.toc')), text(tocImage, 'disc.toc')],
    ['CCD', Buffer.from(CCD), text(ccdImage, 'disc.ccd')],
    ['NRG', NRG, (bytes) => nrgImage(memoryFiles('disc.nrg', { 'disc.nrg': bytes }))],
    ['MDS', MDS, (bytes) => mdsImage(bytes, memoryFiles('disc.mds', FILES))],
  ];
  for (const [name, good, parse] of kinds) {
    it(`${name}, ${MUTATIONS} times (FUZZ_SEED=${SEED})`, () => {
      check(parse(good));
      const random = new Random(SEED);
      let refused = 0;
      for (let i = 0; i < MUTATIONS; i += 1) {
        const bad = damage(good, random);
        const began = process.cpuUsage();
        try {
          check(parse(bad));
        } catch (error) {
          if (!(error instanceof DiscImageError)) {
            const shown = Buffer.from(bad).toString('hex');
            throw new Error(`${name} ${i} of FUZZ_SEED=${SEED}: ${shown}`, { cause: error });
          }
          refused += 1;
        }
        // Time of this process: others may be busy.
        assert.ok(process.cpuUsage(began).user < 500_000, `${name} ${i} takes long`);
      }
      assert.ok(refused > 0 && refused < MUTATIONS, `${refused} refused`);
    });
  }
});
