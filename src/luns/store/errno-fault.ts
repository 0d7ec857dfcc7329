/** What a failed system call means for a store: errno to fault. */

import { EDQUOT, EFAULT, EINVAL, ENOSPC, ENOSYS, EOPNOTSUPP, EROFS } from '../../libc.ts';
import {
  BUFFER,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
  READ_ONLY,
  type StoreReply,
} from '../../scsi/contracts.ts';

const EPERM = 1;
const ENXIO = 6;
const EBADF = 9;
const ENODEV = 19;
const EFBIG = 27;
const ESTALE = 116;

/** No space, no quota, or a limit on the size of files. */
export function isFull(errno: number): boolean {
  return errno === ENOSPC || errno === EDQUOT || errno === EFBIG;
}

/** The file system or device cannot do this operation (at this alignment); another way has to be taken. */
export function isUnsupported(errno: number): boolean {
  return errno === EOPNOTSUPP || errno === ENOSYS || errno === EINVAL;
}

/** The descriptor is not one for writing. */
export function isWriteRefused(errno: number): boolean {
  return errno === EROFS || errno === EBADF || errno === EPERM;
}

function isGone(errno: number): boolean {
  return errno === ENODEV || errno === ENXIO || errno === ESTALE;
}

export function readFault(errno: number): StoreReply {
  if (errno === EFAULT) return BUFFER;
  return isGone(errno) ? GONE : MEDIUM_READ;
}

export function writeFault(errno: number): StoreReply {
  if (isFull(errno)) return FULL;
  if (errno === EFAULT) return BUFFER;
  if (isWriteRefused(errno)) return READ_ONLY;
  return isGone(errno) ? GONE : MEDIUM_WRITE;
}
