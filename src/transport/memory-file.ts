/** What a peer's memory file must be, so that nobody can take mapped pages away and kill this process with SIGBUS. */
import { fstatSync } from 'node:fs';
import { close, createMemoryFile, F_SEAL_SHRINK, getSeals } from '../libc.ts';

const F_SEAL_WRITE = 8;
const F_SEAL_FUTURE_WRITE = 16;

/** Device number (stat) of plain memory files; 0 until it was asked for. */
let plainDevice = 0;

function memoryFileDevice(): number {
  if (plainDevice !== 0) return plainDevice;
  const fd = createMemoryFile('ringscsi-probe', 0);
  try {
    plainDevice = fstatSync(fd).dev;
  } finally {
    close(fd);
  }
  return plainDevice;
}

/**
 * Why bytes [0, end) of a file cannot be mapped safely, or null. The seals come first: once a file cannot shrink, the size
 * that is read next can only grow. A file of huge pages faults when a hole in it finds no free page, seals or not.
 */
export function memoryFileFault(fd: number, end: number): string | null {
  const seals = getSeals(fd);
  if (seals < 0) return 'is no memory file (memfd)';
  if ((seals & F_SEAL_SHRINK) === 0) return 'is not sealed against shrinking (F_SEAL_SHRINK)';
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0) return 'is sealed against writing';
  const state = fstatSync(fd);
  if (state.dev !== memoryFileDevice()) return 'is made of huge pages, which can run out';
  if (state.size < end) return `ends at byte ${state.size}, before byte ${end}`;
  return null;
}
