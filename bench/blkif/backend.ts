/**
 * blkif server for one ring, from the same BlockStore that a SCSI logical unit is served from.
 *
 * Checks come in the order of Linux's server: producer, copy, operation, segment count, each segment, read-only and
 * range, alignment, drain. Each is answered at once; the 1 ms sleep Linux puts before the reply to a bad request is not
 * imitated, it would stop the other rings of the thread.
 */
import { assert } from '../../src/assert.ts';
import { type BlockStore, DONE, PENDING, type StoreReply } from '../../src/scsi/contracts.ts';
import { type IovecMemory, Segments } from '../../src/scsi/segments.ts';
import { ENABLED, FREE, Task } from '../../src/scsi/task.ts';
import type { GrantTable } from './grant-table.ts';
import {
  type Abi,
  DISCARD,
  DISCARD_SECURE,
  FLUSH_DISKCACHE,
  MAX_SEGMENTS,
  READ,
  Request,
  SECTOR_BYTES,
  STATUS_ERROR,
  STATUS_NOT_SUPPORTED,
  STATUS_OKAY,
  WRITE,
  WRITE_BARRIER,
} from './request.ts';
import { PAGE_BYTES, type ServerRing } from './ring.ts';

const SECTORS_PER_PAGE = PAGE_BYTES / SECTOR_BYTES;
const TWO_32 = 2 ** 32;
/** Sector numbers from here on have no exact byte position; no disk is that large. */
const SECTOR_HIGH_END = 2 ** 11;

export interface Disk {
  readonly store: BlockStore;
  /** Logical block: transfers start and end on it. 512 or 4096. */
  readonly blockBytes: number;
  readonly readOnly: boolean;
}

export class Backend {
  readonly #ring: ServerRing;
  readonly #abi: Abi;
  readonly #grants: GrantTable;
  readonly #disk: Disk;
  readonly #blockSectors: number;
  readonly #slots: Slot[];
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #copy: Int32Array;
  readonly #copyData: DataView;
  readonly #request = new Request();
  #inFlight = 0;
  /** The barrier that has not ended yet. */
  #held: Slot | null = null;
  /** Requests taken since the start. */
  requests = 0;
  /** A response was published that the client wants to be notified of; whoever rings clears it. */
  notify = false;

  /** `iovecs` holds Segments.iovecBytes(MAX_SEGMENTS) for each slot of the ring, one after another. */
  constructor(ring: ServerRing, abi: Abi, grants: GrantTable, disk: Disk, iovecs: IovecMemory) {
    this.#ring = ring;
    this.#abi = abi;
    this.#grants = grants;
    this.#disk = disk;
    this.#blockSectors = disk.blockBytes / SECTOR_BYTES;
    const buffer = new ArrayBuffer(abi.requestBytes);
    this.#copy = new Int32Array(buffer);
    this.#copyData = new DataView(buffer);
    const bytes = Segments.iovecBytes(MAX_SEGMENTS);
    assert(iovecs.words.length * 4 >= ring.slots * bytes, 'each slot has its iovecs');
    this.#slots = Array.from({ length: ring.slots }, (_, index) => {
      const words = iovecs.words.subarray((index * bytes) / 4, ((index + 1) * bytes) / 4);
      return new Slot(this, index, { words, address: iovecs.address + index * bytes });
    });
    this.#free = Int32Array.from({ length: ring.slots }, (_, index) => index);
    this.#freeCount = ring.slots;
  }

  /** Takes at most `budget` requests and returns how many. */
  poll(budget: number): number {
    let available = this.#ring.available();
    let handled = 0;
    while (handled < budget && available > 0 && this.#held === null) {
      this.#ring.take(this.#copy);
      this.#abi.decodeRequest(this.#copyData, 0, this.#request);
      this.#dispatch(this.#request);
      available -= 1;
      handled += 1;
    }
    this.requests += handled;
    return handled;
  }

  #dispatch(request: Request): void {
    switch (request.operation) {
      case READ:
      case WRITE:
      case WRITE_BARRIER:
      case FLUSH_DISKCACHE:
        this.#transfer(request);
        return;
      case DISCARD:
        this.#discard(request);
        return;
      default:
        this.#refuse(request, STATUS_NOT_SUPPORTED);
    }
  }

  #refuse(request: Request, status: number): void {
    this.#respond(request.idHigh, request.idLow, request.operation, status);
  }

  #transfer(request: Request): void {
    const sectors = this.#checkedSectors(request);
    if (sectors < 0 || !this.#allowed(request, sectors)) {
      this.#refuse(request, STATUS_ERROR);
      return;
    }
    const slot = this.#start(request);
    const segments = request.operation === READ ? slot.task.dataIn : slot.task.dataOut;
    for (let i = 0; i < request.segments; i += 1) {
      const first = request.first[i] as number;
      const last = request.last[i] as number;
      if (!this.#grants.append(request.gref[i] as number, first, last, segments)) {
        this.#finish(slot, STATUS_ERROR);
        return;
      }
    }
    slot.bytes = sectors * SECTOR_BYTES;
    if (request.operation === READ) this.#read(slot);
    else if (request.operation === WRITE) this.#write(slot);
    else if (request.operation === FLUSH_DISKCACHE) this.#flush(slot);
    else this.#barrier(slot);
  }

  /** Sectors of the segments, or -1 when their number or one of them is wrong. */
  #checkedSectors(request: Request): number {
    const count = request.segments;
    const empty = request.operation === WRITE_BARRIER || request.operation === FLUSH_DISKCACHE;
    if ((count === 0 && !empty) || count > MAX_SEGMENTS) return -1;
    let sectors = 0;
    for (let i = 0; i < count; i += 1) {
      const first = request.first[i] as number;
      const last = request.last[i] as number;
      if (first > last || last >= SECTORS_PER_PAGE) return -1;
      sectors += last - first + 1;
    }
    return sectors;
  }

  /** Read-only, range and alignment, in this order. A request of no sectors has no range. */
  #allowed(request: Request, sectors: number): boolean {
    if (this.#disk.readOnly && request.operation !== READ) return false;
    if (sectors === 0) return true;
    if (!this.#inRange(request, sectors)) return false;
    if (this.#blockSectors === 1) return true;
    const mask = this.#blockSectors - 1;
    if ((request.sectorLow & mask) !== 0) return false;
    for (let i = 0; i < request.segments; i += 1) {
      const first = request.first[i] as number;
      const last = request.last[i] as number;
      if ((first & mask) !== 0 || ((last + 1) & mask) !== 0) return false;
    }
    return true;
  }

  #inRange(request: Request, sectors: number): boolean {
    if (request.sectorHigh >= SECTOR_HIGH_END) return false;
    const sector = request.sectorHigh * TWO_32 + request.sectorLow;
    return (sector + sectors) * SECTOR_BYTES <= this.#disk.store.bytes;
  }

  /** No discard of ours overwrites what it discards, so a secure one is refused as blkif refuses: not supported. */
  #discard(request: Request): void {
    const count = request.countHigh * TWO_32 + request.countLow;
    const short = request.countHigh < SECTOR_HIGH_END;
    if (this.#disk.readOnly || !short || !this.#inRange(request, count)) {
      this.#refuse(request, STATUS_ERROR);
      return;
    }
    if ((request.flag & DISCARD_SECURE) !== 0) {
      this.#refuse(request, STATUS_NOT_SUPPORTED);
      return;
    }
    const slot = this.#start(request);
    const { store } = this.#disk;
    slot.task.await(store.discard(slot.task, slot.position, count * SECTOR_BYTES), finished);
  }

  #start(request: Request): Slot {
    this.#freeCount -= 1;
    const slot = this.#slots[this.#free[this.#freeCount] as number] as Slot;
    slot.task.transition(FREE, ENABLED);
    slot.idHigh = request.idHigh;
    slot.idLow = request.idLow;
    slot.operation = request.operation;
    slot.position = (request.sectorHigh * TWO_32 + request.sectorLow) * SECTOR_BYTES;
    slot.bytes = 0;
    this.#inFlight += 1;
    return slot;
  }

  #read(slot: Slot): void {
    const { store } = this.#disk;
    const { task } = slot;
    task.await(store.read(task, slot.position, slot.bytes, task.dataIn), finished);
  }

  #write(slot: Slot): void {
    const { store } = this.#disk;
    const { task } = slot;
    task.await(store.write(task, slot.position, slot.bytes, task.dataOut, false), finished);
  }

  /** Nothing is taken until the barrier has ended; it starts when everything taken before it has. */
  #barrier(slot: Slot): void {
    this.#held = slot;
    if (this.#inFlight === 1) this.#flush(slot);
  }

  /** Barrier and flush alike: what came before becomes stable, then their own data, if any, is a plain write. */
  #flush(slot: Slot): void {
    slot.task.await(this.#disk.store.flush(slot.task), flushed);
  }

  /** The store request of a slot has ended. */
  stored(slot: Slot, reply: StoreReply): void {
    assert(reply !== PENDING, 'an ended store request is not pending');
    this.#finish(slot, reply === DONE ? STATUS_OKAY : STATUS_ERROR);
  }

  /** The flush of a barrier or flush has ended. */
  flushed(slot: Slot, reply: StoreReply): void {
    if (reply === DONE && slot.bytes > 0) this.#write(slot);
    else this.stored(slot, reply);
  }

  #finish(slot: Slot, status: number): void {
    this.#respond(slot.idHigh, slot.idLow, slot.operation, status);
    slot.task.transition(ENABLED, FREE);
    slot.task.dataIn.clear();
    slot.task.dataOut.clear();
    this.#free[this.#freeCount] = slot.index;
    this.#freeCount += 1;
    this.#inFlight -= 1;
    const held = this.#held;
    if (held === slot) this.#held = null;
    else if (held !== null && this.#inFlight === 1) this.#flush(held);
  }

  /** Publishes each response at once, as Linux does: the client goes on while the server works on the next request. */
  #respond(idHigh: number, idLow: number, operation: number, status: number): void {
    const at = this.#ring.nextResponse();
    this.#abi.encodeResponse(this.#ring.data, at, idHigh, idLow, operation, status);
    if (this.#ring.push()) this.notify = true;
  }
}

/** A request in flight. Its task only carries the store's view of it; no SCSI happens. */
class Slot {
  readonly backend: Backend;
  readonly index: number;
  readonly task: Task;
  idHigh = 0;
  idLow = 0;
  operation = 0;
  position = 0;
  bytes = 0;

  constructor(backend: Backend, index: number, iovecs: IovecMemory) {
    this.backend = backend;
    this.index = index;
    this.task = new SlotTask(this, iovecs);
  }
}

class SlotTask extends Task {
  readonly owner: Slot;

  constructor(owner: Slot, iovecs: IovecMemory) {
    super(NO_PORT, owner.index, new Segments(iovecs), new Segments(iovecs));
    this.owner = owner;
  }
}

const NO_PORT = {
  lunPresentation: 'native',
  respond: noPort,
  drop: noPort,
  taskManagementDone: noPort,
} as const;

function noPort(): void {
  assert(false, 'a blkif task never reaches the SCSI core');
}

function finished(task: Task, reply: StoreReply): void {
  const slot = (task as SlotTask).owner;
  slot.backend.stored(slot, reply);
}

function flushed(task: Task, reply: StoreReply): void {
  const slot = (task as SlotTask).owner;
  slot.backend.flushed(slot, reply);
}
