/** Cold encoding and decoding of every SRP IU to plain objects, variable parts included (SRP r16a clause 6). */
import { Buffer } from 'node:buffer';
import type { Decoded, RecordLayout } from '../../record.ts';
import {
  INFORMATION_UNIT_TOO_SHORT,
  INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT,
} from '../../scsi/sense-codes.ts';
import {
  ADDITIONAL_CDB_MASK,
  AER_REQ,
  BARE_IU,
  CDB_BYTES,
  CMD,
  CRED_REQ,
  DESCRIPTOR_DIRECT,
  DESCRIPTOR_IMMEDIATE,
  DESCRIPTOR_INDIRECT,
  DESCRIPTOR_NONE,
  fixedBytes,
  IMMEDIATE_DESCRIPTOR,
  INDIRECT_DESCRIPTOR,
  LOGIN_REJ,
  LOGIN_REQ,
  LOGIN_RSP,
  MEMORY_DESCRIPTOR,
  RSP,
  SRP_AER_REQ,
  SRP_AER_RSP,
  SRP_CMD,
  SRP_CRED_REQ,
  SRP_CRED_RSP,
  SRP_I_LOGOUT,
  SRP_LOGIN_REJ,
  SRP_LOGIN_REQ,
  SRP_LOGIN_RSP,
  SRP_RSP,
  SRP_T_LOGOUT,
  SRP_TSK_MGMT,
  T_LOGOUT,
  TASK_ATTRIBUTE_MASK,
  TSK_MGMT,
} from './iu.ts';

type Shape<R> = R extends RecordLayout<infer S> ? Decoded<S> : never;
type Iu<T extends number, R> = Omit<Shape<R>, 'type'> & { readonly type: T };

export type MemoryDescriptor = Shape<typeof MEMORY_DESCRIPTOR>;

/** A data buffer descriptor of SRP_CMD. An immediate one is written as its length; the data is `SrpCmd.immediate`. */
export type BufferDescriptor =
  | { readonly format: typeof DESCRIPTOR_NONE }
  | { readonly format: typeof DESCRIPTOR_DIRECT; readonly memory: MemoryDescriptor }
  | {
      readonly format: typeof DESCRIPTOR_INDIRECT;
      readonly table: Omit<MemoryDescriptor, 'length'> & { readonly tableLength: number };
      readonly totalLength: number;
      readonly partial: readonly MemoryDescriptor[];
    }
  | { readonly format: typeof DESCRIPTOR_IMMEDIATE; readonly length: number };

export type SrpLoginReq = Iu<typeof SRP_LOGIN_REQ, typeof LOGIN_REQ>;
export type SrpLoginRsp = Iu<typeof SRP_LOGIN_RSP, typeof LOGIN_RSP>;
export type SrpLoginRej = Iu<typeof SRP_LOGIN_REJ, typeof LOGIN_REJ>;
export type SrpTskMgmt = Iu<typeof SRP_TSK_MGMT, typeof TSK_MGMT>;
export type SrpILogout = Iu<typeof SRP_I_LOGOUT, typeof BARE_IU>;
export type SrpCredRsp = Iu<typeof SRP_CRED_RSP, typeof BARE_IU>;
export type SrpAerRsp = Iu<typeof SRP_AER_RSP, typeof BARE_IU>;
export type SrpTLogout = Iu<typeof SRP_T_LOGOUT, typeof T_LOGOUT>;
export type SrpCredReq = Iu<typeof SRP_CRED_REQ, typeof CRED_REQ>;
export type SrpAerReq = Omit<Iu<typeof SRP_AER_REQ, typeof AER_REQ>, 'senseLength'> & {
  readonly sense: Buffer;
};
export type SrpRsp = Omit<Iu<typeof SRP_RSP, typeof RSP>, 'senseLength' | 'responseLength'> & {
  readonly responseData: Buffer;
  readonly sense: Buffer;
};
export type SrpCmd = Omit<
  Iu<typeof SRP_CMD, typeof CMD>,
  'formats' | 'additionalCdb' | 'dataOutCount' | 'dataInCount'
> & {
  /** DESCRIPTOR COUNTs as on the wire: they mean something for indirect descriptors only. */
  readonly dataOutCount: number;
  readonly dataInCount: number;
  readonly dataOut: BufferDescriptor;
  readonly dataIn: BufferDescriptor;
  /** Immediate data and where it starts in the IU. */
  readonly immediate: { readonly offset: number; readonly bytes: Buffer } | null;
  /** 0, or the packed sense code that says why decoding stopped; what comes later in the IU is then missing. */
  readonly fault: number;
};

export type SrpIu =
  | SrpLoginReq
  | SrpLoginRsp
  | SrpLoginRej
  | SrpTskMgmt
  | SrpILogout
  | SrpCredRsp
  | SrpAerRsp
  | SrpTLogout
  | SrpCredReq
  | SrpAerReq
  | SrpRsp
  | SrpCmd;

const NO_DESCRIPTOR: BufferDescriptor = { format: DESCRIPTOR_NONE };

/** IUs whose record says everything. */
const FIXED = {
  [SRP_LOGIN_REQ]: LOGIN_REQ,
  [SRP_LOGIN_RSP]: LOGIN_RSP,
  [SRP_LOGIN_REJ]: LOGIN_REJ,
  [SRP_TSK_MGMT]: TSK_MGMT,
  [SRP_I_LOGOUT]: BARE_IU,
  [SRP_CRED_RSP]: BARE_IU,
  [SRP_AER_RSP]: BARE_IU,
  [SRP_T_LOGOUT]: T_LOGOUT,
  [SRP_CRED_REQ]: CRED_REQ,
} as const;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
  fault: number;
}

/** Moves past `length` bytes and returns where they start; notes the fault and returns -1 when the IU is too short. */
function advance(cursor: Cursor, length: number): number {
  const at = cursor.at;
  if (cursor.fault !== 0) return -1;
  if (at + length > cursor.bytes.length) {
    cursor.fault = INFORMATION_UNIT_TOO_SHORT;
    return -1;
  }
  cursor.at = at + length;
  return at;
}

function decodeIndirect(cursor: Cursor, count: number): BufferDescriptor {
  const at = advance(cursor, INDIRECT_DESCRIPTOR.size);
  if (at < 0) return NO_DESCRIPTOR;
  const { totalLength, ...table } = INDIRECT_DESCRIPTOR.layout.decode(cursor.bytes, at);
  const partial: MemoryDescriptor[] = [];
  if (table.tableLength % MEMORY_DESCRIPTOR.size !== 0) {
    cursor.fault = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
  }
  for (let i = 0; i < count; i += 1) {
    const entry = advance(cursor, MEMORY_DESCRIPTOR.size);
    if (entry >= 0) partial.push(MEMORY_DESCRIPTOR.layout.decode(cursor.bytes, entry));
  }
  if (cursor.fault === 0 && partial.length * MEMORY_DESCRIPTOR.size === table.tableLength) {
    const sum = partial.reduce((bytes, entry) => bytes + entry.length, 0);
    if (sum !== totalLength) cursor.fault = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
  }
  return { format: DESCRIPTOR_INDIRECT, table, totalLength, partial };
}

function decodeDescriptor(cursor: Cursor, format: number, count: number): BufferDescriptor {
  if (format === DESCRIPTOR_NONE || cursor.fault !== 0) return NO_DESCRIPTOR;
  if (format === DESCRIPTOR_DIRECT) {
    const at = advance(cursor, MEMORY_DESCRIPTOR.size);
    if (at < 0) return NO_DESCRIPTOR;
    return { format, memory: MEMORY_DESCRIPTOR.layout.decode(cursor.bytes, at) };
  }
  if (format === DESCRIPTOR_INDIRECT) return decodeIndirect(cursor, count);
  if (format === DESCRIPTOR_IMMEDIATE) {
    const at = advance(cursor, IMMEDIATE_DESCRIPTOR.size);
    if (at < 0) return NO_DESCRIPTOR;
    return { format, length: cursor.bytes.readUInt32BE(at) };
  }
  cursor.fault = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
  return NO_DESCRIPTOR;
}

function decodeImmediate(
  cursor: Cursor,
  out: BufferDescriptor,
  offset: number,
): SrpCmd['immediate'] {
  if (out.format !== DESCRIPTOR_IMMEDIATE || cursor.fault !== 0) return null;
  if (offset < cursor.at) {
    cursor.fault = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
    return null;
  }
  cursor.at = offset;
  const at = advance(cursor, out.length);
  return at < 0 ? null : { offset, bytes: cursor.bytes.subarray(at, at + out.length) };
}

function decodeCommand(bytes: Buffer, immediateOffset: number): SrpCmd {
  const { formats, additionalCdb, ...fixed } = CMD.layout.decode(bytes);
  const cursor: Cursor = { bytes, at: CMD.size, fault: 0 };
  const attribute = fixed.attribute & TASK_ATTRIBUTE_MASK;
  if (attribute === 3 || attribute > 4) cursor.fault = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
  const additional = additionalCdb & ADDITIONAL_CDB_MASK;
  const more = advance(cursor, additional);
  const cdb =
    more < 0 ? fixed.cdb : Buffer.concat([fixed.cdb, bytes.subarray(more, more + additional)]);
  const dataOut = decodeDescriptor(cursor, formats >> 4, fixed.dataOutCount);
  const dataIn =
    (formats & 0x0f) === DESCRIPTOR_IMMEDIATE
      ? decodeDescriptor(cursor, -1, 0)
      : decodeDescriptor(cursor, formats & 0x0f, fixed.dataInCount);
  const immediate = decodeImmediate(cursor, dataOut, immediateOffset);
  return { ...fixed, type: SRP_CMD, cdb, dataOut, dataIn, immediate, fault: cursor.fault };
}

function decodeResponse(bytes: Buffer): SrpRsp | null {
  const { senseLength, responseLength, ...fixed } = RSP.layout.decode(bytes);
  if (RSP.size + responseLength + senseLength > bytes.length) return null;
  const sense = RSP.size + responseLength;
  return {
    ...fixed,
    type: SRP_RSP,
    responseData: bytes.subarray(RSP.size, sense),
    sense: bytes.subarray(sense, sense + senseLength),
  };
}

function decodeAsynchronousEvent(bytes: Buffer): SrpAerReq | null {
  const { senseLength, ...fixed } = AER_REQ.layout.decode(bytes);
  if (AER_REQ.size + senseLength > bytes.length) return null;
  const sense = bytes.subarray(AER_REQ.size, AER_REQ.size + senseLength);
  return { ...fixed, type: SRP_AER_REQ, sense };
}

/**
 * Decodes one IU. Null when its type does not exist or it is shorter than what it says it holds; a malformed SRP_CMD
 * comes back with `fault` set. `immediateOffset`: the negotiated IMMEDIATE DATA OFFSET (48 to 8 KiB).
 * Byte fields alias `bytes`.
 */
export function decodeIu(bytes: Buffer, immediateOffset = CMD.size): SrpIu | null {
  const type = bytes[0] as number;
  const fixed = bytes.length === 0 ? 0 : fixedBytes(type);
  if (fixed === 0 || bytes.length < fixed) return null;
  if (type === SRP_CMD) return decodeCommand(bytes, immediateOffset);
  if (type === SRP_RSP) return decodeResponse(bytes);
  if (type === SRP_AER_REQ) return decodeAsynchronousEvent(bytes);
  return FIXED[type as keyof typeof FIXED].layout.decode(bytes) as SrpIu;
}

function descriptorBytes(descriptor: BufferDescriptor): Buffer {
  if (descriptor.format === DESCRIPTOR_NONE) return Buffer.alloc(0);
  if (descriptor.format === DESCRIPTOR_DIRECT) {
    const bytes = Buffer.alloc(MEMORY_DESCRIPTOR.size);
    MEMORY_DESCRIPTOR.layout.encode(descriptor.memory, bytes);
    return bytes;
  }
  if (descriptor.format === DESCRIPTOR_IMMEDIATE) {
    const bytes = Buffer.alloc(IMMEDIATE_DESCRIPTOR.size);
    IMMEDIATE_DESCRIPTOR.layout.encode({ length: descriptor.length }, bytes);
    return bytes;
  }
  const { size } = MEMORY_DESCRIPTOR;
  const bytes = Buffer.alloc(INDIRECT_DESCRIPTOR.size + descriptor.partial.length * size);
  const { table, totalLength } = descriptor;
  INDIRECT_DESCRIPTOR.layout.encode({ ...table, totalLength }, bytes);
  descriptor.partial.forEach((entry, i) => {
    MEMORY_DESCRIPTOR.layout.encode(entry, bytes, INDIRECT_DESCRIPTOR.size + i * size);
  });
  return bytes;
}

function encodeCommand(iu: SrpCmd): Buffer {
  const additional = Buffer.alloc(Math.ceil(Math.max(0, iu.cdb.length - CDB_BYTES) / 4) * 4);
  iu.cdb.copy(additional, 0, CDB_BYTES);
  const head = Buffer.alloc(CMD.size);
  const cdb = Buffer.alloc(CDB_BYTES);
  iu.cdb.copy(cdb, 0, 0, CDB_BYTES);
  CMD.layout.encode(
    {
      ...iu,
      cdb,
      formats: (iu.dataOut.format << 4) | iu.dataIn.format,
      additionalCdb: additional.length,
    },
    head,
  );
  const parts = [head, additional, descriptorBytes(iu.dataOut), descriptorBytes(iu.dataIn)];
  const bytes = Buffer.concat(parts);
  if (iu.immediate === null) return bytes;
  const whole = Buffer.alloc(iu.immediate.offset + iu.immediate.bytes.length);
  bytes.copy(whole);
  iu.immediate.bytes.copy(whole, iu.immediate.offset);
  return whole;
}

function encodeResponse(iu: SrpRsp): Buffer {
  const head = Buffer.alloc(RSP.size);
  const lengths = { senseLength: iu.sense.length, responseLength: iu.responseData.length };
  RSP.layout.encode({ ...iu, ...lengths }, head);
  return Buffer.concat([head, iu.responseData, iu.sense]);
}

function encodeAsynchronousEvent(iu: SrpAerReq): Buffer {
  const head = Buffer.alloc(AER_REQ.size);
  AER_REQ.layout.encode({ ...iu, senseLength: iu.sense.length }, head);
  return Buffer.concat([head, iu.sense]);
}

/** Encodes one IU; reserved fields are zero. `fault` of an SRP_CMD is ignored. */
export function encodeIu(iu: SrpIu): Buffer {
  if (iu.type === SRP_CMD) return encodeCommand(iu);
  if (iu.type === SRP_RSP) return encodeResponse(iu);
  if (iu.type === SRP_AER_REQ) return encodeAsynchronousEvent(iu);
  const { layout, size } = FIXED[iu.type] as RecordLayout<Record<string, 'u8'>>;
  const bytes = Buffer.alloc(size);
  layout.encode(iu as never, bytes);
  return bytes;
}
