/** MODE SENSE(6) and (10) (SPC-4 6.13, 6.14, 7.5). */
import { strict as assert } from 'node:assert';
import { DONE, type ParameterStore } from '../../../src/scsi/contracts.ts';
import { hex } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { capture } from '../../support/vectors.ts';

const sense10 = (a: TestNexus, page: number, more: { sub?: number; flags?: number } = {}) =>
  a.run([0x5a, more.flags ?? 0x08, page, more.sub ?? 0, 0, 0, 0, 4, 0, 0], { in: 1024 });

const savable: ParameterStore = { save: () => DONE };

describe('MODE SENSE', () => {
  const a = disk().nexus('a').clear();

  it('gives each page the layout of SBC-3 and SPC-4', () => {
    assert.equal(
      hex(sense10(a, 0x08).dataIn),
      '00 1a 00 10 00 00 00 00 08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    );
    assert.equal(
      hex(sense10(a, 0x0a).dataIn),
      '00 12 00 10 00 00 00 00 0a 0a 02 00 00 40 00 00 01 2c ff ff',
    );
    assert.equal(hex(sense10(a, 0x1a).dataIn.subarray(8)), `1a 26${' 00'.repeat(38)}`);
    assert.equal(
      hex(sense10(a, 0x1c).dataIn),
      capture('Linux-scsi_debug', 'MODE SENSE(10) page 1C/00').dataIn,
    );
  });

  it('gives a page alone the bytes it has among all pages', () => {
    for (const control of [0x00, 0x40, 0x80]) {
      const all = hex(sense10(a, control | 0x3f).dataIn.subarray(8));
      const alone = [0x01, 0x08, 0x0a, 0x1a, 0x1c].map((page) =>
        hex(sense10(a, control | page).dataIn.subarray(8)),
      );
      assert.equal(all, alone.join(' '));
      assert.equal(hex(sense10(a, control | 0x3f, { sub: 0xff }).dataIn.subarray(8)), all);
    }
  });

  it('gives (6) and (10) one content', () => {
    const six = a.run('1a 08 3f 00 ff 00', { in: 255 }).dataIn;
    assert.equal(six[0], six.length - 1);
    assert.deepEqual(six.subarray(4), sense10(a, 0x3f).dataIn.subarray(8));
  });

  it('marks as changeable PER, WCE, TST, D_SENSE, QAM, NUAR, QERR, UA_INTLCK_CTRL, SWP, TAS, timers, DEXCPT, EWASC, TEST and MRIE, and nothing else', () => {
    const mask = sense10(a, 0x7f).dataIn.subarray(8);
    const ones: string[] = [];
    for (let at = 0; at < mask.length; ) {
      const length = (mask[at + 1] as number) + 2;
      for (let i = 2; i < length; i += 1) {
        if (mask[at + i] !== 0) ones.push(`${mask[at]}.${i}=${mask[at + i]}`);
      }
      at += length;
    }
    assert.deepEqual(ones, [
      '1.2=4',
      '8.2=4',
      '10.2=36',
      '10.3=30',
      '10.4=56',
      '10.5=64',
      '26.2=1',
      '26.3=15',
      '26.4=255',
      '26.5=255',
      '26.6=255',
      '26.7=255',
      '26.8=255',
      '26.9=255',
      '26.10=255',
      '26.11=255',
      '26.12=255',
      '26.13=255',
      '26.14=255',
      '26.15=255',
      '26.16=255',
      '26.17=255',
      '26.18=255',
      '26.19=255',
      '26.20=255',
      '26.21=255',
      '26.22=255',
      '26.23=255',
      '28.2=28',
      '28.3=15',
      ...Array.from({ length: 8 }, (_, i) => `28.${i + 4}=255`),
    ]);
  });

  it('answers bad pages, subpages and saved values with the sense of scsi_debug', () => {
    for (const name of [
      'MODE SENSE(10) page 00/00',
      'MODE SENSE(10) page 05/00',
      'MODE SENSE(10) page 2A/00',
      'MODE SENSE(10) page 0A/01',
      'MODE SENSE(6) page 3F saved',
      'MODE SENSE(10) page 3F/FF saved',
    ]) {
      const theirs = capture('Linux-scsi_debug', name);
      assert.equal(hex(a.run(theirs.cdb, { in: 1024 }).senseBytes), theirs.sense, name);
    }
    const r = sense10(a, 0x3f, { sub: 0x01 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 3']);
  });

  it('has a block descriptor unless DBD, long when LLBAA', () => {
    assert.equal(
      hex(sense10(a, 0x0a, { flags: 0x00 }).dataIn.subarray(2, 16)),
      ['00 10 00 00 00 08', '00 00 08 00 00 00 02 00'].join(' '),
    );
    const long = sense10(a, 0x0a, { flags: 0x10 }).dataIn;
    assert.equal(hex(long.subarray(2, 8)), '00 10 01 00 00 10');
    assert.equal(hex(long.subarray(8, 24)), '00 00 00 00 00 00 08 00 00 00 00 00 00 00 02 00');
    assert.equal(hex(sense10(a, 0x0a, { flags: 0x18 }).dataIn.subarray(2, 8)), '00 10 00 00 00 00');
  });

  it('says all ones of a capacity that 32 bits do not hold', () => {
    const t = disk();
    const b = t.nexus('b').clear();
    t.store.bytes = 512 * 2 ** 33;
    assert.equal(
      hex(sense10(b, 0x0a, { flags: 0 }).dataIn.subarray(8, 16)),
      'ff ff ff ff 00 00 02 00',
    );
    assert.equal(
      hex(sense10(b, 0x0a, { flags: 0x10 }).dataIn.subarray(8, 24)),
      '00 00 00 02 00 00 00 00 00 00 00 00 00 00 02 00',
    );
  });

  it('has WP for a read-only store', () => {
    const b = disk({ readOnly: true }).nexus('b').clear();
    assert.equal(sense10(b, 0x3f).dataIn[3], 0x90);
    assert.equal(b.run('1a 08 3f 00 ff 00', { in: 255 }).dataIn[2], 0x90);
  });

  it('has PS and saved values when they have somewhere to go', () => {
    const b = disk({ parameters: savable }).nexus('b').clear();
    assert.equal(sense10(b, 0x08).dataIn[8], 0x88);
    assert.equal(hex(sense10(b, 0xc8).dataIn), hex(sense10(b, 0x08).dataIn));
  });
});
