/** The lock of an image: flock(2) between target daemons, and the byte locks by which QEMU keeps others off (file-posix.c). */
import { tryLock, unlock } from '../libc.ts';
import { bytesLockedElsewhere, lockBytesShared, unlockBytes } from './byte-lock.ts';

/**
 * QEMU shows what it does with an image by shared locks on single bytes: byte 100 + n while it uses permission n, byte
 * 200 + n while it does not let others use it. Whoever takes his own looks afterwards whether a byte of somebody else
 * forbids it. The permissions: 0 consistent read, 1 write, 2 write unchanged, 3 resize.
 */
const USED = 100;
const UNSHARED = 200;
const PERMISSIONS = 4;
const CONSISTENT_READ = 0;
const WRITE = 1;
const RESIZE = 3;

/** `daemon`: a flock is held, as by another ringscsi. `qemu`: QEMU's byte locks are. */
export type ImageLockResult = 'locked' | 'daemon' | 'qemu';

/**
 * Takes the lock of the open file: shared with readers when `readOnly`, else alone. No writer, QEMU or ringscsi, can have
 * the image meanwhile. It belongs to the open file description: closing its last descriptor gives it back.
 */
export function lockImage(fd: number, readOnly: boolean): ImageLockResult {
  if (!tryLock(fd, readOnly)) return 'daemon';
  const uses = readOnly ? [CONSISTENT_READ] : [CONSISTENT_READ, WRITE, RESIZE];
  const forbids = [WRITE, RESIZE];
  for (const permission of uses) lockBytesShared(fd, USED + permission, 1);
  for (const permission of forbids) lockBytesShared(fd, UNSHARED + permission, 1);
  const refused =
    forbids.some((permission) => bytesLockedElsewhere(fd, USED + permission, 1)) ||
    uses.some((permission) => bytesLockedElsewhere(fd, UNSHARED + permission, 1));
  if (!refused) return 'locked';
  unlockImage(fd);
  return 'qemu';
}

/** Gives the lock back while the file stays open. */
export function unlockImage(fd: number): void {
  unlockBytes(fd, USED, PERMISSIONS);
  unlockBytes(fd, UNSHARED, PERMISSIONS);
  unlock(fd);
}
