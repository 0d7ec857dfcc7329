/** LUN fields: the addressing methods of SAM-5 4.7 in both presentations. */
import { strict as assert } from 'node:assert';
import {
  decodeLun,
  encodeLun,
  type LunPresentation,
  NO_LUN,
  OTHER_WLUN,
  REPORT_LUNS_WLUN,
} from '../../src/scsi/lun.ts';
import { bytesOf, hex } from '../support/direct-port.ts';
import { hexVector, jsonVector } from '../support/vectors.ts';

interface SrpVector {
  readonly id: string;
  readonly name: string;
  readonly hex: string;
}

const vectors = jsonVector<readonly SrpVector[]>('srp.json');

function decode(field: string | Uint8Array, presentation: LunPresentation): number {
  const bytes = new Uint8Array(16).fill(0xff);
  bytes.set(bytesOf(field), 4);
  return decodeLun(new DataView(bytes.buffer), 4, presentation);
}

/** What each vector names: natively, to a virtual SCSI initiator. */
const EXPECTED: Readonly<Record<string, readonly [number, number]>> = {
  L01: [5, NO_LUN],
  L02: [300, NO_LUN],
  L03: [NO_LUN, 1],
  L04: [NO_LUN, NO_LUN],
  L05: [REPORT_LUNS_WLUN, REPORT_LUNS_WLUN],
  L06: [0x77_8899_aabb, 0x77_8899_aabb],
  L07: [NO_LUN, NO_LUN],
  L08: [0x04_0b03, 0x04_0b03],
};

describe('LUN field', () => {
  for (const [id, [native, vscsi]] of Object.entries(EXPECTED)) {
    const vector = vectors.find((each) => each.id === id);
    it(`${id} ${vector?.name}`, () => {
      assert.ok(vector);
      assert.equal(decode(vector.hex, 'native'), native);
      assert.equal(decode(vector.hex, 'vscsi'), vscsi);
    });
  }

  it('reads every single-level method natively, and two spellings of one unit alike', () => {
    assert.equal(decode('0000000000000000', 'native'), 0);
    assert.equal(decode('00ff000000000000', 'native'), 255);
    assert.equal(decode('4005000000000000', 'native'), 5);
    assert.equal(decode('7fff000000000000', 'native'), 16383);
    assert.equal(decode('8005000000000000', 'native'), 5);
    assert.equal(decode('d200000500000000', 'native'), 5);
  });

  it('never masks: bits the method does not use name no unit', () => {
    for (const field of [
      '0105000000000000', // another bus
      '0005000100000000', // a second level
      '0005000000000001',
      '8505000000000000', // another target
      '8025000000000000', // another bus
      'c101000100000000',
      'c101000000000001',
      'd200000500000001',
      'e200000000000001',
      'c000000000000000',
      'f200000000000000',
    ]) {
      assert.equal(decode(field, 'native'), NO_LUN, field);
    }
    assert.equal(decode('c106000000000000', 'native'), OTHER_WLUN);
  });

  it('reads target n as unit n for virtual SCSI initiators', () => {
    assert.equal(decode('0000000000000000', 'vscsi'), 0);
    assert.equal(decode('8000000000000000', 'vscsi'), 0);
    assert.equal(decode('bf00000000000000', 'vscsi'), 63);
    assert.equal(decode('8101000000000000', 'vscsi'), NO_LUN);
    assert.equal(decode('0001000000000000', 'vscsi'), NO_LUN);
    assert.equal(decode('4001000000000000', 'vscsi'), NO_LUN);
  });

  it('does not take any of the odd fields of sg3_utils luns_wlun.hex for a unit it has not', () => {
    const list = hexVector('sg3_utils-inhex/luns_wlun.hex');
    const luns = [];
    for (let at = 8; at < list.length; at += 8)
      luns.push(decode(list.subarray(at, at + 8), 'native'));
    assert.deepEqual(luns, [
      1,
      NO_LUN,
      REPORT_LUNS_WLUN,
      0x1234,
      NO_LUN,
      NO_LUN,
      0x77_8899_aabb,
      NO_LUN,
    ]);
  });

  it('writes what REPORT LUNS lists', () => {
    const encode = (lun: number, presentation: LunPresentation): string => {
      const bytes = new Uint8Array(10).fill(0xa5);
      encodeLun(bytes, 1, lun, presentation);
      assert.equal(bytes[0], 0xa5);
      assert.equal(bytes[9], 0xa5);
      return hex(bytes.subarray(1, 9)).replaceAll(' ', '');
    };
    assert.equal(encode(0, 'native'), '0000000000000000');
    assert.equal(encode(255, 'native'), '00ff000000000000');
    assert.equal(encode(256, 'native'), '4100000000000000');
    assert.equal(encode(16383, 'native'), '7fff000000000000');
    assert.equal(encode(0, 'vscsi'), '0000000000000000');
    assert.equal(encode(5, 'vscsi'), '8500000000000000');
    assert.equal(encode(REPORT_LUNS_WLUN, 'vscsi'), 'c101000000000000');
    assert.throws(
      () => encode(64, 'vscsi'),
      /Cannot encode LUN 64: virtual SCSI has targets 0 to 63/,
    );
    assert.throws(() => encode(16384, 'native'), /Cannot encode LUN 16384/);
  });
});
