/** Informational Exceptions Control mode page (SPC-4 7.5.11): TEST, EWASC, MRIE, INTERVAL TIMER and REPORT COUNT. */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ } from '../../../src/scsi/contracts.ts';
import { disk, type TestNexus } from '../../support/target.ts';

const TEST = 0x04;
const DEXCPT = 0x08;
const EWASC = 0x10;
const READY = '00 00 00 00 00 00';
const SENSE = '03 00 00 00 12 00';
const READ = '28 00 00 00 00 00 00 00 01 00';
const WRITE = '2a 00 00 00 00 00 00 00 01 00';

/** MODE SELECT(6) of page 1Ch. */
function select(n: TestNexus, flags: number, mrie: number, interval = 0, count = 0) {
  const out = new Uint8Array(16);
  out.set([0x1c, 0x0a, flags, mrie], 4);
  const view = new DataView(out.buffer);
  view.setUint32(8, interval);
  view.setUint32(12, count);
  return n.run('15 10 00 00 10 00', { out });
}

/** ASC and ASCQ in the log, sense that REQUEST SENSE polls. */
function told(n: TestNexus): readonly [number, number, string] {
  const log = n.run('4d 00 6f 00 00 00 00 00 ff 00', { in: 255 }).dataIn;
  const sense = n.run('03 00 00 00 12 00', { in: 18 }).dataIn;
  const hex = (at: number): string => (sense[at] as number).toString(16).padStart(2, '0');
  return [
    log[8] as number,
    log[9] as number,
    `${(sense[2] as number).toString(16)}/${hex(12)}/${hex(13)}`,
  ];
}

function rig() {
  const t = disk();
  const a = t.nexus('a');
  const b = t.nexus('b');
  a.clear();
  b.clear();
  return { t, a, b };
}

describe('informational exceptions', () => {
  it('TEST = 1 with MRIE 2h: a unit attention 5D/FF for everybody, once', () => {
    const { t, a, b } = rig();
    assert.equal(select(a, TEST, 2).status, 0);
    assert.deepEqual(a.attentions(), ['6/5d/ff']);
    assert.deepEqual(b.attentions(), ['6/5d/ff', '6/2a/01']);
    assert.deepEqual(told(a), [0x5d, 0xff, '0/00/00']);
    assert.equal(t.timers.run(), false);
  });

  it('TEST = 1 with MRIE 6h: in REQUEST SENSE, for as long as it lasts', () => {
    const { a, b } = rig();
    select(a, TEST, 6);
    assert.deepEqual(a.attentions(), []);
    for (let i = 0; i < 2; i += 1) assert.deepEqual(told(a), [0x5d, 0xff, '0/5d/ff']);
    select(a, 0, 6);
    assert.deepEqual(told(a), [0, 0, '0/00/00']);
    assert.deepEqual(b.attentions(), ['6/2a/01']);
  });

  it('MRIE 0h: nobody is told, the log knows', () => {
    const { a } = rig();
    select(a, TEST, 0);
    assert.deepEqual(a.attentions(), []);
    assert.deepEqual(told(a), [0x5d, 0xff, '0/00/00']);
  });

  it('is repeated every INTERVAL TIMER, REPORT COUNT times in all', () => {
    const { t, a } = rig();
    select(a, TEST, 2, 10, 3);
    assert.deepEqual(a.attentions(), ['6/5d/ff']);
    for (let i = 0; i < 2; i += 1) {
      assert.equal(t.timers.run(), true);
      assert.deepEqual(a.attentions(), ['6/5d/ff']);
    }
    assert.equal(t.timers.run(), false);
  });

  it('REPORT COUNT 0 has no limit; the end of the exception ends it', () => {
    const { t, a } = rig();
    select(a, TEST, 2, 10);
    for (let i = 0; i < 5; i += 1) {
      assert.deepEqual(a.attentions(), ['6/5d/ff']);
      assert.equal(t.timers.run(), true);
    }
    a.attentions();
    select(a, DEXCPT, 2, 10);
    assert.equal(t.timers.run(), false);
    assert.deepEqual(a.attentions(), []);
  });

  it('selecting another page is no news', () => {
    const { a } = rig();
    select(a, TEST, 2);
    a.attentions();
    const caching = a.run('1a 08 08 00 ff 00', { in: 255 }).dataIn.slice();
    caching[0] = 0;
    caching[2] = 0;
    caching[6] = (caching[6] as number) ^ 4;
    assert.equal(a.run([0x15, 0x10, 0, 0, caching.length, 0], { out: caching }).status, 0);
    assert.deepEqual(a.attentions(), []);
  });

  it('EWASC = 1: a self-test in background mode that failed is a warning, until one does not', () => {
    const { t, a } = rig();
    select(a, EWASC, 2);
    t.store.fail('read', MEDIUM_READ);
    a.run('1d 20 00 00 00 00');
    assert.deepEqual(a.attentions(), ['6/0b/03']);
    assert.deepEqual(told(a), [0x0b, 0x03, '0/00/00']);
    a.run('1d 20 00 00 00 00');
    assert.deepEqual(told(a), [0, 0, '0/00/00']);
  });

  it('EWASC = 0: it is not', () => {
    const { t, a } = rig();
    select(a, 0, 2);
    t.store.fail('read', MEDIUM_READ);
    a.run('1d 20 00 00 00 00');
    assert.deepEqual(a.attentions(), []);
  });

  for (const [mrie, key, what] of [
    [4, '1', 'recovered error'],
    [5, '0', 'no sense'],
  ] as const) {
    it(`MRIE ${mrie}h: one command that has worked ends with ${what}, and not the MODE SELECT`, () => {
      const { t, a } = rig();
      assert.equal(select(a, TEST, mrie).status, 0);
      t.timers.run();
      assert.equal(a.run(READY).sense, `${key}/5d/ff`);
      assert.equal(a.run(READY).status, 0);
      assert.deepEqual(told(a), [0x5d, 0xff, '0/00/00']);
    });
  }

  it('MRIE 4h: the command has done its work, whole, before it tells', () => {
    const { t, a } = rig();
    t.store.memory.fill(7);
    select(a, TEST, 4, 10, 2);
    t.timers.run();
    const read = a.run(READ, { in: 512 });
    assert.deepEqual([read.sense, read.residualIn], ['1/5d/ff', 0]);
    assert.deepEqual(read.dataIn, new Uint8Array(512).fill(7));
    t.timers.run();
    const write = a.run(WRITE, { out: new Uint8Array(512).fill(9) });
    assert.deepEqual([write.sense, write.residualOut], ['1/5d/ff', 0]);
    assert.equal(t.store.memory[0], 9);
  });

  it('MRIE 4h: not with a command that failed, nor with INQUIRY, REPORT LUNS or REQUEST SENSE', () => {
    const { t, a } = rig();
    select(a, TEST, 4);
    t.timers.run();
    assert.equal(a.run('28 00 ff ff ff ff 00 00 01 00', { in: 512 }).sense, '5/21/00');
    for (const cdb of ['12 00 00 00 24 00', 'a0 00 00 00 00 00 00 00 00 10 00 00', SENSE]) {
      assert.equal(a.run(cdb, { in: 64 }).status, 0, cdb);
    }
    assert.equal(a.run(READY).sense, '1/5d/ff');
  });

  it('MRIE 4h: INTERVAL TIMER passes between reports, REPORT COUNT of them in all', () => {
    const { t, a } = rig();
    select(a, TEST, 4, 10, 2);
    for (let i = 0; i < 2; i += 1) {
      t.timers.run();
      assert.equal(a.run(READY).sense, '1/5d/ff');
      assert.equal(a.run(READY).status, 0);
    }
    assert.equal(t.timers.run(), false);
  });

  it('MRIE 4h: the end of the exception is the end of the report that waits', () => {
    const { t, a } = rig();
    select(a, TEST, 4);
    t.timers.run();
    assert.equal(select(a, 0, 4).status, 0);
    assert.equal(a.run(READY).status, 0);
  });

  it('MRIE 3h: only when PER of the Read-Write Error Recovery mode page allows it', () => {
    const { t, a } = rig();
    select(a, TEST, 3);
    t.timers.run();
    assert.equal(a.run(READY).status, 0);
    const list = '00 00 00 00 01 0a 84 00 00 00 00 00 00 00 00 00';
    const out = Buffer.from(list.replaceAll(' ', ''), 'hex');
    // The first command that may tell is the one that allows it.
    assert.equal(a.run('15 10 00 00 10 00', { out }).sense, '1/5d/ff');
    assert.equal(a.run('1a 08 01 00 ff 00', { in: 255 }).dataIn[6], 0x84);
    assert.equal(a.run(READY).status, 0);
  });

  it('a self-test in background mode that failed is told by MRIE 5h, too', () => {
    const { t, a } = rig();
    select(a, EWASC, 5);
    t.store.fail('read', MEDIUM_READ);
    assert.equal(a.run('1d 20 00 00 00 00').status, 0);
    t.timers.run();
    assert.equal(a.run(READY).sense, '0/0b/03');
  });

  it('refuses TEST with DEXCPT, and methods that are not here', () => {
    const { a } = rig();
    const both = select(a, TEST | DEXCPT, 2);
    assert.deepEqual([both.sense, both.pointer], ['5/26/00', 'list 6']);
    for (const mrie of [1, 7, 0xf]) {
      const r = select(a, 0, mrie);
      assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 7'], String(mrie));
    }
  });
});
