/** Alcohol images: layouts, sub-channels, sessions, DVDs, and what is wrong with one. */
import { strict as assert } from 'node:assert';
import { mdsImage } from '../../../src/luns/disc/mds.ts';
import { DVD_ROM } from '../../../src/scsi/mmc/profile.ts';
import { type MdsTrack, mdsFile } from './built-images.ts';
import { type MemoryFiles, memoryFiles, refuses, shape } from './memory-source.ts';

function read(description: Uint8Array, files: MemoryFiles) {
  return mdsImage(description, memoryFiles('disc.mds', files));
}

const DATA: MdsTrack = {
  point: 1,
  mode: 0xaa,
  control: 4,
  sectorBytes: 2352,
  start: 0,
  at: 0,
  pregap: 150,
  blocks: 30,
};
const AUDIO: MdsTrack = {
  point: 2,
  mode: 0xa9,
  control: 0,
  sectorBytes: 2352,
  start: 40,
  at: 30 * 2352,
  pregap: 10,
  blocks: 20,
};
/** 60 sectors. */
const LEAD_OUT = [0, 2, 60] as const;

describe('Alcohol images', () => {
  it('a pregap that is not in the file', () => {
    const image = read(mdsFile([{ tracks: [DATA, AUDIO], leadOut: LEAD_OUT }]), {
      'disc.mdf': 50 * 2352,
    });
    assert.deepEqual(shape(image), {
      tracks: ['1/1 mode1 4 0-0-30', '2/1 audio 0 30-40-60'],
      runs: ['0+30 mode1 raw @0/2352', '30+10 audio nothing', `40+20 audio raw @${30 * 2352}/2352`],
      leadOuts: [60],
    });
  });

  it('one that is', () => {
    const audio = { ...AUDIO, at: 40 * 2352 };
    const image = read(mdsFile([{ tracks: [DATA, audio], leadOut: LEAD_OUT }]), {
      'disc.mdf': 60 * 2352,
    });
    assert.deepEqual(shape(image).runs, [
      '0+30 mode1 raw @0/2352',
      `30+30 audio raw @${30 * 2352}/2352`,
    ]);
  });

  it('sub-channels follow each sector; the name of the file may be of 16-bit characters', () => {
    const track = { ...DATA, sub: true, sectorBytes: 2448 };
    const image = read(mdsFile([{ tracks: [track], leadOut: LEAD_OUT }], 1, 'other.mdf'), {
      'other.mdf': 30 * 2448,
    });
    assert.deepEqual(shape(image).runs, ['0+30 mode1 raw @0/2448 interleaved @2352/2448']);
  });

  it('modes and lengths of sectors', () => {
    const rows: readonly (readonly [number, number, string])[] = [
      [0xaa, 2048, 'mode1 user'],
      [0xab, 2336, 'mixed mode2'],
      [0xac, 2048, 'form1 user'],
      [0xac, 2336, 'form1 mode2'],
      [0xad, 2324, 'form2 form2'],
      [0xa8, 2352, 'mixed raw'],
    ];
    for (const [mode, sectorBytes, run] of rows) {
      const tracks = [{ ...DATA, mode, sectorBytes }];
      const image = read(mdsFile([{ tracks, leadOut: LEAD_OUT }]), { 'disc.mdf': 30 * 2352 });
      assert.deepEqual(shape(image).runs, [`0+30 ${run} @0/${sectorBytes}`]);
    }
  });

  it('sessions are where they say', () => {
    const second = { ...DATA, point: 2, start: 11_430, at: 30 * 2352 };
    const sessions = [
      { tracks: [DATA], leadOut: [0, 2, 30] },
      { tracks: [second], leadOut: [2, 34, 60] },
    ] as const;
    const image = read(mdsFile(sessions), { 'disc.mdf': 60 * 2352 });
    assert.deepEqual(shape(image).tracks, ['1/1 mode1 4 0-0-30', '2/2 mode1 4 11430-11430-11460']);
  });

  it('a DVD is one track of user data', () => {
    const tracks = [{ ...DATA, sectorBytes: 2048, pregap: 0 }];
    const image = read(mdsFile([{ tracks, leadOut: [0, 0, 0] }], 0x10), {
      'disc.mdf': 400_000 * 2048,
    });
    assert.deepEqual(
      [image.layout.profile, shape(image).runs],
      [DVD_ROM, ['0+400000 mode1 user @0/2048']],
    );
  });
});

describe('Alcohol images that are wrong', () => {
  const files = { 'disc.mdf': 50 * 2352 };
  const good = mdsFile([{ tracks: [DATA, AUDIO], leadOut: LEAD_OUT }]);
  const changed = (at: number, ...bytes: readonly number[]): Uint8Array => {
    const file = good.slice();
    file.set(bytes, at);
    return file;
  };
  const track = (change: Partial<MdsTrack>): Uint8Array =>
    mdsFile([{ tracks: [{ ...DATA, ...change }], leadOut: LEAD_OUT }]);
  // The track blocks begin at 112; that of track 1 is the second.
  const FIRST = 112 + 80;
  const rows: readonly (readonly [string, Uint8Array, MemoryFiles, RegExp])[] = [
    ['a header cut short', good.subarray(0, 80), files, /header: its 88 bytes at 0 go beyond/],
    [
      'tracks cut short',
      good.subarray(0, 200),
      files,
      /session 1, track block 2: its 80 bytes at 192 go beyond/,
    ],
    ['version 2', changed(16, 2), files, /version 2 is not read/],
    ['no sessions', changed(20, 0), files, /there are 0 sessions/],
    ['no file', good, {}, /there is no file of the same name that ends with ".mdf"/],
    [
      'a short file',
      good,
      { 'disc.mdf': 49 * 2352 },
      /session 1, track 2: "disc.mdf" has 115248 bytes, the track needs 117600/,
    ],
    [
      'several files',
      changed(FIRST + 48, 2),
      files,
      /sectors in more than one file are not read; join them/,
    ],
    ['a sector length', track({ sectorBytes: 999 }), files, /sectors of 999 bytes are not read/],
    [
      'a length of another mode',
      track({ mode: 0xa9, sectorBytes: 2048 }),
      files,
      /sectors of mode 1 are not kept as 2048 bytes/,
    ],
    ['no sectors', track({ blocks: 0 }), files, /session 1, track 1: it has no sectors/],
    [
      'tracks that overlap',
      mdsFile([{ tracks: [DATA, { ...AUDIO, start: 5 }], leadOut: LEAD_OUT }]),
      files,
      /track 1: it has no sectors|begins in front of/,
    ],
    ['no track', mdsFile([{ tracks: [], leadOut: LEAD_OUT }]), files, /session 1: it has no track/],
  ];
  for (const [name, file, some, message] of rows) {
    it(name, () => refuses(() => read(file, some), message));
  }
});
