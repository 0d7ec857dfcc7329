/** Nero images of both versions: disc at once, track at once, sessions, and what is wrong with one. */
import { strict as assert } from 'node:assert';
import { nrgImage } from '../../../src/luns/disc/nrg.ts';
import { makeCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
import { cueChunk, daoChunk, END_CHUNK, etnChunk, nrgChunk, nrgFile } from './built-images.ts';
import { memoryFiles, refuses, shape } from './memory-source.ts';

function read(file: Uint8Array) {
  return nrgImage(memoryFiles('disc.nrg', { 'disc.nrg': file }));
}

/** 150 sectors of pause, 30 of mode 1 (raw), 10 of pregap and 20 of audio. */
const RAW = 2352;
const SECTORS = new Uint8Array(210 * RAW);
const POINTS = [
  [0x41, 0, 0, -150],
  [0x41, 1, 0, -150],
  [0x41, 1, 1, 0],
  [0x01, 2, 0, 30],
  [0x01, 2, 1, 40],
  [0x01, 2, 2, 50],
  [0x41, 0xaa, 1, 60],
] as const;
const TRACKS = [
  { mode: 5, sectorBytes: RAW, offsets: [0, 150 * RAW, 180 * RAW] },
  { mode: 7, sectorBytes: RAW, offsets: [180 * RAW, 190 * RAW, 210 * RAW], isrc: 'USRC17607839' },
] as const;

describe('Nero images', () => {
  it('disc at once, version 2', () => {
    const image = read(
      nrgFile(SECTORS, [
        cueChunk(POINTS),
        daoChunk(1, TRACKS, 2, '0123456789012'),
        nrgChunk('SINF', Uint8Array.of(0, 0, 0, 2)),
        END_CHUNK,
      ]),
    );
    assert.deepEqual(shape(image), {
      tracks: ['1/1 mode1 4 0-0-30', '2/1 audio 0 30-40-60 50'],
      runs: [`0+30 mode1 raw @${150 * RAW}/2352`, `30+30 audio raw @${180 * RAW}/2352`],
      leadOuts: [60],
    });
    assert.deepEqual(
      [image.layout.catalog, image.layout.tracks[1]?.isrc],
      ['0123456789012', 'USRC17607839'],
    );
  });

  it('disc at once, version 1', () => {
    const image = read(nrgFile(SECTORS, [daoChunk(1, TRACKS, 1), END_CHUNK], 1));
    assert.deepEqual(shape(image).tracks, ['1/1 mode1 4 0-0-30', '2/1 audio 0 30-40-60']);
  });

  for (const version of [1, 2] as const) {
    it(`track at once, version ${version}: what is between tracks is a pregap of which nothing is kept`, () => {
      const tracks = [
        [0, 20 * 2048, 0, 0],
        [20 * 2048, 10 * RAW, 7, 172],
      ] as const;
      const sectors = new Uint8Array(20 * 2048 + 10 * RAW);
      const image = read(nrgFile(sectors, [etnChunk(tracks, version), END_CHUNK], version));
      assert.deepEqual(shape(image), {
        tracks: ['1/1 mode1 4 0-0-20', '2/1 audio 0 20-172-182'],
        runs: ['0+20 mode1 user @0/2048', '20+152 audio nothing', '172+10 audio raw @40960/2352'],
        leadOuts: [182],
      });
    });
  }

  it('a chunk of tracks is a session, which begins where its points say', () => {
    const chunk = (first: number, at: number): Uint8Array =>
      daoChunk(first, [{ mode: 0, sectorBytes: 2048, offsets: [at, at, at + 10 * 2048] }]);
    const file = (points: readonly Uint8Array[]): Uint8Array =>
      nrgFile(new Uint8Array(20 * 2048), [chunk(1, 0), ...points, chunk(2, 10 * 2048), END_CHUNK]);
    const known = read(file([cueChunk([[0x41, 2, 1, 12_000]])]));
    assert.deepEqual(shape(known).tracks, ['1/1 mode1 4 0-0-10', '2/2 mode1 4 12000-12000-12010']);
    assert.deepEqual(shape(read(file([]))).leadOuts, [10, 11_420]);
  });

  it('sub-channels follow each sector in modes 0Fh, 10h and 11h', () => {
    for (const [mode, form] of [
      [0x0f, 'mode1'],
      [0x10, 'audio'],
      [0x11, 'mixed'],
    ] as const) {
      const track = { mode, sectorBytes: 2448, offsets: [0, 0, 4 * 2448] } as const;
      const image = read(nrgFile(new Uint8Array(4 * 2448), [daoChunk(1, [track]), END_CHUNK]));
      assert.deepEqual(shape(image).runs, [`0+4 ${form} raw @0/2448 interleaved @2352/2448`]);
    }
  });

  it('CD-TEXT is a chunk', () => {
    const packs = makeCdText(
      [{ language: 9, fields: { title: ['A', 'B', 'C'] } }],
      1,
      2,
    ) as Uint8Array;
    const image = read(nrgFile(SECTORS, [daoChunk(1, TRACKS), nrgChunk('CDTX', packs), END_CHUNK]));
    assert.deepEqual(image.layout.cdText, packs);
  });
});

describe('Nero images that are wrong', () => {
  const dao = daoChunk(1, TRACKS);
  const with_ = (...chunks: readonly Uint8Array[]): Uint8Array => nrgFile(SECTORS, chunks);
  const track = (change: object): Uint8Array =>
    with_(daoChunk(1, [{ ...TRACKS[0], ...change }]), END_CHUNK);
  const far = nrgFile(SECTORS, [dao, END_CHUNK]);
  far.fill(0xff, far.length - 8);
  const rows: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['an offset that lies', far, /footer: it says that the chunks begin at byte/],
    ['no end', with_(dao), /there is no chunk "END!"/],
    [
      'a chunk too long',
      with_(dao.subarray(0, 40), END_CHUNK),
      /chunk "DAOX": its 106 bytes go beyond|no chunk "END!"/,
    ],
    ['no tracks', with_(END_CHUNK), /it has no track/],
    ['a short header', with_(nrgChunk('DAOX', 5), END_CHUNK), /chunk "DAOX": it is too short/],
    [
      'fewer tracks than it says',
      with_(nrgChunk('DAOX', 20, Uint8Array.of(1, 9)), END_CHUNK),
      /too short for tracks 1 to 9/,
    ],
    [
      'offsets outside',
      track({ offsets: [0, 150 * RAW, 999 * RAW] }),
      /the offsets of track 1 are not inside the file/,
    ],
    [
      'offsets that go back',
      track({ offsets: [9 * RAW, 0, 30 * RAW] }),
      /the offsets of track 1 are not inside/,
    ],
    ['an unknown mode', track({ mode: 9 }), /sectors of mode 9h with 2352 bytes are not read/],
    [
      'a mode of another length',
      track({ mode: 0 }),
      /sectors of mode 0h with 2352 bytes are not read/,
    ],
    ['a wrong ISRC', track({ isrc: 'X' }), /chunk "DAOX": the ISRC "X" has to be/],
    [
      'track at once outside',
      with_(etnChunk([[0, 10 ** 9, 7, 0]]), END_CHUNK),
      /chunk "ETN2": track 1 is not inside the file/,
    ],
    [
      'tracks that overlap',
      with_(
        etnChunk([
          [0, 100 * RAW, 7, 0],
          [0, RAW, 7, 50],
        ]),
        END_CHUNK,
      ),
      /track 2 begins too early/,
    ],
  ];
  for (const [name, file, message] of rows) {
    it(name, () => refuses(() => read(file), message));
  }
});
