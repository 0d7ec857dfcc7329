/**
 * I/O through the blkif ring. A direct request carries 11 pages at most (INDIRECT is left out of the comparison), so a
 * 64 KiB I/O is two requests of 44 and 20 KiB, as Linux's client splits it; the ring has two pages, so that 32 of them fit.
 */
import { close, drainEventFd, signalEventFd } from '../src/libc.ts';
import { type Attached, attach } from './blkif/attachment.ts';
import { Frontend, MAX_TRANSFER_BYTES } from './blkif/frontend.ts';
import * as blkif from './blkif/request.ts';
import { ClientRing, PAGE_BYTES } from './blkif/ring.ts';
import {
  type Lane,
  LaneError,
  MAX_BYTES,
  MAX_DEPTH,
  NOTHING,
  type Operation,
  PING,
  READ,
} from './lane.ts';

const RING_PAGES = 2;
const SLOT_PAGES = MAX_BYTES / PAGE_BYTES;
/** xvda, Xen's first virtual disk. */
const VIRTUAL_DEVICE = 0xca00;

export class BlkifLane implements Lane {
  readonly ended = new Int32Array(MAX_DEPTH);
  readonly doorbellFd: number;
  readonly #attached: Attached;
  readonly #ring: ClientRing;
  readonly #frontend: Frontend;
  /** Requests of each slot that have not ended, and the status they have to have. */
  readonly #parts = new Int32Array(MAX_DEPTH);
  #expected = blkif.STATUS_OKAY;
  #count = 0;
  #failed = 0;
  #notify = false;

  constructor(socketPath: string) {
    this.#attached = attach(socketPath, RING_PAGES, MAX_DEPTH * SLOT_PAGES);
    this.doorbellFd = this.#attached.clientDoorbell;
    const { abi, ring } = this.#attached;
    this.#ring = new ClientRing(ring, abi.requestBytes);
    this.#frontend = new Frontend(this.#ring, abi, VIRTUAL_DEVICE, (index, status) => {
      this.#completed(index, status);
    });
  }

  #completed(index: number, status: number): void {
    const slot = index >> 1;
    if (status !== this.#expected) this.#failed += 1;
    const left = (this.#parts[slot] as number) - 1;
    this.#parts[slot] = left;
    if (left > 0) return;
    this.ended[this.#count] = slot;
    this.#count += 1;
  }

  start(slot: number, operation: Operation, position: number, bytes: number): void {
    if (operation === NOTHING || operation === PING) this.#refused(slot);
    else this.#transfer(slot, operation === READ ? blkif.READ : blkif.WRITE, position, bytes);
    // Published at once, as Linux does; only the doorbell waits.
    if (this.#ring.push()) this.#notify = true;
  }

  /** An operation that no server has: copied, checked, refused. */
  #refused(slot: number): void {
    this.#expected = blkif.STATUS_NOT_SUPPORTED;
    this.#parts[slot] = 1;
    this.#frontend.transfer(slot * 2, blkif.RESERVED, 0, 0, 0);
  }

  #transfer(slot: number, code: number, position: number, bytes: number): void {
    const gref = RING_PAGES + slot * SLOT_PAGES;
    const sector = position / blkif.SECTOR_BYTES;
    const first = Math.min(bytes, MAX_TRANSFER_BYTES);
    this.#expected = blkif.STATUS_OKAY;
    this.#parts[slot] = first < bytes ? 2 : 1;
    this.#frontend.transfer(slot * 2, code, sector, gref, first);
    if (first === bytes) return;
    const next = sector + first / blkif.SECTOR_BYTES;
    const nextGref = gref + first / PAGE_BYTES;
    this.#frontend.transfer(slot * 2 + 1, code, next, nextGref, bytes - first);
  }

  flush(): void {
    if (!this.#notify) return;
    this.#notify = false;
    signalEventFd(this.#attached.serverDoorbell);
  }

  poll(): number {
    this.#count = 0;
    this.#frontend.poll();
    if (this.#failed > 0 || this.#frontend.broken) {
      throw new LaneError(
        `blkif: ${this.#failed} requests failed, broken: ${this.#frontend.broken}`,
      );
    }
    return this.#count;
  }

  arm(): boolean {
    return !this.#ring.arm();
  }

  disarm(): void {
    drainEventFd(this.doorbellFd);
  }

  close(): void {
    close(this.#attached.socket);
  }
}
