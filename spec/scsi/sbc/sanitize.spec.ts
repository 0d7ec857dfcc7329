/** SANITIZE (SBC-3 4.11, 5.24): what it does to the medium, what others are told meanwhile, and that nothing ends it. */
import { strict as assert } from 'node:assert';
import { resumeSanitize } from '../../../src/luns/disk.ts';
import {
  DONE,
  MEDIUM_WRITE,
  type OperationStore,
  type StoreReply,
} from '../../../src/scsi/contracts.ts';
import { decodePlan } from '../../../src/scsi/sbc/medium-operation.ts';
import type { Pending } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { pattern, read10, write10 } from './cdbs.ts';

const TUR = '00 00 00 00 00 00';
const OVERWRITE = 0x01;
const BLOCK_ERASE = 0x02;
const CRYPTOGRAPHIC_ERASE = 0x03;
const EXIT = 0x1f;
const IMMED = 0x80;
const AUSE = 0x20;
const IN_PROGRESS = '2/04/1b';
const FAILED = '3/31/03';
const BLOCKS = 4096;

class Keeper implements OperationStore {
  readonly saved: Uint8Array[] = [];
  reply: StoreReply = DONE;
  save(_task: unknown, _lun: number, state: Uint8Array): StoreReply {
    if (this.reply === DONE) this.saved.push(state);
    return this.reply;
  }
}

function bench(options = {}) {
  const keeper = new Keeper();
  const bed = disk({ blocks: BLOCKS, thin: true, operationStore: keeper, ...options });
  const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
  const finish = (): void => {
    while (bed.timers.run());
  };
  return { bed, a, b, keeper, store: bed.store, finish };
}

const list = (flags: number, bytes: readonly number[]): Uint8Array =>
  Uint8Array.of(flags, 0, bytes.length >> 8, bytes.length & 0xff, ...bytes);
function sanitize(
  n: TestNexus,
  action: number,
  out: Uint8Array = new Uint8Array(0),
  tag?: number,
): Pending {
  const cdb = [0x48, action, 0, 0, 0, 0, 0, out.length >> 8, out.length & 0xff, 0];
  return n.start(cdb, { out, ...(tag === undefined ? {} : { tag }) });
}
const progress = (n: TestNexus): number => {
  const { dataIn } = n.run('03 00 00 00 12 00', { in: 18 });
  assert.deepEqual([dataIn[2], dataIn[12], dataIn[13]], [2, 0x04, 0x1b]);
  assert.equal(dataIn[15], 0x80);
  return (dataIn[16] as number) * 256 + (dataIn[17] as number);
};

describe('SANITIZE - OVERWRITE', () => {
  it('fills every block with the pattern, then is GOOD, and stable', () => {
    const { a, store, finish } = bench();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    const done = sanitize(a, OVERWRITE, list(1, [0xaa, 0xbb, 0xcc]));
    assert.equal(done.done, false);
    finish();
    assert.equal(done.result.status, 0);
    store.powerCut();
    for (let at = 0; at < store.memory.length; at += 1) {
      const expected = [0xaa, 0xbb, 0xcc][(at % 512) % 3];
      if (store.memory[at] !== expected) assert.fail(`byte ${at} is ${store.memory[at]}`);
    }
  });

  it('several times, each the complement of the one before with INVERT', () => {
    for (const [flags, last] of [
      [0x03, 0x0f],
      [0x83, 0x0f],
      [0x82, 0xf0],
    ] as const) {
      const { a, store, finish } = bench({ blocks: 256 });
      const done = sanitize(a, OVERWRITE, list(flags, [0x0f]));
      finish();
      assert.equal(done.result.status, 0);
      assert.ok(store.memory.every((byte) => byte === last));
      const writes = store.requests.filter(({ call }) => call === 'write').length;
      assert.equal(writes, (flags & 0x1f) * 2, 'two pieces of 64 KiB a pass');
    }
  });

  it('meanwhile others are told 2/04/1B with the progress, INQUIRY and REQUEST SENSE work', () => {
    const { bed, a, b, finish } = bench();
    assert.equal(sanitize(a, OVERWRITE | IMMED, list(1, [0])).result.status, 0);
    const before = progress(b);
    for (const nexus of [a, b]) {
      for (const cdb of [TUR, read10(0, 1), '1b 00 00 00 01 00', '1a 00 3f 00 ff 00']) {
        const r = nexus.run(cdb, { in: 512 });
        assert.equal(r.sense, IN_PROGRESS);
        assert.equal(r.senseBytes[15], 0x80, 'the progress is there');
      }
      assert.equal(nexus.run('12 00 00 00 60 00', { in: 96 }).status, 0);
    }
    bed.timers.run();
    assert.ok(progress(b) > before);
    finish();
    assert.equal(a.run(TUR).status, 0);
  });

  it('with IMMED = 0 others are told as well instead of waiting', () => {
    const { a, b, finish } = bench();
    const done = sanitize(a, OVERWRITE, list(1, [0]));
    assert.equal(b.run(read10(0, 1), { in: 512 }).sense, IN_PROGRESS);
    finish();
    assert.equal(done.result.status, 0);
  });

  it('goes on through ABORT TASK, ABORT TASK SET, resets and the loss of its nexus', () => {
    const { bed, a, b, store, finish } = bench();
    const done = sanitize(a, OVERWRITE, list(1, [0x55]), 7);
    assert.equal(a.manage(0x01, 7).result.managementOutcome, 0);
    assert.equal(done.result.dropped, true);
    a.manage(0x02);
    b.manage(0x08);
    bed.target.nexusLost(a.nexus);
    b.attentions();
    assert.equal(b.run(TUR).sense, IN_PROGRESS);
    finish();
    assert.equal(b.run(TUR).status, 0);
    assert.ok(store.memory.every((byte) => byte === 0x55));
  });

  it('begins when older writes have ended: they are overwritten', () => {
    const { a, store, finish } = bench();
    store.hold = true;
    const write = a.start(write10(4, 1), { out: pattern(4, 1) });
    sanitize(a, OVERWRITE | IMMED, list(1, [0x11]));
    assert.equal(store.held.length, 1);
    store.releaseAll();
    store.hold = false;
    assert.equal(write.result.status, 0);
    store.releaseAll();
    finish();
    assert.equal(store.memory[4 * 512], 0x11);
  });

  it('refuses lists that are too short, too long, or ask for nothing', () => {
    const { a, store } = bench();
    const bad = [
      new Uint8Array(0),
      new Uint8Array(4),
      new Uint8Array(517).fill(1),
      list(0, [1]),
      list(1, []),
      list(0x21, [1]),
      Uint8Array.of(1, 0, 0, 9, 1, 1),
    ];
    for (const out of bad) assert.equal(sanitize(a, OVERWRITE, out).result.sense, '5/24/00');
    assert.equal(store.requests.length, 0);
    assert.equal(a.run(TUR).status, 0);
  });

  it('is DATA PROTECT where nothing may be written', () => {
    const { a } = bench({ readOnly: true });
    assert.equal(sanitize(a, OVERWRITE, list(1, [0])).result.sense, '7/27/00');
  });

  it('that fails leaves the failure mode: nothing is read, another SANITIZE helps', () => {
    const { a, keeper, store, finish } = bench();
    store.fail('write', MEDIUM_WRITE);
    const done = sanitize(a, OVERWRITE, list(1, [0]));
    finish();
    assert.equal(done.result.sense, FAILED);
    assert.equal(a.run(read10(0, 1), { in: 512 }).sense, FAILED);
    assert.equal(sanitize(a, EXIT).result.sense, '5/24/00', 'AUSE was 0');
    assert.equal(decodePlan(keeper.saved.at(-1) as Uint8Array)?.failed, true);
    const again = sanitize(a, OVERWRITE, list(1, [0]));
    finish();
    assert.equal(again.result.status, 0);
    assert.equal(a.run(TUR).status, 0);
    assert.equal(keeper.saved.at(-1)?.length, 0);
  });

  it('with AUSE = 1 the failure mode can be left', () => {
    const { a, store, finish } = bench();
    store.fail('flush', MEDIUM_WRITE);
    sanitize(a, OVERWRITE | AUSE, list(1, [0]));
    finish();
    assert.equal(a.run(TUR).sense, FAILED);
    assert.equal(sanitize(a, EXIT).result.status, 0);
    assert.equal(a.run(TUR).status, 0);
    assert.equal(sanitize(a, EXIT).result.status, 0, 'and when there is none');
  });

  it('is kept before it begins, and a restart begins it again', () => {
    const { a, keeper } = bench();
    sanitize(a, OVERWRITE | IMMED, list(0x82, [1, 2]));
    const kept = decodePlan(keeper.saved[0] as Uint8Array);
    assert.ok(kept);
    assert.deepEqual([kept.plan.count, kept.plan.invert, kept.failed], [2, true, false]);
    const after = bench();
    resumeSanitize(after.bed.unit, kept);
    assert.equal(after.a.run(TUR).sense, IN_PROGRESS);
    after.finish();
    assert.equal(after.a.run(TUR).status, 0);
    assert.deepEqual([...after.store.memory.subarray(0, 3)], [0xfe, 0xfd, 0xfe]);
  });

  it('that cannot be kept does not begin; one whose end cannot be kept has failed', () => {
    const one = bench();
    one.keeper.reply = MEDIUM_WRITE;
    assert.equal(sanitize(one.a, OVERWRITE, list(1, [0])).result.sense, '4/44/00');
    assert.equal(one.store.requests.length, 0);
    const two = bench();
    const done = sanitize(two.a, OVERWRITE, list(1, [0]));
    two.keeper.reply = MEDIUM_WRITE;
    two.finish();
    assert.equal(done.result.sense, FAILED, 'a restart would wipe what was written since');
  });

  it('bytes that are no plan are none', () => {
    for (const bytes of [
      [],
      [1],
      [9, 1, 1, 0, 0, 0, 0, 0],
      [1, 1, 0, 0, 0, 0, 0, 0, 1],
      [1, 1, 1, 0, 0, 0, 0, 0],
    ]) {
      assert.equal(decodePlan(Uint8Array.from(bytes)), null);
    }
  });
});

describe('SANITIZE - BLOCK ERASE', () => {
  it('gives all space back; VPD B1h says that what is left reads without an error', () => {
    const { a, store, finish } = bench();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    assert.equal(a.run('12 01 b1 00 40 00', { in: 64 }).dataIn[7], 0x40);
    const done = sanitize(a, BLOCK_ERASE);
    finish();
    assert.equal(done.result.status, 0);
    assert.ok(store.memory.every((byte) => byte === 0));
    assert.equal(store.requests.filter(({ call }) => call === 'discard').length, 1);
  });

  it('takes no list', () => {
    const { a } = bench();
    assert.equal(sanitize(a, BLOCK_ERASE, new Uint8Array(4)).result.sense, '5/24/00');
  });

  it('does not exist on a fully provisioned disk, nor any SANITIZE where nothing can be kept', () => {
    const { a } = bench({ thin: false });
    assert.equal(sanitize(a, BLOCK_ERASE).result.sense, '5/24/00');
    const plain = disk({ thin: true }).nexus('a').clear();
    assert.equal(sanitize(plain, BLOCK_ERASE).result.sense, '5/20/00');
    assert.equal(plain.run('12 01 b1 00 40 00', { in: 64 }).dataIn[7], 0);
  });
});

describe('SANITIZE - CRYPTOGRAPHIC ERASE', () => {
  function encrypted(reply: StoreReply = DONE) {
    const key = {
      erased: 0,
      erase(): StoreReply {
        this.erased += 1;
        return reply;
      },
    };
    return { key, ...bench({ key }) };
  }

  it('erases the key once, whatever the size, and keeps the plan until that is stable', () => {
    const { key, a, keeper, store, finish } = encrypted();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    const done = sanitize(a, CRYPTOGRAPHIC_ERASE);
    finish();
    assert.equal(done.result.status, 0);
    assert.equal(key.erased, 1);
    assert.deepEqual(
      keeper.saved.map((state) => decodePlan(state)?.plan.kind ?? null),
      [CRYPTOGRAPHIC_ERASE, null],
    );
    const calls = store.requests.map(({ call }) => call);
    assert.deepEqual(calls, ['write', 'flush'], 'no block is written');
  });

  it('begins again after a restart, even when it had been done', () => {
    const { key, bed, finish } = encrypted();
    const saved = decodePlan(Uint8Array.of(1, 3, 1, 0, 0, 0, 0, 0));
    assert.ok(saved !== null);
    resumeSanitize(bed.unit, saved);
    finish();
    assert.equal(key.erased, 1);
    assert.equal(bed.unit.operation, null);
  });

  it('is told by VPD B1h (WACEREQ 01b), and makes unmapped blocks read as anything (LBPRZ = 0)', () => {
    const { a } = encrypted();
    assert.equal(a.run('12 01 b1 00 40 00', { in: 64 }).dataIn[7], 0x50);
    assert.equal(a.run('12 01 b2 00 08 00', { in: 8 }).dataIn[5], 0xe0);
    const capacity = a.run('9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00', { in: 32 });
    assert.equal(capacity.dataIn[14], 0x80);
  });

  it('that fails leaves the failure mode', () => {
    const { a, finish } = encrypted(MEDIUM_WRITE);
    const done = sanitize(a, CRYPTOGRAPHIC_ERASE);
    finish();
    assert.equal(done.result.sense, FAILED);
    assert.equal(a.run(read10(0, 1), { in: 512 }).sense, FAILED);
  });

  it('takes no list, and does not exist where nothing is encrypted', () => {
    assert.equal(
      sanitize(encrypted().a, CRYPTOGRAPHIC_ERASE, new Uint8Array(4)).result.sense,
      '5/24/00',
    );
    const { a } = bench();
    assert.equal(sanitize(a, CRYPTOGRAPHIC_ERASE).result.sense, '5/24/00');
    assert.equal(a.run('12 01 b1 00 40 00', { in: 64 }).dataIn[7], 0x40);
  });
});
