/** How EXTENDED COPY(LID1) fails: what its list may not say, which segment the sense data names, and who is told (SPC-4 5.17.7.4, 6.23). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { MEDIUM_READ } from '../../src/scsi/contracts.ts';
import { copyCdb, copyList, cscd, segment } from '../support/copy-list.ts';
import type { Outcome, Pending } from '../support/direct-port.ts';
import { type DiskOptions, disk } from '../support/target.ts';
import {
  informationCdb,
  populateCdb,
  populateList,
  readInformation,
} from '../support/token-list.ts';

const BLOCK = 512;

function inCdb(action: number, id: number): number[] {
  return [0x84, action, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
}
const status = (id: number): number[] => inCdb(0, id);
const details = (id: number): number[] => inCdb(4, id);

function bench(options: DiskOptions = {}) {
  const bed = disk({ blocks: 4096, ...options });
  bed.add({ blocks: 4096, ...options, lun: 1 });
  const a = bed.nexus('a').clear();
  const [zero, one] = bed.target.units().map(({ identity }) => cscd(identity.naa));
  assert(zero !== undefined && one !== undefined);
  function copy(list: Uint8Array, lun = 0): Outcome {
    const pending = a.start(copyCdb(list.length), { out: list, lun });
    while (!pending.done && bed.timers.run());
    return pending.result;
  }
  return { bed, a, zero, one, copy, store: bed.store };
}
const way = segment({ from: 0, to: 9, blocks: 1 });

/** Descriptor at the CSCD of LUN 0 with one byte of it changed. */
function changed(bytes: Buffer, at: number, value: number): Buffer {
  const other = Buffer.from(bytes);
  other[at] = value;
  return other;
}

describe('EXTENDED COPY(LID1), its list', () => {
  it('with the reserved LIST ID USAGE 01b is 5/26/00 at that field', () => {
    const { copy, zero } = bench();
    const r = copy(copyList([zero], [way], { usage: 1 }));
    assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 1.4']);
  });

  it('with LIST ID USAGE 10b keeps results like 00b', () => {
    const { copy, zero, a } = bench();
    assert.equal(copy(copyList([zero], [way], { usage: 2 })).status, 0);
    assert.equal(a.run(status(1), { in: 256 }).dataIn[4], 1);
  });

  it('with a null device or a designator that does not fit is 5/26/00 there', () => {
    const { copy, zero } = bench();
    const nul = copy(copyList([zero, changed(zero, 1, 0x20)], [way]));
    assert.deepEqual([nul.sense, nul.pointer], ['5/26/00', 'list 49.5']);
    const long = copy(copyList([changed(zero, 7, 21)], [way]));
    assert.deepEqual([long.sense, long.pointer], ['5/26/00', 'list 23']);
  });

  it('with LU ID TYPE 01b means the same unit', () => {
    const { copy, zero } = bench();
    assert.equal(copy(copyList([changed(zero, 1, 0x40)], [way])).status, 0);
  });

  it('that names another device type is A/0D/03', () => {
    const { copy, zero, store } = bench();
    assert.equal(copy(copyList([changed(zero, 1, 0x05)], [way])).sense, 'a/0d/03');
    assert.equal(store.requests.length, 0);
  });

  it('whose designators are no binary NAA designators of units name nobody: A/08/04', () => {
    const { copy, zero } = bench();
    for (const [at, value] of [
      [4, 0x02],
      [5, 0x02],
      [5, 0x13],
      [5, 0x23],
      [7, 8],
    ] as const) {
      const r = copy(copyList([changed(zero, at, value)], [way]));
      assert.equal(r.sense, 'a/08/04', `byte ${at} = ${value}`);
    }
  });
});

/** COMMAND-SPECIFIC INFORMATION and sense-key specific bytes of fixed format sense data. */
function segmentOf({ senseBytes }: Outcome): readonly [number, string] {
  const bytes = Buffer.from(senseBytes);
  assert.equal(bytes[0], 0x70);
  return [bytes.readUInt32BE(8), bytes.subarray(15, 18).toString('hex')];
}

describe('a segment that fails', () => {
  it('is named, with its CSCD descriptor when that is what is wrong', () => {
    const { copy, zero, one, bed } = bench();
    const elsewhere = cscd(new Uint8Array(16).fill(0x77));
    const there = segment({ source: 0, destination: 1, from: 0, to: 9, blocks: 1 });
    const unknown = copy(copyList([zero, elsewhere], [way, way, there]));
    assert.equal(unknown.sense, 'a/08/04');
    assert.deepEqual(segmentOf(unknown), [2, '800030']);
    bed.stores.get(1)?.fail('write', 3);
    const failed = copy(copyList([zero, one], [way, there]));
    assert.equal(failed.sense, 'a/0d/01');
    assert.deepEqual(segmentOf(failed), [1, '800030']);
    bed.store.fail('read', MEDIUM_READ);
    assert.deepEqual(segmentOf(copy(copyList([zero, one], [there]))), [0, '800010']);
  });

  it('is named with the byte of its descriptor that is wrong (SD = 1)', () => {
    const { copy, zero } = bench();
    for (const [options, byte] of [
      [{ source: 1, from: 0, to: 9, blocks: 1 }, '04'],
      [{ destination: 1, from: 0, to: 9, blocks: 1 }, '06'],
      [{ from: 4096, to: 9, blocks: 1 }, '0c'],
      [{ from: 0, to: 4096, blocks: 1 }, '14'],
    ] as const) {
      const r = copy(copyList([zero], [way, segment(options)]));
      assert.deepEqual(segmentOf(r), [1, `a000${byte}`]);
    }
  });

  it('is named in descriptor format by descriptors 01h and 02h', () => {
    const { copy, zero, bed } = bench();
    bed.unit.descriptorSense = true;
    const { senseBytes } = copy(copyList([zero], [way, segment({ from: 4096, to: 9, blocks: 1 })]));
    assert.equal(
      Buffer.from(senseBytes).toString('hex'),
      '720a000000000014010a000000000000000000010206000 0a0000c00'.replace(' ', ''),
    );
  });
});

describe('RECEIVE COPY FAILURE DETAILS(LID1)', () => {
  it('has the status and the sense data of the copy, once', () => {
    const { copy, zero, a, store } = bench();
    store.fail('read', MEDIUM_READ);
    const failed = copy(copyList([zero], [way], { listIdentifier: 7 }));
    const data = Buffer.from(a.run(details(7), { in: 256 }).dataIn);
    assert.equal(data.readUInt32BE(0), data.length - 4);
    assert.ok(data.subarray(4, 56).every((byte) => byte === 0));
    assert.deepEqual([...data.subarray(56, 60)], [2, 0, 0, 18]);
    assert.deepEqual(data.subarray(60), Buffer.from(failed.senseBytes));
    assert.deepEqual([...a.run(details(7), { in: 256 }).dataIn], [0, 0, 0, 0]);
  });

  it('and COPY STATUS do not forget for each other', () => {
    const { copy, zero, a, store } = bench();
    const list = copyList([zero], [way], { listIdentifier: 7 });
    store.fail('read', MEDIUM_READ);
    copy(list);
    assert.equal(a.run(status(7), { in: 256 }).dataIn[4], 2);
    assert.equal(a.run(status(7), { in: 256 }).sense, '5/24/00');
    assert.equal(a.run(details(7), { in: 256 }).dataIn.length, 78);
    assert.equal(a.run(details(7), { in: 256 }).sense, '5/24/00');
    store.fail('read', MEDIUM_READ);
    copy(list);
    assert.equal(a.run(details(7), { in: 256 }).dataIn.length, 78);
    assert.equal(a.run(status(7), { in: 256 }).dataIn[4], 2);
  });

  it('has nothing of a copy that went well', () => {
    const { copy, zero, a } = bench();
    assert.equal(copy(copyList([zero], [way])).status, 0);
    assert.deepEqual([...a.run(details(1), { in: 256 }).dataIn], [0, 0, 0, 0]);
    assert.equal(a.run(status(1), { in: 256 }).dataIn[4], 1);
  });

  it('of a copy that nobody knows is 5/24/00 at the identifier', () => {
    const r = bench().a.run(details(1), { in: 256 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2']);
  });

  it('is told of a later copy with the same identifier, not of the one before', () => {
    const { copy, zero, a, store } = bench();
    store.fail('read', MEDIUM_READ);
    copy(copyList([zero], [way]));
    assert.equal(copy(copyList([zero], [way])).status, 0);
    assert.deepEqual([...a.run(details(1), { in: 256 }).dataIn], [0, 0, 0, 0]);
  });
});

describe('results of copies', () => {
  it('of other commands are not found by a LIST IDENTIFIER of one byte, of EXTENDED COPY by one of four', () => {
    const { copy, zero, a } = bench();
    const list = populateList([[0, 1]]);
    assert.equal(a.run(populateCdb(list.length, 5), { out: list }).status, 0);
    assert.equal(a.run(status(5), { in: 256 }).sense, '5/24/00');
    assert.equal(a.run(details(5), { in: 256 }).sense, '5/24/00');
    assert.equal(copy(copyList([zero], [way], { listIdentifier: 6 })).status, 0);
    const { token, status: state } = readInformation(a.run(informationCdb(6), { in: 256 }).dataIn);
    assert.deepEqual([token.length, state], [0, 0x01]);
  });

  it('belong to the unit that was asked, too', () => {
    const { copy, zero, a } = bench();
    assert.equal(copy(copyList([zero], [way]), 1).status, 0);
    assert.equal(a.run(status(1), { in: 256 }).sense, '5/24/00');
    assert.equal(a.run(status(1), { in: 256, lun: 1 }).dataIn[4], 1);
  });

  it('end with a reset of the unit, and with the nexus', () => {
    const { copy, zero, a, bed } = bench();
    copy(copyList([zero], [way]));
    a.manage(0x08);
    a.clear();
    assert.equal(a.run(status(1), { in: 256 }).sense, '5/24/00');
    copy(copyList([zero], [way]));
    bed.target.nexusLost(a.nexus);
    bed.target.login('a', 'a', false);
    a.clear();
    assert.equal(a.run(status(1), { in: 256 }).sense, '5/24/00');
  });
});

describe('bounce buffers of copies', () => {
  it('are given back between two pieces: others need not wait for a whole copy', () => {
    const { zero, a, store, bed } = bench({ bounceBuffers: 1 });
    const list = copyList([zero], [segment({ from: 0, to: 1024, blocks: 1024 })]);
    store.hold = true;
    const copy = a.start(copyCdb(list.length), { out: list });
    const verify = a.start('2f 00 00 00 0f ff 00 00 01 00');
    while (!verify.done) store.release();
    assert.equal(copy.done, false);
    store.hold = false;
    do store.releaseAll();
    while (bed.timers.run());
    assert.equal(copy.result.status, 0);
  });

  it('leave one for a command that a copy has to wait for', () => {
    const { zero, a, store, bed } = bench({ bounceBuffers: 2 });
    store.hold = true;
    const ways = [1000, 2000].map((to, i) => {
      const list = copyList([zero], [segment({ from: 0, to, blocks: 1 })], { listIdentifier: i });
      return a.start(copyCdb(list.length), { out: list });
    });
    const verifies = ['03 e8', '07 d0'].map((lba) => a.start(`2f 00 00 00 ${lba} 00 00 01 00`));
    for (let i = 0; i < 100 && !ways.every(({ done }) => done); i += 1) {
      if (store.held.length > 0) store.release();
      else bed.timers.run();
    }
    for (const each of [...ways, ...verifies]) assert.equal(each.result.status, 0);
  });

  it('come to copies in turn with commands, however many of those wait', () => {
    const { a, zero, store, bed } = bench({ bounceBuffers: 1 });
    store.hold = true;
    const verify = (): Pending => a.start('2f 00 00 00 0f ff 00 00 01 00');
    let latest = verify();
    verify();
    const list = copyList([zero], [way]);
    const copy = a.start(copyCdb(list.length), { out: list });
    for (let i = 0; i < 20 && !copy.done; i += 1) {
      latest = verify();
      store.release();
      bed.timers.run();
    }
    assert.equal(copy.result.status, 0);
    assert.equal(latest.done, false);
    store.hold = false;
    store.releaseAll();
    assert.equal(bed.unit.block?.bounce.free, 1);
  });

  it('are enough for copies of disks whose commands need buffers themselves', () => {
    const { bed, a, zero, store } = bench({ protection: 1, bounceBuffers: 2 });
    a.run('41 00 00 00 00 00 00 00 00 00', { out: new Uint8Array(BLOCK).fill(7) });
    store.hold = true;
    const copies = Array.from({ length: 4 }, (_, i) => {
      const ways = [segment({ from: 0, to: 1000 * (i + 1), blocks: 300 })];
      const list = copyList([zero], ways, { listIdentifier: i });
      return a.start(copyCdb(list.length), { out: list });
    });
    for (let i = 0; i < 1000 && !copies.every(({ done }) => done); i += 1) {
      if (store.held.length > 0) store.release();
      else bed.timers.run();
    }
    for (const copy of copies.slice(0, 3)) assert.equal(copy.result.status, 0);
    assert.equal(copies[3]?.result.sense, 'a/00/00', '4000 to 4299 are not all there');
    assert.equal(bed.unit.block?.bounce.free, 2);
  });

  it('a copy whose write finds no room keeps none while it waits', () => {
    const { bed, a, zero, one } = bench({ bounceBuffers: 1 });
    const unit = bed.target.unit(1);
    assert(unit !== undefined);
    unit.taskSet.capacity = 0;
    bed.stores.get(1)?.memory.fill(1);
    const hold = bed.stores.get(1);
    assert(hold !== undefined);
    hold.hold = true;
    a.start('28 00 00 00 00 00 00 00 01 00', { in: BLOCK, lun: 1 });
    const list = copyList(
      [zero, one],
      [segment({ source: 0, destination: 1, from: 0, to: 9, blocks: 1 })],
    );
    const copy = a.start(copyCdb(list.length), { out: list });
    assert.equal(copy.done, false);
    assert.equal(bed.unit.block?.bounce.free, 1);
    unit.taskSet.capacity = 4;
    hold.hold = false;
    do hold.releaseAll();
    while (bed.timers.run());
    assert.equal(copy.result.status, 0);
  });
});
