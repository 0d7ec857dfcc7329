/** MODE SELECT(6) and (10) (SPC-4 6.11, 6.12): all or nothing. */
import { strict as assert } from 'node:assert';
import {
  DONE,
  FULL,
  MEDIUM_WRITE,
  type ParameterStore,
  PENDING,
  type StoreReply,
} from '../../../src/scsi/contracts.ts';
import type { Task } from '../../../src/scsi/task.ts';
import { type Bytes, bytesOf, hex, type Pending } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { capture } from '../../support/vectors.ts';

const HEADER = '00 00 00 00';
const CACHING_ON = '08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00';
const CACHING_OFF = '08 12 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00';
const control = (two: string, four: string, five: string): string =>
  `0a 0a ${two} 00 ${four} ${five} 00 00 01 2c ff ff`;
const CONTROL = control('02', '00', '40');
const D_SENSE = control('06', '00', '40');

/** MODE SELECT(6), PF = 1. */
function start(a: TestNexus, list: Bytes, flags = 0x10): Pending {
  const out = bytesOf(list);
  return a.start([0x15, flags, 0, 0, out.length, 0], { out });
}

const select = (a: TestNexus, list: Bytes, flags = 0x10) => start(a, list, flags).result;
const select10 = (a: TestNexus, list: Bytes) => {
  const out = bytesOf(list);
  return a.run([0x55, 0x10, 0, 0, 0, 0, 0, out.length >> 8, out.length & 0xff, 0], { out });
};

const pages = (a: TestNexus, pageControl = 0): string =>
  hex(a.run([0x1a, 0x08, pageControl | 0x3f, 0, 255, 0], { in: 255 }).dataIn.subarray(4));

class Parameters implements ParameterStore {
  readonly saves: { lun: number; bytes: Uint8Array; task: Task }[] = [];
  reply: StoreReply = DONE;

  save(task: Task, lun: number, bytes: Uint8Array): StoreReply {
    this.saves.push({ lun, bytes: bytes.slice(), task });
    return this.reply;
  }
}

describe('MODE SELECT', () => {
  it('changes what is changeable, tells the other nexuses, and not the issuer', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    assert.equal(select(a, `${HEADER} ${D_SENSE}`).status, 0);
    assert.ok(t.unit.descriptorSense);
    assert.deepEqual(a.attentions(), []);
    assert.deepEqual(b.attentions(), ['6/2a/01']);
    assert.equal(hex(a.run('ff 00 00 00 00 00').senseBytes), '72 05 20 00 00 00 00 00');
  });

  it('takes back what MODE SENSE gave, PS and lengths included, without an attention', () => {
    const t = disk({ parameters: new Parameters() });
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    const six = a.run('1a 00 3f 00 ff 00', { in: 255 }).dataIn;
    assert.equal(six[4 + 8], 0x81, 'PS is set');
    assert.equal(select(a, six).status, 0);
    for (const flags of [0x00, 0x10]) {
      const ten = a.run([0x5a, flags, 0x3f, 0, 0, 0, 0, 1, 0, 0], { in: 256 }).dataIn;
      assert.equal(select10(a, ten).status, 0);
    }
    assert.deepEqual(b.attentions(), []);
  });

  it('keeps the unit fields that the core reads true', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    assert.ok(t.unit.writeCacheEnabled && t.unit.taskAbortedStatus);
    select(a, `${HEADER} ${CACHING_OFF} ${control('02', '08', '00')}`);
    assert.deepEqual(
      [t.unit.writeCacheEnabled, t.unit.softwareWriteProtect, t.unit.taskAbortedStatus],
      [false, true, false],
    );
    const write = a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) });
    assert.equal(write.sense, '7/27/02');
    assert.equal(a.run('1a 08 3f 00 ff 00', { in: 255 }).dataIn[2], 0x90, 'WP');
    select(a, `${HEADER} ${CACHING_ON} ${CONTROL}`);
    assert.deepEqual(
      [t.unit.writeCacheEnabled, t.unit.softwareWriteProtect, t.unit.taskAbortedStatus],
      [true, false, true],
    );
  });

  describe('refuses the whole list, changing nothing', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    const before = pages(a);
    /** Name, list, sense, field pointer. Each begins with a good change that must not happen. */
    const cases: readonly (readonly [string, string, string, string])[] = [
      ['unknown page', `${HEADER} ${D_SENSE} 05 00`, '5/26/00', 'list 16.5'],
      ['page 3Fh', `${HEADER} ${D_SENSE} 3f 00`, '5/26/00', 'list 16.5'],
      ['subpage format', `${HEADER} ${D_SENSE} 4a 01 00 00`, '5/26/00', 'list 16.6'],
      ['page length', `${HEADER} ${D_SENSE} 08 11 ${'00 '.repeat(17)}`, '5/26/00', 'list 17'],
      [
        'fixed bit RCD',
        `${HEADER} ${D_SENSE} ${CACHING_ON.replace('04', '05')}`,
        '5/26/00',
        'list 18',
      ],
      ['reserved QERR', `${HEADER} ${D_SENSE.replace('06 00', '06 04')}`, '5/26/00', 'list 7'],
      ['fixed bit QAM 2h', `${HEADER} ${D_SENSE.replace('06 00', '06 20')}`, '5/26/00', 'list 7'],
      ['fixed TST 010b', `${HEADER} ${D_SENSE.replace('06 00', '46 00')}`, '5/26/00', 'list 6'],
      [
        'reserved UA_INTLCK_CTRL',
        `${HEADER} ${D_SENSE.replace('06 00 00', '06 00 10')}`,
        '5/26/00',
        'list 8',
      ],
      ['last byte', `${HEADER} ${D_SENSE} ${CACHING_ON.slice(0, -2)}01`, '5/26/00', 'list 35'],
      ['half a header', '00 00', '5/1a/00', ''],
      ['half a page', `${HEADER} ${D_SENSE} 08 12 04`, '5/1a/00', ''],
      ['one byte of a page', `${HEADER} ${D_SENSE} 08`, '5/1a/00', ''],
      ['medium type', `00 01 00 00 ${D_SENSE}`, '5/26/00', 'list 1'],
      ['descriptor length 4', `00 00 00 04 00 00 00 00 ${D_SENSE}`, '5/26/00', 'list 3'],
      ['two descriptors', `00 00 00 10 ${'00 '.repeat(16)} ${D_SENSE}`, '5/26/00', 'list 3'],
      ['descriptor cut short', '00 00 00 08 00 00 08 00', '5/1a/00', ''],
      ['other block count', `00 00 00 08 00 00 07 ff 00 00 02 00 ${D_SENSE}`, '5/26/00', 'list 6'],
      [
        'block count of equal bytes',
        `00 00 00 08 01 01 01 01 00 00 02 00 ${D_SENSE}`,
        '5/26/00',
        'list 4',
      ],
      ['block length 0', `00 00 00 08 00 00 08 00 00 00 00 00 ${D_SENSE}`, '5/26/00', 'list 10'],
      ['block length 4096', `00 00 00 08 00 00 08 00 00 00 10 00 ${D_SENSE}`, '5/26/00', 'list 10'],
    ];
    for (const [name, list, sense, pointer] of cases) {
      it(name, () => {
        const r = select(a, list);
        assert.deepEqual([r.status, r.sense, r.pointer], [2, sense, pointer]);
        assert.equal(pages(a), before);
        assert.deepEqual(b.attentions(), []);
      });
    }

    it('SP = 1 where nothing can be saved', () => {
      const r = select(a, `${HEADER} ${D_SENSE}`, 0x11);
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.0']);
    });

    it('PF = 0', () => {
      const r = select(a, `${HEADER} ${D_SENSE}`, 0x00);
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.4']);
    });

    it('a list of which less arrived than the CDB says', () => {
      const r = a.run([0x15, 0x10, 0, 0, 40, 0], { out: `${HEADER} ${D_SENSE}` });
      assert.deepEqual([r.sense, r.residualOut], ['5/1a/00', 16 - 40]);
      assert.equal(pages(a), before);
    });

    it('(10): LONGLBA with a short descriptor, and a length of 65535', () => {
      const long = select10(a, `00 00 00 00 01 00 00 08 00 00 08 00 00 00 02 00 ${D_SENSE}`);
      assert.deepEqual([long.sense, long.pointer], ['5/26/00', 'list 6']);
      const huge = select10(a, `00 00 00 00 00 00 ff ff ${D_SENSE}`);
      assert.deepEqual([huge.sense, huge.pointer], ['5/26/00', 'list 6']);
      assert.equal(pages(a), before);
    });

    it('never crashes on random lists, and changes nothing when it refuses', () => {
      let seed = 12345;
      const random = (below: number): number => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return (seed >>> 16) % below;
      };
      const good = bytesOf(`00 00 00 08 00 00 08 00 00 00 02 00 ${CACHING_ON} ${CONTROL}`);
      let refused = 0;
      for (let i = 0; i < 2000; i += 1) {
        const list = good.slice(0, 1 + random(good.length));
        for (let flips = random(3); flips >= 0; flips -= 1) list[random(list.length)] = random(256);
        const values = pages(a);
        const r = select(a, list);
        if (r.status !== 0) {
          refused += 1;
          assert.match(r.sense, /^5\/(1a|26)\/00$/);
          assert.equal(pages(a), values);
        }
        b.attentions();
      }
      assert.ok(refused > 1000 && refused < 2000);
    });
  });

  it('answers a bad page as scsi_debug does', () => {
    const theirs = capture('Linux-scsi_debug', 'MODE SELECT(6) bad page');
    const r = disk().nexus('a').clear().run(theirs.cdb, { out: '00 00 00 00 3e 02 00 00' });
    assert.equal(hex(r.senseBytes), theirs.sense);
  });

  it('takes a list of no bytes, a header alone, and a descriptor that keeps the capacity', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run('15 10 00 00 00 00').status, 0);
    assert.equal(a.run('55 10 00 00 00 00 00 00 00 00').status, 0);
    assert.equal(select(a, HEADER).status, 0);
    for (const blocks of ['00 00 08 00', '00 00 00 00', 'ff ff ff ff']) {
      assert.equal(select(a, `00 00 00 08 ${blocks} 00 00 02 00`).status, 0);
    }
    const long = '00 00 00 00 00 00 08 00 00 00 00 00 00 00 02 00';
    assert.equal(select10(a, `00 00 00 00 01 00 00 10 ${long} ${D_SENSE}`).status, 0);
  });

  it('lets the last of two copies of a page win', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    assert.equal(select(a, `${HEADER} ${D_SENSE} ${CONTROL}`).status, 0);
    assert.equal(t.unit.descriptorSense, false);
    assert.deepEqual(b.attentions(), [], 'nothing changed in the end');
  });

  it('reads scattered lists', () => {
    const t = disk();
    const out = bytesOf(`${HEADER} ${D_SENSE}`);
    const a = t.nexus('a').clear();
    assert.equal(a.run([0x15, 0x10, 0, 0, out.length, 0], { out, split: 1 }).status, 0);
    assert.ok(t.unit.descriptorSense);
  });
});

describe('MODE SELECT that turns the write cache off', () => {
  it('K24 flushes before it says so', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512).fill(9) });
    assert.equal(t.store.stable[0], 0);
    t.store.hold = true;
    const pending = start(a, `${HEADER} ${CACHING_OFF}`);
    assert.equal(pending.done, false);
    assert.ok(t.unit.writeCacheEnabled);
    t.store.releaseAll();
    assert.equal(pending.result.status, 0);
    assert.equal(t.unit.writeCacheEnabled, false);
    assert.equal(t.store.stable[0], 9);
    assert.equal(t.store.calls.flush, 1);
  });

  it('fails and changes nothing when the flush fails', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    t.store.fail('flush', MEDIUM_WRITE);
    assert.equal(select(a, `${HEADER} ${CACHING_OFF} ${D_SENSE}`).sense, '3/0c/00');
    assert.ok(t.unit.writeCacheEnabled && !t.unit.descriptorSense);
    assert.deepEqual(b.attentions(), []);
  });

  it('holds the next MODE SELECT until it has ended: none is lost', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    t.store.hold = true;
    const first = start(a, `${HEADER} ${CACHING_OFF}`);
    const second = start(b, `${HEADER} ${D_SENSE}`);
    const third = start(a, `${HEADER} ${CACHING_ON}`);
    assert.deepEqual([first.done, second.done, third.done], [false, false, false]);
    t.store.releaseAll();
    assert.deepEqual(
      [first, second, third].map(({ result }) => result.status),
      [0, 0, 0],
    );
    assert.ok(t.unit.writeCacheEnabled && t.unit.descriptorSense);
  });

  it('runs thousands that waited without growing the stack', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    t.store.hold = true;
    start(a, `${HEADER} ${CACHING_OFF}`);
    const waiting: Pending[] = [];
    for (let i = 0; i < 4000; i += 1)
      waiting.push(start(a, `${HEADER} ${i % 2 ? CONTROL : D_SENSE}`));
    t.store.releaseAll();
    assert.ok(waiting.every(({ result }) => result.status === 0));
    assert.equal(t.unit.descriptorSense, false);
    t.unit.taskSet.verify();
  });

  it('does nothing after an abort, and lets the next one run', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    t.store.hold = true;
    const first = start(a, `${HEADER} ${CACHING_OFF}`);
    const waiting = start(a, `${HEADER} ${D_SENSE}`);
    const other = start(b, `${HEADER} ${control('02', '08', '40')}`);
    const abort = a.manage(0x02);
    assert.equal(abort.done, false, 'not before the flush has stopped');
    t.store.releaseAll();
    assert.ok(first.result.dropped && waiting.result.dropped && abort.done);
    assert.equal(other.result.status, 0);
    assert.deepEqual(
      [t.unit.writeCacheEnabled, t.unit.descriptorSense, t.unit.softwareWriteProtect],
      [true, false, true],
    );
  });
});

describe('saved mode pages', () => {
  it('are saved before GOOD, all of them, and come back at a reset', () => {
    const parameters = new Parameters();
    const t = disk({ parameters });
    const a = t.nexus('a').clear();
    assert.equal(select(a, `${HEADER} ${D_SENSE}`).status, 0);
    assert.equal(parameters.saves.length, 0);
    assert.equal(select(a, `${HEADER} ${CACHING_OFF}`, 0x11).status, 0);
    assert.equal(parameters.saves.length, 1);
    assert.equal(parameters.saves[0]?.lun, 0);
    assert.equal(pages(a, 0xc0), pages(a), 'SP saves every page');
    select(a, `${HEADER} ${CACHING_ON} ${CONTROL}`);
    assert.notEqual(pages(a, 0xc0), pages(a));
    a.manage(0x08);
    a.clear();
    assert.equal(pages(a, 0xc0), pages(a));
    assert.ok(t.unit.descriptorSense && !t.unit.writeCacheEnabled);
  });

  it('wait for the store, and nothing changes when it fails', () => {
    const parameters = new Parameters();
    const t = disk({ parameters });
    const a = t.nexus('a').clear();
    parameters.reply = PENDING;
    const pending = start(a, `${HEADER} ${D_SENSE}`, 0x11);
    assert.equal(pending.done, false);
    parameters.saves[0]?.task.stored(FULL);
    assert.equal(pending.result.sense, '4/44/00');
    assert.equal(t.unit.descriptorSense, false);
    const again = start(a, `${HEADER} ${D_SENSE}`, 0x11);
    parameters.saves[1]?.task.stored(DONE);
    assert.equal(again.result.status, 0);
    assert.ok(t.unit.descriptorSense);
  });

  it('go back to the defaults at a reset when nothing was saved', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const before = pages(a);
    select(a, `${HEADER} ${CACHING_OFF} ${control('06', '08', '00')}`);
    assert.notEqual(pages(a), before);
    a.manage(0x08);
    a.clear();
    assert.equal(pages(a), before);
  });
});
