/** Images of discs that were burnt, and whether they are what was burnt. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { exportBurnt, verifyBurnt } from '../../../src/luns/disc/burn-export.ts';
import { cdTextNames } from '../../../src/luns/disc/cd-text-names.ts';
import { sealCdText } from '../../../src/scsi/mmc/sector/cd-text.ts';
import { type BurnerBed, blocksOf, selectWrite, writeBlocks } from '../../support/burner.ts';
import { burntFile, inDirectory } from '../../support/burnt-file.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';

function burnData({ a }: BurnerBed): void {
  selectWrite(a, '410408');
  writeBlocks(a, 0, 31);
  writeBlocks(a, 31, 31);
  a.run(SYNC);
  a.run(CLOSE_SESSION);
}

/** A session at once of a data track and two of audio, with a catalogue number, an ISRC and a pause. */
function burnMixed({ a, disc }: BurnerBed): void {
  selectWrite(a, '420000');
  const out =
    '0231323334353637 0238393031323300 4100001400000000 4101001000000000 4101011000000200 0302555341424332 0302333030303031 0102000000000400 0102010000000600 2103010000000800 01aa010100000a00';
  assert.equal(a.run('5d 00 00 00 00 00 00 00 58 00', { out }).sense, '');
  writeBlocks(a, -150, 300);
  for (const lba of [150, 300, 450]) writeBlocks(a, lba, 150, 2352);
  assert.equal(disc.status, 'complete');
}

describe('images of what was burnt', () => {
  it('ISO: the user data without the run-out, which verifies', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', burnData);
      exportBurnt(path('a'), path('a.iso'), 'iso');
      assert.deepEqual(new Uint8Array(readFileSync(path('a.iso'))), blocksOf(0, 62));
      assert.deepEqual(verifyBurnt(path('a'), path('a.iso')), {
        sectors: 62,
        different: 0,
        first: null,
      });
      const other = blocksOf(0, 62);
      other[40 * 2048 + 5] = 0;
      writeFileSync(path('b.iso'), other);
      assert.deepEqual(verifyBurnt(path('a'), path('b.iso')), {
        sectors: 62,
        different: 1,
        first: 40,
      });
    });
  });

  it('ISO of a DVD with two borders has a hole between them', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'dvd-r', ({ a }) => {
        selectWrite(a, '60e508');
        writeBlocks(a, 0, 16);
        a.run(SYNC);
        a.run(CLOSE_SESSION);
        writeBlocks(a, 16 + 12288, 16);
        a.run(SYNC);
        a.run(CLOSE_SESSION);
      });
      exportBurnt(path('a'), path('a.iso'), 'iso');
      const iso = readFileSync(path('a.iso'));
      assert.equal(iso.length, (16 + 12288 + 16) * 2048);
      assert.deepEqual(new Uint8Array(iso.subarray(-16 * 2048)), blocksOf(12304, 16));
      assert.equal(iso[16 * 2048], 0);
    });
  });

  it('ISO has no word for audio, and leaves no file', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', burnMixed);
      assert.throws(
        () => exportBurnt(path('a'), path('a.iso'), 'iso'),
        /no 2048 bytes of user data, export it as cue or toc$/,
      );
      assert.equal(existsSync(path('a.iso')), false);
    });
  });

  it('BIN and CUE: tracks of other sector lengths are in files of their own', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', burnMixed);
      exportBurnt(path('a'), path('x.cue'), 'cue');
      assert.equal(
        readFileSync(path('x.cue'), 'utf8'),
        [
          'CATALOG 1234567890123',
          'FILE "x-01.bin" BINARY',
          '  TRACK 01 MODE1/2048',
          '    INDEX 01 00:00:00',
          'FILE "x-02.bin" BINARY',
          '  TRACK 02 AUDIO',
          '    ISRC USABC2300001',
          '    INDEX 00 00:00:00',
          '    INDEX 01 00:02:00',
          'FILE "x-03.bin" BINARY',
          '  TRACK 03 AUDIO',
          '    FLAGS DCP',
          '    INDEX 01 00:00:00',
          '',
        ].join('\n'),
      );
      const bin = (name: string): Uint8Array => new Uint8Array(readFileSync(path(name)));
      assert.deepEqual(bin('x-01.bin'), blocksOf(0, 150));
      assert.deepEqual(bin('x-02.bin'), blocksOf(150, 300, 2352));
      assert.deepEqual(bin('x-03.bin'), blocksOf(450, 150, 2352));
    });
  });

  it('BIN and TOC: samples are big-endian', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', burnMixed);
      exportBurnt(path('a'), path('x.toc'), 'toc');
      const toc = readFileSync(path('x.toc'), 'utf8');
      assert.ok(toc.startsWith('CD_ROM\nCATALOG "1234567890123"\n'), toc);
      assert.ok(
        toc.includes(
          'TRACK AUDIO\nNO COPY\nNO PRE_EMPHASIS\nTWO_CHANNEL_AUDIO\nISRC "USABC2300001"\nFILE "x.bin" #307200 0 00:04:00\nSTART 00:02:00\n',
        ),
        toc,
      );
    });
  });

  it('TOC and ISO of XA sectors that were sent with their subheaders', () => {
    inDirectory((path) => {
      const head = [0, 0, 8, 0, 0, 0, 8, 0];
      const data = blocksOf(0, 1);
      burntFile(path('a'), 'cd-r', ({ a }) => {
        selectWrite(a, '41040b');
        const out = Uint8Array.from([...head, ...data]);
        assert.equal(a.run('2a 00 00 00 00 00 00 00 01 00', { out }).sense, '');
        a.run(SYNC);
        a.run(CLOSE_SESSION);
      });
      exportBurnt(path('a'), path('x.toc'), 'toc');
      assert.match(readFileSync(path('x.toc'), 'utf8'), /^TRACK MODE2_FORM_MIX$/m);
      const bin = new Uint8Array(readFileSync(path('x.bin')));
      assert.deepEqual(bin.subarray(0, 2056), Uint8Array.from([...head, ...data]));
      // The track and its run-out of two blocks, 2336 bytes each.
      assert.equal(bin.length, 3 * 2336);
      exportBurnt(path('a'), path('x.iso'), 'iso');
      assert.deepEqual(new Uint8Array(readFileSync(path('x.iso'))), data);
    });
  });

  it('tracks of one sector length are in one file', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', ({ a }) => {
        selectWrite(a, '410000');
        writeBlocks(a, 0, 20, 2352);
        a.run(SYNC);
        writeBlocks(a, 22 + 150, 30, 2352);
        a.run(SYNC);
        a.run(CLOSE_SESSION);
      });
      exportBurnt(path('a'), path('x.cue'), 'cue');
      assert.equal(
        readFileSync(path('x.cue'), 'utf8'),
        [
          'FILE "x.bin" BINARY',
          '  TRACK 01 AUDIO',
          '    INDEX 01 00:00:00',
          '  TRACK 02 AUDIO',
          '    INDEX 00 00:00:22',
          '    INDEX 01 00:02:22',
          '',
        ].join('\n'),
      );
      assert.equal(readFileSync(path('x.bin')).length, (22 + 150 + 32) * 2352);
    });
  });

  it('nothing is written over', () => {
    inDirectory((path) => {
      burntFile(path('a'), 'cd-r', burnData);
      writeFileSync(path('x.cue'), 'mine');
      assert.throws(() => exportBurnt(path('a'), path('x.cue'), 'cue'), /Cannot export to/);
      assert.equal(readFileSync(path('x.cue'), 'utf8'), 'mine');
      assert.equal(existsSync(path('x.bin')), false);
    });
  });

  it('texts of CD-TEXT go on from pack to pack, and from track to track', () => {
    const pack = (type: number, track: number, sequence: number, text: string): Buffer =>
      Buffer.concat([
        Buffer.from([type, track, sequence, 0]),
        Buffer.from(text.padEnd(12, '\0'), 'latin1'),
        Buffer.alloc(2),
      ]);
    const packs = Buffer.concat([
      pack(0x80, 0, 0, 'A long title'),
      pack(0x80, 0, 1, ' of it\0First'),
      pack(0x80, 1, 2, '\0Second\0'),
      pack(0x81, 0, 3, 'Me\0\t\0\t\0'),
    ]);
    sealCdText(packs);
    const names = cdTextNames(packs);
    assert.deepEqual(
      [0, 1, 2].map((track) => [
        names.get(track)?.get('TITLE'),
        names.get(track)?.get('PERFORMER'),
      ]),
      [
        ['A long title of it', 'Me'],
        ['First', 'Me'],
        ['Second', 'Me'],
      ],
    );
  });
});
