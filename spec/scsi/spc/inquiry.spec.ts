/** INQUIRY and vital product data (SPC-4 6.6, 7.8; SBC-3 6.6). */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { jsonVector } from '../../support/vectors.ts';

const vpd = (a: TestNexus, page: number, lun = 0) =>
  a.run([0x12, 1, page, 0x01, 0xff, 0], { in: 511, lun });

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('INQUIRY', () => {
  it('says what SPC-4 table 142 asks of a disk', () => {
    const { dataIn } = disk().nexus('a').run('12 00 00 00 60 00', { in: 96 });
    assert.equal(dataIn[0], 0x00, 'connected, direct access');
    assert.equal(dataIn[1], 0x00, 'fixed medium');
    assert.equal(dataIn[2], 0x06, 'SPC-4');
    assert.equal(dataIn[3], 0x32, 'NORMACA, HISUP, response data format 2');
    assert.equal(dataIn[4], dataIn.length - 5);
    assert.equal(dataIn[5], 0x18, 'implicit ALUA, third-party copy; no SCC, protection');
    assert.equal(dataIn[7], 0x02, 'CMDQUE');
    assert.equal(text(dataIn.subarray(8, 36)), 'RINGSCSISPEC DISK       0001');
  });

  it('claims standards that are on the T10 list', () => {
    const { dataIn } = disk().nexus('a').run('12 00 00 00 60 00', { in: 96 });
    const list = jsonVector<readonly { code: number; name: string }[]>(
      't10/version-descriptors.json',
    );
    const names: (string | undefined)[] = [];
    for (let at = 58; at < 74; at += 2) {
      const code = ((dataIn[at] as number) << 8) | (dataIn[at + 1] as number);
      if (code !== 0) names.push(list.find((each) => each.code === code)?.name);
    }
    assert.deepEqual(
      names.map((name) => name?.replace(' (no version claimed)', '')),
      ['SAM-5', 'SPC-4', 'SBC-3', 'SRP'],
    );
  });

  it('keeps ASCII fields graphic and padded whatever the identity says', () => {
    const t = disk({ serial: 'S\u0007é9' });
    const a = t.nexus('a');
    assert.equal(text(vpd(a, 0x80).dataIn.subarray(4)), 'S  9');
  });

  it('refuses a page code without EVPD and pages it has not, pointing at byte 2', () => {
    const a = disk().nexus('a');
    const standard = a.run('12 00 83 00 60 00', { in: 96 });
    assert.deepEqual([standard.sense, standard.pointer], ['5/24/00', 'cdb 2']);
    const listed = new Set(vpd(a, 0).dataIn.subarray(4));
    for (let page = 0; page < 256; page += 1) {
      const r = vpd(a, page);
      if (listed.has(page)) {
        assert.deepEqual([r.status, r.dataIn[1]], [0, page]);
        assert.equal(((r.dataIn[2] as number) << 8) | (r.dataIn[3] as number), r.dataIn.length - 4);
      } else {
        assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2'], page.toString(16));
      }
    }
  });

  it('lists its pages ascending, 00h first', () => {
    const pages = [...vpd(disk().nexus('a'), 0).dataIn.subarray(4)];
    assert.deepEqual(pages, [0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0x8a, 0x8f, 0xb0, 0xb1, 0xb2]);
  });

  it('names the unit by NAA and by vendor and serial number, different for different units', () => {
    const t = disk();
    t.add({ lun: 1 });
    const a = t.nexus('a');
    const [zero, one] = [vpd(a, 0x83), vpd(a, 0x83, 1)];
    assert.equal(
      hex(zero.dataIn),
      '00 83 00 35 01 03 00 10 60 11 11 11 11 11 11 11 11 11 11 11 11 11 11 00 ' +
        '02 01 00 0d 52 49 4e 47 53 43 53 49 53 50 45 43 30 ' +
        '01 14 00 04 00 00 00 01 01 15 00 04 00 00 00 01',
    );
    assert.notDeepEqual(zero.dataIn, one.dataIn);
    assert.notDeepEqual(vpd(a, 0x80).dataIn, vpd(a, 0x80, 1).dataIn);
  });

  it('gives 4 KiB blocks their own limits', () => {
    const { dataIn } = vpd(disk({ blockBytes: 4096, thin: true }).nexus('a'), 0xb0);
    const view = new DataView(dataIn.buffer, dataIn.byteOffset);
    assert.equal(dataIn.length, 64);
    assert.equal(view.getUint16(6), 1, 'optimal transfer length granularity');
    assert.equal(view.getUint32(8), 256, 'maximum transfer length: 1 MiB');
    assert.equal(view.getUint32(28), 1, 'optimal unmap granularity');
    assert.equal(view.getUint32(32), 0x8000_0000, 'UGAVALID, alignment 0');
  });

  it('promises UNMAP only on a thin disk, in B0h, B2h and the command table alike', () => {
    for (const thin of [false, true]) {
      const a = disk({ thin }).nexus('a').clear();
      const limits = vpd(a, 0xb0).dataIn;
      assert.equal(new DataView(limits.buffer).getUint32(20) > 0, thin);
      assert.equal(((vpd(a, 0xb2).dataIn[5] as number) & 0x80) !== 0, thin);
      assert.equal(a.run('42 00 00 00 00 00 00 00 00 00').sense, thin ? '' : '5/20/00');
    }
  });
});
