/** Chooses what serves the guests' disks; RINGSCSI_GUEST_STORAGE=qemu proves a test on QEMU's own target. */
import { DaemonStorage } from './daemon-storage.ts';
import { type DiskSpec, QemuStorage, type Storage } from './storage.ts';

export const ON_QEMU = process.env['RINGSCSI_GUEST_STORAGE'] === 'qemu';

export async function startStorage(disks: readonly DiskSpec[]): Promise<Storage> {
  return ON_QEMU ? new QemuStorage(disks) : await DaemonStorage.start(disks);
}
