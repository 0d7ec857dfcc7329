/** Playing audio: what is heard when, how it ends, and who is told (MMC-3; no sound is made). */
import { strict as assert } from 'node:assert';
import type { DiscLayout } from '../../../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import {
  audioDisc,
  type BenchOptions,
  dataDisc,
  optical,
  track,
} from '../../../support/optical.ts';
import type { Testbed, TestNexus } from '../../../support/target.ts';

/** Tracks 1, 2 and 3 begin at 0, 450 and 900; the lead-out at 1350. 75 blocks are a second. */
const AUDIO = audioDisc([0, 450, 900], 1350);

const PLAYING = 0x11;
const PAUSED = 0x12;
const COMPLETED = 0x13;
const FAILED = 0x14;
const NONE = 0x15;

class Player {
  readonly a: TestNexus;
  readonly bed: Testbed;
  #ms = 1000;

  constructor(layout: DiscLayout, options: BenchOptions = {}) {
    const { bed } = optical(layout, new Uint8Array(0), { now: () => this.#ms, ...options });
    this.bed = bed;
    this.a = bed.nexus('a').clear();
  }

  /** Lets audio time pass, and what waits for it look. */
  wait(ms: number): void {
    this.#ms += ms;
    this.bed.timers.run();
  }

  /** Audio status, and the absolute address as a block. */
  look(): [status: number, lba: number] {
    const { dataIn } = this.a.run('42 00 40 01 00 00 00 00 10 00', { in: 16 });
    return [dataIn[1] as number, Buffer.from(dataIn).readInt32BE(8)];
  }

  sense(cdb: string): string {
    return this.a.run(cdb).sense;
  }

  /** Page 0Eh with IMMED (04h) and SOTC (02h) as given. */
  flags(value: number): void {
    const out = `00000000 00000000 0e0e${value.toString(16).padStart(2, '0')} 00 0000004b 01ff02ff 00000000`;
    const { status } = this.a.run('55 10 00 00 00 00 00 00 18 00', { out });
    assert.equal(status, 0);
  }

  requestSense(): string {
    const { dataIn } = this.a.run('03 00 00 00 12 00', { in: 18 });
    return Buffer.from([dataIn[2] as number, dataIn[12] as number, dataIn[13] as number]).toString(
      'hex',
    );
  }
}

const PLAY_100_TO_400 = '45 00 00 00 00 64 00 01 2c 00';
const PAUSE = '4b 00 00 00 00 00 00 00 00 00';
const RESUME = '4b 00 00 00 00 00 00 00 01 00';
const STOP = '4e 00 00 00 00 00 00 00 00 00';

describe('a block that cannot be read', () => {
  const scratched = (): Player => {
    const p = new Player(AUDIO);
    p.bed.unit.optical?.faults.set([{ operation: 'read', first: 250, end: 251 }]);
    return p;
  };

  it('ends playing there, with an error that is told once (14h)', () => {
    const p = scratched();
    assert.equal(p.sense(PLAY_100_TO_400), '');
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 175]);
    p.wait(2000);
    assert.deepEqual(p.look(), [FAILED, 249]);
    assert.equal(p.look()[0], NONE);
  });

  it('is the sense of a command that waits for the end: 3/11/05 and its address', () => {
    const p = scratched();
    p.flags(0);
    const pending = p.a.start(PLAY_100_TO_400);
    p.wait(1000);
    assert.equal(pending.done, false);
    p.wait(1000);
    const { sense, information } = pending.result;
    assert.deepEqual([sense, information], ['3/11/05', 250]);
  });
});

describe('playing audio', () => {
  it('goes on at 75 blocks a second', () => {
    const p = new Player(AUDIO);
    assert.equal(p.sense(PLAY_100_TO_400), '');
    p.wait(2000);
    assert.deepEqual(p.look(), [PLAYING, 250]);
  });

  it('is completed at the end of the range, which is told once', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.wait(4000);
    assert.deepEqual(
      [p.look(), p.look()],
      [
        [COMPLETED, 399],
        [NONE, 399],
      ],
    );
  });

  it('has no status before', () => {
    assert.deepEqual(new Player(AUDIO).look(), [NONE, 0]);
  });

  it('stands while it is paused', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.wait(1000);
    p.sense(PAUSE);
    p.wait(60_000);
    assert.deepEqual(p.look(), [PAUSED, 175]);
  });

  it('goes on from there', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.sense(PAUSE);
    p.wait(60_000);
    p.sense(RESUME);
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 175]);
  });

  it('PAUSE while paused and RESUME while playing are no errors', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    assert.deepEqual(
      [RESUME, PAUSE, PAUSE].map((cdb) => p.sense(cdb)),
      ['', '', ''],
    );
  });

  it('RESUME without PAUSE, and PAUSE without play, are refused with 5/2C/00', () => {
    const p = new Player(AUDIO);
    assert.deepEqual([p.sense(RESUME), p.sense(PAUSE)], ['5/2c/00', '5/2c/00']);
  });

  it('STOP PLAY/SCAN ends it', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.wait(1000);
    assert.equal(p.sense(STOP), '');
    assert.deepEqual([p.look(), p.sense(RESUME)], [[NONE, 175], '5/2c/00']);
  });

  it('PLAY AUDIO(12) counts blocks in bytes 6 to 9', () => {
    const p = new Player(AUDIO);
    p.sense('a5 00 00 00 00 64 00 00 00 4b 00 00');
    p.wait(999);
    assert.deepEqual(p.look(), [PLAYING, 174]);
    p.wait(1);
    assert.equal(p.look()[0], COMPLETED);
  });

  it('PLAY AUDIO MSF goes from one time up to another', () => {
    const p = new Player(AUDIO);
    // 00:03:00 is block 75, 00:04:00 is 150.
    assert.equal(p.sense('47 00 00 00 03 00 00 04 00 00'), '');
    assert.deepEqual(p.look(), [PLAYING, 75]);
    p.wait(1000);
    assert.deepEqual(p.look(), [COMPLETED, 149]);
  });

  it('an MSF of a hundred minutes, sixty seconds or 75 frames is none (cdb 3, cdb 6)', () => {
    const p = new Player(AUDIO);
    for (const time of ['64 02 00', 'fe 02 00', '00 3c 00', '00 02 4b']) {
      assert.equal(p.a.run(`47 00 00 ${time} 00 10 00 00`).pointer, 'cdb 3', time);
      assert.equal(p.a.run(`47 00 00 00 02 00 ${time} 00`).pointer, 'cdb 6', time);
    }
    assert.deepEqual(p.look(), [NONE, 0]);
  });

  it('an MSF range that ends before it starts is refused, an empty one plays nothing', () => {
    const p = new Player(AUDIO);
    const { sense, pointer } = p.a.run('47 00 00 00 04 00 00 03 00 00');
    assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 6']);
    assert.deepEqual([p.sense('47 00 00 00 03 00 00 03 00 00'), p.look()], ['', [NONE, 0]]);
  });

  it('an address of all ones is where the head is', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.wait(1000);
    p.sense(STOP);
    p.sense('45 00 ff ff ff ff 00 00 4b 00');
    assert.deepEqual(p.look(), [PLAYING, 175]);
    p.sense('47 00 00 ff ff ff 00 10 00 00');
    assert.deepEqual(p.look(), [PLAYING, 175]);
  });

  it('PLAY AUDIO TRACK INDEX plays up to the end of the last index named', () => {
    const p = new Player({
      ...AUDIO,
      tracks: AUDIO.tracks.map((each) =>
        each.number === 2 ? { ...each, indexes: [600, 750] } : each,
      ),
    });
    p.sense('48 00 00 00 01 01 00 02 02 00');
    assert.deepEqual(p.look(), [PLAYING, 0]);
    p.wait(9999);
    assert.deepEqual(p.look(), [PLAYING, 749]);
    p.wait(1);
    assert.deepEqual(p.look(), [COMPLETED, 749]);
  });

  it('a last track behind the last of the disc means that one', () => {
    const p = new Player(AUDIO);
    assert.equal(p.sense('48 00 00 00 03 01 00 63 01 00'), '');
    p.wait(6000);
    assert.deepEqual(p.look(), [COMPLETED, 1349]);
  });

  it('a first track or index that is not there is refused', () => {
    const p = new Player(AUDIO);
    assert.equal(p.a.run('48 00 00 00 04 01 00 04 01 00').pointer, 'cdb 4');
    assert.equal(p.a.run('48 00 00 00 01 05 00 02 01 00').pointer, 'cdb 5');
  });

  it('SCAN goes ten times as fast, either way', () => {
    const p = new Player(AUDIO);
    p.sense('ba 00 00 00 00 64 00 00 00 00 00 00');
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 850]);
    // Backwards from track 3.
    p.sense('ba 10 00 00 00 03 00 00 00 80 00 00');
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 150]);
  });

  it('a scan that is paused and resumed goes on as play', () => {
    const p = new Player(AUDIO);
    // From 00:03:00.
    p.sense('ba 00 00 00 03 00 00 00 00 40 00 00');
    p.wait(1000);
    p.sense(PAUSE);
    p.sense(RESUME);
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 900]);
  });
});

describe('what cannot be played', () => {
  /** Track 1 is data up to 300, tracks 2 and 3 are audio. */
  const MIXED: DiscLayout = {
    ...AUDIO,
    tracks: [track(1, 0, 300, 'mode1'), track(2, 300, 600, 'audio'), track(3, 600, 1350, 'audio')],
  };
  /** Audio up to 300, data behind it. */
  const DATA_LAST: DiscLayout = {
    ...AUDIO,
    tracks: [track(1, 0, 300, 'audio'), track(2, 300, 1350, 'mode1')],
  };

  it('a data track is refused with 5/64/00', () => {
    assert.equal(new Player(MIXED).sense('45 00 00 00 00 64 00 00 0a 00'), '5/64/00');
    assert.equal(new Player(dataDisc(40)).sense('45 00 00 00 00 00 00 00 0a 00'), '5/64/00');
  });

  it('what is outside the disc is refused with 5/21/00', () => {
    const p = new Player(AUDIO);
    assert.equal(p.sense('45 00 00 00 05 46 00 00 01 00'), '5/21/00');
    assert.equal(p.sense('45 00 00 00 05 00 00 00 4b 00'), '5/21/00');
    assert.equal(p.sense('45 00 ff ff ff 6a 00 00 01 00'), '5/21/00');
  });

  it('a DVD is refused with 5/30/02', () => {
    const dvd = new Player(dataDisc(40, 0x0010));
    assert.equal(dvd.sense('45 00 00 00 00 00 00 00 0a 00'), '5/30/02');
    assert.equal(dvd.a.run('42 00 40 01 00 00 00 00 10 00', { in: 16 }).sense, '5/30/02');
  });

  it('a range that runs into data fails there', () => {
    const p = new Player(DATA_LAST);
    p.sense('45 00 00 00 00 00 00 01 f4 00');
    p.wait(3999);
    assert.deepEqual(p.look(), [PLAYING, 299]);
    p.wait(1);
    assert.deepEqual([p.look()[0], p.look()[0]], [FAILED, NONE]);
  });

  it('no blocks are no error, and stop nothing', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    assert.deepEqual([p.sense('45 00 00 00 00 00 00 00 00 00'), p.look()], ['', [PLAYING, 100]]);
  });

  it('an empty drive answers 2/3A', () => {
    const p = new Player(AUDIO);
    p.bed.unit.medium?.take();
    assert.equal(p.sense(PLAY_100_TO_400), '2/3a/01');
  });
});

describe('what ends playing', () => {
  const begun = (): Player => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    p.wait(1000);
    return p;
  };

  it('a READ, and one that is refused as well', () => {
    const p = begun();
    assert.equal(p.a.run('28 00 00 00 00 0a 00 00 01 00', { in: 2048 }).sense, '5/64/00');
    assert.deepEqual(p.look(), [NONE, 10]);
  });

  it('not an address where nothing is: what is refused moves nothing', () => {
    const p = begun();
    const before = p.look();
    for (const [cdb, sense] of [
      ['28 00 00 0f 00 00 00 00 01 00', '5/21/00'],
      ['be 00 00 0f 00 00 00 00 01 10 00 00', '5/21/00'],
      ['2f 00 00 0f 00 00 00 00 01 00', '5/21/00'],
      ['2b 00 00 0f 00 00 00 00 00 00', '5/21/00'],
      ['2b 00 80 00 00 00 00 00 00 00', '5/21/00'],
      // One in front of 90:00:00, the first address of a lead-in.
      ['2b 00 ff ff 4f a1 00 00 00 00', '5/21/00'],
    ] as const) {
      assert.equal(p.a.run(cdb, { in: 2352 }).sense, sense, cdb);
      assert.deepEqual(p.look(), before, cdb);
    }
    assert.equal(p.sense('2b 00 ff ff 4f a2 00 00 00 00'), '');
    assert.deepEqual(p.look(), [NONE, -45_150]);
  });

  it('SEEK(10)', () => {
    const p = begun();
    p.sense('2b 00 00 00 01 00 00 00 00 00');
    assert.deepEqual(p.look(), [NONE, 256]);
  });

  it('an eject, though the disc comes back', () => {
    const p = begun();
    p.sense('1b 00 00 00 02 00');
    p.sense('1b 00 00 00 03 00');
    assert.equal(p.look()[0], NONE);
  });

  it('another disc', () => {
    const p = begun();
    p.bed.unit.optical?.change(new FinishedDisc(AUDIO));
    assert.deepEqual(p.look(), [NONE, 0]);
  });

  it('START STOP UNIT with START = 0, a start does not', () => {
    const p = begun();
    p.sense('1b 00 00 00 01 00');
    assert.deepEqual(p.look(), [PLAYING, 175]);
    p.sense('1b 00 00 00 00 00');
    assert.deepEqual(p.look(), [NONE, 175]);
  });

  it('a logical unit reset', () => {
    const p = begun();
    p.a.manage(0x08);
    p.a.clear();
    assert.deepEqual(p.look(), [NONE, 175]);
  });

  it('not a TEST UNIT READY, a READ TOC or a MODE SENSE', () => {
    const p = begun();
    p.sense('00 00 00 00 00 00');
    p.a.run('43 00 00 00 00 00 00 00 0c 00', { in: 12 });
    p.a.run('5a 00 0e 00 00 00 00 00 18 00', { in: 24 });
    assert.deepEqual(p.look(), [PLAYING, 175]);
  });
});

describe('what is told of playing', () => {
  it('REQUEST SENSE says 0/00/11 to 0/00/14, how it ended once', () => {
    const p = new Player(AUDIO);
    const seen = [p.requestSense()];
    p.sense(PLAY_100_TO_400);
    seen.push(p.requestSense());
    p.sense(PAUSE);
    seen.push(p.requestSense());
    p.sense(RESUME);
    p.wait(9000);
    seen.push(p.requestSense(), p.requestSense());
    assert.deepEqual(seen, ['000000', '000011', '000012', '000013', '000000']);
  });

  it('MECHANISM STATUS says that it plays, and where', () => {
    const p = new Player(AUDIO);
    p.sense(PLAY_100_TO_400);
    const { dataIn } = p.a.run('bd 00 00 00 00 00 00 00 00 08 00 00', { in: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '0020000064000000');
  });

  it('with IMMED = 0 PLAY AUDIO is answered when it has ended', () => {
    const p = new Player(AUDIO);
    p.flags(0x00);
    const play = p.a.start(PLAY_100_TO_400);
    p.wait(3999);
    assert.equal(play.done, false);
    p.wait(1);
    assert.deepEqual([play.result.status, p.look()[0]], [0, COMPLETED]);
  });

  it('with IMMED = 0 another nexus can pause, resume and stop it', () => {
    const p = new Player(AUDIO);
    p.flags(0x00);
    const play = p.a.start(PLAY_100_TO_400);
    const b = p.bed.nexus('b').clear();
    b.run(PAUSE);
    p.wait(60_000);
    assert.equal(play.done, false);
    b.run(RESUME);
    p.wait(1000);
    assert.equal(play.done, false);
    b.run(STOP);
    assert.equal(play.result.status, 0);
  });

  it('with IMMED = 0 what runs into data ends with 5/64/00', () => {
    const p = new Player({
      ...AUDIO,
      tracks: [track(1, 0, 300, 'audio'), track(2, 300, 1350, 'mode1')],
    });
    p.flags(0x00);
    const play = p.a.start('45 00 00 00 00 00 00 01 f4 00');
    p.wait(4000);
    assert.equal(play.result.sense, '5/64/00');
  });

  it('with IMMED = 0 an abort ends the command, not the music', () => {
    const p = new Player(AUDIO);
    p.flags(0x00);
    const play = p.a.start(PLAY_100_TO_400, { tag: 7 });
    // ABORT TASK.
    p.a.manage(0x01, 7);
    assert.equal(play.result.dropped, true);
    p.wait(1000);
    assert.deepEqual(p.look(), [PLAYING, 175]);
    p.wait(9000);
    assert.deepEqual(p.bed.internalErrors, []);
  });

  it('with SOTC it ends with the track it begins in', () => {
    const p = new Player(AUDIO);
    p.flags(0x06);
    p.sense('45 00 00 00 01 90 00 01 2c 00');
    p.wait(1000);
    assert.deepEqual(p.look(), [COMPLETED, 449]);
  });
});
