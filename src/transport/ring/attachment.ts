/**
 * One initiator at the target's end: its socket, its mapped memory, its queue pairs (docs/srp-ring.md sections 3 and 4).
 *
 *     greeting -- ATTACH accepted --> attached -- socket closed, any message --> gone
 *         \---- refused, socket closed, time is up ----------------------------^
 */
import { fstatSync, readlinkSync } from 'node:fs';
import {
  close,
  createEventFd,
  EAGAIN,
  ECONNRESET,
  errorName,
  F_SEAL_SHRINK,
  type FileState,
  fileState,
  getSeals,
  type Mapping,
  mapShared,
  type ReceivedMessage,
  receiveMessage,
  SystemError,
  sendMessage,
  unmap,
} from '../../libc.ts';
import { GuestMemory, MemoryRegion } from '../memory.ts';
import {
  ATTACH_RECORD,
  type AttachRequest,
  decodeAttach,
  encodeAttached,
  encodeRefused,
  QUEUE_PAIR_RECORD,
  REFUSED_BUSY,
  REFUSED_DESCRIPTORS,
  REFUSED_MALFORMED,
  REFUSED_REGION,
  REGION_RECORD,
  Refusal,
  type RegionRequest,
  type RingLimits,
} from './attach-message.ts';
import { QueuePair } from './queue-pair.ts';

const EPERM = 1;

export type AttachmentState = 'greeting' | 'attached' | 'gone';

/** What a listener grants to whoever connects. */
export interface AttachmentTerms {
  readonly limits: RingLimits;
  /** Device number (stat) that plain memory files have; files of huge pages can fault although they are sealed. */
  readonly memoryDevice: number;
  /** Called once, when the attachment has let go of everything. */
  readonly released: (attachment: RingAttachment) => void;
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) close(descriptor);
}

function isEventFd(fd: number): boolean {
  return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]';
}

export class RingAttachment {
  /** The connection's socket, non-blocking. Wait for it to become readable, then call `receive`. */
  readonly fd: number;
  readonly id: number;
  /** Process that connected, 0 when the kernel does not say. */
  readonly processId: number;
  /** When it connected, on the clock of performance.now(). */
  readonly connectedAtMs: number = performance.now();
  state: AttachmentState = 'greeting';
  /** Why it is gone, in words. */
  reason = '';
  /** From ATTACH on: */
  name = '';
  lunPresentation = false;
  memory: GuestMemory | null = null;
  queuePairs: readonly QueuePair[] = [];
  /** One eventfd per queue pair that the initiator rings. Drain with libc's drainEventFd, which never blocks. */
  kickFds: readonly number[] = [];
  readonly #terms: AttachmentTerms;
  #mappings: readonly Mapping[] = [];
  #callFds: readonly number[] = [];
  #released = false;

  constructor(fd: number, id: number, processId: number, terms: AttachmentTerms) {
    this.fd = fd;
    this.id = id;
    this.processId = processId;
    this.#terms = terms;
  }

  /** A doorbell of this initiator hung and the watchdog had to help: it is hostile, close it. */
  get stuck(): boolean {
    for (let i = 0; i < this.queuePairs.length; i += 1) {
      if ((this.queuePairs[i] as QueuePair).stuck) return true;
    }
    return false;
  }

  /** Bytes of shared memory mapped for this initiator. */
  get regionBytes(): number {
    return this.#mappings.reduce((sum, mapping) => sum + mapping.bytes, 0);
  }

  /** Takes one message off the socket. Look at `state` afterwards; a gone attachment is to be closed by its owner. */
  receive(): void {
    if (this.state === 'gone') return;
    const end = this.#receive();
    if (end !== null) this.#gone(end);
  }

  /** Declares a connection that did not attach in time, or that the operator wants away, gone. */
  condemn(reason: string): void {
    if (this.state !== 'gone') this.#gone(reason);
  }

  /**
   * Unmaps the memory and closes every descriptor, the socket too. Call it when nothing uses the memory any more: no
   * transfer under way in the kernel, no view kept in JavaScript (touching one afterwards kills the process).
   * Remove the descriptors from a Poller first.
   */
  close(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.state !== 'gone') this.#gone('closed by the target');
    for (const pair of this.queuePairs) pair.detach();
    this.queuePairs = [];
    this.memory = null;
    for (const mapping of this.#mappings) unmap(mapping);
    this.#mappings = [];
    closeAll(this.#callFds);
    closeAll(this.kickFds);
    this.#callFds = [];
    this.kickFds = [];
    close(this.fd);
    this.#terms.released(this);
  }

  /** Why the attachment ends with what the socket gave, or null when it does not. */
  #receive(): string | null {
    const { maxRegions, maxQueuePairs } = this.#terms.limits;
    const maxBytes =
      ATTACH_RECORD.size + maxRegions * REGION_RECORD.size + maxQueuePairs * QUEUE_PAIR_RECORD.size;
    const got = receiveMessage(this.fd, maxBytes + 1);
    if (got === -EAGAIN) return null;
    // ECONNRESET: it closed without having read all that was sent to it.
    if (got === null || got === -ECONNRESET) return 'the initiator closed the connection';
    if (typeof got === 'number') return `the connection failed: ${errorName(-got)}`;
    if (this.state === 'attached') {
      closeAll(got.descriptors);
      return 'protocol error: the initiator sent a message after ATTACH';
    }
    const refusal = this.#attach(got, maxBytes);
    if (refusal === null) return null;
    sendMessage(this.fd, encodeRefused(refusal), []);
    return `refused: ${refusal.text}`;
  }

  #gone(reason: string): void {
    this.state = 'gone';
    this.reason = reason;
  }

  /** Null when attached; then the doorbells among the descriptors are kept, and all others are closed in either case. */
  #attach(message: ReceivedMessage, maxBytes: number): Refusal | null {
    const { descriptors } = message;
    const request = this.#decode(message, maxBytes);
    if (request instanceof Refusal) {
      closeAll(descriptors);
      return request;
    }
    const regionFds = descriptors.slice(0, request.regions.length);
    const callFds = descriptors.slice(request.regions.length);
    const mappings: Mapping[] = [];
    const kickFds: number[] = [];
    const refusal = this.#open(request, regionFds, callFds, mappings, kickFds);
    closeAll(regionFds);
    if (refusal !== null) {
      for (const mapping of mappings) unmap(mapping);
      closeAll(callFds);
      closeAll(kickFds);
      return refusal;
    }
    const memory = new GuestMemory(
      request.regions.map(({ handle }, i) => new MemoryRegion(handle, mappings[i] as Mapping)),
    );
    this.name = request.name;
    this.lunPresentation = request.lunPresentation;
    this.memory = memory;
    this.queuePairs = request.queuePairs.map(
      (place, i) => new QueuePair(memory, place, 'target', callFds[i] as number),
    );
    this.kickFds = kickFds;
    this.#mappings = mappings;
    this.#callFds = callFds;
    this.state = 'attached';
    const sent = sendMessage(this.fd, encodeAttached(this.id, kickFds.length), kickFds);
    if (sent < 0) this.#gone(`ATTACHED could not be sent: ${errorName(-sent)}`);
    return null;
  }

  #decode(message: ReceivedMessage, maxBytes: number): AttachRequest | Refusal {
    const { body, descriptors, truncated } = message;
    if (body.length > maxBytes) {
      return new Refusal(
        REFUSED_MALFORMED,
        `message length is more than ${maxBytes}; no ATTACH is longer`,
      );
    }
    const request = decodeAttach(body, this.#terms.limits);
    if (request instanceof Refusal) return request;
    const expected = request.regions.length + request.queuePairs.length;
    if (truncated || descriptors.length !== expected) {
      const found = truncated
        ? `${descriptors.length} and some that were lost`
        : descriptors.length;
      return new Refusal(
        REFUSED_DESCRIPTORS,
        `descriptors received are ${found}; one per region and one per queue pair make ${expected}`,
      );
    }
    return request;
  }

  /** Maps the regions and makes the kick eventfds, appending to `mappings` and `kickFds` what the caller has to undo. */
  #open(
    request: AttachRequest,
    regionFds: readonly number[],
    callFds: readonly number[],
    mappings: Mapping[],
    kickFds: number[],
  ): Refusal | null {
    try {
      for (let i = 0; i < callFds.length; i += 1) {
        if (!isEventFd(callFds[i] as number)) {
          return new Refusal(
            REFUSED_DESCRIPTORS,
            `queuePairs[${i}] doorbell is another kind of file; it is an eventfd`,
          );
        }
      }
      for (const [i, region] of request.regions.entries()) {
        const fd = regionFds[i] as number;
        const refusal =
          this.#checkRegion(`regions[${i}]`, fd, region) ??
          this.#map(`regions[${i}]`, fd, region, mappings);
        if (refusal !== null) return refusal;
      }
      for (let i = 0; i < callFds.length; i += 1) kickFds.push(createEventFd());
      return null;
    } catch (error) {
      // Descriptors or memory ran out. Everything else is a bug of ours.
      if (!(error instanceof SystemError) && !isSystemError(error)) throw error;
      return new Refusal(
        REFUSED_BUSY,
        `resources are short (${error.message}); detach something and try again`,
      );
    }
  }

  #map(field: string, fd: number, region: RegionRequest, mappings: Mapping[]): Refusal | null {
    try {
      mappings.push(mapShared(fd, region.bytes));
      return null;
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== EPERM) throw error;
      return new Refusal(
        REFUSED_REGION,
        `${field} file is sealed against writing; both ends write to it`,
      );
    }
  }

  /** The seal comes first: once it is on, the size that is read next can only grow. */
  #checkRegion(field: string, fd: number, region: RegionRequest): Refusal | null {
    const seals = getSeals(fd);
    if (seals < 0 || (seals & F_SEAL_SHRINK) === 0) {
      const found = seals < 0 ? 'no memory file' : `sealed 0x${seals.toString(16)}`;
      return new Refusal(
        REFUSED_REGION,
        `${field} file is ${found}; it is a memfd with F_SEAL_SHRINK, for a region that shrinks kills its target`,
      );
    }
    if (fstatSync(fd).dev !== this.#terms.memoryDevice) {
      return new Refusal(
        REFUSED_REGION,
        `${field} file is of huge pages or a file system; it is a memfd of ordinary pages`,
      );
    }
    const found: FileState = { links: 0, bytes: 0 };
    const failed = fileState(fd, found);
    if (failed < 0) throw new SystemError('statx', -failed);
    if (found.bytes < region.bytes) {
      return new Refusal(
        REFUSED_REGION,
        `${field} file is ${found.bytes} bytes; the declared ${region.bytes} must be there`,
      );
    }
    return null;
  }
}

/** An error of node:fs, which carries the system call's name. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
