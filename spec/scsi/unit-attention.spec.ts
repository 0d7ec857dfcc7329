/** Unit attention: queues per nexus, precedence, coalescing (SAM-5 5.14, 6.2). */
import { strict as assert } from 'node:assert';
import { UnitAttention } from '../../src/scsi/unit-attention.ts';
import { disk } from '../support/target.ts';

const POWER_ON = 0x62901;
const BUS_RESET = 0x62902;
const UNIT_RESET = 0x62903;
const NEXUS_LOSS = 0x62907;
const MODE_CHANGED = 0x62a01;
const CAPACITY_CHANGED = 0x62a09;
const LUNS_CHANGED = 0x63f0e;

function drain(attention: UnitAttention, nexus: number): number[] {
  const all: number[] = [];
  while (attention.peek(nexus) !== 0) all.push(attention.take(nexus));
  return all;
}

function posted(...senses: number[]): number[] {
  const attention = new UnitAttention();
  for (const sense of senses) attention.post(3, sense);
  assert.equal(attention.pending[3], drainCount(attention, senses.length));
  return drain(attention, 3);
}

/** Pending conditions, never more than were posted. */
function drainCount(attention: UnitAttention, most: number): number {
  const count = attention.pending[3] as number;
  assert.ok(count <= most);
  return count;
}

describe('unit attention queue', () => {
  it('reports in order of occurrence, each condition once', () => {
    assert.deepEqual(posted(MODE_CHANGED, CAPACITY_CHANGED, MODE_CHANGED, LUNS_CHANGED), [
      MODE_CHANGED,
      CAPACITY_CHANGED,
      LUNS_CHANGED,
    ]);
  });

  it('reports the reset family first, and only its highest', () => {
    assert.deepEqual(posted(NEXUS_LOSS, UNIT_RESET), [UNIT_RESET]);
    assert.deepEqual(posted(UNIT_RESET, NEXUS_LOSS), [UNIT_RESET]);
    assert.deepEqual(posted(UNIT_RESET, BUS_RESET), [BUS_RESET]);
    assert.deepEqual(posted(BUS_RESET, POWER_ON, UNIT_RESET), [POWER_ON]);
    assert.deepEqual(posted(NEXUS_LOSS, MODE_CHANGED), [NEXUS_LOSS, MODE_CHANGED]);
    assert.deepEqual(posted(MODE_CHANGED, NEXUS_LOSS), [NEXUS_LOSS, MODE_CHANGED]);
  });

  it('forgets older conditions at a reset, not at a nexus loss', () => {
    assert.deepEqual(posted(MODE_CHANGED, LUNS_CHANGED, UNIT_RESET), [UNIT_RESET]);
    assert.deepEqual(posted(MODE_CHANGED, UNIT_RESET, CAPACITY_CHANGED), [
      UNIT_RESET,
      CAPACITY_CHANGED,
    ]);
  });

  it('keeps nexuses apart', () => {
    const attention = new UnitAttention();
    attention.post(1, MODE_CHANGED);
    attention.post(2, CAPACITY_CHANGED);
    assert.deepEqual(drain(attention, 1), [MODE_CHANGED]);
    assert.equal(attention.peek(1), 0);
    assert.equal(attention.take(1), 0);
    attention.forget(2);
    assert.equal(attention.pending[2], 0);
  });
});

describe('unit attention seen by initiators', () => {
  it('starts with POWER ON OCCURRED, once per nexus', () => {
    const t = disk();
    const a = t.nexus('a');
    const b = t.nexus('b');
    assert.deepEqual(a.attentions(), ['6/29/00']);
    assert.deepEqual(a.attentions(), []);
    assert.deepEqual(b.attentions(), ['6/29/00']);
  });

  it('is not reported and not cleared by INQUIRY or REPORT LUNS', () => {
    const a = disk().nexus('a');
    assert.equal(a.run('12 00 00 00 60 00', { in: 96 }).status, 0);
    assert.equal(a.run('12 01 80 00 60 00', { in: 96 }).status, 0);
    assert.equal(a.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256 }).status, 0);
    assert.deepEqual(a.attentions(), ['6/29/00']);
  });

  it('is reported by everything else, unknown and malformed commands too', () => {
    for (const cdb of [
      '00 00 00 00 00 00',
      '1a 00 3f 00 ff 00',
      '25 00 00 00 00 00 00 00 00 00',
      'a3 0c 00 00 00 00 00 00 10 00 00 00',
      '28 00 00 00 00 00 00 00 01 00',
      'ff 00 00 00 00 00',
      '00 00 00 00 00 04',
    ]) {
      const r = disk().nexus('a').run(cdb, { in: 512 });
      assert.equal(r.sense, '6/29/00', cdb);
      assert.equal(r.dataInWanted, 0);
    }
  });

  it('is the parameter data of REQUEST SENSE, which clears that one', () => {
    const t = disk();
    const a = t.nexus('a');
    t.unit.attention.post(a.nexus.index, MODE_CHANGED);
    const first = a.run('03 00 00 00 12 00', { in: 18 });
    assert.equal(first.status, 0);
    assert.deepEqual([first.dataIn[2], first.dataIn[12], first.dataIn[13]], [6, 0x29, 0]);
    const second = a.run('03 01 00 00 12 00', { in: 18 });
    assert.deepEqual([...second.dataIn.subarray(0, 4)], [0x72, 6, 0x2a, 1]);
    assert.deepEqual(a.attentions(), []);
  });

  it('executes nothing: a WRITE that reports one leaves the medium alone', () => {
    const t = disk();
    const a = t.nexus('a');
    const out = new Uint8Array(512).fill(7);
    assert.equal(a.run('2a 00 00 00 00 00 00 00 01 00', { out }).sense, '6/29/00');
    assert.equal(t.store.calls.write, 0);
    assert.equal(t.store.memory[0], 0);
  });

  it('goes to every nexus, the asking one too, at a LOGICAL UNIT RESET', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    assert.equal(a.manage(0x08).result.managementOutcome, 0);
    assert.deepEqual(a.attentions(), ['6/29/03']);
    assert.deepEqual(b.attentions(), ['6/29/03']);
  });

  it('tells on every unit when the inventory changes; REPORT LUNS clears it on every unit, for that nexus', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    const b = t.nexus('b').clear();
    t.add({ lun: 1 });
    assert.deepEqual(a.attentions(1), ['6/29/00', '6/3f/0e']);
    t.add({ lun: 2 });
    a.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256, lun: 1 });
    assert.deepEqual(a.attentions(0), []);
    assert.deepEqual(a.attentions(1), []);
    assert.deepEqual(b.attentions(0), ['6/3f/0e']);
    assert.deepEqual(b.attentions(2), ['6/29/00', '6/3f/0e']);
    assert.deepEqual(a.attentions(2), ['6/29/00']);
  });
});
