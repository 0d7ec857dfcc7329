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
const ON = { idle: 0x02, standby: 0x01 } as const;
/** Timers in units of 100 ms; absent: disabled. */
function timers(a: TestNexus, times: { readonly idle?: number; readonly standby?: number }): void {
  const out = Buffer.alloc(4 + 40);
  out.set([0x1a, 0x26], 4);
  for (const [name, at] of [
    ['idle', 8],
    ['standby', 12],
  ] as const) {
    const time = times[name];
    if (time === undefined) continue;
    out[7] = (out[7] as number) | ON[name];
    out.writeUInt32BE(time, at);
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

  it('idle_b, idle_c and standby_y are refused with a pointer to the modifier', () => {
    const { a } = setUp();
    for (const [named, modifier] of [
      [IDLE, 1],
      [IDLE, 2],
      [STANDBY, 1],
    ] as const) {
      const refused = start(a, named, modifier);
      assert.deepEqual([refused.sense, refused.pointer], ['5/24/00', 'cdb 3.3']);
    }
    assert.equal(condition(a), '0/0');
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

  it('VPD 8Ah has standby_z and idle_a', () => {
    const { a } = setUp();
    const page = [...a.run('12 01 8a 00 ff 00', { in: 255 }).dataIn];
    assert.deepEqual(page, [0, 0x8a, 0, 14, 1, 1, ...new Array<number>(12).fill(0)]);
  });

  it('a unit that is gone has no timers', () => {
    const { bed, a, pass } = setUp();
    timers(a, { standby: 40 });
    bed.target.removeUnit(0, () => undefined);
    pass(8);
    assert.equal(bed.timers.run(), false);
  });
});
