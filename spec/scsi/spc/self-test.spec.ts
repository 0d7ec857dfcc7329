/** SEND DIAGNOSTIC, RECEIVE DIAGNOSTIC RESULTS and the Self-Test Results log page (SPC-4 5.13, 6.42, 6.21, 7.3.17). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK, LOGICAL_UNIT_RESET } from '../../../src/scsi/sam.ts';
import { disk, type TestNexus } from '../../support/target.ts';

const TEST_UNIT_READY = '00 00 00 00 00 00';
const FF8 = 'ffffffffffffffff';
/** Two pieces of 64 KiB and a bit. */
const BLOCKS = 300;
const LARGE_BLOCKS = 128 * 70;

const test = (code: number): number[] => [0x1d, code << 5, 0, 0, 0, 0];
const SHORT = test(1);
const EXTENDED = test(2);
const ABORT = test(4);
const FOREGROUND = test(5);
const FOREGROUND_EXTENDED = test(6);

/** The first `count` results without what never changes: header, hours. */
function results(n: TestNexus, count: number): string[] {
  const data = n.run('4d 00 50 00 00 00 00 02 00 00', { in: 512 }).dataIn;
  assert.equal(data.length, 4 + 20 * 20);
  return Array.from({ length: count }, (_, i) => {
    const parameter = Buffer.from(data.subarray(4 + i * 20, 24 + i * 20));
    assert.equal(
      parameter.subarray(0, 4).toString('hex'),
      `00${(i + 1).toString(16).padStart(2, '0')}2310`,
    );
    return parameter.subarray(4).toString('hex');
  });
}

function rig(blocks = BLOCKS) {
  const t = disk({ blocks, bounceBuffers: 1 });
  return { t, a: t.nexus('a').clear(), b: t.nexus('b').clear() };
}

describe('SEND DIAGNOSTIC', () => {
  it('background short: reads, flushes, and logs COMPLETED', () => {
    const { t, a } = rig();
    assert.equal(a.run(SHORT).status, 0);
    assert.equal(t.store.calls.read, 3);
    assert.equal(t.store.calls.flush, 1);
    assert.deepEqual(results(a, 2), [`20000000${FF8}00000000`, '00'.repeat(16)]);
  });

  it('background: ends GOOD at once, commands go on, REQUEST SENSE tells the progress', () => {
    const { t, a, b } = rig();
    t.store.hold = true;
    assert.equal(a.run(SHORT).status, 0);
    assert.equal(results(a, 1)[0], `2f000000${FF8}00000000`);
    const sense = b.run('03 00 00 00 12 00', { in: 18 }).dataIn;
    assert.equal(
      Buffer.from(sense).toString('hex'),
      '70000200000000' + '0a' + '00000000' + '0409' + '00' + '800000',
    );
    assert.equal(b.run(TEST_UNIT_READY).status, 0);
    t.store.release();
    const later = b.run('03 00 00 00 12 00', { in: 18 }).dataIn;
    assert.equal(Buffer.from(later.subarray(15)).toString('hex'), '804000');
    t.store.hold = false;
    t.store.releaseAll();
    assert.equal(results(a, 1)[0], `20000000${FF8}00000000`);
    assert.equal(b.run('03 00 00 00 12 00', { in: 18 }).dataIn[2], 0);
  });

  it('reads from the first block to the last, short and extended', () => {
    const { t, a } = rig(LARGE_BLOCKS);
    a.run(SHORT);
    const read = () => t.store.requests.filter(({ call }) => call === 'read');
    assert.equal(read().length, 64);
    assert.equal(read()[0]?.position, 0);
    assert.equal(read()[63]?.position, 69 * 65536);
    a.run(EXTENDED);
    while (t.timers.run());
    assert.deepEqual(
      read()
        .slice(64)
        .map(({ position }) => position),
      Array.from({ length: 70 }, (_, i) => i * 65536),
    );
  });

  it('extended: other commands find a bounce buffer between two of its reads', () => {
    const { t, a, b } = rig(LARGE_BLOCKS);
    a.run(EXTENDED);
    // It rests now, 16 pieces later.
    assert.equal(t.store.calls.read, 16);
    assert.equal(b.run('2f 02 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) }).status, 0);
  });

  it('a second test is 2/04/09 with the progress, a first goes on', () => {
    const { t, a, b } = rig();
    t.store.hold = true;
    a.run(SHORT);
    const r = b.run(EXTENDED);
    assert.equal(r.sense, '2/04/09');
    t.store.hold = false;
    t.store.releaseAll();
    assert.equal(results(a, 1)[0], `20000000${FF8}00000000`);
  });

  it('100b aborts a background test, and is 5/24/00 without one', () => {
    const { t, a } = rig();
    const without = a.run(ABORT);
    assert.deepEqual([without.sense, without.pointer], ['5/24/00', 'cdb 1.7']);
    t.store.hold = true;
    a.run(SHORT);
    assert.equal(a.run(ABORT).status, 0);
    t.store.hold = false;
    t.store.releaseAll();
    assert.equal(t.store.calls.read, 1);
    assert.equal(results(a, 1)[0], `21000000${FF8}00000000`);
  });

  it('resets, stops and SANITIZE end a background test (result 2h)', () => {
    for (const end of [
      (n: TestNexus) => n.manage(LOGICAL_UNIT_RESET),
      (n: TestNexus) => n.start([0x1b, 0, 0, 0, 4, 0]),
      (n: TestNexus) => n.start([0x48, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]),
    ]) {
      const t = disk({ blocks: LARGE_BLOCKS, thin: true, operationStore: { save: () => 0 } });
      const a = t.nexus('a').clear();
      a.run(EXTENDED);
      end(a);
      while (t.timers.run());
      a.clear();
      assert.equal(t.store.calls.read, 16);
      assert.equal(results(a, 1)[0], `42000000${FF8}00000000`);
    }
  });

  it('background: an unreadable block is logged with its address and sense, and nobody is told', () => {
    const { t, a } = rig();
    t.store.fail('read', MEDIUM_READ, 1024);
    assert.equal(a.run(SHORT).status, 0);
    assert.equal(results(a, 1)[0], '25010000' + '0000000000000002' + '03110000');
    assert.equal(a.run(TEST_UNIT_READY).status, 0);
  });

  it('foreground: GOOD when the test has ended, others are told 2/04/09', () => {
    const { t, a, b } = rig();
    t.store.hold = true;
    const running = a.start(FOREGROUND);
    const refused = b.run(TEST_UNIT_READY);
    assert.equal(refused.sense, '2/04/09');
    assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: 512 }).sense, '2/04/09');
    assert.equal(b.run('12 00 00 00 24 00', { in: 36 }).status, 0);
    assert.equal(running.done, false);
    t.store.hold = false;
    t.store.releaseAll();
    assert.equal(running.result.status, 0);
    assert.equal(b.run(TEST_UNIT_READY).status, 0);
    assert.equal(results(a, 1)[0], `a0000000${FF8}00000000`);
  });

  it('foreground: a flush that fails is 4/3E/03, the second segment in the log', () => {
    const { t, a } = rig();
    t.store.fail('flush', MEDIUM_WRITE);
    assert.equal(a.run(FOREGROUND).sense, '4/3e/03');
    assert.equal(results(a, 1)[0], `a6020000${FF8}030c0000`);
  });

  it('foreground: ABORT TASK ends the test, also while it pauses', () => {
    const { t, a } = rig(LARGE_BLOCKS);
    const running = a.start(FOREGROUND_EXTENDED, { tag: 7 });
    const abort = a.manage(ABORT_TASK, 7);
    while (t.timers.run());
    assert.equal(abort.done, true);
    assert.equal(running.done, true);
    assert.equal(t.store.calls.read, 16);
    assert.equal(results(a, 1)[0], `c2000000${FF8}00000000`);
  });

  it('SELFTEST = 1: a test that the command waits for, and that is not logged', () => {
    const { t, a } = rig();
    assert.equal(a.run('1d 04 00 00 00 00').status, 0);
    assert.equal(t.store.calls.read, 3);
    t.store.fail('read', MEDIUM_READ);
    assert.equal(a.run('1d 04 00 00 00 00').sense, '4/3e/03');
    assert.deepEqual(results(a, 1), ['00'.repeat(16)]);
  });

  it('the log keeps the newest 20', () => {
    const { t, a } = rig();
    t.store.fail('read', MEDIUM_READ);
    for (let i = 0; i < 21; i += 1) a.run(SHORT);
    assert.deepEqual(results(a, 20), new Array(20).fill(`20000000${FF8}00000000`));
  });

  it('a restart in the middle leaves result 2h', () => {
    const { t, a } = rig();
    t.store.hold = true;
    a.run(SHORT);
    const next = rig();
    next.t.unit.logs.selfTests.resume(t.unit.logs.selfTests.all);
    assert.equal(results(next.a, 1)[0], `22000000${FF8}00000000`);
  });

  it('a unit that goes away waits for the read of its test', () => {
    const { t, a } = rig();
    const { store } = t;
    store.hold = true;
    a.run(SHORT);
    let gone = false;
    t.target.removeUnit(0, () => {
      gone = true;
    });
    assert.equal(gone, false);
    store.release();
    assert.equal(gone, true);
  });

  it('without a medium is 2/3A/02', () => {
    const a = disk({ removable: true }).nexus('a').clear();
    a.run([0x1b, 0, 0, 0, 2, 0]);
    for (const cdb of [SHORT, FOREGROUND]) assert.equal(a.run(cdb).sense, '2/3a/02');
  });

  it('takes the list of diagnostic pages, and RECEIVE DIAGNOSTIC RESULTS returns it', () => {
    const { a } = rig();
    assert.equal(a.run('1d 10 00 00 04 00', { out: new Uint8Array(4) }).status, 0);
    for (const cdb of ['1c 00 00 00 ff 00', '1c 01 00 00 ff 00']) {
      assert.deepEqual([...a.run(cdb, { in: 255 }).dataIn], [0, 0, 0, 1, 0]);
    }
    const r = a.run('1c 01 01 00 ff 00', { in: 255 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2']);
  });

  it('refuses codes that are none, two tests, lists with tests, and foreign pages', () => {
    const { t, a } = rig();
    for (const [cdb, pointer] of [
      ['1d 60 00 00 00 00', 'cdb 1.7'],
      ['1d e0 00 00 00 00', 'cdb 1.7'],
      ['1d 24 00 00 00 00', 'cdb 1.7'],
      ['1d 20 00 00 04 00', 'cdb 3'],
      ['1d 00 00 00 04 00', 'cdb 1.4'],
    ] as const) {
      const r = a.run(cdb, { out: new Uint8Array(4) });
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', pointer], cdb);
    }
    const foreign = a.run('1d 10 00 00 04 00', { out: Uint8Array.of(0x40, 0, 0, 0) });
    assert.deepEqual([foreign.sense, foreign.pointer], ['5/26/00', 'list 0']);
    assert.equal(a.run('1d 10 00 00 03 00', { out: new Uint8Array(3) }).sense, '5/1a/00');
    assert.equal(t.store.calls.read, 0);
  });

  it('says in VPD page 86h how long an extended test takes, which the Control mode page refers to', () => {
    const a = disk({ blocks: 2048 }).nexus('a').clear();
    const vpd = a.run('12 01 86 00 40 00', { in: 64 }).dataIn;
    assert.deepEqual([...vpd.subarray(10, 12)], [0, 1]);
    const control = a.run('1a 08 0a 00 ff 00', { in: 255 }).dataIn;
    assert.deepEqual([...control.subarray(14, 16)], [0xff, 0xff]);
  });
});
