/** Power conditions (SPC-4 5.11, SBC-3 4.20, 5.25): chosen by command, by timers, left by access; what a host is told of them. */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { disk, type TestNexus } from '../support/target.ts';

const ACTIVE = 0x1;
const IDLE = 0x2;
const STANDBY = 0x3;
const LU_CONTROL = 0x7;
const FORCE_IDLE = 0xa;
const FORCE_STANDBY = 0xb;
const READ = '28 00 00 00 00 00 00 00 01 00';
const WRITE = '2a 00 00 00 00 00 00 00 01 00';

const start = (a: TestNexus, condition: number, modifier = 0) =>
  a.run([0x1b, 0, 0, modifier, condition << 4, 0]);
/** ASC and ASCQ of REQUEST SENSE, whose sense key must be NO SENSE. */
function condition(a: TestNexus): string {
  const { dataIn } = a.run('03 00 00 00 12 00', { in: 18 });
  assert.equal(dataIn[2], 0);
  return `${(dataIn[12] as number).toString(16)}/${(dataIn[13] as number).toString(16)}`;
}
/** Byte and bit that enable a timer, and where it is, in the Power Condition mode page (SPC-4 7.5.13). */
const TIMERS = {
  idle: [3, 0x02, 4],
  idleB: [3, 0x04, 12],
  idleC: [3, 0x08, 16],
  standbyY: [2, 0x01, 20],
  standby: [3, 0x01, 8],
} as const;
/** Timers in units of 100 ms; absent: disabled. */
function timers(a: TestNexus, times: Partial<Record<keyof typeof TIMERS, number>>): void {
  const header = 4;
  const out = Buffer.alloc(header + 40);
  out.set([0x1a, 0x26], header);
  for (const [name, time] of Object.entries(times)) {
    const [byte, bit, at] = TIMERS[name as keyof typeof TIMERS];
    out[header + byte] = (out[header + byte] as number) | bit;
    out.writeUInt32BE(time, header + at);
  }
  assert.equal(a.run([0x15, 0x10, 0, 0, out.length, 0], { out }).status, 0);
}

describe('power conditions', () => {
  function setUp() {
    const bed = disk();
    const a = bed.nexus('a').clear();
    /** Lets a quarter of the shortest time pass, so often. */
    const pass = (times: number): void => {
      for (let i = 0; i < times; i += 1) bed.timers.run();
    };
    return { bed, a, pass };
  }

  it('IDLE and STANDBY are told by REQUEST SENSE, and by nothing else; ACTIVE ends them', () => {
    const { a } = setUp();
    assert.equal(condition(a), '0/0');
    assert.equal(start(a, IDLE).status, 0);
    assert.equal(condition(a), '5e/3');
    assert.equal(start(a, STANDBY).status, 0);
    assert.equal(condition(a), '5e/4');
    assert.equal(a.run('00 00 00 00 00 00').status, 0, 'TEST UNIT READY is GOOD and wakes nothing');
    assert.equal(condition(a), '5e/4');
    assert.equal(start(a, ACTIVE).status, 0);
    assert.equal(condition(a), '0/0');
  });

  it('a command that needs the medium makes the unit active', () => {
    const { a } = setUp();
    for (const command of [READ, WRITE]) {
      start(a, STANDBY);
      assert.equal(a.run(command, { in: 512, out: new Uint8Array(512) }).status, 0);
      assert.equal(condition(a), '0/0');
    }
    start(a, IDLE);
    a.run('12 00 00 00 24 00', { in: 36 });
    a.run('25 00 00 00 00 00 00 00 00 00', { in: 8 });
    assert.equal(condition(a), '5e/3');
  });

  for (const [name, named, modifier, told] of [
    ['idle_b', IDLE, 1, '5e/6'],
    ['idle_c', IDLE, 2, '5e/8'],
    ['standby_y', STANDBY, 1, '5e/a'],
  ] as const) {
    it(`the modifier of POWER CONDITION chooses ${name}`, () => {
      const { a } = setUp();
      assert.equal(start(a, named, modifier).status, 0);
      assert.equal(condition(a), told);
    });
  }

  it('reserved modifiers are refused with a pointer', () => {
    const { a } = setUp();
    for (const [named, modifier] of [
      [ACTIVE, 1],
      [IDLE, 3],
      [STANDBY, 2],
      [FORCE_IDLE, 3],
      [FORCE_STANDBY, 2],
    ] as const) {
      const refused = start(a, named, modifier);
      assert.deepEqual([refused.sense, refused.pointer], ['5/24/00', 'cdb 3.3']);
    }
    assert.equal(condition(a), '0/0');
  });

  it('STANDBY with any modifier makes everything stable first', () => {
    const { bed, a } = setUp();
    a.run(WRITE, { out: new Uint8Array(512).fill(7) });
    start(a, STANDBY, 1);
    bed.store.powerCut();
    assert.equal(bed.store.memory[0], 7);
  });

  it('each condition has a timer, and the quietest whose time is up is the one', () => {
    const { a, pass } = setUp();
    timers(a, { idle: 40, idleB: 50, idleC: 60, standbyY: 80, standby: 90 });
    const seen = Array.from({ length: 10 }, () => {
      pass(1);
      return condition(a);
    });
    // A look every 10: idle_a at 40, idle_b at 50, idle_c at 60, standby_y at 80, standby_z at 90.
    const quiet = ['5e/1', '5e/5', '5e/7', '5e/7', '5e/9', '5e/2', '5e/2'];
    assert.deepEqual(seen, ['0/0', '0/0', '0/0', ...quiet]);
  });

  it('a timer of a less quiet condition changes nothing', () => {
    const { a, pass } = setUp();
    timers(a, { idleB: 80, standbyY: 40 });
    pass(12);
    assert.equal(condition(a), '5e/9');
  });

  it('a command that chooses a condition while the standby timer flushes has the last word', () => {
    const { bed, a, pass } = setUp();
    timers(a, { standby: 40 });
    bed.store.hold = true;
    pass(4);
    assert.equal(bed.store.held.length, 1);
    assert.equal(start(a, ACTIVE).status, 0);
    bed.store.release();
    assert.equal(condition(a), '0/0');
  });

  it('a reset while the standby timer flushes makes the unit active', () => {
    const { bed, a, pass } = setUp();
    timers(a, { standby: 40 });
    bed.store.hold = true;
    pass(4);
    bed.unit.power.reset();
    bed.store.release();
    assert.equal(condition(a), '0/0');
  });

  it('FORCE_IDLE_0 and FORCE_STANDBY_0 reach the condition their modifier names', () => {
    const { a } = setUp();
    timers(a, { idleC: 100, standbyY: 1000 });
    start(a, FORCE_IDLE, 1);
    assert.equal(condition(a), '0/0', 'the timer of idle_b is disabled');
    start(a, FORCE_IDLE, 2);
    assert.equal(condition(a), '5e/7');
    start(a, FORCE_STANDBY, 1);
    assert.equal(condition(a), '5e/9');
  });

  it('log page 1Ah counts the transitions to each condition', () => {
    const { a } = setUp();
    for (const [named, modifier] of [
      [IDLE, 0],
      [IDLE, 1],
      [IDLE, 2],
      [STANDBY, 0],
      [STANDBY, 1],
      [STANDBY, 1],
      [ACTIVE, 0],
      [IDLE, 0],
    ] as const) {
      start(a, named, modifier);
    }
    const { dataIn } = a.run('4d 00 5a 00 00 00 00 00 ff 00', { in: 255 });
    const counted = (code: string, count: number): string => `${code}2204${`0000000${count}`}`;
    assert.equal(
      Buffer.from(dataIn).toString('hex'),
      `9a000030${[
        counted('0001', 1),
        counted('0002', 2),
        counted('0003', 1),
        counted('0004', 1),
        counted('0008', 1),
        counted('0009', 1),
      ].join('')}`,
    );
  });

  it('the idle timer expires when nothing needs the medium for its time, and not before', () => {
    const { a, pass } = setUp();
    timers(a, { idle: 40 });
    pass(3);
    assert.equal(condition(a), '0/0');
    pass(1);
    assert.equal(condition(a), '5e/1');
    a.run(READ, { in: 512 });
    assert.equal(condition(a), '0/0');
    pass(2);
    a.run(READ, { in: 512 });
    pass(4);
    assert.equal(condition(a), '0/0', 'it began again');
    pass(1);
    assert.equal(condition(a), '5e/1');
  });

  it('polling does not keep it from expiring, commands under way do', () => {
    const { bed, a, pass } = setUp();
    timers(a, { idle: 40 });
    for (let i = 0; i < 4; i += 1) {
      pass(1);
      condition(a);
      a.run('00 00 00 00 00 00');
    }
    assert.equal(condition(a), '5e/1');
    bed.store.hold = true;
    const read = a.start(READ, { in: 512 });
    pass(8);
    assert.equal(condition(a), '0/0');
    bed.store.release();
    assert.equal(read.result.status, 0);
  });

  it('the standby timer makes everything stable first; when that fails there is no standby', () => {
    const { bed, a, pass } = setUp();
    a.run(WRITE, { out: new Uint8Array(512).fill(7) });
    timers(a, { standby: 40 });
    bed.store.powerCut();
    a.run(WRITE, { out: new Uint8Array(512).fill(8) });
    pass(5);
    assert.equal(condition(a), '5e/2');
    bed.store.powerCut();
    assert.equal(bed.store.memory[0], 8);
    a.run(WRITE, { out: new Uint8Array(512).fill(9) });
    bed.store.fail('flush', MEDIUM_WRITE);
    pass(5);
    const told = a.run('00 00 00 00 00 00');
    assert.deepEqual([told.sense, told.senseBytes[0]], ['3/0c/00', 0x71], 'a deferred error');
    assert.equal(condition(a), '0/0');
  });

  it('idle is followed by standby', () => {
    const { a, pass } = setUp();
    timers(a, { idle: 40, standby: 80 });
    pass(4);
    assert.equal(condition(a), '5e/1');
    pass(4);
    assert.equal(condition(a), '5e/2');
  });

  it('a condition that a command chose keeps the timers still until LU_CONTROL or a reset', () => {
    const { bed, a, pass } = setUp();
    timers(a, { idle: 40 });
    start(a, ACTIVE);
    pass(10);
    assert.equal(condition(a), '0/0');
    start(a, LU_CONTROL);
    pass(4);
    assert.equal(condition(a), '5e/1');
    start(a, STANDBY);
    bed.unit.reset();
    a.run('00 00 00 00 00 00');
    assert.equal(condition(a), '0/0');
  });

  it('FORCE_IDLE_0 and FORCE_STANDBY_0 let an enabled timer expire, a disabled one not', () => {
    const { a } = setUp();
    start(a, FORCE_IDLE);
    start(a, FORCE_STANDBY);
    assert.equal(condition(a), '0/0');
    timers(a, { idle: 100, standby: 1000 });
    start(a, FORCE_IDLE);
    assert.equal(condition(a), '5e/1');
    start(a, FORCE_STANDBY);
    assert.equal(condition(a), '5e/2');
  });

  it('VPD 8Ah has every condition', () => {
    const { a } = setUp();
    const page = [...a.run('12 01 8a 00 ff 00', { in: 255 }).dataIn];
    assert.deepEqual(page, [0, 0x8a, 0, 14, 3, 7, ...new Array<number>(12).fill(0)]);
  });

  it('a unit that is gone has no timers', () => {
    const { bed, a, pass } = setUp();
    timers(a, { standby: 40 });
    bed.target.removeUnit(0, () => undefined);
    pass(8);
    assert.equal(bed.timers.run(), false);
  });
});
