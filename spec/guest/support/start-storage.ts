/** Chooses what serves the guests' disks; RINGSCSI_GUEST_STORAGE=qemu proves a test on QEMU's own target. */
import { DaemonStorage } from './daemon-storage.ts';
import { type DiskSpec, QemuStorage, type Storage } from './storage.ts';

export const ON_QEMU = process.env['RINGSCSI_GUEST_STORAGE'] === 'qemu';

/** `keeps`: ours has a state directory. */
export async function startStorage(disks: readonly DiskSpec[], keeps = false): Promise<Storage> {
  if (ON_QEMU) return new QemuStorage(disks);
  return await DaemonStorage.start(disks, 'guests', [], keeps);
}
