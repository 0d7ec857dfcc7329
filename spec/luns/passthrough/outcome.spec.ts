/** What status and sense data the kernel's answers become. */
import { strict as assert } from 'node:assert';
import type { DeviceReply } from '../../../src/luns/passthrough/device.ts';
import { outcomeOf } from '../../../src/luns/passthrough/outcome.ts';
import { copyDeviceSense } from '../../../src/scsi/sense.ts';
import { senseOf } from '../../support/scripted-device.ts';

const GOOD: DeviceReply = {
  errno: 0,
  status: 0,
  hostStatus: 0,
  driverStatus: 0,
  sense: new Uint8Array(0),
  residual: 0,
};

function said(reply: Partial<DeviceReply>): string {
  const { status, sense } = outcomeOf({ ...GOOD, ...reply });
  const parts = [(sense >> 16) & 0xf, (sense >> 8) & 0xff, sense & 0xff];
  return status === 2 ? parts.map((part) => part.toString(16)).join('/') : `status ${status}`;
}

const CASES: readonly (readonly [string, Partial<DeviceReply>, string])[] = [
  ['GOOD', {}, 'status 0'],
  ['EPERM: the filter of the kernel', { errno: 1 }, '5/20/0'],
  ['ENXIO: unplugged', { errno: 6 }, '4/3e/1'],
  ['ENODEV: unplugged', { errno: 19 }, '4/3e/1'],
  ['EBUSY', { errno: 16 }, 'status 8'],
  ['EINVAL: our mistake', { errno: 22 }, '4/44/0'],
  ['DID_NO_CONNECT: unplugged under the command', { hostStatus: 1 }, '4/3e/1'],
  ['DID_BUS_BUSY', { hostStatus: 2 }, 'status 8'],
  ['DID_TIME_OUT', { hostStatus: 3 }, 'b/2e/2'],
  ['DID_ABORT', { hostStatus: 5 }, 'b/0/6'],
  ['DID_PARITY', { hostStatus: 6 }, 'b/47/0'],
  ['DID_ERROR', { hostStatus: 7 }, '4/44/0'],
  ['DID_RESET', { hostStatus: 8 }, 'b/0/6'],
  ['DID_REQUEUE', { hostStatus: 13 }, 'status 8'],
  ['DRIVER_TIMEOUT', { driverStatus: 6 }, 'b/2e/2'],
  [
    'the host goes before the status',
    { hostStatus: 3, status: 2, sense: senseOf(5, 0x24, 0) },
    'b/2e/2',
  ],
  ['CHECK CONDITION', { status: 2, driverStatus: 8, sense: senseOf(3, 0x11, 5) }, '3/11/5'],
  ['CHECK CONDITION without sense data', { status: 2 }, '5/20/0'],
  ['CHECK CONDITION with zeros', { status: 2, sense: new Uint8Array(18) }, '5/20/0'],
  ['BUSY', { status: 8 }, 'status 8'],
  ['RESERVATION CONFLICT', { status: 0x18 }, 'status 24'],
  ['ACA ACTIVE is not ours', { status: 0x30 }, 'status 8'],
];

describe('passthrough: outcomes', () => {
  for (const [name, reply, expected] of CASES) {
    it(`${name}: ${expected}`, () => assert.equal(said(reply), expected));
  }

  it('descriptor format is read, and sent as it is', () => {
    const sense = Uint8Array.of(0x72, 2, 4, 7, 0, 0, 0, 0);
    const outcome = outcomeOf({ ...GOOD, status: 2, sense });
    assert.equal(outcome.sense, 0x20407);
    assert.deepEqual(outcome.deviceSense, sense);
  });

  it('at most 96 bytes of it, which is what virtio-scsi has room for', () => {
    const view = new DataView(new ArrayBuffer(300));
    assert.equal(copyDeviceSense(view, 8, new Uint8Array(252).fill(0x70)), 96);
    assert.deepEqual(
      [7, 8, 103, 104].map((at) => view.getUint8(at)),
      [0, 0x70, 0x70, 0],
    );
  });
});
