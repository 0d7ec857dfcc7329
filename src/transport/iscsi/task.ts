/** One SCSI command of an iSCSI session, reused, and the lanes that keep commands in order until they enter the core. */
import type { Buffer } from 'node:buffer';
import { decodeLun, encodeLun } from '../../scsi/lun.ts';
import { ACA, HEAD_OF_QUEUE, ORDERED, SIMPLE } from '../../scsi/sam.ts';
import { MAX_CDB_BYTES } from '../../scsi/task.ts';
import { SrpCommand } from '../srp/initiator-command.ts';
import { DataOutTransfer } from './data-out.ts';
import {
  ACA_TASK,
  AHS_BIDI_READ_LENGTH,
  AHS_EXTENDED_CDB,
  ATTRIBUTE_MASK,
  COMMAND,
  HEAD_OF_QUEUE_TASK,
  ORDERED_TASK,
  type Pdu,
  READ,
  WRITE,
} from './pdu.ts';

const CDB_BYTES = 16;
/** An attribute SRP does not know either: the core refuses it. */
const INVALID_ATTRIBUTE = 7;

/** Data that came before there was memory for it. */
interface EarlyData {
  readonly offset: number;
  readonly bytes: Buffer;
}

export class IscsiTask {
  readonly command = new SrpCommand();
  readonly transfer = new DataOutTransfer();
  readonly early: EarlyData[] = [];
  itt = 0;
  /** Unit number as decoded, for lanes; several names of one unit are one. */
  lun = 0;
  immediate = false;
  isRead = false;
  isWrite = false;
  /** Expected data transfer lengths. */
  expectedIn = 0;
  expectedOut = 0;
  /** Buffers in the arena: how many bytes, and where, or -1 while there is none. */
  inBytes = 0;
  outBytes = 0;
  inOffset = -1;
  outOffset = -1;
  /** It has the memory it needs. */
  housed = false;
  /** It is with the target. */
  sent = false;

  /** Nothing is awaited: it may go to the target as soon as its turn comes. */
  get ready(): boolean {
    return this.housed && (!this.isWrite || this.transfer.complete);
  }

  /** Reads the command PDU. False when its additional header segments make no sense. */
  read(pdu: Pdu, mostBytes: number): boolean {
    const { header } = pdu;
    const { at } = COMMAND;
    const { command } = this;
    const flags = header[at.flags] as number;
    this.itt = header.readUInt32BE(at.itt);
    this.isRead = (flags & READ) !== 0;
    this.isWrite = (flags & WRITE) !== 0;
    const expected = header.readUInt32BE(at.expectedLength);
    this.expectedOut = this.isWrite ? expected : 0;
    this.expectedIn = this.isRead && !this.isWrite ? expected : 0;
    this.lun = copyLun(header, command.lun);
    command.attribute = attributeOf(flags & ATTRIBUTE_MASK);
    command.cdb.set(header.subarray(at.cdb, at.cdb + CDB_BYTES));
    command.cdbBytes = CDB_BYTES;
    command.status = 0;
    command.senseBytes = 0;
    if (!this.#readAhs(pdu.ahs)) return false;
    this.inBytes = Math.min(this.expectedIn, mostBytes);
    this.outBytes = Math.min(this.expectedOut, mostBytes);
    this.inOffset = -1;
    this.outOffset = -1;
    this.housed = false;
    this.sent = false;
    return true;
  }

  #readAhs(ahs: Buffer): boolean {
    let at = 0;
    while (at < ahs.length) {
      const bytes = ahs.readUInt16BE(at);
      const type = (ahs[at + 2] as number) & 0x3f;
      if (bytes === 0 || at + 3 + bytes > ahs.length) return false;
      if (type === AHS_EXTENDED_CDB) {
        // One byte is reserved before the CDB goes on.
        const more = bytes - 1;
        if (CDB_BYTES + more > MAX_CDB_BYTES) return false;
        this.command.cdb.set(ahs.subarray(at + 4, at + 4 + more), CDB_BYTES);
        this.command.cdbBytes = CDB_BYTES + more;
      } else if (type === AHS_BIDI_READ_LENGTH && bytes === 5) {
        if (this.isRead && this.isWrite) this.expectedIn = ahs.readUInt32BE(at + 4);
      }
      at += (3 + bytes + 3) & ~3;
    }
    return true;
  }
}

function attributeOf(attribute: number): number {
  if (attribute === ORDERED_TASK) return ORDERED;
  if (attribute === HEAD_OF_QUEUE_TASK) return HEAD_OF_QUEUE;
  if (attribute === ACA_TASK) return ACA;
  return attribute < ORDERED_TASK ? SIMPLE : INVALID_ATTRIBUTE;
}

/** Copies the LUN of a header, every unit in one spelling; returns it decoded. */
export function copyLun(header: Buffer, into: Uint8Array): number {
  const from = COMMAND.at.lun;
  into.set(header.subarray(from, from + 8));
  const lun = decodeLun(new DataView(into.buffer, into.byteOffset, 8), 0, 'native');
  if (lun >= 0 && lun <= 0x3fff) encodeLun(into, 0, lun, 'native');
  return lun;
}

/**
 * Commands in the order they were received, by logical unit: a command enters the core after every older one of its unit,
 * even if that one still waits for its data (SAM-5 8: order is by arrival). HEAD OF QUEUE and ACA overtake.
 */
export class TaskLanes {
  readonly #lanes = new Map<number, IscsiTask[]>();
  #urgent: IscsiTask[] = [];

  add(task: IscsiTask): void {
    const { attribute } = task.command;
    if (attribute === HEAD_OF_QUEUE || attribute === ACA) {
      this.#urgent.push(task);
      return;
    }
    const lane = this.#lanes.get(task.lun);
    if (lane === undefined) this.#lanes.set(task.lun, [task]);
    else lane.push(task);
  }

  remove(task: IscsiTask): void {
    const lane = this.#lanes.get(task.lun) ?? [];
    const at = lane.indexOf(task);
    if (at >= 0) {
      lane.splice(at, 1);
      if (lane.length === 0) this.#lanes.delete(task.lun);
    } else this.#urgent = this.#urgent.filter((one) => one !== task);
  }

  /** Hands over what may go, in order, until `send` says that no more can be sent. */
  drain(send: (task: IscsiTask) => boolean): void {
    const urgent = this.#urgent;
    for (let i = 0; i < urgent.length; ) {
      const task = urgent[i] as IscsiTask;
      if (!task.ready) i += 1;
      else if (send(task)) urgent.splice(i, 1);
      else return;
    }
    for (const [lun, lane] of this.#lanes) {
      let taken = 0;
      let full = false;
      while (taken < lane.length && (lane[taken] as IscsiTask).ready && !full) {
        if (send(lane[taken] as IscsiTask)) taken += 1;
        else full = true;
      }
      if (taken === lane.length) this.#lanes.delete(lun);
      else if (taken > 0) lane.splice(0, taken);
      if (full) return;
    }
  }
}
