/** The SCSI host device by virtio 1.2 clause 5.6.6: requests of any framing, responses to the byte, and what it refuses. */
import { strict as assert } from 'node:assert';
import { mapAnonymous } from '../../../src/libc.ts';
import { DirtyLog } from '../../../src/transport/vhost/dirty-log.ts';
import { Seeded } from '../control/seeded.ts';
import { INDIRECT, NEXT, WRITE } from './guest.ts';
import { CONTROL, lun, REQUESTS, Rig } from './rig.ts';

const OK = 0;
const OVERRUN = 1;
const BAD_TARGET = 3;
const FAILURE = 9;
const BLOCK = 512;

const READ = '28 00 00 00 00 04 00 00 01 00';
const WRITE_10 = '2a 00 00 00 00 04 00 00 01 00';
const INQUIRY = '12 00 00 00 60 00';
const POISON = 0xa5;

const pattern = (seed: number, bytes = BLOCK): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + seed) & 0xff);

describe('virtio-scsi requests', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });
  afterEach(() => {
    assert.deepEqual(rig.bed.internalErrors, []);
    rig.end();
  });

  it('the first command of a nexus finds POWER ON; the second one goes through', () => {
    const first = rig.run('00 00 00 00 00 00');
    assert.deepEqual([first.status, first.response, first.code], [2, OK, '6/29/0']);
    assert.equal(first.senseLength, 18);
    assert.deepEqual(first.sense.slice(18), new Uint8Array(78));
    assert.equal(first.used, 108);
    const second = rig.run('00 00 00 00 00 00');
    assert.deepEqual([second.status, second.response, second.senseLength], [0, OK, 0]);
    assert.deepEqual(second.sense, new Uint8Array(96));
    assert.deepEqual(rig.broken, []);
  });

  it('data moves both ways, and the used length is response and data-in to the byte', () => {
    rig.clear();
    const written = rig.run(WRITE_10, { out: pattern(3) });
    assert.deepEqual([written.status, written.residual, written.used], [0, 0, 108]);
    const read = rig.run(READ, { in: BLOCK });
    assert.deepEqual([read.status, read.residual, read.used], [0, 0, 108 + BLOCK]);
    assert.deepEqual(read.data, pattern(3));
    assert.equal(rig.device.counters.commands >= 2, true);
    assert.equal(rig.device.counters.bytesIn, BLOCK);
    assert.equal(rig.device.counters.bytesOut, BLOCK);
  });

  it('T7: header and response may be cut at any byte, data too', () => {
    rig.clear();
    for (let at = 0; at <= 51; at += 1) {
      const cuts = [at, 51 - at, 7];
      assert.equal(rig.run(WRITE_10, { out: pattern(at), readableCuts: cuts }).status, 0);
      assert.equal(rig.run(READ, { in: BLOCK }).data[5], (35 + at) & 0xff);
    }
    for (let at = 0; at <= 108; at += 1) {
      const read = rig.run(READ, { in: BLOCK, writableCuts: [at, 110 - at, 1] });
      assert.deepEqual([read.status, read.used, read.data[511]], [0, 620, (511 * 7 + 51) & 0xff]);
      const sense = rig.run('ff', { writableCuts: [at] });
      assert.deepEqual([sense.code, sense.used], ['5/20/0', 108]);
    }
    const single = rig.run(WRITE_10, { out: pattern(9), readableCuts: [51 + BLOCK] });
    assert.equal(single.status, 0);
    const bytes = Array.from({ length: 159 }, () => 1);
    const read = rig.run(READ, { in: BLOCK, readableCuts: bytes, writableCuts: bytes });
    assert.deepEqual(read.data, pattern(9));
  });

  it('T7: random cuts give what one buffer gives', () => {
    const seeded = new Seeded();
    rig.clear();
    for (let i = 0; i < 400; i += 1) {
      const cuts = (): number[] =>
        Array.from({ length: seeded.below(12) }, () => seeded.below(120));
      const note = `seed ${seeded.seed} round ${i}`;
      const out = pattern(seeded.below(256));
      const written = rig.run(WRITE_10, { out, readableCuts: cuts(), writableCuts: cuts() });
      assert.deepEqual([written.status, written.response, written.used], [0, 0, 108], note);
      const read = rig.run(READ, { in: BLOCK, readableCuts: cuts(), writableCuts: cuts() });
      assert.deepEqual(read.data, out, note);
    }
  });

  it('residuals are measured against the buffers', () => {
    rig.clear();
    const long = rig.run(READ, { in: 700 });
    assert.deepEqual([long.status, long.response, long.residual], [0, OK, 188]);
    assert.equal(long.used, 108 + BLOCK);
    assert.deepEqual(long.data.slice(BLOCK), new Uint8Array(188).fill(POISON));
    const unused = rig.run('00 00 00 00 00 00', { out: new Uint8Array(10) });
    assert.deepEqual([unused.response, unused.residual], [OK, 10]);
    const inquiry = rig.run(INQUIRY, { in: 200 });
    assert.equal(inquiry.residual, 200 - (inquiry.used - 108));
    const failed = rig.run('28 00 ff ff ff ff 00 00 01 00', { in: BLOCK });
    assert.deepEqual([failed.code, failed.residual, failed.used], ['5/21/0', BLOCK, 108]);
  });

  it('a command that needs more than its buffers hold is an overrun', () => {
    rig.clear();
    const short = rig.run('28 00 00 00 00 04 00 00 02 00', { in: BLOCK });
    assert.deepEqual([short.status, short.response, short.residual], [0, OVERRUN, 0]);
    assert.equal(short.used, 108 + BLOCK);
    const none = rig.run(READ);
    assert.deepEqual([none.response, none.used], [OVERRUN, 108]);
    const wrongWay = rig.run(READ, { out: new Uint8Array(BLOCK) });
    assert.deepEqual([wrongWay.response, wrongWay.residual], [OVERRUN, BLOCK]);
    const write = rig.run('2a 00 00 00 00 04 00 00 02 00', { out: pattern(1, 700) });
    assert.equal(write.response, OVERRUN);
    const exact = rig.run(INQUIRY, { in: 96 });
    assert.equal(exact.response, OK);
    const failed = rig.run('28 00 ff ff ff ff 00 00 01 00');
    assert.deepEqual([failed.response, failed.code], [OK, '5/21/0'], 'the status says more');
  });

  it('the LUN field: target 0 only, peripheral and flat, REPORT LUNS as C1 01', () => {
    rig.bed.add({ lun: 300 });
    rig.clear();
    const response = (field: readonly number[]): [number, string] => {
      let last = rig.run('00 00 00 00 00 00', { lun: field });
      for (let i = 0; i < 8 && last.code.startsWith('6/'); i += 1) {
        last = rig.run('00 00 00 00 00 00', { lun: field });
      }
      return [last.response, last.code];
    };
    assert.deepEqual(response(lun(0)), [OK, '']);
    assert.deepEqual(response([1, 0, 0x40, 0, 0, 0, 0, 0]), [OK, '']);
    assert.deepEqual(response(lun(300)), [OK, '']);
    assert.deepEqual(response([0xc1, 1, 0, 0, 0, 0, 0, 0]), [OK, '']);
    assert.deepEqual(response(lun(1)), [OK, '5/25/0']);
    assert.deepEqual(response([1, 0, 0x80, 0, 0, 0, 0, 0]), [OK, '5/25/0']);
    assert.deepEqual(response([1, 0, 0, 0, 0, 0, 0, 1]), [OK, '5/25/0']);
    assert.deepEqual(response(lun(0, 1)), [BAD_TARGET, '']);
    assert.deepEqual(response(lun(0, 255)), [BAD_TARGET, '']);
    for (const first of [0, 2, 0x40, 0x81, 0xff]) {
      assert.deepEqual(response([first, 0, 0, 0, 0, 0, 0, 0]), [BAD_TARGET, '']);
    }
    const refused = rig.run(READ, { in: BLOCK, lun: lun(0, 3) });
    assert.deepEqual([refused.used, refused.residual], [108, BLOCK]);
    const listed = rig.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256 });
    assert.deepEqual([...listed.data.slice(0, 4)], [0, 0, 0, 16]);
    assert.deepEqual([...listed.data.slice(16, 18)], [0x41, 0x2c]);
  });

  it('task attributes are carried: HEAD OF QUEUE passes a waiting SIMPLE, ORDERED waits, ACA is refused', () => {
    rig.clear();
    rig.bed.store.hold = true;
    const first = rig.offer(WRITE_10, { out: pattern(1) });
    const ordered = rig.offer(READ, { in: BLOCK, attribute: 1 });
    const simple = rig.offer('28 00 00 00 00 09 00 00 01 00', { in: BLOCK });
    rig.turn();
    assert.equal(rig.bed.store.held.length, 1);
    const head = rig.offer('28 00 00 00 00 20 00 00 01 00', { in: BLOCK, attribute: 2 });
    rig.turn();
    assert.equal(rig.bed.store.held.length, 2);
    const aca = rig.offer('00 00 00 00 00 00', { attribute: 3 });
    const reserved = rig.offer('00 00 00 00 00 00', { attribute: 4 });
    rig.turn();
    assert.equal(rig.answer(aca).code, '5/49/0');
    assert.equal(rig.answer(reserved).code, 'b/e/3');
    rig.bed.store.releaseAll();
    rig.turn();
    for (const one of [first, ordered, simple, head]) assert.equal(rig.answer(one).status, 0);
  });

  it('priority, tag and the 32 bytes of the CDB reach the task', () => {
    rig.clear();
    const seen: [number, number, number, number, number][] = [];
    rig.device.trace = (task) =>
      seen.push([task.priority, task.tagHigh, task.tagLow, task.cdbBytes, task.cdb[31] as number]);
    const cdb = `12 00 00 00 24 00 ${'00 '.repeat(25)}77`;
    rig.run(cdb, { priority: 0xf5, tag: 0xffff_8880_1234_5678n, in: 36 });
    assert.deepEqual(seen, [[5, 0xffff_8880 | 0, 0x1234_5678, 32, 0x77]]);
  });

  it('both data directions at once are refused without VIRTIO_SCSI_F_INOUT', () => {
    rig.clear();
    const both = rig.run(READ, { in: BLOCK, out: new Uint8Array(BLOCK) });
    assert.deepEqual([both.response, both.residual, both.used], [FAILURE, 2 * BLOCK, 108]);
  });

  it('with VIRTIO_SCSI_F_INOUT a bidirectional command has both', () => {
    const own = new Rig({ features: 7 });
    own.clear();
    const out = new Uint8Array(BLOCK).fill(0x21);
    const both = own.run('53 00 00 00 00 00 00 00 01 00', { in: BLOCK, out });
    assert.deepEqual([both.status, both.residual, both.used], [0, 0, 108 + BLOCK]);
    const more = own.run('53 00 00 00 00 00 00 00 01 00', { in: BLOCK + 100, out });
    assert.deepEqual([more.status, more.residual, more.used], [0, 100, 108 + BLOCK]);
  });

  it('a request without room for its headers breaks the device off', () => {
    const cases: [readonly number[], readonly number[]][] = [
      [[50], [108]],
      [[51], [107]],
      [[51], []],
      [[], [108]],
    ];
    for (const [readable, writable] of cases) {
      const own = new Rig();
      const driver = own.driver(REQUESTS);
      driver.chain([
        ...readable.map((length) => ({ at: 0x10000, length })),
        ...writable.map((length) => ({ at: 0x11000, length, write: true })),
      ]);
      driver.offer(0);
      own.turn();
      assert.match(
        own.broken.join(),
        /virtqueue 2: request with \d+ readable and \d+ writable bytes/,
      );
      assert.equal(driver.usedIndex, 0);
      own.end();
    }
  });

  it('buffers outside the memory break the device off, wherever in the chain', () => {
    for (const where of ['header', 'out', 'response', 'in']) {
      const own = new Rig();
      const driver = own.driver(REQUESTS);
      const at = (name: string, offset: number): number =>
        name === where ? own.guest.bytes - 20 : offset;
      driver.chain([
        { at: at('header', 0x10000), length: 51 },
        { at: at('out', 0x11000), length: 512 },
        { at: at('response', 0x12000), length: 108, write: true },
        { at: at('in', 0x13000), length: 512, write: true },
      ]);
      driver.offer(0);
      own.turn();
      assert.equal(own.broken.length, 1, where);
      assert.match(
        own.broken[0] as string,
        /virtqueue 2: descriptor addr 0x1001fffec with len \d+ lies outside/,
      );
      assert.equal(own.device.idle(), true);
      own.end();
    }
  });

  it('T2: a loop breaks the device off; another guest of the target does not notice', () => {
    const other = new Rig({ bed: rig.bed, identity: 'vhost:other' }).clear();
    const driver = rig.driver(REQUESTS);
    driver.describe(0, rig.guest.base, 1, NEXT | WRITE, 0);
    driver.offer(0);
    rig.turn();
    assert.match(rig.broken[0] as string, /virtqueue 2: descriptor chain of head 0 is longer/);
    assert.equal(rig.device.poll(REQUESTS, 8), 0);
    assert.equal(rig.device.arm(REQUESTS), true);
    assert.equal(other.run(READ, { in: BLOCK }).status, 0);
    other.end();
  });

  it('T3: a poll takes no more than its budget', () => {
    rig.clear();
    for (let i = 0; i < 20; i += 1) rig.offer('00 00 00 00 00 00');
    assert.equal(rig.device.poll(REQUESTS, 8), 8);
    assert.equal(rig.device.poll(REQUESTS, 8), 8);
    assert.equal(rig.device.poll(REQUESTS, 8), 4);
    rig.device.flush(REQUESTS);
  });

  it('T16: no byte of a response is stale, and none past the used length is touched', () => {
    rig.clear();
    rig.run('28 00 ff ff ff ff 00 00 01 00', { in: BLOCK });
    for (const cdb of ['00 00 00 00 00 00', 'ff', INQUIRY, READ]) {
      const size = cdb === '00 00 00 00 00 00' || cdb === 'ff' ? 0 : BLOCK;
      const head = rig.offer(cdb, { in: size });
      const at = 0x10000 + head * 0x8000 + 0x3000;
      rig.turn();
      const { used, senseLength } = rig.answer(head);
      const written = rig.guest.view.slice(at, at + 108);
      assert.deepEqual(written.slice(12 + senseLength), new Uint8Array(96 - senseLength), cdb);
      assert.equal(rig.guest.view[at + used], POISON, cdb);
    }
  });

  it('T19: data-in that overlaps the response, the header or the rings harms this guest only', () => {
    const driver = rig.driver(REQUESTS);
    for (const dataIn of [0x11000, 0x10000, driver.desc, driver.used - 100]) {
      const own = new Rig().clear();
      const ring = own.driver(REQUESTS);
      const header = new Uint8Array(51);
      header.set(lun(0));
      header.set([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], 19);
      own.guest.view.set(header, 0x10000);
      ring.chain(
        [
          { at: 0x10000, length: 51 },
          { at: 0x11000, length: 108, write: true },
          { at: dataIn, length: BLOCK, write: true },
        ],
        20,
      );
      ring.offer(20);
      own.device.poll(REQUESTS, 4);
      own.device.flush(REQUESTS);
      own.device.poll(REQUESTS, 4);
      assert.equal(own.device.idle(), true);
      own.end();
    }
  });

  it('T8: every page the guest may see written is in the dirty log, and no other', () => {
    const mapping = mapAnonymous(4096 * 64);
    const log = new DirtyLog(mapping);
    const own = new Rig({ log });
    own.clear();
    const bits = new Uint8Array(mapping.buffer);
    bits.fill(0);
    const head = own.offer(READ, { in: BLOCK, writableCuts: [50, 58, 100] });
    own.bed.store.memory.fill(0x5c);
    const offered = own.guest.view.slice();
    own.turn();
    assert.equal(own.answer(head).status, 0);
    for (let page = 0; page < own.guest.bytes / 4096; page += 1) {
      const from = page * 4096;
      const changed = !Buffer.from(own.guest.view.buffer, from, 4096).equals(
        offered.subarray(from, from + 4096),
      );
      const number = own.guest.base / 4096 + page;
      const marked = ((bits[number >> 3] as number) & (1 << (number & 7))) !== 0;
      assert.equal(marked, changed, `page ${page}`);
    }
    own.end();
    log.close();
  });

  it('the reason says which queue broke', () => {
    const own = new Rig();
    const driver = own.driver(CONTROL);
    driver.describe(0, own.guest.base + own.guest.bytes, 16, INDIRECT);
    driver.offer(0);
    own.turn();
    assert.match(own.broken[0] as string, /^virtqueue 0: indirect table addr/);
    own.end();
  });
});
