/**
 * A guest in the same process, written from virtio 1.2 clause 2.7: memory of its own mapping, and a driver's side of split
 * queues. Shares no code with the device.
 */
import {
  addSeals,
  close,
  createEventFd,
  createMemoryFile,
  drainEventFd,
  type Mapping,
  mapShared,
  unmap,
} from '../../../src/libc.ts';
import type { DirtyLog } from '../../../src/transport/vhost/dirty-log.ts';
import { VhostMemory } from '../../../src/transport/vhost/guest-memory.ts';
import type { InflightQueue } from '../../../src/transport/vhost/inflight.ts';
import { Virtqueue } from '../../../src/transport/vhost/virtqueue.ts';

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** Where the guest's memory begins for the guest, and for the front end. */
export const GUEST_BASE = 0x1_0000_0000;
export const USER_BASE = 0x7f00_0000_0000;

const SEAL_SHRINK = 2;

export interface Buffer {
  /** Offset in the guest's memory. */
  readonly at: number;
  readonly length: number;
  readonly write?: boolean;
}

export class Guest {
  readonly bytes: number;
  readonly fd: number;
  readonly mapping: Mapping;
  readonly view: Uint8Array;
  readonly data: DataView;
  readonly memory = new VhostMemory();
  readonly call = createEventFd();
  readonly base: number;

  constructor(bytes = 1024 * 1024, base = GUEST_BASE) {
    this.bytes = bytes;
    this.base = base;
    this.fd = createMemoryFile('spec-guest', bytes);
    addSeals(this.fd, SEAL_SHRINK);
    this.mapping = mapShared(this.fd, bytes);
    this.view = new Uint8Array(this.mapping.buffer);
    this.data = new DataView(this.mapping.buffer);
    this.memory.add(this.region, this.fd);
  }

  get region() {
    return { guestAddress: this.base, bytes: this.bytes, userAddress: USER_BASE, mmapOffset: 0 };
  }

  /** Whether the driver was interrupted since the last time. */
  interrupted(): boolean {
    return drainEventFd(this.call);
  }

  end(): void {
    this.memory.clear();
    unmap(this.mapping);
    close(this.fd);
    close(this.call);
  }
}

export interface DriverOptions {
  /** Offset of the rings. */
  readonly at?: number;
  readonly size?: number;
  readonly eventIndex?: boolean;
  readonly indirect?: boolean;
  readonly base?: number;
  readonly log?: DirtyLog | null;
  readonly inflight?: InflightQueue | null;
}

/** The driver's side of one queue. */
export class Driver {
  readonly guest: Guest;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly options: DriverOptions;
  /** Next free entry of the available ring, and the first used element not seen. */
  next: number;
  seen: number;

  constructor(guest: Guest, options: DriverOptions = {}) {
    this.guest = guest;
    this.options = options;
    this.size = options.size ?? 8;
    this.desc = options.at ?? 0;
    this.avail = this.desc + 16 * this.size;
    this.used = Math.ceil((this.avail + 6 + 2 * this.size) / 4) * 4;
    this.next = options.base ?? 0;
    this.seen = this.next;
    guest.data.setUint16(this.avail + 2, this.next, true);
    guest.data.setUint16(this.used + 2, this.next, true);
  }

  /** The device's side over the same memory. */
  device(options: Partial<ConstructorParameters<typeof Virtqueue>[0]> = {}): Virtqueue {
    const { guest } = this;
    return new Virtqueue({
      memory: guest.memory,
      size: this.size,
      descAddress: USER_BASE + this.desc,
      availAddress: USER_BASE + this.avail,
      usedAddress: USER_BASE + this.used,
      usedLogGuestAddress: guest.base + this.used,
      base: this.options.base ?? 0,
      callFd: guest.call,
      eventIndex: this.options.eventIndex ?? false,
      indirect: this.options.indirect ?? true,
      log: this.options.log ?? null,
      inflight: this.options.inflight ?? null,
      ...options,
    });
  }

  /** Writes descriptor `i` of a table; `address` is guest physical. */
  describe(
    i: number,
    address: number,
    length: number,
    flags: number,
    next = 0,
    table = this.desc,
  ): void {
    const { data } = this.guest;
    const at = table + 16 * i;
    data.setUint32(at, address % 2 ** 32, true);
    data.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
    data.setUint32(at + 8, length, true);
    data.setUint16(at + 12, flags, true);
    data.setUint16(at + 14, next, true);
  }

  /** Chains buffers from descriptor `first` on. */
  chain(buffers: readonly Buffer[], first = 0, table = this.desc): void {
    buffers.forEach(({ at, length, write }, i) => {
      const last = i === buffers.length - 1;
      const flags = (last ? 0 : NEXT) | (write === true ? WRITE : 0);
      this.describe(
        first + i,
        this.guest.base + at,
        length,
        flags,
        last ? 0 : first + i + 1,
        table,
      );
    });
  }

  /** One descriptor `head` that refers to a table at `table` with these buffers. */
  indirectChain(buffers: readonly Buffer[], table: number, head = 0): void {
    this.chain(buffers, 0, table);
    this.describe(head, this.guest.base + table, buffers.length * 16, INDIRECT);
  }

  /** Makes `head` available. */
  offer(head: number): void {
    const { data } = this.guest;
    data.setUint16(this.avail + 4 + 2 * (this.next % this.size), head, true);
    this.next = (this.next + 1) & 0xffff;
    data.setUint16(this.avail + 2, this.next, true);
  }

  get usedIndex(): number {
    return this.guest.data.getUint16(this.used + 2, true);
  }

  /** The next used element, or null. */
  take(): { readonly id: number; readonly length: number } | null {
    const { data } = this.guest;
    if (this.usedIndex === this.seen) return null;
    const at = this.used + 4 + 8 * (this.seen % this.size);
    this.seen = (this.seen + 1) & 0xffff;
    return { id: data.getUint32(at, true), length: data.getUint32(at + 4, true) };
  }

  set usedEvent(index: number) {
    this.guest.data.setUint16(this.avail + 4 + 2 * this.size, index, true);
  }
  get availEvent(): number {
    return this.guest.data.getUint16(this.used + 4 + 8 * this.size, true);
  }
  set availFlags(flags: number) {
    this.guest.data.setUint16(this.avail, flags, true);
  }
  get usedFlags(): number {
    return this.guest.data.getUint16(this.used, true);
  }
}
