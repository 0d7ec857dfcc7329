/** Control and event queue of the SCSI host device, stop and reset (virtio 1.2, 5.6.6.2 and 5.6.6.3; SAM-5 clause 7). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk } from '../../support/target.ts';
import { Seeded } from '../control/seeded.ts';
import { CONTROL, EVENTS, lun, REQUESTS, Rig } from './rig.ts';

const ABORT_TASK = 0;
const ABORT_TASK_SET = 1;
const CLEAR_ACA = 2;
const CLEAR_TASK_SET = 3;
const I_T_NEXUS_RESET = 4;
const LOGICAL_UNIT_RESET = 5;
const QUERY_TASK = 6;
const QUERY_TASK_SET = 7;

const COMPLETE = 0;
const ABORTED = 2;
const BAD_TARGET = 3;
const RESET = 4;
const SUCCEEDED = 10;
const REJECTED = 11;
const INCORRECT_LUN = 12;

const BLOCK = 512;
const TUR = '00 00 00 00 00 00';
const write = (lba: number): string =>
  `2a 00 00 00 00 ${lba.toString(16).padStart(2, '0')} 00 00 01 00`;
const out = (fill: number): Uint8Array => new Uint8Array(BLOCK).fill(fill);

/** The one byte a task management function was answered with. */
function outcome(rig: Rig, head: number): number | null {
  const answer = rig.controlAnswer(head);
  if (answer === null) return null;
  assert.equal(answer.length, 1);
  return answer[0] as number;
}

function attentions(rig: Rig, where = lun(0)): string[] {
  const seen: string[] = [];
  for (;;) {
    const { code } = rig.run(TUR, { lun: where });
    if (!code.startsWith('6/')) return seen;
    seen.push(code);
  }
}

describe('virtio-scsi task management', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig().clear();
  });
  afterEach(() => {
    assert.deepEqual(rig.broken, []);
    rig.end();
  });
  const manage = (subtype: number, tag = 0n, where = lun(0)): number | null => {
    const head = rig.manage(subtype, tag, where);
    rig.turn();
    return outcome(rig, head);
  };

  it('ABORT TASK is answered when the write has stopped, after the write itself: ABORTED', () => {
    rig.bed.store.hold = true;
    const slow = rig.offer(write(1), { out: out(1), tag: 77n });
    rig.turn();
    const head = rig.manage(ABORT_TASK, 77n);
    rig.turn();
    assert.equal(outcome(rig, head), null);
    assert.equal(rig.done(slow), false);
    rig.bed.store.releaseAll();
    rig.turn();
    assert.equal(outcome(rig, head), COMPLETE);
    const answer = rig.answer(slow);
    assert.deepEqual([answer.response, answer.status, answer.used], [ABORTED, 0, 108]);
  });

  it('ABORT TASK of a tag nobody has is complete at once; all 64 bits of it count', () => {
    rig.bed.store.hold = true;
    const slow = rig.offer(write(1), { out: out(1), tag: 0x1_0000_0005n });
    rig.turn();
    assert.equal(manage(ABORT_TASK, 5n), COMPLETE);
    assert.equal(rig.bed.store.calls.cancel, 0);
    rig.bed.store.releaseAll();
    rig.turn();
    assert.equal(rig.answer(slow).response, 0);
  });

  it('T18: aborting one tag again and again ends it once', () => {
    rig.bed.store.hold = true;
    const slow = rig.offer(write(1), { out: out(1), tag: 9n });
    rig.turn();
    const heads = Array.from({ length: 5 }, () => rig.manage(ABORT_TASK, 9n));
    rig.turn();
    rig.bed.store.releaseAll();
    rig.turn();
    assert.deepEqual(
      heads.map((head) => outcome(rig, head)),
      [0, 0, 0, 0, 0],
    );
    assert.equal(rig.answer(slow).response, ABORTED);
    assert.equal(rig.device.outstanding, 0);
  });

  it('ABORT TASK SET ends own tasks ABORTED, LOGICAL UNIT RESET ends them RESET with 29/03', () => {
    for (const [subtype, response] of [
      [ABORT_TASK_SET, ABORTED],
      [CLEAR_TASK_SET, ABORTED],
      [LOGICAL_UNIT_RESET, RESET],
    ] as const) {
      rig.bed.store.hold = true;
      const heads = [1, 1, 3].map((lba) => rig.offer(write(lba), { out: out(lba) }));
      rig.turn();
      const head = rig.manage(subtype);
      rig.turn();
      assert.equal(outcome(rig, head), null);
      rig.bed.store.hold = false;
      rig.bed.store.releaseAll();
      rig.turn();
      assert.equal(outcome(rig, head), COMPLETE);
      for (const one of heads)
        assert.equal(rig.answer(one).response, response, `subtype ${subtype}`);
      assert.deepEqual(attentions(rig), subtype === LOGICAL_UNIT_RESET ? ['6/29/3'] : []);
    }
  });

  it("another nexus' tasks end with TASK ABORTED, and it hears of the reset", () => {
    const other = new Rig({ bed: rig.bed, identity: 'vhost:other' }).clear();
    rig.bed.store.hold = true;
    const theirs = other.offer(write(1), { out: out(1) });
    other.turn();
    const head = rig.manage(LOGICAL_UNIT_RESET);
    rig.turn();
    rig.bed.store.hold = false;
    rig.bed.store.releaseAll();
    rig.turn();
    other.turn();
    assert.equal(outcome(rig, head), COMPLETE);
    assert.deepEqual([other.answer(theirs).status, other.answer(theirs).response], [0x40, 0]);
    assert.deepEqual(attentions(other), ['6/29/3']);
    other.end();
  });

  it('I_T NEXUS RESET ends the tasks of this nexus at every unit, and no other', () => {
    rig.bed.add({ lun: 1 });
    const other = new Rig({ bed: rig.bed, identity: 'vhost:other' });
    attentions(rig);
    attentions(rig, lun(1));
    attentions(other, lun(1));
    for (const store of rig.bed.stores.values()) store.hold = true;
    const own = [0, 1].map((n) => rig.offer(write(1), { out: out(1), lun: lun(n) }));
    const theirs = other.offer(write(9), { out: out(1), lun: lun(1) });
    rig.turn();
    other.turn();
    // The LUN names a target only: one that has no unit will do.
    const head = rig.manage(I_T_NEXUS_RESET, 0n, lun(7));
    rig.turn();
    assert.equal(outcome(rig, head), null);
    rig.bed.stores.get(0)?.releaseAll();
    rig.turn();
    assert.equal(outcome(rig, head), null);
    rig.bed.stores.get(1)?.release(1);
    rig.turn();
    assert.equal(outcome(rig, head), COMPLETE);
    assert.deepEqual(
      own.map((one) => rig.answer(one).response),
      [RESET, RESET],
    );
    for (const store of rig.bed.stores.values()) store.hold = false;
    rig.bed.stores.get(1)?.releaseAll();
    other.turn();
    assert.deepEqual([other.answer(theirs).status, other.answer(theirs).response], [0, 0]);
    assert.deepEqual(attentions(rig), ['6/29/7']);
    assert.deepEqual(attentions(rig, lun(1)), ['6/29/7']);
    assert.deepEqual(attentions(other, lun(1)), []);
    other.end();
  });

  it('QUERY TASK and QUERY TASK SET say SUCCEEDED while the task is there, COMPLETE when not', () => {
    assert.equal(manage(QUERY_TASK, 5n), COMPLETE);
    assert.equal(manage(QUERY_TASK_SET), COMPLETE);
    rig.bed.store.hold = true;
    const slow = rig.offer(write(1), { out: out(1), tag: 5n });
    rig.turn();
    assert.equal(manage(QUERY_TASK, 5n), SUCCEEDED);
    assert.equal(manage(QUERY_TASK, 6n), COMPLETE);
    assert.equal(manage(QUERY_TASK_SET), SUCCEEDED);
    const other = new Rig({ bed: rig.bed, identity: 'vhost:other' });
    const head = other.manage(QUERY_TASK_SET);
    other.turn();
    assert.equal(outcome(other, head), COMPLETE, 'tasks of other nexuses do not count');
    other.end();
    rig.bed.store.releaseAll();
    rig.turn();
    assert.equal(rig.answer(slow).status, 0);
  });

  it('functions nobody implements, units and targets that are not there', () => {
    assert.equal(manage(CLEAR_ACA), COMPLETE, 'there is no ACA to clear');
    assert.equal(manage(8), REJECTED);
    assert.equal(manage(0xffff_ffff), REJECTED);
    for (const subtype of [
      ABORT_TASK,
      ABORT_TASK_SET,
      CLEAR_TASK_SET,
      LOGICAL_UNIT_RESET,
      QUERY_TASK,
      QUERY_TASK_SET,
    ]) {
      assert.equal(manage(subtype, 0n, lun(5)), INCORRECT_LUN);
      assert.equal(manage(subtype, 0n, lun(0, 5)), BAD_TARGET);
      assert.equal(manage(subtype, 0n, [0, 0, 0, 0, 0, 0, 0, 0]), BAD_TARGET);
    }
    assert.equal(manage(I_T_NEXUS_RESET, 0n, lun(0, 5)), BAD_TARGET);
  });

  it('asynchronous notifications are not supported: none of those asked for is granted', () => {
    for (const type of [1, 2]) {
      const head = rig.control([type, 0, 0, 0, ...lun(0), 0xff, 0xff, 0xff, 0xff], 5);
      rig.turn();
      assert.deepEqual([...(rig.controlAnswer(head) ?? [])], [0, 0, 0, 0, 0]);
      const other = rig.control([type, 0, 0, 0, ...lun(0, 1), 16, 0, 0, 0], 5);
      rig.turn();
      assert.deepEqual([...(rig.controlAnswer(other) ?? [])], [0, 0, 0, 0, BAD_TARGET]);
    }
  });

  it('T9: every control type and subtype with good and bad LUNs is answered or breaks this guest only', () => {
    const seeded = new Seeded();
    for (let i = 0; i < 500; i += 1) {
      const own = new Rig({ bed: rig.bed, identity: `vhost:t9-${i % 7}` });
      const bytes = seeded.bytes(seeded.below(40));
      if (bytes.length >= 4) bytes.set([seeded.below(4), 0, 0, 0]);
      if (bytes.length >= 16 && seeded.below(2) === 0)
        bytes.set(lun(seeded.below(3), seeded.below(2)), 8);
      if (bytes.length >= 8 && seeded.below(2) === 0) bytes.set([seeded.below(9), 0, 0, 0], 4);
      const head =
        bytes.length === 0 ? own.control([0], 1) : own.control([...bytes], seeded.below(8));
      own.turn();
      const answered = own.controlAnswer(head) !== null;
      assert.equal(answered, own.broken.length === 0, `seed ${seeded.seed} round ${i}`);
      for (const reason of own.broken) assert.match(reason, /^virtqueue 0: control request /);
      own.end();
    }
    rig.clear();
    assert.equal(rig.run(TUR).status, 0);
  });

  it('a control request of unknown type, or cut short, breaks the device off', () => {
    const cases: [number[], number, RegExp][] = [
      [[3, 0, 0, 0, ...lun(0), 0, 0, 0, 0], 5, /control request type 3 is none/],
      [[0, 0, 0], 1, /control request type -1 is none/],
      [new Array(23).fill(0), 1, /control request of type 0 with 23 readable and 1 writable bytes/],
      [new Array(24).fill(0), 0, /control request of type 0 with 24 readable and 0 writable/],
      [
        [1, ...new Array(15).fill(0)],
        4,
        /control request of type 1 with 16 readable and 4 writable/,
      ],
    ];
    for (const [bytes, answer, reason] of cases) {
      const own = new Rig({ bed: rig.bed, identity: 'vhost:short' });
      own.control(bytes, answer);
      own.turn();
      assert.match(own.broken[0] as string, reason);
      own.end();
    }
  });
});

describe('virtio-scsi events', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });
  afterEach(() => rig.end());
  const AT = 0xe000;

  /** Gives the device a buffer for an event. */
  const give = (head: number, length = 16): void => {
    const driver = rig.driver(EVENTS);
    rig.guest.view.fill(0xa5, AT + head * 32, AT + head * 32 + 32);
    driver.chain([{ at: AT + head * 32, length, write: true }], head);
    driver.offer(head);
  };
  /** The events that came, as event, LUN bytes 0 to 3, reason. */
  const events = (): number[][] => {
    const found: number[][] = [];
    const driver = rig.driver(EVENTS);
    for (let one = driver.take(); one !== null; one = driver.take()) {
      assert.equal(one.length, 16);
      const at = AT + one.id * 32;
      const { data, view } = rig.guest;
      found.push([
        data.getUint32(at, true),
        ...view.slice(at + 4, at + 8),
        data.getUint32(at + 12, true),
      ]);
      assert.deepEqual([...view.slice(at + 8, at + 12)], [0, 0, 0, 0]);
      assert.equal(view[at + 16], 0xa5);
    }
    return found;
  };

  it('units that come, go, are reset or grow are told at once', () => {
    for (const head of [0, 1, 2, 3, 4, 5]) give(head);
    rig.device.unitAdded(1);
    rig.device.unitRemoved(255);
    rig.device.unitReset(0);
    rig.device.capacityChanged(3);
    rig.device.unitAdded(256);
    rig.device.mediumChanged(2);
    assert.deepEqual(events(), [
      [1, 1, 0, 0, 1, 1],
      [1, 1, 0, 0, 255, 2],
      [1, 1, 0, 0, 0, 0],
      [3, 1, 0, 0, 3, 0x092a],
      [1, 1, 0, 0x41, 0, 1],
      [3, 1, 0, 0, 2, 0x0028],
    ]);
    assert.equal(rig.guest.interrupted(), true);
  });

  it('only what was negotiated is sent', () => {
    const quiet = new Rig({ bed: rig.bed, identity: 'vhost:quiet', features: 0 });
    quiet.device.unitAdded(1);
    quiet.device.capacityChanged(0);
    quiet.device.mediumChanged(0);
    assert.equal(quiet.driver(EVENTS).usedIndex, 0);
    quiet.device.poll(EVENTS, 8);
    assert.equal(quiet.device.arm(EVENTS), true);
    quiet.end();
    rig.device.setFeatures(0, 4);
    give(0);
    rig.device.unitAdded(1);
    rig.device.capacityChanged(0);
    assert.deepEqual(events(), [[3, 1, 0, 0, 0, 0x092a]]);
  });

  it('an event without a buffer is reported as missed: with the next buffer, or with the next event', () => {
    rig.device.unitAdded(1);
    assert.equal(rig.device.poll(EVENTS, 8), 0);
    assert.equal(rig.device.arm(EVENTS), true);
    give(0);
    assert.equal(rig.device.arm(EVENTS), false);
    assert.equal(rig.device.poll(EVENTS, 8), 1);
    rig.device.flush(EVENTS);
    assert.deepEqual(events(), [[0x8000_0000, 0, 0, 0, 0, 0]]);
    rig.device.unitAdded(1);
    give(1);
    give(2);
    rig.device.unitRemoved(2);
    rig.device.unitRemoved(3);
    assert.deepEqual(events(), [
      [0x8000_0001, 1, 0, 0, 2, 2],
      [1, 1, 0, 0, 3, 2],
    ]);
    assert.equal(rig.device.arm(EVENTS), true, 'buffers that wait are no reason to stay awake');
  });

  it('a buffer that cannot hold an event breaks the device off', () => {
    give(0, 15);
    rig.device.unitAdded(1);
    assert.match(
      rig.broken[0] as string,
      /virtqueue 1: event buffer with 0 readable descriptors and 15 writable/,
    );
  });
});

describe('virtio-scsi stop and reset', () => {
  it('stop takes nothing more and says where it is when the last answer is out', () => {
    const rig = new Rig().clear();
    rig.bed.store.hold = true;
    const slow = rig.offer(write(1), { out: out(1) });
    rig.turn();
    const last: number[] = [];

    const before = rig.driver(REQUESTS).next;
    rig.device.stop(REQUESTS, (index) => last.push(index));
    rig.offer(TUR);
    rig.turn();
    assert.equal(last.length, 0);
    assert.equal(rig.device.arm(REQUESTS), true);
    rig.bed.store.releaseAll();
    assert.deepEqual(last, [before]);
    assert.equal(rig.device.serves(REQUESTS), false);
    rig.turn();
    assert.equal(rig.answer(slow).status, 0);
    rig.device.stop(CONTROL, (index) => last.push(index));
    rig.device.stop(CONTROL, (index) => last.push(index));
    assert.deepEqual(last, [before, 0, 0]);
    rig.end();
  });

  it('a queue that was stopped starts again where it was', () => {
    const rig = new Rig().clear();
    const driver = rig.driver(REQUESTS);
    let base = -1;
    rig.device.stop(REQUESTS, (index) => {
      base = index;
    });
    rig.device.start(REQUESTS, driver.device({ base }));
    assert.equal(rig.run(TUR).status, 0);
    rig.end();
  });

  it('reset lets go of everything: late ends write nothing, and the nexus is new to the units', () => {
    const rig = new Rig().clear();
    rig.bed.store.hold = true;
    for (let i = 0; i < 20; i += 1) rig.offer(write(i), { out: out(i) });
    rig.turn();
    const function_ = rig.manage(ABORT_TASK_SET);
    rig.turn();
    assert.equal(rig.device.outstanding, 21);
    rig.device.reset();
    assert.equal(rig.device.idle(), false);
    rig.start();
    const frozen = rig.guest.view.slice();
    rig.bed.store.hold = false;
    rig.bed.store.releaseAll();
    rig.turn();
    assert.deepEqual(rig.guest.view, frozen);
    assert.equal(outcome(rig, function_), null);
    assert.equal(rig.device.idle(), true);
    assert.deepEqual(attentions(rig).at(-1), '6/29/7');
    assert.equal(rig.run(TUR).status, 0);
    rig.end();
  });

  it('a reset while requests are stuck leaves room for a whole queue of new ones', () => {
    const rig = new Rig().clear();
    rig.bed.store.hold = true;
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 32; i += 1) rig.offer(`28 00 00 00 00 00 00 00 01 00`, { in: BLOCK });
      rig.turn();
      rig.device.reset();
      rig.start();
    }
    rig.bed.store.hold = false;
    rig.bed.store.releaseAll();
    assert.equal(rig.device.idle(), true);
    assert.deepEqual(rig.broken, []);
    rig.clear();
    for (let i = 0; i < 32; i += 1) rig.offer(TUR);
    rig.turn();
    assert.equal(rig.run(TUR).status, 0);
    rig.end();
  });

  it('the socket is the identity of its first guest; the next one is anonymous and forgotten', () => {
    const bed = disk();
    const first = new Rig({ bed });
    const second = new Rig({ bed });
    assert.equal(first.device.nexus.anonymous, false);
    assert.equal(second.device.nexus.anonymous, true);
    assert.notEqual(first.device.nexus.index, second.device.nexus.index);
    const { index } = first.device.nexus;
    first.clear();
    first.end();
    const again = new Rig({ bed });
    assert.equal(again.device.nexus.index, index);
    assert.deepEqual(attentions(again), ['6/29/7']);
    again.end();
    second.end();
    assert.equal([...bed.target.nexuses.all()].length, 1);
  });

  it('faults of the store reach the guest as sense data, with the good bytes counted', () => {
    const rig = new Rig().clear();
    rig.bed.store.fail('write', MEDIUM_WRITE, BLOCK);
    const failed = rig.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(2 * BLOCK) });
    assert.deepEqual([failed.code, failed.response, failed.residual], ['3/c/0', 0, BLOCK]);
    rig.end();
  });

  it('a kick and an interrupt that were lost are made good by lookAgain', () => {
    const rig = new Rig({ eventIndex: true }).clear();
    const driver = rig.driver(REQUESTS);
    assert.equal(rig.device.lookAgain(), true, 'there was work');
    assert.equal(rig.device.lookAgain(), false, 'there was none since');
    assert.equal(rig.device.arm(REQUESTS), true);
    driver.usedEvent = driver.seen;
    rig.guest.interrupted();
    // The driver offers a request and looks at a stale event index: no kick.
    const head = rig.offer(TUR);
    assert.equal(rig.device.lookAgain(), true);
    assert.equal(rig.guest.interrupted(), true);
    assert.equal(driver.availEvent, driver.next, 'the next one is announced again');
    rig.turn();
    assert.equal(rig.answer(head).status, 0);
    rig.end();
  });

  it('an answer that comes late, and a queue that is armed, are reasons to look again', () => {
    const rig = new Rig().clear();
    const settle = (): void => {
      while (rig.device.lookAgain());
    };
    rig.bed.store.hold = true;
    rig.offer(write(1), { out: out(1) });
    rig.turn();
    settle();
    assert.equal(rig.device.worked, false);
    rig.bed.store.releaseAll();
    assert.equal(rig.device.worked, true);
    rig.turn();
    settle();
    rig.device.arm(EVENTS);
    assert.equal(rig.device.worked, false);
    rig.device.arm(REQUESTS);
    assert.equal(rig.device.worked, true);
    settle();
    rig.end();
  });
});
