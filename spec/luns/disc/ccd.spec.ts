/** CloneCD images: layouts, sub-channels, sessions, CD-TEXT, and what is wrong with one. */
import { strict as assert } from 'node:assert';
import { ccdImage } from '../../../src/luns/disc/ccd.ts';
import { makeCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
import { makeFrame } from '../../../src/scsi/mmc/sector/frame.ts';
import { type MemoryFiles, memoryFiles, refuses, shape } from './memory-source.ts';

function read(text: string, files: MemoryFiles) {
  return ccdImage(text, memoryFiles('disc.ccd', files));
}

let entries = 0;
function entry(session: number, point: number, control: number, lba: number): string {
  entries += 1;
  return `[Entry ${entries}]\nSession=${session}\nPoint=0x${point.toString(16).padStart(2, '0')}
ADR=0x01\nControl=0x0${control}\nTrackNo=0\nAMin=0\nASec=0\nAFrame=0\nALBA=-150\nZero=0\nPMin=0\nPSec=0\nPFrame=0\nPLBA=${lba}\n`;
}

const HEAD =
  '[CloneCD]\nVersion=3\n[Disc]\nTocEntries=5\nSessions=1\nDataTracksScrambled=0\nCDTextLength=0\nCATALOG=0123456789012\n';
const ONE = [
  HEAD,
  '[Session 1]\nPreGapMode=1\nPreGapSubC=0\n',
  entry(1, 0xa0, 4, 4350),
  entry(1, 0xa1, 0, 8850),
  entry(1, 0xa2, 0, 60),
  entry(1, 1, 4, 0),
  entry(1, 2, 2, 40),
  '[TRACK 1]\nMODE=1\nINDEX 1=0\n',
  '[TRACK 2]\nMODE=0\nINDEX 0=30\nINDEX 1=40\nINDEX 2=50\nISRC=USRC17607839\n',
].join('');

describe('CloneCD images', () => {
  it('a data track and one of audio with a pregap, and sub-channels beside them', () => {
    const image = read(ONE, { 'disc.img': 60 * 2352, 'disc.sub': 60 * 96 });
    const sub = 60 * 2352;
    assert.deepEqual(shape(image), {
      tracks: ['1/1 mode1 4 0-0-30', '2/1 audio 2 30-40-60 50'],
      runs: [
        `0+30 mode1 raw @0/2352 separate @${sub}/96`,
        `30+30 audio raw @${30 * 2352}/2352 separate @${sub + 30 * 96}/96`,
      ],
      leadOuts: [60],
    });
    assert.deepEqual(
      [image.layout.catalog, image.layout.tracks[1]?.isrc],
      ['0123456789012', 'USRC17607839'],
    );
  });

  it('without sub-channels they are made', () => {
    const image = read(ONE, { 'disc.img': 60 * 2352 });
    assert.deepEqual(
      image.layout.runs.map(({ subChannel }) => subChannel),
      ['none', 'none'],
    );
  });

  it('without sections of tracks the sectors say what they are', () => {
    const text =
      HEAD + entry(1, 0xa2, 0, 3) + entry(1, 1, 4, 0) + entry(1, 2, 4, 1) + entry(1, 3, 0, 2);
    const image = new Uint8Array(3 * 2352);
    image.set(makeFrame(0, 'mode1', new Uint8Array(2048)));
    image.set(makeFrame(1, 'form2', new Uint8Array(2324)), 2352);
    const { layout } = read(text, { 'disc.img': image });
    assert.deepEqual(
      layout.tracks.map(({ form }) => form),
      ['mode1', 'mixed', 'audio'],
    );
  });

  it('the image has nothing of the gap between sessions', () => {
    const text = [
      HEAD,
      entry(1, 0xa2, 0, 20),
      entry(1, 1, 0, 0),
      entry(2, 0xa2, 4, 11_450),
      entry(2, 2, 4, 11_420),
      '[TRACK 1]\nMODE=0\nINDEX 1=0\n[TRACK 2]\nMODE=1\nINDEX 1=11420\n',
    ].join('');
    const image = read(text, { 'disc.img': 50 * 2352 });
    assert.deepEqual(shape(image), {
      tracks: ['1/1 audio 0 0-0-20', '2/2 mode1 4 11420-11420-11450'],
      runs: ['0+20 audio raw @0/2352', `11420+30 mode1 raw @${20 * 2352}/2352`],
      leadOuts: [20, 11_450],
    });
  });

  it('CD-TEXT without CRCs', () => {
    const packs = makeCdText([{ language: 9, fields: { title: ['A', 'B'] } }], 1, 2) as Uint8Array;
    const lines = Array.from({ length: packs.length / 18 }, (_, i) => {
      const pack = Buffer.from(packs.subarray(i * 18, i * 18 + 16)).toString('hex');
      return `Entry ${i}=${pack.replace(/../g, '$& ').trim()}\n`;
    });
    const text = `${ONE}[CDText]\nEntries=${lines.length}\n${lines.join('')}`;
    assert.deepEqual(read(text, { 'disc.img': 60 * 2352 }).layout.cdText, packs);
  });
});

describe('CloneCD images that are wrong', () => {
  const files = { 'disc.img': 60 * 2352 };
  const rows: readonly (readonly [string, string, MemoryFiles, RegExp])[] = [
    ['nothing', '', files, /it has no section \[Disc\]/],
    ['no image', ONE, {}, /there is no .img file of the same name beside it/],
    [
      'a short image',
      ONE,
      { 'disc.img': 59 * 2352 },
      /\[Entry\] of track 2: "disc.img" has 138768 bytes, the tracks need 141120/,
    ],
    [
      'short sub-channels',
      ONE,
      { ...files, 'disc.sub': 100 },
      /"disc.sub" has 100 bytes, the tracks need/,
    ],
    ['a line that is none', `${HEAD}hello`, files, /line 9: it is no \[section\]/],
    [
      'scrambled sectors',
      ONE.replace('Scrambled=0', 'Scrambled=1'),
      files,
      /\[Disc\]: DataTracksScrambled is not read/,
    ],
    ['no entries', HEAD, files, /it has no \[Entry\] of a track/],
    [
      'an entry without an address',
      `${HEAD}[Entry 0]\nSession=1\nPoint=0x01\nControl=0x00\n`,
      files,
      /\[entry 0\]: it has no number "plba"/,
    ],
    ['no lead-out', HEAD + entry(1, 1, 0, 0), files, /session 1 has no \[Entry\] with Point=0xa2/],
    ['no track', HEAD + entry(1, 0xa2, 0, 10), files, /session 1 has no track/],
    [
      'tracks that overlap',
      HEAD + entry(1, 1, 0, 0) + entry(1, 2, 0, 0) + entry(1, 0xa2, 0, 9),
      files,
      /track 1: it does not begin between the tracks around it/,
    ],
    [
      'a lead-out in front',
      HEAD + entry(1, 1, 0, 5) + entry(1, 0xa2, 0, 5),
      files,
      /track 1: it does not begin between/,
    ],
    [
      'an index outside',
      ONE.replace('INDEX 2=50', 'INDEX 2=60'),
      files,
      /\[TRACK 2\]: INDEX 2 is not where it can be/,
    ],
    [
      'a short pack',
      `${ONE}[CDText]\nEntries=1\nEntry 0=80 00`,
      files,
      /\[CDText\]: Entry 0 has to be 16 or 18 bytes/,
    ],
  ];
  for (const [name, text, some, message] of rows) {
    it(name, () => refuses(() => read(text, some), message));
  }
});
