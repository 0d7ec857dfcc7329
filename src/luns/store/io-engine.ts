/** How a file store reaches its descriptor: positional system calls, each answered with bytes or a negative errno. */
import {
  allocate,
  dataSync,
  EINTR,
  FALLOC_KEEP_SIZE,
  FALLOC_PUNCH_HOLE,
  FALLOC_ZERO_RANGE,
  type FileState,
  fileState,
  readVector,
  writeVector,
} from '../../libc.ts';

/**
 * What a store asks of the kernel. `iovAddress` and `count` name a struct iovec array that stays valid until the answer.
 * Stores hold no opinion on how an engine does it: every call carries all it needs (descriptor, raw addresses, position)
 * and every outcome is one integer, so that the same five operations can be queued by an engine that completes later.
 * Tests put engines here that fail, or move fewer bytes than they were asked to.
 */
export interface IoEngine {
  /** Bytes read (0 at end of file, fewer than asked near it) or -errno. */
  read(fd: number, iovAddress: number, count: number, position: number): number;
  /** Bytes written or -errno. `durable`: on stable storage when it answers; -EOPNOTSUPP where the file cannot do that. */
  write(fd: number, iovAddress: number, count: number, position: number, durable: boolean): number;
  /** Data and the metadata needed to read it back reach stable storage: 0 or -errno. */
  sync(fd: number): number;
  /** The range reads as zeros and gives its space back: 0 or -errno. */
  discard(fd: number, position: number, bytes: number): number;
  /** The range reads as zeros and keeps its space: 0 or -errno. */
  zero(fd: number, position: number, bytes: number): number;
  /** Links and size of the file into `state`: 0 or -errno. */
  state(fd: number, state: FileState): number;
}

function allocateUninterrupted(fd: number, mode: number, position: number, bytes: number): number {
  for (;;) {
    const result = allocate(fd, mode, position, bytes);
    if (result !== -EINTR) return result;
  }
}

/** The system calls themselves, on the calling thread. preadv(2) and pwritev2(2) go on after a signal in libc. */
export const systemCalls: IoEngine = {
  read: readVector,
  write: writeVector,
  sync(fd) {
    for (;;) {
      const result = dataSync(fd);
      if (result !== -EINTR) return result;
    }
  },
  discard(fd, position, bytes) {
    return allocateUninterrupted(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, position, bytes);
  },
  zero(fd, position, bytes) {
    return allocateUninterrupted(fd, FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE, position, bytes);
  },
  state: fileState,
};
