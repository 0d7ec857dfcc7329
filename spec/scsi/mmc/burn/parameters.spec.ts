/** The write parameters mode page, test writes, and what BLANK leaves of a CD-RW. */
import { strict as assert } from 'node:assert';
import { burner, selectWrite, writeBlocks } from '../../../support/burner.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';

describe('write parameters mode page', () => {
  it('is 52 bytes with the defaults of drives', () => {
    const { a } = burner('cd-r');
    const { dataIn } = a.run('5a 08 05 00 00 00 00 00 ff 00', { in: 255 });
    const page = Buffer.from(dataIn.subarray(8)).toString('hex');
    assert.equal(page.length, 104);
    assert.equal(page.slice(0, 32), '05324105081000000000000000100096');
  });

  it('takes what wodim and libburn try', () => {
    const { a } = burner('cd-r');
    for (const tried of [
      '410408',
      '400508',
      '420408',
      '420402',
      '420403',
      '430401',
      '430402',
      '430403',
      '420000',
      '410000',
      '60e508',
      '62e508',
      '402508',
      '410508',
    ]) {
      assert.equal(selectWrite(a, tried), '', tried);
    }
  });

  it('takes the form of 56 bytes, too', () => {
    const { a } = burner('cd-r');
    const list = (length: string, bytes: number): string =>
      `0000000000000000${`05${length}410408`.padEnd(bytes * 2, '0')}`;
    const send = (bytes: number, length: string): string =>
      a.run([0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes + 8, 0], { out: list(length, bytes) }).sense;
    assert.deepEqual([send(56, '36'), send(52, '36'), send(54, '34')], ['', '5/1a/00', '5/26/00']);
  });

  it('refuses at once what the drive does not do, with 5/26/00', () => {
    const { a } = burner('cd-r');
    const refused = {
      'a write type that does not exist': '450408',
      'layer jump': '440408',
      'raw without sub-channel': '430400',
      'packets of raw sectors': '400500',
      'track at once with sub-channel': '410403',
      'a block type that is vendor specific': '410407',
      'a block type that is reserved': '41040e',
      'a reserved multi-session code': '418408',
    };
    for (const [what, tried] of Object.entries(refused)) {
      assert.equal(selectWrite(a, tried), '5/26/00', what);
    }
  });
});

describe('test writes', () => {
  it('go on as if they were real and leave nothing behind', () => {
    const { a, disc, store } = burner('cd-r');
    selectWrite(a, '510408');
    assert.equal(writeBlocks(a, 0, 31), '');
    assert.equal(writeBlocks(a, 31, 31), '');
    assert.equal(writeBlocks(a, 99, 1), '5/21/02');
    assert.equal(a.run(SYNC).sense, '');
    // The next track, where it would begin, or where it really does.
    assert.equal(writeBlocks(a, 64 + 150, 10), '');
    assert.equal(writeBlocks(a, 0, 10), '');
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.deepEqual([disc.status, disc.tracks.length], ['blank', 1]);
    assert.ok(store.memory.get(0, 4096).every((byte) => byte === 0));
    selectWrite(a, '410408');
    assert.equal(writeBlocks(a, 0, 31), '');
    assert.equal(disc.status, 'appendable');
  });

  it('of a session at once end with it', () => {
    const { a, disc, burner: own } = burner('cd-r');
    selectWrite(a, '520000');
    const out = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';
    a.run('5d 00 00 00 00 00 00 00 20 00', { out });
    assert.equal(writeBlocks(a, -150, 300), '');
    assert.deepEqual([disc.status, own.recording, own.owner], ['blank', null, null]);
  });
});

describe('WRITE', () => {
  it('of no block is GOOD and does nothing, wherever it points (MMC-6 6.44)', () => {
    const { a, disc, burner: own } = burner('cd-r');
    for (const cdb of ['2a 00 00 00 12 34 00 00 00 00', 'aa 00 ff ff ff 00 00 00 00 00 00 00']) {
      assert.equal(a.run(cdb, { out: '' }).sense, '', cdb);
    }
    assert.deepEqual([disc.status, own.owner], ['blank', null]);
  });

  it('in fixed packets is of whole ones, of the size of the track (5/64/01)', () => {
    const { a, disc } = burner('cd-rw');
    const packets = (size: string): string => selectWrite(a, '00e508', `0000000000${size}0096`);
    for (const size of ['00000000', 'ffffffff', '00000020']) {
      packets(size);
      assert.equal(writeBlocks(a, 0, 16), '5/64/01', size);
    }
    packets('00000010');
    assert.equal(writeBlocks(a, 0, 32), '');
    assert.equal(writeBlocks(a, 32, 8), '5/64/01');
    packets('00000008');
    assert.equal(writeBlocks(a, 32, 8), '5/64/01');
    packets('00000010');
    assert.equal(writeBlocks(a, 32, 16), '');
    assert.equal(disc.tracks[0]?.packetBlocks, 16);
  });
});

describe('BLANK of a CD-RW', () => {
  function twoSessions() {
    const bed = burner('cd-rw');
    selectWrite(bed.a, '41c408');
    for (const blocks of [10, 20]) {
      writeBlocks(bed.a, bed.disc.tracks.at(-1)?.start ?? -1, blocks);
      bed.a.run(SYNC);
      bed.a.run(CLOSE_SESSION);
    }
    return bed;
  }
  const blank = (type: number, address = 0): number[] => [
    0xa1,
    type,
    0,
    0,
    address >> 8,
    address & 0xff,
    0,
    0,
    0,
    0,
    0,
    0,
  ];

  it('type 5 opens the last session again', () => {
    const { a, disc } = twoSessions();
    assert.equal(a.run(blank(5)).sense, '');
    assert.deepEqual(
      [disc.sessions.length, disc.lastSession, disc.tracks.length],
      [2, 'incomplete', 3],
    );
    assert.equal(a.run(blank(5)).sense, '5/2c/00');
  });

  it('type 6 erases it', () => {
    const { a, disc } = twoSessions();
    assert.equal(a.run(blank(6)).sense, '');
    assert.deepEqual([disc.sessions.length, disc.tracks.at(-1)?.start], [2, 12 + 11400]);
    a.run(blank(6));
    assert.equal(disc.status, 'blank');
  });

  it('types 2 and 4 are for tracks that are open, and packets', () => {
    const { a, disc } = burner('cd-rw');
    selectWrite(a, '40e508', '0000000000000000100096');
    assert.equal(writeBlocks(a, 0, 32), '');
    a.run(SYNC);
    assert.equal(a.run(blank(4, 16)).sense, '');
    assert.equal(disc.tracks[0]?.nextWritable, 16);
    assert.equal(a.run('28 00 00 00 00 10 00 00 01 00', { in: 2048 }).sense, '5/21/00');
    assert.equal(a.run(blank(2, 1)).sense, '');
    assert.equal(disc.status, 'blank');
    assert.equal(a.run(blank(2, 1)).sense, '5/24/00');
  });

  it('type 3 gives a reservation back', () => {
    const { a, disc } = burner('cd-rw');
    assert.equal(a.run('53 00 00 00 00 00 00 01 00 00').sense, '');
    assert.equal(disc.tracks.length, 2);
    assert.equal(a.run(blank(3, 1)).sense, '');
    assert.equal(disc.status, 'blank');
  });
});
