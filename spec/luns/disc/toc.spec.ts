/** TOC files of cdrdao: as cdrdao reads them, all modes, and what is wrong with one. */
import { strict as assert } from 'node:assert';
import { tocImage } from '../../../src/luns/disc/toc.ts';
import { readCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
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
  return tocImage(text, memoryFiles('disc.toc', files));
}

describe('TOC files', () => {
  it('are read as cdrdao reads them', () => {
    const files = { 'data.iso': 51_200, 'one.raw': 940_800, 'two.wav': wave(500 * 2352) };
    const image = read(sheetVector('disc.toc'), files);
    assert.deepEqual(shape(image).tracks, shownToc(sheetVector('disc.show-toc.txt')));
    assert.deepEqual(shape(image).runs, [
      '0+25 mode1 user @0/2048',
      '25+150 mode1 nothing',
      '175+150 audio nothing',
      '325+375 audio swapped @51200/2352',
      `700+500 audio raw @${51_200 + 940_800 + 44}/2352`,
    ]);
    const { catalog, tracks, cdText } = image.layout;
    assert.deepEqual([catalog, tracks[1]?.isrc], ['0123456789012', 'USRC17607839']);
    assert.ok(cdText);
    assert.deepEqual(readCdText(cdText), [
      {
        language: 9,
        fields: {
          title: ['The "Disc"', '', 'One', 'Two'],
          performer: ['Nobody', '', 'A', 'B'],
          genre: ['Pop'],
        },
        genreCode: 2,
      },
    ]);
  });

  it('a pregap in the file, an index behind it', () => {
    const image = read(sheetVector('audio.toc'), { 'audio.bin': 940_800 });
    assert.deepEqual(shape(image).tracks, ['1/1 audio 2 0-0-150', '2/1 audio 1 150-200-400 275']);
    assert.deepEqual(shape(image).runs, ['0+400 audio swapped @0/2352']);
  });

  const modes: readonly (readonly [string, number, string])[] = [
    ['MODE1', 2048, 'mode1 user'],
    ['MODE1_RAW', 2352, 'mode1 raw'],
    ['MODE2', 2336, 'mode2 mode2'],
    ['MODE2_RAW', 2352, 'mixed raw'],
    ['MODE2_FORM1', 2048, 'form1 user'],
    ['MODE2_FORM2', 2324, 'form2 form2'],
    ['MODE2_FORM_MIX', 2336, 'mixed mode2'],
  ];
  for (const [mode, bytes, run] of modes) {
    it(`${mode} is ${bytes} bytes a sector`, () => {
      const whole = read(`CD_ROM_XA TRACK ${mode} DATAFILE "a.bin"`, { 'a.bin': 10 * bytes });
      assert.deepEqual(shape(whole).runs, [`0+10 ${run} @0/${bytes}`]);
      const part = read(`TRACK ${mode} DATAFILE "a.bin" #${bytes} ${3 * bytes}`, {
        'a.bin': 10 * bytes,
      });
      assert.deepEqual(shape(part).runs, [`0+3 ${run} @${bytes}/${bytes}`]);
    });
  }

  it('sub-channels follow each sector', () => {
    const image = read('TRACK AUDIO RW_RAW FILE "a.bin" 0', { 'a.bin': 4 * 2448 });
    assert.deepEqual(shape(image).runs, ['0+4 audio swapped @0/2448 interleaved @2352/2448']);
  });

  it('WAVE is little-endian, SWAP says the other way', () => {
    const files = { 'a.wav': wave(10 * 2352), 'a.raw': 10 * 2352 };
    const runs = (piece: string): string =>
      shape(read(`TRACK AUDIO FILE ${piece}`, files)).runs.join();
    assert.equal(runs('"a.wav" 0'), '0+10 audio raw @44/2352');
    assert.equal(runs('"a.wav" SWAP 0'), '0+10 audio swapped @44/2352');
    assert.equal(runs('"a.raw" 0'), '0+10 audio swapped @0/2352');
    assert.equal(runs('"a.raw" SWAP 588 00:00:02'), '0+2 audio raw @2352/2352');
  });

  it('samples may begin anywhere', () => {
    const image = read('TRACK AUDIO FILE "a.raw" 100 1176', { 'a.raw': 10 * 2352 });
    assert.deepEqual(shape(image).runs, ['0+2 audio swapped @400/2352']);
  });

  it('an index is counted from START, and START alone ends the pregap', () => {
    const image = read('TRACK AUDIO SILENCE 00:02:00 START FILE "a.raw" 0 INDEX 00:00:05', {
      'a.raw': 10 * 2352,
    });
    assert.deepEqual(shape(image).tracks, ['1/1 audio 0 0-150-160 155']);
  });
});

describe('TOC files that are wrong', () => {
  const files = { 'a.raw': 10 * 2352, 'a.iso': 20480 };
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /it has no track/],
    [
      'a word of another language',
      'CD_DA\nHELLO',
      /line 2: "HELLO" is nothing that a TOC file begins with/,
    ],
    ['one in a track', 'TRACK AUDIO\nHELLO', /line 2: "HELLO" is nothing that a track/],
    ['an unknown mode', 'TRACK MODE3', /line 1: the mode "MODE3" is none of AUDIO/],
    ['a missing file', 'TRACK AUDIO\nFILE "b.raw" 0', /line 2: there is no file "b.raw"/],
    ['no name', 'TRACK AUDIO FILE 0', /FILE has to be followed by text in quotation marks/],
    ['an open quotation', 'TRACK AUDIO\nFILE "a.raw', /line 2: a quotation mark is not closed/],
    ['no start', 'TRACK AUDIO FILE "a.raw"', /FILE has to be followed by where/],
    [
      'more than there is',
      'TRACK AUDIO FILE "a.raw" 0 00:01:00',
      /"a.raw" has 23520 bytes, and 176400 are asked for/,
    ],
    ['a FIFO', 'TRACK AUDIO FIFO "a.raw" 00:01:00', /FIFO is not read; name a file/],
    [
      'a piece that ends inside a sector',
      'TRACK AUDIO FILE "a.raw" 0 100 FILE "a.raw" 0',
      /only the last piece of a track may end inside a sector/,
    ],
    ['an end too early', 'CD_TEXT { LANGUAGE 0 {', /it ends too early/],
    [
      'CD-TEXT of another encoding',
      'CD_TEXT { LANGUAGE 0 { ENCODING_MS_JIS } }',
      /CD-TEXT in ENCODING_MS_JIS is not made/,
    ],
    [
      'an INDEX behind the end',
      'TRACK AUDIO FILE "a.raw" 0 INDEX 00:10:00',
      /an INDEX of track 1 is not where it can be/,
    ],
    [
      'a START behind the end',
      'TRACK AUDIO FILE "a.raw" 0 START 00:10:00',
      /track 1 ends in front of its START/,
    ],
    ['more than a CD', 'TRACK AUDIO SILENCE 95:00:00', /longer than a CD can be/],
  ];
  for (const [name, text, message] of rows) {
    it(name, () => refuses(() => read(text, files), message));
  }
});
