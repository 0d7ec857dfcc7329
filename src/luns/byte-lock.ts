/** Locks of byte ranges that belong to an open file description (fcntl(2), F_OFD_SETLK), as QEMU uses them. */
import { Buffer } from 'node:buffer';
import { fileLock } from '../libc.ts';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** struct flock of 64-bit Linux, counted from the start of the file. */
function byteLock(type: number, first: number, bytes: number): Buffer {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(type, 0);
  lock.writeBigInt64LE(BigInt(first), 8);
  lock.writeBigInt64LE(BigInt(bytes), 16);
  return lock;
}

/** Takes a shared lock: 0 or -errno. */
export function lockBytesShared(fd: number, first: number, bytes: number): number {
  return fileLock(fd, F_OFD_SETLK, byteLock(F_RDLCK, first, bytes));
}

export function unlockBytes(fd: number, first: number, bytes: number): void {
  fileLock(fd, F_OFD_SETLK, byteLock(F_UNLCK, first, bytes));
}

/** Whether another open file description holds a lock on any byte of the range. False when the file system has none. */
export function bytesLockedElsewhere(fd: number, first: number, bytes: number): boolean {
  const lock = byteLock(F_WRLCK, first, bytes);
  return fileLock(fd, F_OFD_GETLK, lock) >= 0 && lock.readInt16LE(0) !== F_UNLCK;
}
