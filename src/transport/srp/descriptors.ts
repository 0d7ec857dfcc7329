/** Data buffer descriptors of SRP_CMD: walked in the private copy, bounds-checked, turned into segments (SRP r16a 6.8, SRP-2). */

import type { SegmentMemory, Segments } from '../../scsi/segments.ts';
import {
  INFORMATION_UNIT_TOO_SHORT,
  INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT,
} from '../../scsi/sense-codes.ts';
import type { Task } from '../../scsi/task.ts';
import type { GuestMemory } from '../memory.ts';
import {
  ADDITIONAL_CDB_MASK,
  CDB_BYTES,
  CMD,
  DESCRIPTOR_DIRECT,
  DESCRIPTOR_IMMEDIATE,
  DESCRIPTOR_INDIRECT,
  DESCRIPTOR_NONE,
  IMMEDIATE_DESCRIPTOR,
  INDIRECT_DESCRIPTOR,
  MEMORY_DESCRIPTOR,
} from './iu.ts';
import { MAX_SEGMENTS, type RequestSlots } from './request-slots.ts';

const FORMATS = CMD.at.formats;
const DATA_OUT_COUNT = CMD.at.dataOutCount;
const DATA_IN_COUNT = CMD.at.dataInCount;
const ADDITIONAL_CDB = CMD.at.additionalCdb;
const CDB = CMD.at.cdb;
const CMD_BYTES = CMD.size;

const ADDRESS_HIGH = MEMORY_DESCRIPTOR.at.addressHigh;
const ADDRESS_LOW = MEMORY_DESCRIPTOR.at.addressLow;
const HANDLE = MEMORY_DESCRIPTOR.at.handle;
const LENGTH = MEMORY_DESCRIPTOR.at.length;
const ENTRY_BYTES = MEMORY_DESCRIPTOR.size;

const TABLE_LENGTH = INDIRECT_DESCRIPTOR.at.tableLength;
const TOTAL_LENGTH = INDIRECT_DESCRIPTOR.at.totalLength;
const INDIRECT_BYTES = INDIRECT_DESCRIPTOR.size;
const IMMEDIATE_BYTES = IMMEDIATE_DESCRIPTOR.size;

const TOO_SHORT = INFORMATION_UNIT_TOO_SHORT;
const INVALID = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;

/** Reads the part of an SRP_CMD that has no fixed place. One per channel: an external table is copied to its own memory. */
export class DescriptorReader {
  readonly #memory: GuestMemory;
  /** The private copies, where immediate data lie. */
  readonly #private: SegmentMemory;
  readonly #slots: RequestSlots;
  readonly #iu: DataView;
  readonly #table = new DataView(new ArrayBuffer(MAX_SEGMENTS * ENTRY_BYTES));
  /** Position in the copy, and the end of the IU in it. */
  #cursor = 0;
  #end = 0;

  constructor(memory: GuestMemory, slots: RequestSlots) {
    this.#memory = memory;
    this.#slots = slots;
    this.#private = { view: slots.bytes, address: slots.address };
    this.#iu = slots.view;
  }

  /**
   * Fills the CDB and both data buffers of `task` from the SRP_CMD of `length` bytes (at least the header) at `at` of the
   * slot memory. `immediateOffset`: negotiated IMMEDIATE DATA OFFSET, 0 without. Returns 0, or a packed sense code with
   * both buffers left empty.
   */
  read(task: Task, at: number, length: number, immediateOffset: number): number {
    this.#end = at + length;
    const sense = this.#readAll(task, at, immediateOffset);
    if (sense !== 0) {
      task.dataOut.clear();
      task.dataIn.clear();
    }
    return sense;
  }

  #readAll(task: Task, at: number, immediateOffset: number): number {
    const iu = this.#iu;
    const additional = iu.getUint8(at + ADDITIONAL_CDB) & ADDITIONAL_CDB_MASK;
    this.#cursor = at + CMD_BYTES + additional;
    const whole = this.#cursor <= this.#end;
    this.#copyCdb(task, at, whole ? additional : 0);
    if (!whole) return TOO_SHORT;

    const formats = iu.getUint8(at + FORMATS);
    const out = formats >> 4;
    const into = formats & 0x0f;
    if (out === DESCRIPTOR_IMMEDIATE) {
      if (into !== DESCRIPTOR_NONE || immediateOffset === 0) return INVALID;
      return this.#immediate(task.dataOut, at + immediateOffset);
    }
    const sense = this.#buffer(out, iu.getUint8(at + DATA_OUT_COUNT), task.dataOut);
    if (sense !== 0) return sense;
    return this.#buffer(into, iu.getUint8(at + DATA_IN_COUNT), task.dataIn);
  }

  #copyCdb(task: Task, at: number, additional: number): void {
    const bytes = this.#slots.bytes;
    const cdb = task.cdb;
    for (let i = 0; i < CDB_BYTES; i += 1) cdb[i] = bytes[at + CDB + i] as number;
    for (let i = 0; i < additional; i += 1)
      cdb[CDB_BYTES + i] = bytes[at + CMD_BYTES + i] as number;
    task.cdbBytes = CDB_BYTES + additional;
  }

  /** One direction. A descriptor that describes no bytes is as good as none. */
  #buffer(format: number, count: number, segments: Segments): number {
    if (format === DESCRIPTOR_NONE) return 0;
    if (format === DESCRIPTOR_DIRECT) {
      const at = this.#cursor;
      this.#cursor = at + ENTRY_BYTES;
      if (this.#cursor > this.#end) return TOO_SHORT;
      return this.#segment(this.#iu, at, segments);
    }
    if (format === DESCRIPTOR_INDIRECT) return this.#indirect(count, segments);
    return INVALID;
  }

  #segment(table: DataView, at: number, segments: Segments): number {
    const length = table.getUint32(at + LENGTH);
    if (length === 0) return 0;
    const known = this.#memory.translate(
      table.getUint32(at + HANDLE),
      table.getUint32(at + ADDRESS_HIGH),
      table.getUint32(at + ADDRESS_LOW),
      length,
      segments,
    );
    return known ? 0 : INVALID;
  }

  #indirect(count: number, segments: Segments): number {
    const at = this.#cursor;
    this.#cursor = at + INDIRECT_BYTES;
    if (this.#cursor > this.#end) return TOO_SHORT;
    const tableBytes = this.#iu.getUint32(at + TABLE_LENGTH);
    const entries = tableBytes >>> 4;
    if ((tableBytes & 0x0f) !== 0 || entries > MAX_SEGMENTS || count > entries) return INVALID;
    const list = this.#cursor;
    this.#cursor = list + count * ENTRY_BYTES;
    if (this.#cursor > this.#end) return TOO_SHORT;
    let sense = 0;
    if (count === entries) {
      sense = this.#list(this.#iu, list, entries, segments);
    } else {
      sense = this.#fetch(at, tableBytes) ? this.#list(this.#table, 0, entries, segments) : INVALID;
    }
    if (sense !== 0) return sense;
    return segments.bytes === this.#iu.getUint32(at + TOTAL_LENGTH) ? 0 : INVALID;
  }

  #list(table: DataView, at: number, entries: number, segments: Segments): number {
    for (let i = 0; i < entries; i += 1) {
      const sense = this.#segment(table, at + i * ENTRY_BYTES, segments);
      if (sense !== 0) return sense;
    }
    return 0;
  }

  /** Copies the table that the descriptor at `at` points to, each byte read once. False when it lies outside its region. */
  #fetch(at: number, tableBytes: number): boolean {
    const region = this.#memory.find(this.#iu.getUint32(at + HANDLE));
    if (region === null || this.#iu.getUint32(at + ADDRESS_HIGH) !== 0) return false;
    const offset = this.#iu.getUint32(at + ADDRESS_LOW);
    if (offset + tableBytes > region.bytes) return false;
    const table = this.#table;
    for (let i = 0; i < tableBytes; i += 4) table.setInt32(i, region.data.getInt32(offset + i));
    return true;
  }

  /** SRP-2: the data lie in the IU itself, at the negotiated offset; they are used from the private copy. */
  #immediate(segments: Segments, dataAt: number): number {
    const descriptor = this.#cursor;
    if (descriptor + IMMEDIATE_BYTES > this.#end) return TOO_SHORT;
    if (dataAt < descriptor + IMMEDIATE_BYTES) return INVALID;
    const length = this.#iu.getUint32(descriptor);
    if (dataAt + length > this.#end) return TOO_SHORT;
    segments.append(this.#private, dataAt, length);
    return 0;
  }
}
