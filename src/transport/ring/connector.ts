/** The initiator's side of attaching: makes shared memory, lays out its queues, hands it over (docs/srp-ring.md section 3). */
import type { Buffer } from 'node:buffer';
import {
  addSeals,
  close,
  connectUnix,
  createEventFd,
  createMemoryFile,
  EAGAIN,
  errorName,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  type Mapping,
  mapShared,
  receiveMessage,
  SystemError,
  sendMessage,
  unmap,
} from '../../libc.ts';
import { GuestMemory, MemoryRegion } from '../memory.ts';
import {
  decodeHello,
  decodeReply,
  encodeAttach,
  type Hello,
  isName,
  LINE_BYTES,
  MIN_COMMAND_ENTRIES,
  MIN_RESPONSE_ENTRIES,
  messageType,
  NAME_BYTES,
  PAGE_BYTES,
  REFUSED,
  REFUSED_VERSION,
  Refusal,
  type RegionRequest,
} from './attach-message.ts';
import { ELEMENT_BYTES } from './queue.ts';
import { CONTROL_BLOCK_BYTES, QueuePair, type QueuePairPlace } from './queue-pair.ts';

const MAX_MESSAGE_BYTES = 512;
const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_REGIONS: readonly RegionRequest[] = [{ handle: 0, bytes: 16 * 2 ** 20 }];
/** The first looks at the socket follow each other closely, for a target that answers at once. */
const PROMPT_LOOKS = 50;
const LOOK_AGAIN_MS = 2;

export type RingAttachErrorCode =
  /** Nobody listens there, or the connection was lost or silent too long. */
  | 'ERR_CONNECT'
  /** The options make no attachment that could be accepted. */
  | 'ERR_ATTACH_OPTIONS'
  | 'ERR_ATTACH_VERSION'
  | 'ERR_ATTACH_REFUSED'
  /** The other end does not follow the protocol. */
  | 'ERR_ATTACH_PROTOCOL';

export class RingAttachError extends Error {
  readonly code: RingAttachErrorCode;
  constructor(code: RingAttachErrorCode, path: string, why: string) {
    super(`Cannot attach to "${path}": ${why}`);
    this.code = code;
  }
}

export interface RingConnectOptions {
  /** Path of the target's unix socket. */
  readonly path: string;
  /** Name the target knows this initiator by: 1 to 64 bytes of printable UTF-8. */
  readonly name: string;
  /** Default 1. */
  readonly queuePairs?: number;
  /** Elements in each command queue, a power of two; default 128. */
  readonly commandEntries?: number;
  /** Elements in each response queue, a power of two; default 256. The request limit stays 16 below it. */
  readonly responseEntries?: number;
  /** Memory to share; default one region of 16 MiB with handle 0. The queues lie at the start of the first. */
  readonly regions?: readonly RegionRequest[];
  /** Set when LUN fields follow VSCSI's logical unit addressing. */
  readonly lunPresentation?: boolean;
  /** Default 5000. */
  readonly timeoutMs?: number;
}

export interface RingRegion extends RegionRequest {
  /** The memory file. */
  readonly fd: number;
}

/** Queue pairs laid out from the start of a region, and what is left behind them. */
export interface RingLayout {
  readonly places: readonly QueuePairPlace[];
  /** First byte after the queues, on a page. */
  readonly arenaOffset: number;
}

/** Lays out `queuePairs` queue pairs from offset 0: control block, command queue, response queue, and so on. */
export function layOutQueuePairs(
  queuePairs: number,
  commandEntries: number,
  responseEntries: number,
): RingLayout {
  const places: QueuePairPlace[] = [];
  let at = 0;
  const claim = (bytes: number): number => {
    const offset = at;
    at += Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
    return offset;
  };
  for (let i = 0; i < queuePairs; i += 1) {
    const controlOffset = claim(CONTROL_BLOCK_BYTES);
    const commandOffset = claim(commandEntries * ELEMENT_BYTES);
    const responseOffset = claim(responseEntries * ELEMENT_BYTES);
    places.push({ commandOffset, commandEntries, responseOffset, responseEntries, controlOffset });
  }
  return { places, arenaOffset: Math.ceil(at / PAGE_BYTES) * PAGE_BYTES };
}

/** An attached initiator. */
export class RingConnection {
  readonly memory: GuestMemory;
  readonly regions: readonly RingRegion[];
  /** Free space of the first region, for IUs and data: [arenaOffset, arenaOffset + arenaBytes). */
  readonly arenaOffset: number;
  readonly arenaBytes: number;
  readonly queuePairs: readonly QueuePair[];
  /** One eventfd per queue pair that the target rings. Drain with libc's drainEventFd. */
  readonly callFds: readonly number[];
  readonly socketFd: number;
  /** The target's number of this attachment. */
  readonly id: number;
  readonly target: Hello;
  readonly #mappings: readonly Mapping[];
  /** One eventfd per queue pair, the target's doorbell; `QueuePair.flush` rings it. */
  readonly kickFds: readonly number[];
  #closed = false;

  constructor(parts: RingParts, kickFds: readonly number[], id: number, target: Hello) {
    const memory = new GuestMemory(
      parts.regions.map(({ handle }, i) => new MemoryRegion(handle, parts.mappings[i] as Mapping)),
    );
    this.memory = memory;
    this.regions = parts.regions;
    this.arenaOffset = parts.layout.arenaOffset;
    this.arenaBytes = (parts.regions[0] as RingRegion).bytes - parts.layout.arenaOffset;
    this.queuePairs = parts.layout.places.map(
      (place, i) => new QueuePair(memory, place, 'initiator', kickFds[i] as number),
    );
    this.callFds = parts.callFds;
    this.socketFd = parts.socketFd;
    this.id = id;
    this.target = target;
    this.#mappings = parts.mappings;
    this.kickFds = kickFds;
  }

  /** Whether the target closed the connection (or broke the protocol by talking on it). Never blocks. */
  partnerGone(): boolean {
    if (this.#closed) return true;
    const got = receiveMessage(this.socketFd, MAX_MESSAGE_BYTES);
    if (got !== null && typeof got !== 'number') closeAll(got.descriptors);
    return got !== -EAGAIN;
  }

  /**
   * Detaches: closes the connection and every descriptor and unmaps the memory, of which no view may be touched afterwards.
   * Harmless when repeated.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const pair of this.queuePairs) pair.detach();
    close(this.socketFd);
    for (const mapping of this.#mappings) unmap(mapping);
    closeAll(this.regions.map(({ fd }) => fd));
    closeAll(this.callFds);
    closeAll(this.kickFds);
  }
}

/** What an initiator makes before it attaches, and gives back when that fails. */
interface RingParts {
  socketFd: number;
  readonly regions: RingRegion[];
  readonly mappings: Mapping[];
  readonly callFds: number[];
  readonly layout: RingLayout;
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) close(descriptor);
}

function isEntries(entries: number, min: number): boolean {
  return Number.isInteger(entries) && entries >= min && (entries & (entries - 1)) === 0;
}

/** One attempt to attach, in steps that never block. `connectRing` takes the steps; a loop of one's own may, too. */
export class RingHandshake {
  readonly #options: RingConnectOptions;
  readonly #regions: readonly RegionRequest[];
  readonly #parts: RingParts;
  #target: Hello | null = null;
  #ended = false;

  /** Throws RingAttachError ERR_ATTACH_OPTIONS. */
  constructor(options: RingConnectOptions) {
    const { queuePairs = 1, commandEntries = 128, responseEntries = 256 } = options;
    this.#options = options;
    this.#regions = options.regions ?? DEFAULT_REGIONS;
    this.#parts = {
      socketFd: -1,
      regions: [],
      mappings: [],
      callFds: [],
      layout: layOutQueuePairs(queuePairs, commandEntries, responseEntries),
    };
    if (!isName(options.name)) {
      throw this.#error(
        'ERR_ATTACH_OPTIONS',
        `name "${options.name}" is not 1 to ${NAME_BYTES} bytes of printable text`,
      );
    }
    if (
      !isEntries(commandEntries, MIN_COMMAND_ENTRIES) ||
      !isEntries(responseEntries, MIN_RESPONSE_ENTRIES)
    ) {
      throw this.#error(
        'ERR_ATTACH_OPTIONS',
        `queues of ${commandEntries} and ${responseEntries} elements; they have powers of two, at least ${MIN_COMMAND_ENTRIES} and ${MIN_RESPONSE_ENTRIES}`,
      );
    }
    const first = this.#regions[0];
    if (first === undefined || first.bytes < this.#parts.layout.arenaOffset) {
      throw this.#error(
        'ERR_ATTACH_OPTIONS',
        `the first region has ${first?.bytes ?? 0} bytes, the queues take ${this.#parts.layout.arenaOffset}`,
      );
    }
  }

  /** The connection once it stands, null while the target has not answered yet. Throws RingAttachError, all given back. */
  step(): RingConnection | null {
    try {
      return this.#step();
    } catch (error) {
      this.abandon();
      if (!(error instanceof SystemError)) throw error;
      throw this.#error('ERR_CONNECT', error.message);
    }
  }

  /** Gives everything back; for an attempt that nobody waits for any more. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { socketFd, regions, mappings, callFds } = this.#parts;
    if (socketFd >= 0) close(socketFd);
    for (const mapping of mappings) unmap(mapping);
    closeAll(regions.map(({ fd }) => fd));
    closeAll(callFds);
  }

  #error(code: RingAttachErrorCode, why: string): RingAttachError {
    return new RingAttachError(code, this.#options.path, why);
  }

  #step(): RingConnection | null {
    if (this.#ended) throw this.#error('ERR_CONNECT', 'this attempt is over');
    if (this.#parts.socketFd < 0 && !this.#connect()) return null;
    const got = receiveMessage(this.#parts.socketFd, MAX_MESSAGE_BYTES);
    if (got === -EAGAIN) return null;
    if (got === null) throw this.#error('ERR_CONNECT', 'the target closed the connection');
    if (typeof got === 'number') throw this.#error('ERR_CONNECT', errorName(-got));
    if (this.#target === null) {
      closeAll(got.descriptors);
      const hello = decodeHello(got.body);
      if (hello instanceof Refusal) throw this.#refused(got.body, hello);
      this.#attach(hello);
      return null;
    }
    const reply = decodeReply(got.body);
    const refused = reply instanceof Refusal;
    const { layout } = this.#parts;
    if (refused || got.truncated || got.descriptors.length !== layout.places.length) {
      closeAll(got.descriptors);
      if (refused) throw this.#refused(got.body, reply);
      throw this.#error(
        'ERR_ATTACH_PROTOCOL',
        `the target sent ${got.descriptors.length} doorbells for ${layout.places.length} queue pairs`,
      );
    }
    this.#ended = true;
    return new RingConnection(this.#parts, got.descriptors, reply.id, this.#target);
  }

  /** False when the target's backlog is full. */
  #connect(): boolean {
    try {
      this.#parts.socketFd = connectUnix(this.#options.path, true);
      return true;
    } catch (error) {
      if (error instanceof SystemError && error.errno === EAGAIN) return false;
      throw error instanceof RangeError ? this.#error('ERR_CONNECT', error.message) : error;
    }
  }

  #refused(body: Buffer, refusal: Refusal): RingAttachError {
    if (refusal.code === REFUSED_VERSION) {
      return this.#error('ERR_ATTACH_VERSION', refusal.text);
    }
    const spoken = messageType(body) === REFUSED;
    return this.#error(
      spoken ? 'ERR_ATTACH_REFUSED' : 'ERR_ATTACH_PROTOCOL',
      spoken ? `the target refused: ${refusal.text}` : `the target's message: ${refusal.text}`,
    );
  }

  #attach(target: Hello): void {
    this.#target = target;
    this.#checkLimits(target);
    const { regions, mappings, callFds, layout, socketFd } = this.#parts;
    for (const { handle, bytes } of this.#regions) {
      const fd = createMemoryFile('ringscsi', bytes);
      regions.push({ handle, bytes, fd });
      addSeals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
      mappings.push(mapShared(fd, bytes));
    }
    for (let i = 0; i < layout.places.length; i += 1) callFds.push(createEventFd());
    const { name, lunPresentation = false } = this.#options;
    const body = encodeAttach({
      name,
      lunPresentation,
      regions: this.#regions,
      queuePairs: layout.places,
    });
    const sent = sendMessage(socketFd, body, [...regions.map(({ fd }) => fd), ...callFds]);
    if (sent < 0) throw new SystemError('sending ATTACH', -sent);
  }

  #checkLimits(target: Hello): void {
    const { places } = this.#parts.layout;
    const { commandEntries = 0, responseEntries = 0 } = places[0] ?? {};
    const asked: readonly (readonly [string, number, number])[] = [
      ['regions', this.#regions.length, target.maxRegions],
      ['queue pairs', places.length, target.maxQueuePairs],
      ['queue elements', Math.max(commandEntries, responseEntries), target.maxEntries],
      ['region bytes', Math.max(...this.#regions.map((r) => r.bytes)), target.maxRegionBytes],
    ];
    for (const [what, wanted, max] of asked) {
      if (wanted > max || wanted < 1) {
        throw this.#error('ERR_ATTACH_OPTIONS', `${wanted} ${what}, the target takes 1 to ${max}`);
      }
    }
  }
}

/**
 * Attaches to the target listening at `options.path`. Rejects with RingAttachError.
 * The event loop keeps turning while the target takes its time.
 */
export function connectRing(options: RingConnectOptions): Promise<RingConnection> {
  return new Promise((resolve, reject) => {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const deadline = performance.now() + timeoutMs;
    const handshake = new RingHandshake(options);
    let looks = 0;
    const look = (): void => {
      let connection: RingConnection | null;
      try {
        connection = handshake.step();
      } catch (error) {
        reject(error);
        return;
      }
      if (connection !== null) {
        resolve(connection);
      } else if (performance.now() > deadline) {
        handshake.abandon();
        const why = `the target did not answer within ${timeoutMs} ms`;
        reject(new RingAttachError('ERR_CONNECT', options.path, why));
      } else {
        looks += 1;
        if (looks < PROMPT_LOOKS) setImmediate(look);
        else setTimeout(look, LOOK_AGAIN_MS);
      }
    };
    look();
  });
}
