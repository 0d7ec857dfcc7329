/** Unplugs a device from a QEMU and waits until it has really gone. */
import { type QmpClient, QmpError } from '../qmp/client.ts';
import type { QmpEvent } from '../qmp/messages.ts';

/** The guest or QEMU keeps the device. */
export class UnplugRefusedError extends Error {
  readonly code = 'ERR_UNPLUG_REFUSED';
}

const PERIPHERAL = '/machine/peripheral';

/** Ids of the devices that were given one. Throws QmpError. */
export async function deviceIds(qmp: QmpClient): Promise<string[]> {
  const children = await qmp.execute('qom-list', { path: PERIPHERAL });
  return children.filter(({ type }) => type.startsWith('child<')).map(({ name }) => name);
}

export async function deviceExists(qmp: QmpClient, id: string): Promise<boolean> {
  return (await deviceIds(qmp)).includes(id);
}

/** Throws UnplugRefusedError: the guest says no, or nothing within `unplugMs`; QmpError: QEMU says no, or is gone. */
export async function unplugDevice(qmp: QmpClient, id: string, unplugMs: number): Promise<void> {
  const ofDevice = ({ data }: QmpEvent): boolean => data['device'] === id;
  const deleted = qmp.waitFor('DEVICE_DELETED', ofDevice, unplugMs);
  const refused = qmp.waitFor('DEVICE_UNPLUG_GUEST_ERROR', ofDevice, unplugMs).then(
    () => {
      throw new UnplugRefusedError('the guest refuses to let go of it');
    },
    // No refusal is what is hoped for; the other wait tells how it went.
    () => deleted,
  );
  refused.catch(() => undefined);
  await qmp.execute('device_del', { id });
  try {
    await Promise.race([deleted, refused]);
  } catch (error) {
    if (!(error instanceof QmpError) || error.code !== 'ERR_QMP_TIMEOUT') throw error;
    if (!(await deviceExists(qmp, id))) return;
    throw new UnplugRefusedError(`the guest kept it for ${unplugMs} ms`);
  }
}
