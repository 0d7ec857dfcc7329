/** The target's listening socket: greets whoever connects, refuses whom it cannot serve (docs/srp-ring.md section 3). */
import { chmodSync, fstatSync, lstatSync, unlinkSync } from 'node:fs';
import {
  acceptUnix,
  close,
  connectUnix,
  createMemoryFile,
  duplicate,
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EMFILE,
  listenUnix,
  peerProcess,
  SystemError,
  sendMessage,
} from '../../libc.ts';
import { MAX_REGION_BYTES } from '../memory.ts';
import {
  encodeHello,
  encodeRefused,
  isName,
  NAME_BYTES,
  REFUSED_BUSY,
  Refusal,
  type RingLimits,
} from './attach-message.ts';
import { type AttachmentTerms, RingAttachment } from './attachment.ts';

const ENFILE = 23;
const BACKLOG = 64;
/** Newcomers refused in one call of `accept`, so that a storm of them cannot hold its caller. */
const REFUSALS_PER_CALL = 16;
const MAX_REGIONS = 8;
const MAX_QUEUE_PAIRS = 16;
const MAX_ENTRIES = 4096;

export interface RingListenerOptions {
  /** Path of the unix socket, made by the listener and removed by `close`. */
  readonly path: string;
  /** Target name in HELLO: 1 to 64 bytes of printable UTF-8. */
  readonly name: string;
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  /** Access mode of the socket; default 0600. */
  readonly mode?: number;
  /** Most connections at a time, attached or not; default 256. */
  readonly maxConnections?: number;
  /** Most connections that have not attached yet; default 32. */
  readonly maxGreetings?: number;
  /** How long a connection may take to attach; default 10 000 ms. */
  readonly greetingMs?: number;
}

/** A listener could not be opened. */
export class RingListenError extends Error {
  readonly code = 'ERR_LISTEN';
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** Whether the socket at `path` was left by a process that is no more. */
function isStale(path: string): boolean {
  if (!isSocket(path)) return false;
  try {
    close(connectUnix(path, true));
    return false;
  } catch (error) {
    return error instanceof SystemError && error.errno === ECONNREFUSED;
  }
}

function listen(path: string): number {
  try {
    return listenUnix(path, BACKLOG);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EADDRINUSE || !isStale(path))
      throw error;
  }
  unlinkSync(path);
  return listenUnix(path, BACKLOG);
}

function memoryFileDevice(): number {
  const fd = createMemoryFile('ringscsi-probe', 0);
  try {
    return fstatSync(fd).dev;
  } finally {
    close(fd);
  }
}

export class RingListener {
  /** The listening socket, non-blocking. Wait for it to become readable, then call `accept` until it returns null. */
  readonly fd: number;
  readonly path: string;
  /** Newcomers refused for want of descriptors or room. */
  refusals = 0;
  readonly #options: Required<Omit<RingListenerOptions, 'mode'>>;
  readonly #limits: RingLimits;
  readonly #terms: AttachmentTerms;
  readonly #attachments = new Set<RingAttachment>();
  readonly #inode: number;
  /** Kept so that a newcomer can be accepted and refused when no descriptor is left; -1 when it is itself lacking. */
  #spareFd: number;
  #lastId = 0;
  #closed = false;

  /** Throws RingListenError. A socket left behind by a dead process is replaced. */
  constructor(options: RingListenerOptions) {
    const { path, name } = options;
    if (!isName(name)) {
      throw new RingListenError(
        `Cannot listen on "${path}": target name "${name}" is not 1 to ${NAME_BYTES} bytes of printable text`,
      );
    }
    this.#options = { maxConnections: 256, maxGreetings: 32, greetingMs: 10_000, ...options };
    this.#limits = {
      maxRegions: MAX_REGIONS,
      maxRegionBytes: MAX_REGION_BYTES,
      maxQueuePairs: MAX_QUEUE_PAIRS,
      maxEntries: MAX_ENTRIES,
      maxRequestBytes: options.maxRequestBytes,
      maxResponseBytes: options.maxResponseBytes,
    };
    this.path = path;
    let fd = -1;
    try {
      this.#terms = {
        limits: this.#limits,
        memoryDevice: memoryFileDevice(),
        released: (attachment) => this.#attachments.delete(attachment),
      };
      fd = listen(path);
      chmodSync(path, options.mode ?? 0o600);
      this.fd = fd;
      this.#inode = lstatSync(path).ino;
      this.#spareFd = duplicate(fd);
    } catch (error) {
      if (fd >= 0) close(fd);
      const why = error instanceof Error ? error.message : String(error);
      throw new RingListenError(`Cannot listen on "${path}": ${why}`, { cause: error });
    }
  }

  /** Connections that are open now, attached or not. */
  get connections(): number {
    return this.#attachments.size;
  }

  /** Next newcomer, greeted, or null when none waits or those that did were refused. */
  accept(): RingAttachment | null {
    for (let refused = 0; refused < REFUSALS_PER_CALL; refused += 1) {
      const fd = acceptUnix(this.fd);
      if (fd === -EAGAIN) return null;
      if (fd === -EMFILE || fd === -ENFILE) {
        this.#refuseWithSpare();
        continue;
      }
      if (fd < 0) continue;
      const full = this.#roomLacking();
      if (full !== null) this.#refuse(fd, full);
      else {
        const attachment = this.#greet(fd);
        if (attachment !== null) return attachment;
      }
    }
    return null;
  }

  /** A connection that took too long to attach, declared gone, or null. Its owner closes it; call until null. */
  expired(): RingAttachment | null {
    const { greetingMs } = this.#options;
    const since = performance.now() - greetingMs;
    for (const attachment of this.#attachments) {
      if (attachment.state === 'greeting' && attachment.connectedAtMs <= since) {
        attachment.condemn(`no ATTACH within ${greetingMs} ms`);
        return attachment;
      }
    }
    return null;
  }

  /** Stops listening and removes the socket file. Attachments stay. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.fd);
    if (this.#spareFd >= 0) close(this.#spareFd);
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode) unlinkSync(this.path);
  }

  #roomLacking(): string | null {
    const { maxConnections, maxGreetings } = this.#options;
    if (this.#attachments.size >= maxConnections) {
      return `connections are ${maxConnections}; no more are served, close one`;
    }
    let greetings = 0;
    for (const attachment of this.#attachments) if (attachment.state === 'greeting') greetings += 1;
    return greetings < maxGreetings
      ? null
      : `connections that have not attached are ${greetings}; attach or close one`;
  }

  #greet(fd: number): RingAttachment | null {
    if (sendMessage(fd, encodeHello({ ...this.#limits, name: this.#options.name }), []) < 0) {
      close(fd);
      return null;
    }
    this.#lastId = (this.#lastId + 1) >>> 0;
    const attachment = new RingAttachment(fd, this.#lastId, peerProcess(fd), this.#terms);
    this.#attachments.add(attachment);
    return attachment;
  }

  #refuse(fd: number, text: string): void {
    this.refusals += 1;
    sendMessage(fd, encodeRefused(new Refusal(REFUSED_BUSY, text)), []);
    close(fd);
  }

  #refuseWithSpare(): void {
    if (this.#spareFd >= 0) {
      close(this.#spareFd);
      this.#spareFd = -1;
      const fd = acceptUnix(this.fd);
      if (fd >= 0) this.#refuse(fd, 'free descriptors are 0; the target has too many open files');
    }
    try {
      this.#spareFd = duplicate(this.fd);
    } catch (error) {
      // Another thread took the slot; the next call tries again.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}
