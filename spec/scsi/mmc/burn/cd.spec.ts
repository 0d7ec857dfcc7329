/** CD-R and CD-RW: the sequences that wodim, cdrskin, xorriso and cdrdao send, and what the disc is afterwards. */
import { strict as assert } from 'node:assert';
import { blocksOf, burner, selectWrite, writeBlocks } from '../../../support/burner.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
const READ_CAPACITY = '25 00 00 00 00 00 00 00 00 00';

/** Cue sheet of a session of one data track: wodim and cdrskin send it. */
const DATA_SHEET = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400'.replace(
  / /g,
  '',
);

describe('CD-R track at once', () => {
  it('the first write opens a track that has all the room', () => {
    const { a, disc } = burner('cd-r');
    assert.equal(selectWrite(a, '410408'), '');
    assert.equal(writeBlocks(a, 0, 31), '');
    const [track] = disc.tracks;
    assert.deepEqual(
      [disc.status, disc.lastSession, disc.tracks.length, track?.state, track?.nextWritable],
      ['appendable', 'incomplete', 1, 'open', 31],
    );
  });

  it('SYNCHRONIZE CACHE ends the track with a run-out of two blocks; the next begins behind a pregap of 150', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '410408');
    writeBlocks(a, 0, 31);
    assert.equal(a.run(SYNC).sense, '');
    assert.deepEqual(
      disc.tracks.map(({ state, start, end, lastRecorded }) => [state, start, end, lastRecorded]),
      [
        ['complete', 0, 33, 30],
        ['invisible', 183, 359847, null],
      ],
    );
  });

  it('CLOSE SESSION makes it final; it can be read, and not written any more', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '410408');
    writeBlocks(a, 0, 31);
    a.run(SYNC);
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.deepEqual([disc.status, disc.lastSession, disc.blocks], ['complete', 'complete', 33]);
    const { dataIn } = a.run('28 00 00 00 00 00 00 00 1f 00', { in: 31 * 2048 });
    assert.deepEqual(dataIn, blocksOf(0, 31));
    assert.equal(
      Buffer.from(a.run(READ_CAPACITY, { in: 8 }).dataIn).toString('hex'),
      '0000002000000800',
    );
    assert.equal(writeBlocks(a, 33, 1), '5/30/05');
  });

  it('with multi-session 11b the next session begins 11400 blocks behind the first, and 6900 behind later ones', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '41c408');
    const starts: (number | null | undefined)[] = [];
    for (let i = 0; i < 3; i += 1) {
      const next = disc.tracks.at(-1);
      starts.push(next?.nextWritable);
      assert.equal(writeBlocks(a, next?.start ?? -1, 10), '');
      a.run(SYNC);
      a.run(CLOSE_SESSION);
    }
    assert.deepEqual(starts, [0, 12 + 11400, 11412 + 12 + 6900]);
    assert.deepEqual([disc.status, disc.lastSession], ['appendable', 'empty']);
    assert.deepEqual(
      disc.sessions.map(({ number, leadOut }) => [number, leadOut]),
      [
        [1, 12],
        [2, 11424],
        [3, 18336],
        [4, null],
      ],
    );
  });

  it('CLOSE SESSION of a session without a track changes nothing, with multi-session 00b, either', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '41c408');
    writeBlocks(a, 0, 31);
    a.run(SYNC);
    a.run(CLOSE_SESSION);
    // As libburn sends it when a write has failed behind a power on, which has reset the write parameters.
    assert.equal(selectWrite(a, '410408'), '');
    assert.equal(a.run('5b 01 02 00 00 00 00 00 00 00').sense, '');
    const next = 33 + 11_400;
    assert.deepEqual([disc.status, disc.tracks.at(-1)?.nextWritable], ['appendable', next]);
    assert.equal(writeBlocks(a, next, 16), '');
  });

  it('refuses a write anywhere but at the next writable address with 5/21/02, and says where', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '410408');
    writeBlocks(a, 0, 8);
    const r = a.run('2a 00 00 00 00 07 00 00 01 00', { out: new Uint8Array(2048) });
    assert.deepEqual([r.sense, r.information], ['5/21/02', 7]);
    assert.equal(writeBlocks(a, 9, 1), '5/21/02');
  });

  it('a write that crosses the end of the disc writes nothing', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '410408');
    assert.equal(a.run('53 00 00 00 00 00 05 7d 00 00').sense, '');
    assert.equal(writeBlocks(a, 0x57d00 + 150, 32), '5/21/00');
    assert.equal(disc.tracks.at(-1)?.state, 'invisible');
    assert.equal(writeBlocks(a, 0x57d00 + 150, 17), '');
  });

  it('audio has 2352 bytes a block, and a track of its own form', () => {
    const { a, disc } = burner('cd-r');
    assert.equal(selectWrite(a, '410000'), '');
    assert.equal(writeBlocks(a, 0, 13, 2352), '');
    assert.equal(
      a.run('2a 00 00 00 00 0d 00 00 01 00', { out: new Uint8Array(2048) }).sense,
      '5/24/00',
    );
    a.run(SYNC);
    a.run(CLOSE_SESSION);
    assert.deepEqual([disc.tracks[0]?.form, disc.tracks[0]?.control], ['audio', 0]);
    assert.equal(a.run('28 00 00 00 00 00 00 00 01 00', { in: 2048 }).sense, '5/64/00');
    assert.equal(disc.runAt(0)?.stored, 'raw');
  });
});

describe('CD-R session at once', () => {
  it('a cue sheet is for a burn or for a test, not for the other (5/2C/00)', () => {
    for (const [sheet, write] of [
      ['420000', '520000'],
      ['520000', '420000'],
    ] as const) {
      const { a, disc } = burner('cd-r');
      selectWrite(a, sheet);
      const out = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';
      a.run('5d 00 00 00 00 00 00 00 20 00', { out });
      selectWrite(a, write);
      assert.equal(writeBlocks(a, -150, 20), '5/2c/00');
      assert.equal(disc.status, 'blank');
    }
  });

  it('needs a cue sheet', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '420000');
    assert.equal(writeBlocks(a, -150, 1), '5/2c/00');
  });

  it('begins at -150, closes itself with its last block, and no CLOSE follows', () => {
    const { a, disc, journal } = burner('cd-r');
    selectWrite(a, '420000');
    assert.equal(a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET }).sense, '');
    assert.equal(writeBlocks(a, 0, 1), '5/21/02');
    assert.equal(writeBlocks(a, -150, 150), '');
    assert.equal(disc.lastSession, 'incomplete');
    assert.equal(writeBlocks(a, 0, 150), '');
    assert.deepEqual([disc.status, disc.blocks, disc.tracks[0]?.end], ['complete', 150, 150]);
    assert.ok(journal.saves >= 2);
    const { dataIn } = a.run('28 00 00 00 00 95 00 00 01 00', { in: 2048 });
    assert.deepEqual(dataIn, blocksOf(149, 1));
  });

  it('multi-session 11b keeps the disc appendable', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '42c000');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET });
    writeBlocks(a, -150, 300);
    assert.deepEqual([disc.status, disc.tracks.at(-1)?.start], ['appendable', 150 + 11400]);
  });

  it('a sheet that is none is refused, and pointed at', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '420000');
    const bad = DATA_SHEET.replace('4101011000000200', '4103011000000200');
    const r = a.run('5d 00 00 00 00 00 00 00 20 00', { out: bad });
    assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 16']);
  });

  it('the host gives it up: CLOSE SESSION closes what is on the disc, CLOSE TRACK is 5/2c/00, BLANK erases it', () => {
    const { a, disc } = burner('cd-rw');
    selectWrite(a, '420000');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET });
    writeBlocks(a, -150, 200);
    assert.equal(a.run('5b 00 01 00 00 01 00 00 00 00').sense, '5/2c/00');
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 50]);
    assert.equal(a.run('a1 01 00 00 00 00 00 00 00 00 00 00').sense, '');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET });
    writeBlocks(a, -150, 200);
    assert.equal(a.run('a1 01 00 00 00 00 00 00 00 00 00 00').sense, '');
    assert.equal(disc.status, 'blank');
  });

  it('its initiator is lost: the session is damaged, and closed with what is on the disc', () => {
    const { bed, a, disc } = burner('cd-r');
    selectWrite(a, '420000');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET });
    writeBlocks(a, -150, 200);
    bed.target.nexusLost(a.nexus);
    assert.equal(disc.lastSession, 'damaged');
    const b = bed.nexus('b').clear();
    assert.equal(b.run(CLOSE_SESSION).sense, '');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 50]);
  });
});
