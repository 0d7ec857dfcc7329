/** Copies by ROD token: what is written, where, and what RECEIVE ROD TOKEN INFORMATION says of it (SBC-3 5.7, 5.46, SPC-4 6.26). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { I_T_NEXUS_RESET } from '../../src/scsi/sam.ts';
import { BLOCKS, tokenBench } from '../support/token-bench.ts';
import {
  abortCdb,
  informationCdb,
  populateCdb,
  writeCdb,
  zeroToken,
} from '../support/token-list.ts';

const BLOCK = 512;

describe('POPULATE TOKEN', () => {
  it('makes a token of 512 bytes as SPC-4 lays it out', () => {
    const { bed, populate, a } = tokenBench();
    assert.equal(
      populate([
        [100, 20],
        [8, 4],
      ]).status,
      0,
    );
    const data = Buffer.from(a.run(informationCdb(1), { in: 4096 }).dataIn);
    const token = data.subarray(38);
    assert.equal(token.length, 512);
    assert.equal(token.readUInt32BE(0), 0x00800001, 'point in time copy, change vulnerable');
    assert.equal(token.readUInt16BE(4), 0);
    assert.equal(token.readUInt16BE(6), 0x01f8);
    const creator = token.subarray(16, 48);
    assert.deepEqual([...creator.subarray(0, 8)], [0xe4, 0, 0, 0, 1, 3, 0, 16]);
    assert.deepEqual(creator.subarray(8, 24), Buffer.from(bed.unit.identity.naa));
    assert.equal(creator.readUInt32BE(28), 512);
    assert.equal(token.readBigUInt64BE(48), 0n);
    assert.equal(token.readBigUInt64BE(56), 24n * 512n);
    assert.ok(token.subarray(64, 96).every((byte) => byte === 0));
    const capacity = a.run('9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00', { in: 32 }).dataIn;
    assert.deepEqual([...token.subarray(96, 120)], [...capacity.subarray(8, 32)]);
    assert.ok(
      token.subarray(128, 160).every((byte) => byte === 0),
      'no target designator',
    );
  });

  it('is told by RECEIVE ROD TOKEN INFORMATION: done, blocks, one descriptor', () => {
    const { populate, a } = tokenBench();
    assert.equal(
      populate(
        [
          [100, 20],
          [8, 4],
        ],
        { id: 0x01020304 },
      ).status,
      0,
    );
    const data = Buffer.from(a.run(informationCdb(0x01020304), { in: 4096 }).dataIn);
    assert.equal(data.readUInt32BE(0), data.length - 4);
    assert.equal(data.length, 32 + 4 + 2 + 512);
    assert.deepEqual([...data.subarray(4, 6)], [0x10, 0x01]);
    assert.deepEqual([...data.subarray(12, 16)], [0, 0, 0, 0xf1], 'GOOD, no sense, logical blocks');
    assert.equal(data.readBigUInt64BE(16), 24n);
    assert.ok(
      data.subarray(24, 32).every((byte) => byte === 0),
      'no segments',
    );
    assert.equal(data.readUInt32BE(32), 514);
  });

  it('two tokens for the same blocks have nothing unguessable in common', () => {
    const { tokenFor } = tokenBench();
    const [one, two] = [tokenFor([[0, 1]]), tokenFor([[0, 1]])];
    assert.notDeepEqual(one.subarray(8, 16), two.subarray(8, 16));
    for (let at = 160; at < 512; at += 32) {
      assert.notDeepEqual(one.subarray(at, at + 32), two.subarray(at, at + 32));
    }
  });

  it('with IMMED = 1 is the same: nothing has to be done after the answer', () => {
    const { tokenFor, write, other, store } = tokenBench();
    const token = tokenFor([[3, 2]], { immediate: true });
    assert.equal(write(token, [[0, 2]]).status, 0);
    assert.deepEqual(
      other.memory.subarray(0, 2 * BLOCK),
      store.memory.subarray(3 * BLOCK, 5 * BLOCK),
    );
  });

  it('takes the ROD type that VPD page 8Fh lists', () => {
    assert.equal(tokenBench().populate([[0, 1]], { type: 0x00800001 }).status, 0);
  });

  it('without a list is GOOD and makes nothing', () => {
    const { a } = tokenBench();
    assert.equal(a.run(populateCdb(0)).status, 0);
    assert.equal(a.run(informationCdb(1), { in: 4096 }).sense, '5/24/00');
  });

  it('needs the medium, and may be sent to a disk that is write protected', () => {
    const { a, populate } = tokenBench({ readOnly: true });
    assert.equal(populate([[0, 1]]).status, 0);
    a.run('1b 00 00 00 00 00');
    assert.equal(populate([[0, 1]]).sense, '2/04/02');
  });
});

describe('WRITE USING TOKEN', () => {
  it('writes to another unit what the token stands for', () => {
    const { tokenFor, write, other, store } = tokenBench();
    assert.equal(write(tokenFor([[64, 1000]]), [[2000, 1000]]).status, 0);
    const copied = other.memory.subarray(2000 * BLOCK, 3000 * BLOCK);
    assert.deepEqual(copied, store.memory.subarray(64 * BLOCK, 1064 * BLOCK));
    assert.ok(other.memory.subarray(0, 2000 * BLOCK).every((byte) => byte === 0));
    assert.ok(other.memory.subarray(3000 * BLOCK).every((byte) => byte === 0));
  });

  it('writes within the unit', () => {
    const { tokenFor, write, store } = tokenBench();
    const before = store.memory.slice(10 * BLOCK, 20 * BLOCK);
    assert.equal(write(tokenFor([[10, 10]]), [[50, 10]], { lun: 0 }).status, 0);
    assert.deepEqual(store.memory.subarray(50 * BLOCK, 60 * BLOCK), before);
  });

  it('goes through ranges of both sides in order, however they are cut', () => {
    const { tokenFor, write, other, store } = tokenBench();
    const token = tokenFor([
      [100, 3],
      [10, 5],
      [200, 2],
    ]);
    assert.equal(
      write(token, [
        [7, 1],
        [40, 6],
        [0, 3],
      ]).status,
      0,
    );
    const sources = [100, 101, 102, 10, 11, 12, 13, 14, 200, 201];
    const targets = [7, 40, 41, 42, 43, 44, 45, 0, 1, 2];
    for (const [i, to] of targets.entries()) {
      const from = sources[i] as number;
      assert.deepEqual(
        other.memory.subarray(to * BLOCK, (to + 1) * BLOCK),
        store.memory.subarray(from * BLOCK, (from + 1) * BLOCK),
        `block ${to}`,
      );
    }
  });

  it('begins OFFSET INTO ROD blocks behind the first', () => {
    const { tokenFor, write, other, store } = tokenBench();
    assert.equal(
      write(
        tokenFor([
          [100, 3],
          [10, 5],
        ]),
        [[0, 2]],
        { offset: 2 },
      ).status,
      0,
    );
    assert.deepEqual(
      other.memory.subarray(0, BLOCK),
      store.memory.subarray(102 * BLOCK, 103 * BLOCK),
    );
    assert.deepEqual(
      other.memory.subarray(BLOCK, 2 * BLOCK),
      store.memory.subarray(10 * BLOCK, 11 * BLOCK),
    );
  });

  it('between block lengths OFFSET and ranges count blocks of the unit that is written', () => {
    const { tokenFor, write, other, store } = tokenBench({}, { blockBytes: 4096, blocks: 512 });
    assert.equal(write(tokenFor([[0, 32]]), [[5, 2]], { offset: 1 }).status, 0);
    assert.deepEqual(
      other.memory.subarray(5 * 4096, 7 * 4096),
      store.memory.subarray(8 * BLOCK, 24 * BLOCK),
    );
  });

  it('half a block of the other side is A/26/0A, before anything is written', () => {
    const { tokenFor, write, other } = tokenBench({}, { blockBytes: 4096, blocks: 512 });
    assert.equal(
      write(
        tokenFor([
          [0, 4],
          [100, 8],
        ]),
        [[0, 1]],
      ).sense,
      'a/26/0a',
    );
    assert.equal(other.requests.length, 0);
  });

  it('writes zeros for the block device zero ROD token, on every kind of disk', () => {
    for (const [thin, call] of [
      [false, 'writeZeroes'],
      [true, 'discard'],
    ] as const) {
      const { write, other, information } = tokenBench({}, { thin });
      other.memory.fill(0x77);
      assert.equal(
        write(zeroToken(), [
          [8, 16],
          [100, 1],
        ]).status,
        0,
      );
      assert.ok(other.memory.subarray(8 * BLOCK, 24 * BLOCK).every((byte) => byte === 0));
      assert.ok(other.memory.subarray(100 * BLOCK, 101 * BLOCK).every((byte) => byte === 0));
      assert.equal(other.memory[24 * BLOCK], 0x77);
      assert.ok(other.calls[call] > 0, call);
      assert.equal(information(2, 1).transferCount, 17);
    }
  });

  it('writes zeros where holes read as noise', () => {
    const { write, other } = tokenBench({}, { thin: true, key: { erase: () => 0 } });
    assert.equal(write(zeroToken(), [[8, 16]]).status, 0);
    assert.deepEqual([other.calls.discard, other.calls.writeZeroes], [0, 1]);
  });

  it('copies to and from disks with protection information', () => {
    const { tokenFor, write, a } = tokenBench({ protection: 1 }, { protection: 1 });
    const data = new Uint8Array(300 * BLOCK).map((_, at) => (at * 3) & 0xff);
    assert.equal(a.run('2a 00 00 00 00 40 00 01 2c 00', { out: data }).status, 0);
    assert.equal(write(tokenFor([[64, 300]]), [[1000, 300]]).status, 0);
    const read = a.run('28 00 00 00 03 e8 00 01 2c 00', { in: 300 * BLOCK, lun: 1 });
    assert.deepEqual(read.dataIn, data);
  });

  it('in the foreground ends with the copy; its identifier is taken meanwhile', () => {
    const { tokenFor, start, a, other, settle, information } = tokenBench();
    const token = tokenFor([[0, 1]]);
    other.hold = true;
    const copy = start(token, [[0, 1]]);
    assert.equal(copy.done, false);
    assert.equal(information(2, 1).status, 0x11);
    assert.equal(start(token, [[5, 1]]).result.sense, '5/00/16');
    settle();
    assert.equal(copy.result.status, 0);
    assert.deepEqual([information(2, 1).status, information(2, 1).transferCount], [1, 1]);
    assert.equal(a.run(informationCdb(2), { in: 4096 }).sense, '5/24/00', 'a unit has its own');
  });

  it('in the background (IMMED = 1) is answered at once', () => {
    const { tokenFor, start, other, store, settle, information } = tokenBench();
    const token = tokenFor([[4, 300]]);
    other.hold = true;
    const copy = start(token, [[0, 300]], { immediate: true });
    assert.equal(copy.result.status, 0);
    assert.deepEqual([information(2, 1).status, information(2, 1).transferCount], [0x12, 0]);
    other.release();
    assert.deepEqual([information(2, 1).status, information(2, 1).transferCount], [0x12, 128]);
    settle();
    assert.deepEqual([information(2, 1).status, information(2, 1).transferCount], [1, 300]);
    assert.deepEqual(
      other.memory.subarray(0, 300 * BLOCK),
      store.memory.subarray(4 * BLOCK, 304 * BLOCK),
    );
  });

  it('faults are A/0D/01, in sense data and information', () => {
    for (const [side, call, reply] of [
      ['store', 'read', MEDIUM_READ],
      ['other', 'write', MEDIUM_WRITE],
    ] as const) {
      const all = tokenBench();
      const token = all.tokenFor([[0, 200]]);
      all[side].fail(call, reply);
      assert.equal(all.write(token, [[0, 200]]).sense, 'a/0d/01');
      const { status, completionStatus, sense, transferCount } = all.information(2, 1);
      assert.deepEqual([status, completionStatus, transferCount], [2, 2, 0]);
      assert.deepEqual([sense[0], sense[2], sense[12], sense[13]], [0x70, 0x0a, 0x0d, 0x01]);
    }
  });

  it('in the background a fault is told by RECEIVE ROD TOKEN INFORMATION alone', () => {
    const { tokenFor, write, other, information, settle } = tokenBench();
    const token = tokenFor([[0, 1]]);
    other.fail('write', MEDIUM_WRITE);
    assert.equal(write(token, [[0, 1]], { immediate: true }).status, 0);
    settle();
    assert.equal(information(2, 1).status, 2);
  });

  it('is refused by a write protected disk', () => {
    const { tokenFor, write } = tokenBench({}, { readOnly: true });
    assert.equal(write(tokenFor([[0, 1]]), [[0, 1]]).sense, '7/27/00');
  });

  it('meets reservations of others on the unit that is read', () => {
    const { bed, tokenFor, write, other } = tokenBench();
    const token = tokenFor([[0, 1]]);
    const b = bed.nexus('b').clear();
    assert.equal(b.run('16 00 00 00 00 00').status, 0);
    assert.equal(write(token, [[0, 1]]).sense, 'a/0d/01');
    assert.equal(other.calls.write, 0);
  });

  it('more than the token stands for is A/0D/04, nothing of it is written', () => {
    const { tokenFor, write, other } = tokenBench();
    const token = tokenFor([[0, 8]]);
    assert.equal(write(token, [[0, 9]]).sense, 'a/0d/04');
    assert.equal(write(token, [[0, 8]], { offset: 1 }).sense, 'a/0d/04');
    assert.equal(other.requests.length, 0);
    assert.equal(write(token, [[0, 7]], { offset: 1 }).status, 0);
  });

  it('without a list is GOOD', () => {
    assert.equal(tokenBench().a.run(writeCdb(0)).status, 0);
  });

  it('aborted, nothing of it reaches the medium after the answer', () => {
    const { tokenFor, start, a, store, other, bed, settle } = tokenBench();
    const token = tokenFor([[0, 1024]]);
    store.hold = true;
    const copy = start(token, [[0, 1024]]);
    const abort = a.manage(0x02, 0, { lun: 1 });
    assert.equal(abort.done, false);
    settle();
    assert.ok(abort.done && copy.result.dropped);
    assert.equal(other.calls.write, 0);
    bed.unit.taskSet.verify();
  });
});

describe('COPY OPERATION ABORT', () => {
  it('ends a copy in the background, and is answered when that has stopped', () => {
    const { tokenFor, start, a, other, information, settle, bed } = tokenBench();
    const token = tokenFor([[0, 1024]]);
    other.hold = true;
    start(token, [[0, 1024]], { immediate: true });
    const abort = a.start(abortCdb(2), { lun: 1 });
    assert.equal(abort.done, false);
    other.hold = false;
    settle();
    assert.equal(abort.result.status, 0);
    assert.equal(information(2, 1).status, 0x60);
    const { write } = other.calls;
    while (bed.timers.run());
    assert.equal(other.calls.write, write);
    assert.ok(write < 1024 / 128);
  });

  it('ends a copy in the foreground with COPY ABORTED', () => {
    const { tokenFor, start, a, other, settle } = tokenBench();
    const token = tokenFor([[0, 1024]]);
    other.hold = true;
    const copy = start(token, [[0, 1024]]);
    const abort = a.start(abortCdb(2), { lun: 1 });
    settle();
    assert.equal(abort.result.status, 0);
    assert.equal(copy.result.sense, 'a/00/00');
  });

  it('of an identifier that nobody knows, or another nexus has, is 5/24/00', () => {
    const { bed, a, populate } = tokenBench();
    assert.equal(populate([[0, 1]], { id: 9 }).status, 0);
    const r = a.run(abortCdb(8));
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2']);
    assert.equal(bed.nexus('b').clear().run(abortCdb(9)).sense, '5/24/00');
    assert.equal(a.run(abortCdb(9)).status, 0, 'what is over needs no end');
  });
});

describe('copies in the background', () => {
  function background(first = {}) {
    const all = tokenBench(first);
    const token = all.tokenFor([[0, 1024]]);
    all.other.hold = true;
    assert.equal(all.start(token, [[0, 1024]], { immediate: true }).result.status, 0);
    assert.equal(all.other.held.length, 1);
    return all;
  }

  it('end before a reset of their unit is answered, and leave no results', () => {
    const { a, settle, other, bed } = background();
    const reset = a.manage(0x08, 0, { lun: 1 });
    assert.equal(reset.done, false);
    settle();
    assert.ok(reset.done);
    const { write } = other.calls;
    while (bed.timers.run());
    assert.equal(other.calls.write, write);
    a.clear();
    assert.equal(a.run(informationCdb(2), { in: 64, lun: 1 }).sense, '5/24/00');
  });

  it('end before that is answered also when another unit is busy with them', () => {
    for (const what of ['reset', 'nexus reset'] as const) {
      const { tokenFor, start, a, store, settle } = tokenBench();
      const token = tokenFor([[0, 1]]);
      store.hold = true;
      start(token, [[0, 1]], { immediate: true });
      const done = what === 'reset' ? a.manage(0x08, 0, { lun: 1 }) : a.manage(I_T_NEXUS_RESET);
      assert.equal(done.done, false, what);
      settle();
      assert.ok(done.done, what);
    }
  });

  it('and the commands of a unit that is reset may end in any order', () => {
    for (const first of ['store', 'other'] as const) {
      const all = tokenBench();
      const token = all.tokenFor([[0, 1]]);
      all.store.hold = true;
      all.other.hold = true;
      all.start(token, [[0, 1]], { immediate: true });
      all.a.start('28 00 00 00 00 09 00 00 01 00', { in: BLOCK, lun: 1 });
      const reset = all.a.manage(0x08, 0, { lun: 1 });
      all[first].releaseAll();
      assert.equal(reset.done, false, first);
      all.settle();
      assert.ok(reset.done, first);
    }
  });

  it('end before their unit has gone also when another unit is busy with them', () => {
    const { tokenFor, start, bed, store, other, settle } = tokenBench();
    const token = tokenFor([[0, 1]]);
    store.hold = true;
    start(token, [[0, 1]], { immediate: true });
    let gone = false;
    bed.target.removeUnit(1, () => {
      gone = true;
    });
    assert.equal(gone, false);
    settle();
    assert.ok(gone);
    assert.equal(other.calls.write, 0);
  });

  it('are found as long as they are under way, however many come after', () => {
    const { information, populate, settle, store, start, tokenFor } = tokenBench();
    const token = tokenFor([[0, 1]]);
    store.hold = true;
    start(token, [[0, 1]], { immediate: true });
    for (let id = 100; id < 120; id += 1) {
      assert.equal(populate([[0, 1]], { id, lun: 1 }).status, 0);
    }
    assert.equal(information(2, 1).status, 0x12);
    settle();
  });

  it('are about the medium that was there when they began: what is left never reaches the next', () => {
    for (const token of ['data', 'zeros'] as const) {
      const { a, bed, other, start, tokenFor, information, settle } = tokenBench(
        {},
        { removable: true },
      );
      other.memory.fill(0x77);
      const source = token === 'data' ? tokenFor([[0, 16]]) : zeroToken();
      const ranges = [
        [0, 8],
        [16, 8],
      ] as const;
      assert.equal(start(source, ranges, { immediate: true }).result.status, 0);
      for (const action of [2, 3]) {
        assert.equal(a.run([0x1b, 0, 0, 0, action, 0], { lun: 1 }).status, 0);
      }
      settle();
      assert.notEqual(other.memory[0], 0x77);
      assert.ok(other.memory.subarray(16 * BLOCK, 24 * BLOCK).every((byte) => byte === 0x77));
      assert.equal(information(2, 1).status, 0x02, token);
      while (bed.timers.run());
    }
  });

  it('end with their nexus', () => {
    const { a, bed, settle, other } = background();
    bed.target.nexusLost(a.nexus);
    settle();
    assert.ok(other.calls.write <= 1);
  });

  it('end before their unit has gone', () => {
    const { bed, settle, other } = background();
    let gone = false;
    bed.target.removeUnit(1, () => {
      gone = true;
    });
    assert.equal(gone, false);
    settle();
    assert.ok(gone);
    assert.ok(other.calls.write <= 1);
  });

  it('survive an ABORT TASK SET', () => {
    const { a, settle, information } = background();
    assert.ok(a.manage(0x02, 0, { lun: 1 }).done);
    settle();
    assert.deepEqual([information(2, 1).status, information(2, 1).transferCount], [1, 1024]);
  });

  it('are 16 of a unit at most: the next is BUSY', () => {
    const { tokenFor, start, other, settle } = tokenBench();
    const token = tokenFor([[0, 1]]);
    other.hold = true;
    for (let i = 0; i < 16; i += 1) {
      const copy = start(token, [[i, 1]], { immediate: true, id: 100 + i });
      assert.equal(copy.result.status, 0);
    }
    assert.equal(start(token, [[99, 1]], { id: 200 }).result.status, 0x08);
    settle();
    assert.equal(start(token, [[99, 1]], { id: 200 }).done, false);
    settle();
  });

  it('the results of the 16 newest are kept', () => {
    const { populate, a } = tokenBench();
    for (let id = 0; id < 17; id += 1) assert.equal(populate([[0, 1]], { id }).status, 0);
    assert.equal(a.run(informationCdb(0), { in: 64 }).sense, '5/24/00');
    assert.equal(a.run(informationCdb(1), { in: 64 }).status, 0);
  });

  it('RECEIVE ROD TOKEN INFORMATION is cut to its allocation length, and may be asked again', () => {
    const { populate, a } = tokenBench();
    populate([[0, 1]]);
    const short = a.run(informationCdb(1, 40), { in: 4096 }).dataIn;
    assert.equal(short.length, 40);
    assert.equal(Buffer.from(short).readUInt32BE(0), 546);
    assert.equal(a.run(informationCdb(1), { in: 4096 }).dataIn.length, 550);
  });
});

describe('a list of ranges', () => {
  it('may reach the last block of the unit', () => {
    const { tokenFor, write } = tokenBench();
    assert.equal(write(tokenFor([[BLOCKS - 1, 1]]), [[BLOCKS - 1, 1]]).status, 0);
  });
});
