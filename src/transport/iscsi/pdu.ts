/** iSCSI PDUs: operation codes, flags and the basic header segments (RFC 7143 clause 11). */
import type { Buffer } from 'node:buffer';
import { record } from '../../record.ts';

export const BHS_BYTES = 48;
export const DIGEST_BYTES = 4;
/** Tag value that names no task. */
export const NO_TAG = 0xffffffff;

/** Operation codes an initiator sends (byte 0, bits 5:0). */
export const NOP_OUT = 0x00;
export const SCSI_COMMAND = 0x01;
export const TASK_MANAGEMENT = 0x02;
export const LOGIN = 0x03;
export const TEXT = 0x04;
export const DATA_OUT = 0x05;
export const LOGOUT = 0x06;
export const SNACK = 0x10;
/** Operation codes a target sends. */
export const NOP_IN = 0x20;
export const SCSI_RESPONSE = 0x21;
export const TASK_MANAGEMENT_RESPONSE = 0x22;
export const LOGIN_RESPONSE = 0x23;
export const TEXT_RESPONSE = 0x24;
export const DATA_IN = 0x25;
export const LOGOUT_RESPONSE = 0x26;
export const R2T = 0x31;
export const ASYNC_MESSAGE = 0x32;
export const REJECT = 0x3f;

export const OPCODE_MASK = 0x3f;
/** Byte 0: for immediate delivery, outside the command window. */
export const IMMEDIATE = 0x40;

/** Byte 1. */
export const FINAL = 0x80;
/** Login: transit to the next stage. */
export const TRANSIT = 0x80;
/** Login and text: more of this request follows. */
export const CONTINUE = 0x40;
export const READ = 0x40;
export const WRITE = 0x20;
export const ATTRIBUTE_MASK = 0x07;
/** SCSI response: residuals of the read part of a bidirectional command, then of everything else. */
export const BIDI_OVERFLOW = 0x10;
export const BIDI_UNDERFLOW = 0x08;
export const OVERFLOW = 0x04;
export const UNDERFLOW = 0x02;
/** Data-In that carries the status, too. */
export const STATUS_PRESENT = 0x01;

/** Task attributes (11.3.1.1). */
export const UNTAGGED_TASK = 0;
export const SIMPLE_TASK = 1;
export const ORDERED_TASK = 2;
export const HEAD_OF_QUEUE_TASK = 3;
export const ACA_TASK = 4;

/** Task management functions (11.5.1) and responses (11.6.1). */
export const TMF_ABORT_TASK = 1;
export const TMF_ABORT_TASK_SET = 2;
export const TMF_CLEAR_ACA = 3;
export const TMF_CLEAR_TASK_SET = 4;
export const TMF_LOGICAL_UNIT_RESET = 5;
export const TMF_TARGET_WARM_RESET = 6;
export const TMF_TARGET_COLD_RESET = 7;
export const TMF_TASK_REASSIGN = 8;
/** Of protocol level 2 (RFC 7144 clause 6). */
export const TMF_QUERY_TASK = 9;
export const TMF_QUERY_TASK_SET = 10;
export const TMF_I_T_NEXUS_RESET = 11;
export const TMF_QUERY_ASYNCHRONOUS_EVENT = 12;
export const TM_COMPLETE = 0;
export const TM_NO_TASK = 1;
export const TM_NO_LUN = 2;
export const TM_NO_REASSIGN = 4;
export const TM_NOT_SUPPORTED = 5;
export const TM_SUCCEEDED = 7;
export const TM_REJECTED = 255;

/** Reasons of a Reject (11.17.1). */
export const REJECT_DATA_DIGEST = 0x02;
export const REJECT_SNACK = 0x03;
export const REJECT_PROTOCOL = 0x04;
export const REJECT_UNSUPPORTED = 0x05;
export const REJECT_TOO_MANY_IMMEDIATE = 0x06;
export const REJECT_INVALID_FIELD = 0x09;

/** Event of an asynchronous message: the target drops every connection of the session (11.9.1). */
export const EVENT_CONNECTIONS_DROPPED = 3;

/** Reasons of a logout (11.14.1) and responses to it (11.15.1). */
export const LOGOUT_SESSION = 0;
export const LOGOUT_CONNECTION = 1;
export const LOGOUT_OK = 0;
export const LOGOUT_NO_CONNECTION = 1;
export const LOGOUT_NO_RECOVERY = 2;

/** Additional header segments (11.2.2.3, 11.2.2.4). */
export const AHS_EXTENDED_CDB = 1;
export const AHS_BIDI_READ_LENGTH = 2;

/** What every header has; `statSN` to `maxCmdSN` in those of the target. */
export const BHS = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  specific2: 'u8',
  specific3: 'u8',
  ahsWords: 'u8',
  dataBytes: 'u24',
  lun: ['bytes', 8],
  itt: 'u32',
  ttt: 'u32',
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  specific36: ['bytes', 12],
});

export const COMMAND = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  pad2: ['pad', 2],
  ahsWords: 'u8',
  dataBytes: 'u24',
  lun: ['bytes', 8],
  itt: 'u32',
  expectedLength: 'u32',
  cmdSN: 'u32',
  expStatSN: 'u32',
  cdb: ['bytes', 16],
});

/** SCSI response and the end of Data-In; both residual counts. */
export const RESPONSE = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  response: 'u8',
  status: 'u8',
  pad4: ['pad', 12],
  itt: 'u32',
  snackTag: 'u32',
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  expDataSN: 'u32',
  bidiResidual: 'u32',
  residual: 'u32',
});

/** Data-Out, Data-In and R2T; `length` is the residual of a Data-In, the desired length of an R2T. */
export const DATA = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  pad2: 'u8',
  status: 'u8',
  ahsWords: 'u8',
  dataBytes: 'u24',
  lun: ['bytes', 8],
  itt: 'u32',
  ttt: 'u32',
  statSN: 'u32',
  expStatSN: 'u32',
  maxCmdSN: 'u32',
  dataSN: 'u32',
  offset: 'u32',
  length: 'u32',
});

export const TASK_REQUEST = record(BHS_BYTES, {
  opcode: 'u8',
  function: 'u8',
  pad2: ['pad', 6],
  lun: ['bytes', 8],
  itt: 'u32',
  referencedTag: 'u32',
  cmdSN: 'u32',
  expStatSN: 'u32',
  referencedCmdSN: 'u32',
  expDataSN: 'u32',
  pad40: ['pad', 8],
});

/** `information`: what FUNCTION SUCCEEDED has to say (RFC 7144 6.2). */
export const TASK_ANSWER = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  response: 'u8',
  pad3: ['pad', 5],
  information: 'u24',
  pad11: ['pad', 5],
  itt: 'u32',
  pad20: ['pad', 4],
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  pad36: ['pad', 12],
});

export const LOGIN_REQUEST = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  versionMax: 'u8',
  versionMin: 'u8',
  pad4: ['pad', 4],
  isid: ['bytes', 6],
  tsih: 'u16',
  itt: 'u32',
  cid: 'u16',
  pad22: ['pad', 2],
  cmdSN: 'u32',
  expStatSN: 'u32',
  pad32: ['pad', 16],
});

export const LOGIN_ANSWER = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  versionMax: 'u8',
  versionActive: 'u8',
  pad4: ['pad', 4],
  isid: ['bytes', 6],
  tsih: 'u16',
  itt: 'u32',
  pad20: ['pad', 4],
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  statusClass: 'u8',
  statusDetail: 'u8',
  pad38: ['pad', 10],
});

export const LOGOUT_ANSWER = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  response: 'u8',
  pad3: ['pad', 13],
  itt: 'u32',
  pad20: ['pad', 4],
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  pad36: ['pad', 4],
  time2Wait: 'u16',
  time2Retain: 'u16',
  pad44: ['pad', 4],
});

export const ASYNC = record(BHS_BYTES, {
  opcode: 'u8',
  flags: 'u8',
  pad2: ['pad', 22],
  statSN: 'u32',
  expCmdSN: 'u32',
  maxCmdSN: 'u32',
  event: 'u8',
  vendorCode: 'u8',
  parameter1: 'u16',
  parameter2: 'u16',
  parameter3: 'u16',
  pad44: ['pad', 4],
});

/** One PDU as it came in. The buffers are views of what the socket gave; whoever keeps them keeps that. */
export interface Pdu {
  readonly header: Buffer;
  /** Additional header segments, whole words. */
  readonly ahs: Buffer;
  /** Data segment without its padding. */
  readonly data: Buffer;
  /** The data digest does not fit the data. */
  readonly damaged: boolean;
}

/** Bytes that fill a data segment up to a word. */
export function paddingBytes(bytes: number): number {
  return -bytes & 3;
}

/** Serial number arithmetic (RFC 1982, 32 bits): negative, 0 or positive as `a` comes before, is, or comes after `b`. */
export function compareSN(a: number, b: number): number {
  return (a - b) | 0;
}

/** The serial number `by` after `sn`. */
export function addSN(sn: number, by: number): number {
  return (sn + by) >>> 0;
}
