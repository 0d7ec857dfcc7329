/** Finding out what an image file is, with files on a real file system. */
import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDiscImage } from '../../../src/luns/disc/read-disc-image.ts';
import { BD_ROM, CD_ROM, DVD_ROM } from '../../../src/scsi/mmc/profile.ts';
import { makeFrame } from '../../../src/scsi/mmc/sector/frame.ts';
import { END_CHUNK, etnChunk, mdsFile, nrgFile } from './built-images.ts';
import { refuses, shape } from './memory-source.ts';

describe('disc images', () => {
  let folder = '';
  const path = (name: string): string => join(folder, name);
  const write = (name: string, bytes: Uint8Array | string): string => {
    writeFileSync(path(name), bytes);
    return path(name);
  };
  const sparse = (name: string, bytes: number): string => {
    write(name, '');
    truncateSync(path(name), bytes);
    return path(name);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'discs-'));
    mkdirSync(path('below'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('an ISO image is one track of user data, on the disc that holds as much', () => {
    const image = readDiscImage(sparse('a.iso', 40 * 2048));
    assert.deepEqual(image.files, [{ path: path('a.iso'), bytes: 40 * 2048 }]);
    assert.deepEqual(shape(image).runs, ['0+40 mode1 user @0/2048']);
    const profile = (blocks: number): number =>
      readDiscImage(sparse('b.iso', blocks * 2048)).layout.profile;
    assert.equal(profile(359_849), CD_ROM);
    assert.equal(profile(359_850), DVD_ROM);
    assert.equal(profile(4_173_825), BD_ROM);
  });

  it('sectors with a sync pattern are raw, with or without sub-channels behind them', () => {
    const frames = [0, 1, 2].map((lba) => makeFrame(lba, 'mode1', new Uint8Array(2048)));
    assert.deepEqual(shape(readDiscImage(write('a.bin', Buffer.concat(frames)))).runs, [
      '0+3 mode1 raw @0/2352',
    ]);
    const subs = Buffer.concat(frames.flatMap((frame) => [frame, new Uint8Array(96)]));
    assert.deepEqual(shape(readDiscImage(write('b.bin', subs))).runs, [
      '0+3 mode1 raw @0/2448 interleaved @2352/2448',
    ]);
    const xa = Buffer.concat([0, 1].map((lba) => makeFrame(lba, 'form1', new Uint8Array(2048))));
    assert.deepEqual(shape(readDiscImage(write('c.img', xa))).runs, ['0+2 mixed raw @0/2352']);
  });

  it('sectors of 2336 bytes are known by where their volume is', () => {
    const bytes = Buffer.alloc(20 * 2336);
    bytes.write('\u0001CD001', 16 * 2336 + 8, 'latin1');
    assert.deepEqual(shape(readDiscImage(write('d.img', bytes))).runs, [
      '0+20 mixed mode2 @0/2336',
    ]);
  });

  it('sheets are known by their endings, Nero and Alcohol images by what is in them', () => {
    sparse('e.bin', 4 * 2352);
    const sheet = 'FILE "e.bin" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n';
    assert.deepEqual(shape(readDiscImage(write('e.CUE', sheet))).runs, ['0+4 audio raw @0/2352']);
    const toc = readDiscImage(write('e.toc', 'TRACK AUDIO FILE "e.bin" 0'));
    assert.deepEqual(shape(toc).runs, ['0+4 audio swapped @0/2352']);
    const nrg = nrgFile(new Uint8Array(20_480), [etnChunk([[0, 20_480, 0, 0]]), END_CHUNK]);
    assert.deepEqual(shape(readDiscImage(write('f.image', nrg))).runs, ['0+10 mode1 user @0/2048']);
    sparse('g.mdf', 30 * 2352);
    const track = {
      point: 1,
      mode: 0xaa,
      control: 4,
      sectorBytes: 2352,
      start: 0,
      at: 0,
      pregap: 150,
      blocks: 30,
    };
    const mds = readDiscImage(write('g.mds', mdsFile([{ tracks: [track], leadOut: [0, 2, 30] }])));
    assert.deepEqual(mds.files, [{ path: path('g.mdf'), bytes: 30 * 2352 }]);
    sparse('h.img', 5 * 2352);
    const ccd = `[Disc]\nSessions=1\n[Entry 0]\nSession=1\nPoint=0xa2\nControl=0\nPLBA=5
[Entry 1]\nSession=1\nPoint=1\nControl=0\nPLBA=0\n`;
    assert.deepEqual(shape(readDiscImage(write('h.ccd', ccd))).runs, ['0+5 audio raw @0/2352']);
  });

  it('a sheet finds files beside it in other case, below it, and by the last part of a path of elsewhere', () => {
    sparse('Track 1.BIN', 2352);
    sparse('below/x.bin', 2352);
    const file = (name: string): string =>
      readDiscImage(write('i.cue', `FILE "${name}" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n`))
        .files[0]?.path ?? '';
    assert.equal(file('track 1.bin'), path('Track 1.BIN'));
    assert.equal(file('below\\x.bin'), path('below/x.bin'));
    assert.equal(file('C:\\rips\\Track 1.BIN'), path('Track 1.BIN'));
    assert.equal(file('/rips/Track 1.BIN'), path('Track 1.BIN'));
    assert.equal(file(path('below/x.bin')), path('below/x.bin'));
  });

  it('but none out of its folder, and nothing that is no file', () => {
    sparse('outside.bin', 2352);
    const sheet = (name: string): string =>
      write('below/j.cue', `FILE "${name}" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n`);
    for (const name of ['../outside.bin', path('outside.bin'), '/dev/zero', '..', '.', '']) {
      refuses(
        () => readDiscImage(sheet(name)),
        /line 1: there is no file ".*" in the folder of the image/,
      );
    }
    refuses(() => readDiscImage('/dev/zero'), /it is no regular file; name an image file/);
    refuses(() => readDiscImage(folder), /it is no regular file/);
    refuses(() => readDiscImage(path('nobody.iso')), /ENOENT/);
  });

  it('a link that the operator made leads where it leads', () => {
    symlinkSync(path('outside.bin'), path('below/link.bin'));
    const sheet = write(
      'below/k.cue',
      'FILE "link.bin" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n',
    );
    assert.deepEqual(readDiscImage(sheet).files, [{ path: path('below/link.bin'), bytes: 2352 }]);
  });

  it('a description of a gigabyte is not read, nor an image of half a sector', () => {
    for (const ending of ['cue', 'toc', 'ccd']) {
      refuses(
        () => readDiscImage(sparse(`big.${ending}`, 2 ** 30)),
        /it has 1073741824 bytes, a description at most 1048576/,
      );
    }
    refuses(
      () => readDiscImage(sparse('half.iso', 1000)),
      /its size 1000 is no multiple of 2048 bytes; an ISO image is whole sectors/,
    );
    refuses(() => readDiscImage(sparse('none.iso', 0)), /its size 0 is no multiple/);
    refuses(
      () => readDiscImage(sparse('audio.bin', 2352 * 3)),
      /if it is the audio of a CD, name its .cue/,
    );
  });
});
