/** Every foreign function: memory files, mappings, eventfds, epoll, sockets with descriptor passing, positional I/O, locks. */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';

const lib = koffi.load(null);

/** Data path. Arguments stay small integers where they can: a double argument costs one heap number per call. */
const preadv = lib.func('intptr_t preadv(int fd, intptr_t iov, int count, int64_t offset)');
const preadv2 = lib.func(
  'intptr_t preadv2(int fd, intptr_t iov, int count, int64_t offset, int flags)',
);
const pwritev2 = lib.func(
  'intptr_t pwritev2(int fd, intptr_t iov, int count, int64_t offset, int flags)',
);
/** syscall(2) in the shapes of the three io_uring calls, which the C library has no functions for. */
const setupCall = lib.func('intptr_t syscall(long number, unsigned int entries, intptr_t params)');
const enterCall = lib.func(
  'intptr_t syscall(long number, int fd, unsigned int submit, unsigned int complete, unsigned int flags, intptr_t sig, size_t n)',
);
const registerCall = lib.func(
  'intptr_t syscall(long number, int fd, unsigned int operation, intptr_t argument, unsigned int count)',
);
/** ioctl(2) whose argument is a structure at a raw address. */
const ioctlAt = lib.func('ioctl', 'int', ['int', 'unsigned long', 'intptr_t']);
const c = {
  mmap: lib.func(
    'intptr_t mmap(intptr_t at, size_t n, int prot, int flags, int fd, int64_t offset)',
  ),
  munmap: lib.func('int munmap(intptr_t at, size_t n)'),
  memfdCreate: lib.func('int memfd_create(const char *name, unsigned int flags)'),
  ftruncate: lib.func('int ftruncate(int fd, int64_t n)'),
  fallocate: lib.func('int fallocate(int fd, int mode, int64_t offset, int64_t n)'),
  lseek: lib.func('int64_t lseek(int fd, int64_t offset, int whence)'),
  fdatasync: lib.func('int fdatasync(int fd)'),
  statx: lib.func('int statx(int fd, const char *path, int flags, unsigned int mask, void *buf)'),
  fcntl: lib.func('int fcntl(int fd, int cmd, intptr_t arg)'),
  /** The same function with a pointer, for the commands that take a struct flock. */
  fcntlLock: lib.func('fcntl', 'int', ['int', 'int', 'void *']),
  flock: lib.func('int flock(int fd, int op)'),
  ioctl: lib.func('int ioctl(int fd, unsigned long request, void *arg)'),
  close: lib.func('int close(int fd)'),
  dup: lib.func('int dup(int fd)'),
  eventfd: lib.func('int eventfd(unsigned int value, int flags)'),
  read: lib.func('intptr_t read(int fd, void *buf, size_t n)'),
  write: lib.func('intptr_t write(int fd, const void *buf, size_t n)'),
  epollCreate: lib.func('int epoll_create1(int flags)'),
  epollCtl: lib.func('int epoll_ctl(int ep, int op, int fd, void *event)'),
  epollWait: lib.func('int epoll_wait(int ep, void *events, int max, int timeoutMs)'),
  socket: lib.func('int socket(int domain, int type, int protocol)'),
  bind: lib.func('int bind(int fd, const void *address, unsigned int n)'),
  listen: lib.func('int listen(int fd, int backlog)'),
  accept4: lib.func('int accept4(int fd, void *address, void *n, int flags)'),
  connect: lib.func('int connect(int fd, const void *address, unsigned int n)'),
  getsockopt: lib.func('int getsockopt(int fd, int level, int option, void *value, void *n)'),
  sendmsg: lib.func('intptr_t sendmsg(int fd, const void *msg, int flags)'),
  recvmsg: lib.func('intptr_t recvmsg(int fd, void *msg, int flags)'),
} as const;

/** errno values that callers tell apart. */
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EFAULT = 14;
export const EINVAL = 22;
export const EMFILE = 24;
export const ENOSPC = 28;
export const EROFS = 30;
export const ENOSYS = 38;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const ECONNRESET = 104;
export const ECONNREFUSED = 111;
export const EDQUOT = 122;

/** A failed system call, for the cold paths. The data path returns errno numbers instead. */
export class SystemError extends Error {
  readonly code = 'ERR_SYSTEM';
  readonly errno: number;
  constructor(call: string, errno: number) {
    super(`${call} failed: ${errorName(errno)}`);
    this.errno = errno;
  }
}

/** Symbolic name of an errno value, or its number. */
export function errorName(errno: number): string {
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === errno) return name;
  return `errno ${errno}`;
}

function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return result;
}

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** A mapping this process owns: its raw address and a view of its bytes. Drop every view before `unmap`. */
export interface Mapping {
  readonly address: number;
  readonly bytes: number;
  readonly buffer: ArrayBuffer;
}

function map(bytes: number, flags: number, fd: number, offset = 0): Mapping {
  const address = Number(c.mmap(0, bytes, PROT_READ_WRITE, flags, fd, offset));
  if (address === -1) throw new SystemError('mmap', koffi.errno());
  return { address, bytes, buffer: koffi.view(address, bytes) };
}

/** Maps `bytes` (at most 2 GiB) of a file from a whole page on, shared, readable and writable. Throws SystemError. */
export function mapShared(fd: number, bytes: number, offset = 0): Mapping {
  return map(bytes, MAP_SHARED, fd, offset);
}

/** Maps zero pages of this process; they cost memory when first touched. Throws SystemError. */
export function mapAnonymous(bytes: number): Mapping {
  return map(bytes, MAP_PRIVATE_ANONYMOUS, -1);
}

/** Unmaps. Every ArrayBuffer over the mapping must be out of use: touching one afterwards kills the process. */
export function unmap(mapping: Mapping): void {
  checked('munmap', c.munmap(mapping.address, mapping.bytes));
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;

/** Creates a memory file of `bytes` bytes that can be sealed. Throws SystemError. */
export function createMemoryFile(name: string, bytes: number): number {
  const fd = checked('memfd_create', c.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (c.ftruncate(fd, bytes) < 0) {
    const errno = koffi.errno();
    c.close(fd);
    throw new SystemError('ftruncate', errno);
  }
  return fd;
}

export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;

/** Seals of a memory file, or -1 when the descriptor is not one. */
export function getSeals(fd: number): number {
  return c.fcntl(fd, F_GET_SEALS, 0);
}

export function addSeals(fd: number, seals: number): void {
  checked('fcntl(F_ADD_SEALS)', c.fcntl(fd, F_ADD_SEALS, seals));
}

/** Closes a descriptor; errors are of no use to anyone and ignored. */
export function close(fd: number): void {
  c.close(fd);
}

export function duplicate(fd: number): number {
  return checked('dup', c.dup(fd));
}

/** Scatter read: bytes read, or -errno. `iovAddress` is a raw address made by a Segments object. */
export function readVector(fd: number, iovAddress: number, count: number, offset: number): number {
  for (;;) {
    const got = preadv(fd, iovAddress, count, offset) as number;
    if (got >= 0) return got;
    const errno = koffi.errno();
    if (errno !== EINTR) return -errno;
  }
}

const RWF_NOWAIT = 8;

/** `readVector` that takes what is in memory and does not wait for a device: -EAGAIN, or -EOPNOTSUPP where it cannot tell. */
export function readVectorNow(
  fd: number,
  iovAddress: number,
  count: number,
  offset: number,
): number {
  const got = preadv2(fd, iovAddress, count, offset, RWF_NOWAIT) as number;
  return got < 0 ? -koffi.errno() : got;
}

const RWF_DSYNC = 2;

/** Gather write: bytes written, or -errno. `durable`: with RWF_DSYNC, on stable storage when it returns. */
export function writeVector(
  fd: number,
  iovAddress: number,
  count: number,
  offset: number,
  durable: boolean,
): number {
  for (;;) {
    const put = pwritev2(fd, iovAddress, count, offset, durable ? RWF_DSYNC : 0) as number;
    if (put >= 0) return put;
    const errno = koffi.errno();
    if (errno !== EINTR) return -errno;
  }
}

/** 0 or -errno. */
export function dataSync(fd: number): number {
  return c.fdatasync(fd) < 0 ? -koffi.errno() : 0;
}

export const FALLOC_KEEP_SIZE = 1;
export const FALLOC_PUNCH_HOLE = 2;
export const FALLOC_ZERO_RANGE = 16;

/** fallocate(2): 0 or -errno. */
export function allocate(fd: number, mode: number, offset: number, bytes: number): number {
  return c.fallocate(fd, mode, offset, bytes) < 0 ? -koffi.errno() : 0;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;

/**
 * End of the run of data (positive) or of the hole (negated) that holds byte `position` of a file of `bytes` bytes. A file
 * that cannot say is data. Moves the descriptor's offset, which positional I/O does not use.
 */
export function allocationEnd(fd: number, position: number, bytes: number): number {
  const data = Number(c.lseek(fd, position, SEEK_DATA));
  if (data < 0) return koffi.errno() === ENXIO ? -bytes : bytes;
  if (data > position) return -Math.min(data, bytes);
  const hole = Number(c.lseek(fd, position, SEEK_HOLE));
  return hole < 0 ? bytes : Math.min(hole, bytes);
}

const SG_IO = 0x2285;

/** ioctl(2) SG_IO with the struct sg_io_hdr at a raw address: 0 or -errno. Blocks until the command has ended. */
export function sgIo(fd: number, headerAddress: number): number {
  return ioctlAt(fd, SG_IO, headerAddress) < 0 ? -koffi.errno() : 0;
}

/** ioctl(2) whose argument is a structure: 0 or -errno. */
export function ioctl(fd: number, request: number, argument: Buffer): number {
  return c.ioctl(fd, request, argument) < 0 ? -koffi.errno() : 0;
}

export function truncate(fd: number, bytes: number): void {
  checked('ftruncate', c.ftruncate(fd, bytes));
}

const AT_EMPTY_PATH = 0x1000;
const STATX_NLINK_SIZE = 0x4 | 0x200;
const statxBuffer = Buffer.alloc(256);
const statxView = new DataView(statxBuffer.buffer, statxBuffer.byteOffset, 256);

export interface FileState {
  /** Names the file has left; 0 when it was deleted. */
  links: number;
  bytes: number;
}

/** Link count and size of an open file into `state`: 0 or -errno. */
export function fileState(fd: number, state: FileState): number {
  if (c.statx(fd, '', AT_EMPTY_PATH, STATX_NLINK_SIZE, statxBuffer) < 0) return -koffi.errno();
  state.links = statxView.getUint32(16, true);
  state.bytes = statxView.getUint32(40, true) + statxView.getUint32(44, true) * 2 ** 32;
  return 0;
}

const BLKGETSIZE64 = 0x80081272;

/** Capacity of an open block device in bytes. Throws SystemError. */
export function blockDeviceBytes(fd: number): number {
  const value = Buffer.alloc(8);
  checked('ioctl(BLKGETSIZE64)', c.ioctl(fd, BLKGETSIZE64, value));
  return Number(value.readBigUInt64LE());
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Takes an advisory lock of the open file (flock), shared or exclusive. False when somebody else holds it. */
export function tryLock(fd: number, shared: boolean): boolean {
  if (c.flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0) return true;
  const errno = koffi.errno();
  if (errno === EAGAIN) return false;
  throw new SystemError('flock', errno);
}

const LOCK_UN = 8;

/** Gives the advisory lock of the open file back. */
export function unlock(fd: number): void {
  checked('flock', c.flock(fd, LOCK_UN));
}

/** fcntl(2) with a struct flock, which may come back changed: 0 or -errno. */
export function fileLock(fd: number, command: number, lock: Uint8Array): number {
  return c.fcntlLock(fd, command, lock) < 0 ? -koffi.errno() : 0;
}

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;

export function setNonBlocking(fd: number): void {
  const flags = checked('fcntl(F_GETFL)', c.fcntl(fd, F_GETFL, 0));
  checked('fcntl(F_SETFL)', c.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

const EFD_CLOEXEC_NONBLOCK = 0x80000 | O_NONBLOCK;

/** Creates an eventfd: non-blocking, closed on exec. Throws SystemError. */
export function createEventFd(): number {
  return checked('eventfd', c.eventfd(0, EFD_CLOEXEC_NONBLOCK));
}

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
/** More than 64 bytes: smaller ones may lie in the heap, where they move. */
const counter = Buffer.alloc(128);

/** struct iovec of `counter`. One object, so that whoever uses the address keeps the memory alive. */
function counterVector(): { readonly address: number; readonly memory: Buffer } {
  const memory = Buffer.alloc(128);
  memory.writeBigUInt64LE(koffi.address(counter), 0);
  memory.writeBigUInt64LE(8n, 8);
  return { address: Number(koffi.address(memory)), memory };
}

const counterIov = counterVector();
const CURRENT_POSITION = -1;

/** Adds one to an eventfd: 0 or -errno (EAGAIN: it is already signalled to the brim). */
export function signalEventFd(fd: number): number {
  return c.write(fd, ONE, 8) < 0 ? -koffi.errno() : 0;
}

/**
 * Takes the count out of an eventfd: true when it had been signalled. Does not block even when whoever shares the
 * descriptor made it blocking (Linux 5.8 on; before that the read relies on O_NONBLOCK).
 */
export function drainEventFd(fd: number): boolean {
  const got = preadv2(fd, counterIov.address, 1, CURRENT_POSITION, RWF_NOWAIT) as number;
  if (got < 0 && koffi.errno() === EOPNOTSUPP) return c.read(fd, counter, 8) === 8;
  return got === 8;
}

/** Whether `readVectorNow` works on a file: whether it can say that a read would have to wait. Reads nothing of it. */
export function canReadNow(fd: number): boolean {
  const got = preadv2(fd, counterIov.address, 1, Number.MAX_SAFE_INTEGER, RWF_NOWAIT) as number;
  return got >= 0 || koffi.errno() !== EOPNOTSUPP;
}

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const MAX_EVENTS = 64;
/** struct epoll_event is packed on x86-64 only. */
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const EVENT_DATA_AT = process.arch === 'x64' ? 4 : 8;

/** One wait for many descriptors. A hung-up descriptor counts as readable. */
export class Poller {
  readonly #fd: number;
  readonly #events = Buffer.alloc(EVENT_BYTES * MAX_EVENTS);
  readonly #view = new DataView(this.#events.buffer, this.#events.byteOffset, this.#events.length);

  constructor() {
    this.#fd = checked('epoll_create1', c.epollCreate(EPOLL_CLOEXEC));
  }

  add(fd: number): void {
    const event = Buffer.alloc(EVENT_BYTES);
    event.writeUInt32LE(EPOLLIN, 0);
    event.writeInt32LE(fd, EVENT_DATA_AT);
    checked('epoll_ctl', c.epollCtl(this.#fd, EPOLL_CTL_ADD, fd, event));
  }

  remove(fd: number): void {
    checked('epoll_ctl', c.epollCtl(this.#fd, EPOLL_CTL_DEL, fd, this.#events));
  }

  /** Waits at most `timeoutMs` (-1: for ever, blocking this thread) and returns how many descriptors are readable. */
  wait(timeoutMs: number): number {
    const ready = c.epollWait(this.#fd, this.#events, MAX_EVENTS, timeoutMs) as number;
    if (ready >= 0) return ready;
    const errno = koffi.errno();
    if (errno === EINTR) return 0;
    throw new SystemError('epoll_wait', errno);
  }

  /** Descriptor number of the i-th readable one of the last wait. */
  readable(i: number): number {
    return this.#view.getInt32(i * EVENT_BYTES + EVENT_DATA_AT, true);
  }

  close(): void {
    c.close(this.#fd);
  }
}

const AF_UNIX = 1;
const SOCK_CLOEXEC = 0x80000;
/** Kinds of unix sockets: bytes, or messages that stay whole. */
export const SOCK_STREAM = 1;
export const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC_NONBLOCK = 0x80000 | O_NONBLOCK;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x8;
const SUN_PATH_BYTES = 108;
/** The kernel passes at most this many descriptors in one message. */
const SCM_MAX_FD = 253;
const CMSG_HEADER_BYTES = 16;

function unixAddress(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length >= SUN_PATH_BYTES) {
    throw new RangeError(
      `Cannot use socket path "${path}": ${name.length} bytes, a unix socket path has at most ${SUN_PATH_BYTES - 1}`,
    );
  }
  const address = Buffer.alloc(2 + SUN_PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/** Binds and listens on a unix socket, non-blocking. The path must not exist. Throws SystemError. */
export function listenUnix(path: string, backlog: number, kind = SOCK_SEQPACKET): number {
  const address = unixAddress(path);
  const fd = checked('socket', c.socket(AF_UNIX, kind | SOCK_CLOEXEC | O_NONBLOCK, 0));
  if (c.bind(fd, address, address.length) < 0 || c.listen(fd, backlog) < 0) {
    const errno = koffi.errno();
    c.close(fd);
    throw new SystemError(`listening on "${path}"`, errno);
  }
  return fd;
}

/**
 * Connects to a unix socket; the descriptor blocks unless `nonBlocking`, and then a full backlog is EAGAIN.
 * Throws SystemError.
 */
export function connectUnix(path: string, nonBlocking = false, kind = SOCK_SEQPACKET): number {
  const address = unixAddress(path);
  const type = kind | SOCK_CLOEXEC | (nonBlocking ? O_NONBLOCK : 0);
  const fd = checked('socket', c.socket(AF_UNIX, type, 0));
  if (c.connect(fd, address, address.length) < 0) {
    const errno = koffi.errno();
    c.close(fd);
    throw new SystemError(`connecting to "${path}"`, errno);
  }
  return fd;
}

/** Next connection of a listening socket (non-blocking), or -errno (EAGAIN: none waits; EMFILE: out of descriptors). */
export function acceptUnix(fd: number): number {
  const got = c.accept4(fd, null, null, SOCK_CLOEXEC_NONBLOCK) as number;
  return got < 0 ? -koffi.errno() : got;
}

/** Process id at the other end of a unix socket when it connected. */
export function peerProcess(fd: number): number {
  const credentials = Buffer.alloc(12);
  const length = Buffer.from([12, 0, 0, 0]);
  checked(
    'getsockopt(SO_PEERCRED)',
    c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length),
  );
  return credentials.readInt32LE(0);
}

/**
 * struct msghdr, its one iovec and its control data. One set for every call, each longer than 64 bytes: memory that only an
 * address in other memory refers to is garbage to the collector, and was collected in the middle of a call.
 */
const header = Buffer.alloc(128);
const iov = Buffer.alloc(128);
const control = Buffer.alloc(CMSG_HEADER_BYTES + SCM_MAX_FD * 4 + 64);

/** Points the header at a body and at `controlBytes` of control data. The caller uses `body` after the call, too. */
function pointAt(body: Buffer, controlBytes: number): void {
  iov.writeBigUInt64LE(koffi.address(body), 0);
  iov.writeBigUInt64LE(BigInt(body.length), 8);
  header.fill(0);
  header.writeBigUInt64LE(koffi.address(iov), 16);
  header.writeBigUInt64LE(1n, 24);
  if (controlBytes === 0) return;
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(controlBytes), 40);
}

/** Sends one message with descriptors. Returns 0 or -errno; never blocks and never raises SIGPIPE. */
export function sendMessage(fd: number, body: Buffer, descriptors: readonly number[]): number {
  let controlBytes = 0;
  if (descriptors.length > 0) {
    const used = CMSG_HEADER_BYTES + descriptors.length * 4;
    controlBytes = Math.ceil(used / 8) * 8;
    control.fill(0);
    control.writeBigUInt64LE(BigInt(used), 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    descriptors.forEach((d, i) => {
      control.writeInt32LE(d, CMSG_HEADER_BYTES + i * 4);
    });
  }
  pointAt(body, controlBytes);
  const sent = c.sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT) as number;
  if (sent < 0) return -koffi.errno();
  // A stream that takes a part only is full: what is left of the message has nowhere to go.
  return sent === body.length ? 0 : -EAGAIN;
}

export interface ReceivedMessage {
  readonly body: Buffer;
  /** Descriptors that came along; the receiver owns and closes them. */
  readonly descriptors: readonly number[];
  /** The message or its descriptors did not fit: do not use it. */
  readonly truncated: boolean;
}

function receivedDescriptors(used: number): number[] {
  const found: number[] = [];
  for (let at = 0; at + CMSG_HEADER_BYTES <= used; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < CMSG_HEADER_BYTES) break;
    if (control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS) {
      for (let i = at + CMSG_HEADER_BYTES; i + 4 <= at + length; i += 4) {
        found.push(control.readInt32LE(i));
      }
    }
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

/**
 * Receives one message of at most `maxBytes` with every descriptor it carries (all of them, so that none leaks).
 * Returns null at end of file, or -errno (EAGAIN on a non-blocking socket with nothing there).
 */
export function receiveMessage(fd: number, maxBytes: number): ReceivedMessage | null | number {
  const body = Buffer.alloc(maxBytes);
  for (;;) {
    pointAt(body, control.length);
    const got = c.recvmsg(fd, header, MSG_CMSG_CLOEXEC) as number;
    if (got < 0) {
      const errno = koffi.errno();
      if (errno === EINTR) continue;
      return -errno;
    }
    const descriptors = receivedDescriptors(Number(header.readBigUInt64LE(40)));
    if (got === 0 && descriptors.length === 0) return null;
    const flags = header.readInt32LE(48);
    return {
      body: body.subarray(0, got),
      descriptors,
      truncated: (flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0,
    };
  }
}

const SYS_IO_URING = { setup: 425, enter: 426, register: 427 } as const;

/** io_uring_setup(2) with the struct io_uring_params at a raw address: descriptor or -errno. */
export function ioUringSetup(entries: number, paramsAddress: number): number {
  const fd = setupCall(SYS_IO_URING.setup, entries, paramsAddress) as number;
  return fd < 0 ? -koffi.errno() : fd;
}

/** io_uring_enter(2) that waits for nothing: requests taken, or -errno. */
export function ioUringEnter(fd: number, toSubmit: number, flags: number): number {
  const taken = enterCall(SYS_IO_URING.enter, fd, toSubmit, 0, flags, 0, 0) as number;
  return taken < 0 ? -koffi.errno() : taken;
}

/** io_uring_register(2) with its argument at a raw address: 0 or more, or -errno. */
export function ioUringRegister(
  fd: number,
  operation: number,
  argumentAddress: number,
  count: number,
): number {
  const done = registerCall(SYS_IO_URING.register, fd, operation, argumentAddress, count) as number;
  return done < 0 ? -koffi.errno() : done;
}
