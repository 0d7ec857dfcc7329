/** CUE sheets: layouts, titles, sessions, and what is wrong with a sheet. */
import { strict as assert } from 'node:assert';
import { cueImage } from '../../../src/luns/disc/cue.ts';
import { makeCdText, readCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
import { makeFrame } from '../../../src/scsi/mmc/sector/frame.ts';
import {
  type MemoryFiles,
  memoryFiles,
  refuses,
  shape,
  sheetVector,
  shownToc,
  wave,
} from './memory-source.ts';

function read(text: string, files: MemoryFiles) {
  return cueImage(text, memoryFiles('disc.cue', files));
}

const AUDIO_AND_DATA = `CATALOG 0123456789012
FILE "disc.bin" BINARY
  TRACK 01 MODE1/2352
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    FLAGS DCP PRE
    ISRC US-RC1-76-07839
    PREGAP 00:02:00
    INDEX 01 00:04:00
    INDEX 02 00:05:00
  TRACK 03 AUDIO
    INDEX 00 00:06:00
    INDEX 01 00:08:00
`;

describe('CUE sheets', () => {
  it('of toc2cue are read as cdrdao reads them', () => {
    const image = read(sheetVector('audio.cue'), { 'audio.bin': 940_800 });
    assert.deepEqual(shape(image).tracks, shownToc(sheetVector('audio.show-toc.txt')));
    assert.deepEqual(shape(image).runs, ['0+400 audio raw @0/2352']);
  });

  it('a data track, a gap that is not in the file, one that is, indexes and codes', () => {
    const image = read(AUDIO_AND_DATA, { 'disc.bin': 700 * 2352 });
    assert.deepEqual(shape(image), {
      tracks: ['1/1 mode1 4 0-0-300', '2/1 audio 3 300-450-600 525', '3/1 audio 0 600-750-850'],
      runs: [
        '0+300 mode1 raw @0/2352',
        '300+150 audio nothing',
        `450+400 audio raw @${300 * 2352}/2352`,
      ],
      leadOuts: [850],
    });
    const { catalog, tracks } = image.layout;
    assert.deepEqual([catalog, tracks[1]?.isrc], ['0123456789012', 'USRC17607839']);
    assert.deepEqual(image.files, [{ path: 'disc.bin', bytes: 700 * 2352 }]);
  });

  it('sectors of several lengths in one file', () => {
    const image = read(
      `FILE "a.bin" BINARY\nTRACK 1 MODE1/2048\nINDEX 1 0:0:0\nTRACK 2 MODE2/2324\nINDEX 1 0:0:10\n
       TRACK 3 AUDIO\nINDEX 1 0:0:20\nPOSTGAP 0:0:5`,
      { 'a.bin': 10 * 2048 + 10 * 2324 + 10 * 2352 + 100 },
    );
    assert.deepEqual(shape(image).runs, [
      '0+10 mode1 user @0/2048',
      '10+10 form2 form2 @20480/2324',
      '20+10 audio raw @43720/2352',
      '30+5 audio nothing',
    ]);
    assert.equal(image.layout.sessions[0]?.type, 0x20);
  });

  it('a file for each track, with the gap at the end of the file before (as EAC writes)', () => {
    const image = read(
      `FILE "1.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\n TRACK 02 AUDIO\n  INDEX 00 00:01:00
FILE "2.wav" WAVE\n  INDEX 01 00:00:00`,
      { '1.wav': wave(90 * 2352), '2.wav': wave(50 * 2352 + 7) },
    );
    assert.deepEqual(shape(image), {
      tracks: ['1/1 audio 0 0-0-75', '2/1 audio 0 75-90-140'],
      runs: ['0+90 audio raw @44/2352', `90+50 audio raw @${44 + 90 * 2352 + 44}/2352`],
      leadOuts: [140],
    });
  });

  it('MOTOROLA is big-endian', () => {
    const image = read('FILE a.bin MOTOROLA\nTRACK 01 AUDIO\nINDEX 01 00:00:00', {
      'a.bin': 4 * 2352,
    });
    assert.deepEqual(shape(image).runs, ['0+4 audio swapped @0/2352']);
  });

  it('CDG has sub-channels behind each sector', () => {
    const image = read('FILE a.bin BINARY\nTRACK 01 CDG\nINDEX 01 00:00:00', { 'a.bin': 4 * 2448 });
    assert.deepEqual(shape(image).runs, ['0+4 audio raw @0/2448 interleaved @2352/2448']);
  });

  it('audio in front of the first track is its pregap, and the pause that is always there is none', () => {
    const hidden = 'FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 00 00:00:00\nINDEX 01 00:10:00';
    assert.deepEqual(shape(read(hidden, { 'a.bin': 1000 * 2352 })).tracks, [
      '1/1 audio 0 0-750-1000',
    ]);
    const pause = 'FILE a.bin BINARY\nTRACK 01 AUDIO\nPREGAP 00:02:00\nINDEX 01 00:00:00';
    assert.deepEqual(shape(read(pause, { 'a.bin': 10 * 2352 })).tracks, ['1/1 audio 0 0-0-10']);
  });

  it('mode 2 is XA when its subheaders are there twice, otherwise formless', () => {
    const xa = makeFrame(0, 'form1', new Uint8Array(2048));
    const formless = makeFrame(
      0,
      'mode2',
      Uint8Array.from({ length: 2336 }, (_, i) => i),
    );
    const sheet = (bytes: number): string =>
      `FILE a.bin BINARY\nTRACK 01 MODE2/${bytes}\nINDEX 01 00:00:00`;
    const runs = (bytes: number, file: Uint8Array): string[] =>
      shape(read(sheet(bytes), { 'a.bin': file })).runs;
    assert.deepEqual(runs(2352, xa), ['0+1 mixed raw @0/2352']);
    assert.deepEqual(runs(2352, formless), ['0+1 mode2 raw @0/2352']);
    assert.deepEqual(runs(2336, xa.subarray(16)), ['0+1 mixed mode2 @0/2336']);
    assert.deepEqual(runs(2336, formless.subarray(16)), ['0+1 mode2 mode2 @0/2336']);
  });

  it('sessions begin 11 400 sectors behind the lead-out of the first, then 6 900', () => {
    const track = (n: number): string =>
      `REM SESSION ${n}\nFILE ${n}.bin BINARY\nTRACK ${n} MODE1/2048\nINDEX 01 00:00:00\n`;
    const bytes = 300 * 2048;
    const image = read([1, 2, 3].map(track).join(''), {
      '1.bin': bytes,
      '2.bin': bytes,
      '3.bin': bytes,
    });
    assert.deepEqual(shape(image), {
      tracks: [
        '1/1 mode1 4 0-0-300',
        '2/2 mode1 4 11700-11700-12000',
        '3/3 mode1 4 18900-18900-19200',
      ],
      runs: [
        '0+300 mode1 user @0/2048',
        `11700+300 mode1 user @${bytes}/2048`,
        `18900+300 mode1 user @${2 * bytes}/2048`,
      ],
      leadOuts: [300, 12000, 19200],
    });
  });

  it('titles are CD-TEXT', () => {
    const text =
      'TITLE "Album"\nPERFORMER Many\nFILE a.bin BINARY\nTRACK 01 AUDIO\nTITLE "Süß"\nINDEX 01 0:0:0';
    const { cdText } = read(text, { 'a.bin': 2352 }).layout;
    assert.ok(cdText);
    assert.deepEqual(readCdText(cdText), [
      { language: 9, fields: { title: ['Album', 'Süß'], performer: ['Many', ''] } },
    ]);
  });

  it('a file of CD-TEXT goes before titles', () => {
    const packs = makeCdText(
      [{ language: 9, fields: { title: ['Other', 'X'] } }],
      1,
      1,
    ) as Uint8Array;
    const sheet =
      'CDTEXTFILE "a.cdt"\nTITLE "Album"\nFILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 0:0:0';
    const withZero = new Uint8Array([...packs, 0]);
    for (const file of [packs, withZero]) {
      assert.deepEqual(read(sheet, { 'a.bin': 2352, 'a.cdt': file }).layout.cdText, packs);
    }
    refuses(
      () => read(sheet, { 'a.bin': 2352, 'a.cdt': packs.subarray(1) }),
      /line 1: its CD-TEXT is no packs/,
    );
  });

  it('byte order mark, DOS lines and words in lower case', () => {
    const image = read('\ufefffile "a b.bin" binary\r\ntrack 01 audio\r\nindex 01 00:00:00\r\n', {
      'a b.bin': 2352,
    });
    assert.deepEqual(shape(image).runs, ['0+1 audio raw @0/2352']);
  });
});

describe('CUE sheets that are wrong', () => {
  const files = { 'a.bin': 100 * 2352, 'a.wav': new Uint8Array(100) };
  const begin = 'FILE "a.bin" BINARY\nTRACK 01 AUDIO\n';
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /"disc.cue": it has no track/],
    ['a word of another language', 'HELLO', /line 1: "HELLO" is no command/],
    ['a missing file', 'FILE "b.bin" BINARY', /line 1: there is no file "b.bin" in the folder/],
    [
      'a file of another kind',
      'FILE "a.bin" MP3',
      /line 1: files of the type "MP3" are not read; convert/,
    ],
    ['a WAVE file that is none', 'FILE "a.wav" WAVE', /line 1: "a.wav" is no WAVE file/],
    [
      'an unknown mode',
      'FILE "a.bin" BINARY\nTRACK 01 MODE3',
      /line 2: the mode "MODE3" is none of AUDIO, CDG/,
    ],
    ['no number', 'TRACK x AUDIO', /line 1: TRACK has to have a number/],
    [
      'a number too many',
      `${begin}INDEX 01 0:0:0\nTRACK 03 AUDIO\nINDEX 01 0:0:5`,
      /line 4: track 3 is there where the number has to be 2/,
    ],
    ['no INDEX', begin, /line 2: track 1 has no INDEX 01|no track begins/],
    ['no INDEX 01', `${begin}INDEX 00 0:0:0`, /line 2: track 1 has no INDEX 01/],
    [
      'an INDEX left out',
      `${begin}INDEX 01 0:0:0\nINDEX 03 0:0:1`,
      /line 4: INDEX 03 is not the one that comes next/,
    ],
    [
      'an INDEX that goes back',
      `${begin}INDEX 01 0:1:0\nINDEX 02 0:0:1`,
      /line 4: INDEX 02 is in front of/,
    ],
    [
      'an INDEX behind the end',
      `${begin}INDEX 01 0:0:0\nTRACK 02 AUDIO\nINDEX 01 9:0:0`,
      /line 5: track 1 goes on behind the end of "a.bin"/,
    ],
    [
      'an INDEX without a file',
      'TRACK 01 AUDIO\nINDEX 01 0:0:0',
      /line 2: INDEX has to be behind a FILE/,
    ],
    ['no time', `${begin}INDEX 01 0:60:0`, /line 3: "0:60:0" has to be a time/],
    ['a wrong flag', `${begin}FLAGS ABC`, /line 3: the flag "ABC" is none of/],
    ['a wrong ISRC', `${begin}ISRC 12`, /line 3: the ISRC "12" has to be/],
    [
      'a wrong catalogue number',
      'CATALOG 12',
      /line 1: the catalogue number "12" has to be 13 digits/,
    ],
    ['FLAGS of no track', 'FLAGS DCP', /line 1: FLAGS has to be behind a TRACK/],
    ['a session left out', 'REM SESSION 3', /line 1: session 2 has to come next/],
    [
      'more than a CD',
      `${begin}PREGAP 99:00:00\nINDEX 01 0:0:0`,
      /longer than a CD can be: 90 minutes/,
    ],
    [
      'data in a WAVE file',
      'FILE "w.wav" WAVE\nTRACK 01 MODE1/2048\nINDEX 01 0:0:0',
      /a WAVE file has no data tracks/,
    ],
    [
      'a track of no sectors',
      `${begin}INDEX 01 0:0:0\nTRACK 02 AUDIO\nINDEX 01 0:0:0`,
      /track 1: it has no sectors/,
    ],
  ];
  for (const [name, text, message] of rows) {
    it(name, () => refuses(() => read(text, { ...files, 'w.wav': wave(2352) }), message));
  }
});
