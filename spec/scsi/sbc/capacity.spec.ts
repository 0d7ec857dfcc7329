/** READ CAPACITY(10) and (16) (SBC-3 5.15, 5.16). */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

const RC10 = '25 00 00 00 00 00 00 00 00 00';
const rc16 = (allocation: number): string =>
  `9e 10 00 00 00 00 00 00 00 00 ${allocation.toString(16).padStart(8, '0')} 00 00`;

describe('READ CAPACITY(10)', () => {
  it('returns the last LBA and the block length', () => {
    const r = disk({ blocks: 2048 }).nexus('a').clear().run(RC10, { in: 8 });
    assert.equal(hex(r.dataIn), '00 00 07 ff 00 00 02 00');
    assert.equal(r.residualIn, 0);
  });
  it('returns the last LBA FFFFFFFEh still, and FFFFFFFFh for everything larger', () => {
    for (const [blocks, last] of [
      [2 ** 32 - 1, 'ff ff ff fe'],
      [2 ** 32, 'ff ff ff ff'],
      [2 ** 32 + 1, 'ff ff ff ff'],
      [2 ** 40, 'ff ff ff ff'],
    ] as const) {
      const bed = disk();
      bed.store.bytes = blocks * 512;
      const r = bed.nexus('a').clear().run(RC10, { in: 8 });
      assert.equal(hex(r.dataIn.slice(0, 4)), last, `${blocks} blocks`);
    }
  });
  it('refuses an LBA without PMI with a pointer to it', () => {
    const r = disk().nexus('a').clear().run('25 00 00 00 00 01 00 00 00 00', { in: 8 });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 2.7');
  });
  it('takes an LBA with PMI', () => {
    const r = disk({ blocks: 2048 }).nexus('a').clear();
    assert.equal(
      hex(r.run('25 00 00 00 00 01 00 00 01 00', { in: 8 }).dataIn),
      '00 00 07 ff 00 00 02 00',
    );
  });
  it('moves what fits a short buffer, nothing without one, nothing into a data-out buffer', () => {
    const a = disk({ blocks: 2048 }).nexus('a').clear();
    const short = a.run(RC10, { in: 5 });
    assert.equal(hex(short.dataIn), '00 00 07 ff 00');
    assert.equal(short.residualIn, -3);
    assert.equal(a.run(RC10).status, 0);
    assert.equal(a.run(RC10, { out: '00' }).dataOutMoved, 0);
  });
  it('shows a changed capacity at once', () => {
    const bed = disk({ blocks: 16 });
    const a = bed.nexus('a').clear();
    bed.store.resize(32 * 512);
    assert.equal(hex(a.run(RC10, { in: 8 }).dataIn), '00 00 00 1f 00 00 02 00');
  });
});

describe('READ CAPACITY(16)', () => {
  it('returns 32 bytes: last LBA, block length, physical exponent, no provisioning', () => {
    const r = disk({ blocks: 2048 }).nexus('a').clear().run(rc16(32), { in: 32 });
    assert.equal(
      hex(r.dataIn),
      `00 00 00 00 00 00 07 ff 00 00 02 00 00 03 00 00 ${'00 '.repeat(16).trim()}`,
    );
  });
  it('says LBPME and LBPRZ when the unit is thin', () => {
    const r = disk({ thin: true }).nexus('a').clear().run(rc16(32), { in: 32 });
    assert.equal(hex(r.dataIn.slice(12, 16)), '00 03 c0 00');
  });
  it('has exponent 0 on a 4096-byte disk', () => {
    const r = disk({ blocks: 8, blockBytes: 4096 }).nexus('a').clear().run(rc16(32), { in: 32 });
    assert.equal(hex(r.dataIn.slice(0, 14)), '00 00 00 00 00 00 00 07 00 00 10 00 00 00');
  });
  it('returns an LBA above 2^32 exactly', () => {
    const bed = disk();
    bed.store.bytes = (2 ** 33 + 2) * 512;
    const r = bed.nexus('a').clear().run(rc16(32), { in: 32 });
    assert.equal(hex(r.dataIn.slice(0, 8)), '00 00 00 02 00 00 00 01');
  });
  it('cuts to every allocation length, 0 among them', () => {
    const a = disk({ blocks: 2048 }).nexus('a').clear();
    const whole = a.run(rc16(32), { in: 32 }).dataIn;
    for (let allocation = 0; allocation <= 40; allocation += 1) {
      const r = a.run(rc16(allocation), { in: 64 });
      assert.equal(r.status, 0);
      assert.deepEqual(r.dataIn, whole.slice(0, allocation));
      assert.equal(r.residualIn, 64 - Math.min(32, allocation));
    }
  });
  it('refuses an LBA without PMI, takes it with', () => {
    const a = disk().nexus('a').clear();
    const refused = a.run('9e 10 00 00 00 00 00 00 00 01 00 00 00 20 00 00', { in: 32 });
    assert.equal(refused.sense, '5/24/00');
    assert.equal(refused.pointer, 'cdb 2.7');
    const taken = a.run('9e 10 00 00 00 00 00 00 00 01 00 00 00 20 01 00', { in: 32 });
    assert.equal(taken.status, 0);
  });
});
