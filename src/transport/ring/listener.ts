/** The target's listening socket: greets whoever connects, refuses whom it cannot serve (docs/srp-ring.md section 3). */
import { fstatSync } from 'node:fs';
import { close, createMemoryFile, peerProcess, SOCK_SEQPACKET, sendMessage } from '../../libc.ts';
import { ListenError, ListeningSocket } from '../listening-socket.ts';
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
  readonly #socket: ListeningSocket;
  readonly #options: Required<Omit<RingListenerOptions, 'mode'>>;
  readonly #limits: RingLimits;
  readonly #terms: AttachmentTerms;
  readonly #attachments = new Set<RingAttachment>();
  #lastId = 0;

  /** Throws ListenError. A socket left behind by a dead process is replaced. */
  constructor(options: RingListenerOptions) {
    const { path, name } = options;
    if (!isName(name)) {
      throw new ListenError(
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
    this.#terms = {
      limits: this.#limits,
      memoryDevice: memoryFileDevice(),
      released: (attachment) => this.#attachments.delete(attachment),
    };
    this.#socket = new ListeningSocket({
      path,
      kind: SOCK_SEQPACKET,
      ...(options.mode === undefined ? {} : { mode: options.mode }),
      refuse: (fd, why) => sendMessage(fd, encodeRefused(new Refusal(REFUSED_BUSY, why)), []),
    });
    this.fd = this.#socket.fd;
    this.path = path;
  }

  /** Connections that are open now, attached or not. */
  get connections(): number {
    return this.#attachments.size;
  }

  /** Newcomers refused for want of descriptors or room. */
  get refusals(): number {
    return this.#socket.refusals;
  }

  /** Next newcomer, greeted, or null when none waits or those that did were refused. */
  accept(): RingAttachment | null {
    for (;;) {
      const fd = this.#socket.accept(() => this.#roomLacking());
      if (fd < 0) return null;
      const attachment = this.#greet(fd);
      if (attachment !== null) return attachment;
    }
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
    this.#socket.close();
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
}
