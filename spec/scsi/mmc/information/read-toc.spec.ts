/** READ TOC/PMA/ATIP (MMC-6): tables of contents of closed, open and blank discs; also as the traces have them. */
import { strict as assert } from 'node:assert';
import type { Disc, DiscLayout } from '../../../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import { audioDisc, dataDisc, optical, track } from '../../../support/optical.ts';
import { blankCdR, blankDvdR, invisibleTrack, OPEN_SESSION } from '../../../support/recordable.ts';

function reply(disc: Disc | DiscLayout, cdb: string): string {
  const it = 'runAt' in disc ? disc : new FinishedDisc(disc);
  const { bed } = optical(dataDisc(1), new Uint8Array(0), { writes: true, disc: it });
  const { sense, pointer, dataIn } = bed.nexus('a').clear().run(cdb, { in: 2048 });
  return sense === '' ? Buffer.from(dataIn).toString('hex') : `${sense} ${pointer}`;
}
const digits = (text: string): string => text.replace(/\s+/g, '');

const DATA = dataDisc(1248);
const AUDIO = audioDisc([0, 450], 825);

/** Two closed sessions of one data track each: 525 blocks, and from 11925 on 515. */
const TWO_SESSIONS: DiscLayout = {
  ...dataDisc(525),
  sessions: [
    { number: 1, type: 0, firstTrack: 1, lastTrack: 1, leadOut: 525 },
    { number: 2, type: 0x20, firstTrack: 2, lastTrack: 2, leadOut: 12_440 },
  ],
  tracks: [track(1, 0, 525, 'mode1'), { ...track(2, 11_925, 12_440, 'form1'), session: 2 }],
};

/** The same as a CD-R with a third session that is open. */
const APPENDABLE: Disc = {
  ...blankCdR(),
  status: 'appendable',
  sessions: [
    ...TWO_SESSIONS.sessions,
    { number: 3, type: 0, firstTrack: 3, lastTrack: 3, leadOut: null },
  ],
  tracks: [...TWO_SESSIONS.tracks, invisibleTrack(3, 3, 19_340, 359_847)],
  blocks: 12_440,
};

describe('READ TOC/PMA/ATIP format 0', () => {
  it('has the tracks and the lead-out, as blocks and as times', () => {
    assert.equal(
      reply(AUDIO, '43 00 00 00 00 00 00 00 ff 00'),
      digits('001a0102 00100100 00000000 00100200 000001c2 0010aa00 00000339'),
    );
    // 00:02:00, 00:08:00 and 00:13:00, as cd-paranoia was told.
    assert.equal(
      reply(AUDIO, '43 02 00 00 00 00 00 00 ff 00'),
      digits('001a0102 00100100 00000200 00100200 00000800 0010aa00 00000d00'),
    );
  });

  it('begins at a track, or is the lead-out alone', () => {
    assert.equal(
      reply(AUDIO, '43 00 00 00 00 00 02 00 ff 00'),
      digits('00120102 00100200 000001c2 0010aa00 00000339'),
    );
    assert.equal(
      reply(AUDIO, '43 02 00 00 00 00 aa 00 ff 00'),
      digits('000a0102 0010aa00 00000d00'),
    );
  });

  it('refuses a track behind the last', () => {
    assert.equal(reply(AUDIO, '43 00 00 00 00 00 03 00 ff 00'), '5/24/00 cdb 6');
  });

  it('of a blank disc is refused', () => {
    assert.equal(reply(blankCdR(), '43 00 00 00 00 00 00 00 ff 00'), '5/24/00 cdb 6');
    assert.equal(reply(blankDvdR(), '43 00 00 00 00 00 aa 00 ff 00'), '5/24/00 cdb 6');
  });

  it('of a CD has the tracks of closed sessions only', () => {
    const closed = digits('001a0102 00140100 00000000 00140200 00002e95 0014aa00 00003098');
    assert.equal(reply(TWO_SESSIONS, '43 00 00 00 00 00 00 00 ff 00'), closed);
    assert.equal(reply(APPENDABLE, '43 00 00 00 00 00 00 00 ff 00'), closed);
  });

  it('of a DVD has what is recorded in an open session as well', () => {
    const disc: Disc = {
      ...blankDvdR(),
      status: 'appendable',
      lastSession: 'incomplete',
      sessions: [{ ...OPEN_SESSION, lastTrack: 2 }],
      tracks: [track(1, 0, 1248, 'mode1'), invisibleTrack(2, 1, 1264, 2_298_496)],
      blocks: 1248,
    };
    assert.equal(
      reply(disc, '43 00 00 00 00 00 00 00 ff 00'),
      digits('00120101 00140100 00000000 0014aa00 000004e0'),
    );
  });

  it('of a large disc ends its times at 255:59:74', () => {
    assert.equal(
      reply(dataDisc(2_295_104, 0x0010), '43 02 00 00 00 00 aa 00 ff 00'),
      digits('000a0101 0014aa00 00ff3b4a'),
    );
  });
});

describe('READ TOC/PMA/ATIP format 1', () => {
  const FORMAT_1 = '43 00 01 00 00 00 00 00 ff 00';

  it('has the first track of the last complete session', () => {
    assert.equal(reply(DATA, FORMAT_1), digits('000a0101 00140100 00000000'));
    assert.equal(reply(TWO_SESSIONS, FORMAT_1), digits('000a0102 00140200 00002e95'));
    assert.equal(reply(APPENDABLE, FORMAT_1), digits('000a0102 00140200 00002e95'));
  });

  it('is what Linux asks for in the control byte', () => {
    assert.equal(
      reply(TWO_SESSIONS, '43 00 00 00 00 00 00 00 0c 40'),
      digits('000a0102 00140200 00002e95'),
    );
  });

  it('the format in byte 2 wins', () => {
    assert.equal(reply(DATA, '43 00 05 00 00 00 00 00 04 40'), '00020000');
  });

  it('of a DVD has its last session', () => {
    const layout = { ...TWO_SESSIONS, profile: 0x0010 } as const;
    assert.equal(reply(layout, FORMAT_1), digits('000a0102 00140200 00002e95'));
  });

  it('of a blank disc is refused', () => {
    assert.equal(reply(blankCdR(), FORMAT_1), '5/24/00 cdb 2.3');
  });
});

describe('READ TOC/PMA/ATIP format 2', () => {
  it('has A0h, A1h, A2h and the tracks', () => {
    assert.equal(
      reply(DATA, '43 02 02 00 00 00 00 00 ff 00'),
      digits(`002e0101
        011400a0 00000000 010000 011400a1 00000000 010000
        011400a2 00000000 001230 01140001 00000000 000200`),
    );
  });

  it('of several sessions has the way from one to the next', () => {
    assert.equal(
      reply(TWO_SESSIONS, '43 02 02 00 00 00 00 00 ff 00'),
      digits(`00700102
        011400a0 00000000 010000 011400a1 00000000 010000
        011400a2 00000000 000900 01140001 00000000 000200
        015400b0 02290001 02 2f41
        021400a0 00000000 022000 021400a1 00000000 020000
        021400a2 00000000 022f41 02140002 00000000 022900
        025400b0 ffffff01 02 2f41`),
    );
  });

  it('of an appendable disc has where its lead-in begins and the last lead-out may', () => {
    const toc = reply(APPENDABLE, '43 02 02 00 00 00 00 00 ff 00');
    // Session 1: B0h to session 2 (02:41:00) with two pointers and 79:59:72, C0h with 97:26:65.
    assert.ok(toc.includes(digits('015400b0 022900 02 4f3b48 015400c0 000000 00 611a41')));
    // Session 2: B0h to session 3 at block 19340 (04:19:65).
    assert.ok(toc.includes(digits('025400b0 041341 01 4f3b48')));
  });

  it('begins at a session', () => {
    assert.equal(
      reply(TWO_SESSIONS, '43 02 02 00 00 00 02 00 ff 00').slice(0, 18),
      digits('00390102 021400a0 00'),
    );
    assert.equal(reply(TWO_SESSIONS, '43 02 02 00 00 00 03 00 ff 00'), '5/24/00 cdb 6');
  });
});

describe('READ TOC/PMA/ATIP formats 3 to 5', () => {
  it('a pressed disc has an empty program memory area, and no pregroove', () => {
    assert.equal(reply(DATA, '43 02 03 00 00 00 00 00 ff 00'), '00020000');
    assert.equal(reply(DATA, '43 02 04 00 00 00 00 00 1c 00'), '5/24/00 cdb 2.3');
  });

  it('a CD-R has its tracks in the program memory area', () => {
    assert.equal(
      reply(APPENDABLE, '43 02 03 00 00 00 00 00 ff 00'),
      digits('00180000 01140001 000900 00 000200 02140002 022f41 00 022900'),
    );
  });

  it('CD-TEXT is what the disc has, or nothing', () => {
    const cdText = Uint8Array.from({ length: 36 }, (_, i) => i);
    assert.equal(
      reply({ ...AUDIO, cdText }, '43 00 05 00 00 00 00 00 ff 00'),
      `00260000${Buffer.from(cdText).toString('hex')}`,
    );
    assert.equal(reply(AUDIO, '43 02 05 00 00 00 00 00 08 00'), '00020000');
  });

  it('none is of a DVD, and others there are not', () => {
    const dvd = dataDisc(1248, 0x0010);
    for (const format of [2, 3, 4, 5]) {
      assert.equal(reply(dvd, `43 00 0${format} 00 00 00 00 00 ff 00`), '5/24/00 cdb 2.3');
    }
    assert.equal(reply(DATA, '43 00 06 00 00 00 00 00 ff 00'), '5/24/00 cdb 2.3');
  });
});
