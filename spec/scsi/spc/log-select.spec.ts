/** LOG SELECT (SPC-4 6.7), and what of the logs is kept (GLTSD). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { DONE, MEDIUM_WRITE, type StoreReply } from '../../../src/scsi/contracts.ts';
import { decodeLogs } from '../../../src/scsi/log/unit-logs.ts';
import { setControl } from '../../support/control-page.ts';
import { disk, type TestNexus } from '../../support/target.ts';

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const page = (n: TestNexus, code: number): string =>
  Buffer.from(n.run([0x4d, 0, 0x40 | code, 0, 0, 0, 0, 2, 0, 0], { in: 512 }).dataIn).toString(
    'hex',
  );
const select = (n: TestNexus, list: string, flags = 0, control = 0x40) => {
  const out = bytes(list);
  return n.run([0x4c, flags, control, 0, 0, 0, 0, 0, out.length, 0], out.length > 0 ? { out } : {});
};
const written = (count: string): string =>
  `82000018${'00052008'}${count}${'00062008'}${'0000000000000000'}`;
const GLTSD = 0x02;

class Kept {
  readonly states: Uint8Array[] = [];
  reply: StoreReply = DONE;
  save(_: unknown, __: number, state: Uint8Array): StoreReply {
    if (this.reply === DONE) this.states.push(state);
    return this.reply;
  }
}

function rig(logStore?: Kept) {
  const t = disk(logStore === undefined ? {} : { logStore });
  const a = t.nexus('a');
  const b = t.nexus('b');
  a.clear();
  b.clear();
  return { t, a, b };
}

describe('LOG SELECT', () => {
  it('sets counts, which go on from there, and tells the others 2A/02', () => {
    const { a, b } = rig();
    a.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(1024) });
    assert.equal(select(a, '82 00 00 0c 0005 20 08 00000000000000ff').status, 0);
    assert.equal(page(a, 2), written('00000000000000ff'));
    assert.deepEqual(a.attentions(), []);
    assert.deepEqual(b.attentions(), ['6/2a/02']);
    a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) });
    assert.equal(page(a, 2), written('00000000000002ff'));
  });

  it('sets the accounting date, in ASCII', () => {
    const { a } = rig();
    assert.equal(select(a, '8e 00 00 0a 0002 21 06 323032363438').status, 0);
    assert.equal(page(a, 0x0e).slice(0, 28), '8e000012' + '00022106' + '323032363438');
    const r = select(a, '8e 00 00 0a 0002 21 06 323032360048');
    assert.equal(r.sense, '5/26/00');
    assert.equal(page(a, 0x0e).slice(16, 28), '323032363438');
  });

  it('PCR = 1, and PC = 11b without a list, set back: one page, or all', () => {
    for (const reset of [
      [0x4c, 2, 0x40, 0, 0, 0, 0, 0, 0, 0],
      [0x4c, 2, 0x42, 0, 0, 0, 0, 0, 0, 0],
      [0x4c, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0],
    ]) {
      const { a, b } = rig();
      a.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(1024) });
      assert.equal(a.run(reset).status, 0);
      assert.equal(page(a, 2), written('0000000000000000'));
      assert.deepEqual(b.attentions(), ['6/2a/02']);
    }
    const { a } = rig();
    a.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(1024) });
    assert.equal(a.run('4c 02 43 00 00 00 00 00 00 00').status, 0);
    assert.equal(page(a, 2), written('0000000000000400'));
  });

  it('without a list and without PCR changes nothing and tells nobody', () => {
    const { a, b } = rig();
    a.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(1024) });
    for (const control of [0x00, 0x40, 0x80]) {
      assert.equal(select(a, '', 0, control).status, 0);
    }
    assert.equal(page(a, 2), written('0000000000000400'));
    assert.deepEqual(b.attentions(), []);
  });

  it('refuses CDBs with a pointer to the field', () => {
    const { a } = rig();
    const out = bytes('82 00 00 0c 0005 20 08 0000000000000000');
    for (const [cdb, pointer] of [
      ['4c 03 40 00 00 00 00 00 00 00', 'cdb 1.0'],
      ['4c 02 40 00 00 00 00 00 10 00', 'cdb 1.1'],
      ['4c 00 42 00 00 00 00 00 10 00', 'cdb 2.5'],
      ['4c 02 51 00 00 00 00 00 00 00', 'cdb 2.5'],
      ['4c 02 42 01 00 00 00 00 00 00', 'cdb 3'],
      ['4c 00 00 00 00 00 00 00 10 00', 'cdb 2.7'],
      ['4c 00 c0 00 00 00 00 00 10 00', 'cdb 2.7'],
    ] as const) {
      const r = a.run(cdb, cdb.includes(' 10 00') ? { out } : {});
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', pointer], cdb);
    }
  });

  it('refuses lists with a pointer, and then changes nothing at all', () => {
    const { a, b } = rig();
    const good = '82 00 00 0c 0005 20 08 00000000000000ff';
    for (const [list, pointer] of [
      ['91 00 00 00', 'list 0.5'],
      ['c2 00 00 00', 'list 0.6'],
      ['02 00 00 00', 'list 0.7'],
      ['82 01 00 00', 'list 1'],
      ['82 00 00 0c 0007 20 08 0000000000000000', 'list 4'],
      ['82 00 00 0c 0005 00 08 0000000000000000', 'list 6'],
      ['82 00 00 08 0005 20 04 00000000', 'list 7'],
      ['82 00 00 18 0006 20 08 0000000000000000 0005 20 08 0000000000000000', 'list 16'],
      ['8e 00 00 08 0004 23 04 00000001', 'list 8'],
      [`${good} ${good}`, 'list 16.5'],
      [`${good} 91 00 00 00`, 'list 16.5'],
    ] as const) {
      const r = select(a, list);
      assert.deepEqual([r.sense, r.pointer], ['5/26/00', pointer], list);
    }
    for (const list of ['82 00 00', '82 00 00 0c 0005 20 08 0000000000', '82 00 00 02 0005']) {
      assert.equal(select(a, list).sense, '5/1a/00', list);
    }
    assert.equal(select(a, '82 00 00 0c 0005 20 08 0020000000000000').sense, '5/26/00');
    assert.equal(page(a, 2), written('0000000000000000'));
    assert.deepEqual(b.attentions(), []);
  });

  it('takes back what LOG SENSE gave it, values that cannot be set among it', () => {
    const { a } = rig();
    const given = ['02', '03', '0d', '0e', '2f'].map((code) => page(a, Number.parseInt(code, 16)));
    assert.equal(select(a, given.join('')).status, 0);
  });

  it('SP = 1 keeps what it sets; when that fails nothing is set', () => {
    const kept = new Kept();
    const { a, b } = rig(kept);
    assert.equal(select(a, '02 00 00 0c 0005 00 08 00000000000000ff', 1).status, 0);
    assert.equal(kept.states.length, 1);
    assert.equal(decodeLogs(kept.states[0] as Uint8Array)?.counts[0], 255);
    assert.deepEqual(b.attentions(), ['6/2a/02']);
    kept.reply = MEDIUM_WRITE;
    assert.equal(select(a, '02 00 00 0c 0005 00 08 0000000000000001', 1).sense, '4/44/00');
    assert.match(page(a, 2), /^02000018000500080{14}ff/);
    assert.deepEqual(b.attentions(), []);
  });

  it('what was kept goes on in the next life', () => {
    const kept = new Kept();
    const { a } = rig(kept);
    a.run('2a 00 00 00 00 00 00 00 02 00', { out: new Uint8Array(1024) });
    for (const action of [0, 1]) a.run([0x1b, 0, 0, 0, action, 0]);
    assert.equal(select(a, '0e 00 00 0a 0002 01 06 323032363438', 1).status, 0);
    const next = rig(kept);
    const state = decodeLogs(kept.states.at(-1) as Uint8Array);
    assert.ok(state);
    next.t.unit.logs.resume(state);
    next.a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) });
    assert.match(page(next.a, 2), /^0200001800050008000000000000060000060008/);
    assert.equal(
      page(next.a, 0x0e),
      '0e000012' + '00020106' + '323032363438' + '00040304' + '00000001',
    );
  });

  it('bytes that are no logs are none', () => {
    const kept = new Kept();
    const { a } = rig(kept);
    select(a, '', 1);
    const [state] = kept.states;
    assert.ok(state !== undefined && decodeLogs(state) !== null);
    assert.equal(decodeLogs(new Uint8Array(0)), null);
    assert.equal(decodeLogs(state.subarray(0, state.length - 1)), null);
    assert.equal(decodeLogs(Uint8Array.of(...state, 0)), null);
    assert.equal(decodeLogs(Uint8Array.of(3, ...state.subarray(1))), null);
    assert.equal(decodeLogs(Uint8Array.of(2, 0xff, ...state.subarray(2))), null);
  });

  it('what was kept before there were times and transitions goes on without them', () => {
    const old = Buffer.alloc(1 + 11 * 8 + 6, 0x20);
    old[0] = 1;
    for (let i = 0; i < 11; i += 1) old.writeDoubleBE(i + 1, 1 + i * 8);
    const state = decodeLogs(old);
    assert.deepEqual(state?.counts, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual([state.startStopCycles, state.ageMs, state.transitions], [9, 11, []]);
    const { t } = rig(new Kept());
    t.unit.logs.resume(state);
    assert.equal(t.unit.logs.count(7), 8);
  });

  it('GLTSD can be changed where logs are kept, and acts: a stop keeps them with 0, and not with 1', () => {
    const kept = new Kept();
    const { a } = rig(kept);
    a.run([0x1b, 0, 0, 0, 0, 0]);
    assert.equal(kept.states.length, 1);
    setControl(a, 2, GLTSD, GLTSD);
    a.run([0x1b, 0, 0, 0, 1, 0]);
    a.run([0x1b, 0, 0, 0, 0, 0]);
    assert.equal(kept.states.length, 1);
  });

  it('GLTSD is 1 for good where nothing can be kept', () => {
    const { a } = rig();
    const control = a.run('1a 08 0a 00 ff 00', { in: 255 }).dataIn;
    assert.equal((control[6] as number) & GLTSD, GLTSD);
    const mask = a.run('1a 08 4a 00 ff 00', { in: 255 }).dataIn;
    assert.equal((mask[6] as number) & GLTSD, 0);
  });
});
