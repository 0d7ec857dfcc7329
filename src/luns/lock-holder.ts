/** Who holds the lock of a file: the lines of /proc/locks (proc(5)) about one inode. */
import { fstatSync, readFileSync } from 'node:fs';
import { deviceNumbers } from './store/block.ts';

export interface LockHolder {
  /** 0 when the kernel does not say, as for a process outside this container. */
  readonly processId: number;
  /** Command name of the process; empty when it cannot be read. */
  readonly command: string;
}

/** `1: FLOCK  ADVISORY  WRITE 5158 fe:00:2146485 0 EOF`; a waiter has `->` in front of FLOCK. */
const LINE = /^\d+: FLOCK +\S+ +\S+ +(-?\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) /;

interface Match {
  readonly processId: number;
  readonly sameDevice: boolean;
}

/**
 * Process id of the holder of the flock on (device, inode) in the text of /proc/locks; undefined when none is listed.
 * Some file systems give stat(2) another device number than the kernel's own, so the inode alone will do when no line
 * has both.
 */
export function holderInLocks(locks: string, dev: bigint, inode: bigint): number | undefined {
  const { major, minor } = deviceNumbers(dev);
  const matches: Match[] = [];
  for (const line of locks.split('\n')) {
    const [, pid, lineMajor, lineMinor, lineInode] = LINE.exec(line) ?? [];
    if (lineInode === undefined || BigInt(lineInode) !== inode) continue;
    matches.push({
      processId: Math.max(0, Number(pid)),
      sameDevice:
        parseInt(lineMajor ?? '', 16) === major && parseInt(lineMinor ?? '', 16) === minor,
    });
  }
  return (matches.find((match) => match.sameDevice) ?? matches[0])?.processId;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Who holds the flock of the file behind `fd`. */
export function lockHolder(fd: number): LockHolder {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  const processId = holderInLocks(read('/proc/locks'), dev, ino) ?? 0;
  const command = processId > 0 ? read(`/proc/${processId}/comm`).trim() : '';
  return { processId, command };
}
