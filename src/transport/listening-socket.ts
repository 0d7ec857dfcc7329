/** A listening unix socket that replaces what a dead process left and can refuse newcomers when no descriptor is free. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import {
  acceptUnix,
  close,
  connectUnix,
  duplicate,
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EMFILE,
  listenUnix,
  SystemError,
} from '../libc.ts';

const ENFILE = 23;
const BACKLOG = 64;
/** Newcomers refused in one call of `accept`, so that a storm of them cannot hold its caller. */
const REFUSALS_PER_CALL = 16;

/** A listener could not be opened. */
export class ListenError extends Error {
  readonly code = 'ERR_LISTEN';
}

export interface ListeningSocketOptions {
  readonly path: string;
  /** SOCK_STREAM or SOCK_SEQPACKET. */
  readonly kind: number;
  /** Access mode of the socket; default 0600. */
  readonly mode?: number;
  /** Says goodbye to a newcomer who cannot be served, for this reason; the socket closes the descriptor afterwards. */
  readonly refuse: (fd: number, why: string) => void;
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** Whether the socket at `path` was left by a process that is no more. */
function isStale(path: string, kind: number): boolean {
  if (!isSocket(path)) return false;
  try {
    close(connectUnix(path, true, kind));
    return false;
  } catch (error) {
    return error instanceof SystemError && error.errno === ECONNREFUSED;
  }
}

function listen(path: string, kind: number): number {
  try {
    return listenUnix(path, BACKLOG, kind);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EADDRINUSE || !isStale(path, kind))
      throw error;
  }
  unlinkSync(path);
  return listenUnix(path, BACKLOG, kind);
}

export class ListeningSocket {
  /** Non-blocking. Wait for it to become readable, then call `accept` until it returns -1. */
  readonly fd: number;
  readonly path: string;
  /** Newcomers refused for want of descriptors or room. */
  refusals = 0;
  readonly #refuse: (fd: number, why: string) => void;
  readonly #inode: number;
  /** Kept so that a newcomer can be accepted and refused when no descriptor is left; -1 when it is itself lacking. */
  #spareFd: number;
  #closed = false;

  /** Throws ListenError. A socket left behind by a dead process is replaced. */
  constructor(options: ListeningSocketOptions) {
    const { path, kind } = options;
    this.path = path;
    this.#refuse = options.refuse;
    let fd = -1;
    try {
      fd = listen(path, kind);
      chmodSync(path, options.mode ?? 0o600);
      this.fd = fd;
      this.#inode = lstatSync(path).ino;
      this.#spareFd = duplicate(fd);
    } catch (error) {
      if (fd >= 0) close(fd);
      const why = error instanceof Error ? error.message : String(error);
      throw new ListenError(`Cannot listen on "${path}": ${why}`, { cause: error });
    }
  }

  /** Next connection, or -1 when none waits. `lacking` says why there is no room for another one, or null. */
  accept(lacking: () => string | null): number {
    for (let refused = 0; refused < REFUSALS_PER_CALL; refused += 1) {
      const fd = acceptUnix(this.fd);
      if (fd === -EAGAIN) return -1;
      if (fd === -EMFILE || fd === -ENFILE) {
        this.#refuseWithSpare();
        continue;
      }
      if (fd < 0) continue;
      const why = lacking();
      if (why === null) return fd;
      this.#turnAway(fd, why);
    }
    return -1;
  }

  /** Stops listening and removes the socket file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
    if (this.#spareFd >= 0) close(this.#spareFd);
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode) unlinkSync(this.path);
  }

  #turnAway(fd: number, why: string): void {
    this.refusals += 1;
    this.#refuse(fd, why);
    close(fd);
  }

  #refuseWithSpare(): void {
    if (this.#spareFd >= 0) {
      close(this.#spareFd);
      this.#spareFd = -1;
      const fd = acceptUnix(this.fd);
      if (fd >= 0) this.#turnAway(fd, 'free descriptors are 0; the target has too many open files');
    }
    try {
      this.#spareFd = duplicate(this.fd);
    } catch (error) {
      // Another thread took the slot; the next call tries again.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}
