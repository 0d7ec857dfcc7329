/** SRP information units: codes, and every IU kind declared once as a record (SRP r16a clause 6, SRP-2 for immediate data). */
import { record } from '../../record.ts';

/** IU types, byte 0. Bit 7: sent by the target. Bit 6: a response. */
export const SRP_LOGIN_REQ = 0x00;
export const SRP_TSK_MGMT = 0x01;
export const SRP_CMD = 0x02;
export const SRP_I_LOGOUT = 0x03;
export const SRP_CRED_RSP = 0x41;
export const SRP_AER_RSP = 0x42;
export const SRP_T_LOGOUT = 0x80;
export const SRP_CRED_REQ = 0x81;
export const SRP_AER_REQ = 0x82;
export const SRP_LOGIN_RSP = 0xc0;
export const SRP_RSP = 0xc1;
export const SRP_LOGIN_REJ = 0xc2;

/** Smallest REQUESTED INITIATOR-TO-TARGET IU LENGTH an initiator may ask for. */
export const MIN_IT_IU_BYTES = 64;
/** Longest IU this target takes: SRP_CMD with 268 CDB bytes and 8 KiB of immediate data fits. */
export const MAX_IT_IU_BYTES = 8448;
/** Longest IU this target sends, and so the room it needs at the address of every request. */
export const MAX_TI_IU_BYTES = 256;

/** Buffer formats of LOGIN_REQ and LOGIN_RSP. */
export const FORMAT_DIRECT = 0x0002;
export const FORMAT_INDIRECT = 0x0004;
export const SUPPORTED_FORMATS = FORMAT_DIRECT | FORMAT_INDIRECT;

/** LOGIN_REQ flags (table 9). */
export const MULTI_CHANNEL_MASK = 0x03;
export const MULTI_CHANNEL_SINGLE = 0;
export const MULTI_CHANNEL_MULTIPLE = 1;
export const LOSOLNT = 0x10;
export const CRSOLNT = 0x20;
export const AESOLNT = 0x40;
/** SRP-2: immediate data asked for (LOGIN_REQ) or granted (LOGIN_RSP). */
export const IMMEDIATE_DATA = 0x80;

/** LOGIN_RSP flags: MULTI-CHANNEL RESULT in bits 1:0. */
export const NO_OTHER_CHANNEL = 0;
export const CHANNELS_TERMINATED = 1;
export const CHANNELS_KEPT = 2;
export const SOLNTSUP = 0x10;

/** LOGIN_REJ reasons. */
export const REJECT_NO_REASON = 0x00010000;
export const REJECT_NO_RESOURCES = 0x00010001;
export const REJECT_IU_TOO_LARGE = 0x00010002;
export const REJECT_UNASSOCIABLE = 0x00010003;
export const REJECT_FORMATS = 0x00010004;
export const REJECT_NO_MULTI_CHANNEL = 0x00010005;
export const REJECT_CHANNEL_LIMIT = 0x00010006;

/** T_LOGOUT reasons. */
export const LOGOUT_NO_REASON = 0;
export const LOGOUT_INACTIVE = 1;
export const LOGOUT_INVALID_TYPE = 2;
export const LOGOUT_UNMATCHED_RESPONSE = 3;
export const LOGOUT_NEW_LOGIN = 4;
export const LOGOUT_DATA_OUT_FORMAT = 6;
export const LOGOUT_DATA_IN_FORMAT = 7;
export const LOGOUT_INVALID_LENGTH = 8;

/** Byte 1 of SRP_CMD and SRP_TSK_MGMT (tables 18 and 20). */
export const SCSOLNT = 0x02;
export const UCSOLNT = 0x04;
/** Byte 1 of IUs from the target (tables 16 and 22). */
export const SOLNT = 0x01;

/** Data buffer descriptor formats, the nibbles of SRP_CMD byte 5. */
export const DESCRIPTOR_NONE = 0;
export const DESCRIPTOR_DIRECT = 1;
export const DESCRIPTOR_INDIRECT = 2;
/** SRP-2, data-out only. */
export const DESCRIPTOR_IMMEDIATE = 3;

/** SRP_RSP flags, byte 18. */
export const RSPVALID = 0x01;
export const SNSVALID = 0x02;
export const DOOVER = 0x04;
export const DOUNDER = 0x08;
export const DIOVER = 0x10;
export const DIUNDER = 0x20;

/** RSP_CODE, byte 3 of the response data (table 24). */
export const RSP_COMPLETE = 0x00;
export const RSP_FIELDS_INVALID = 0x02;
export const RSP_NOT_SUPPORTED = 0x04;
export const RSP_FAILED = 0x05;
/** Not of SRP, but as FCP and SAS have it: what was asked for is there. */
export const RSP_SUCCEEDED = 0x08;
export const RESPONSE_DATA_BYTES = 4;

/** Byte 31 of SRP_CMD: the bits that hold the additional CDB length, which they give in bytes. */
export const ADDITIONAL_CDB_MASK = 0xfc;
/** Byte 29 of SRP_CMD. */
export const TASK_ATTRIBUTE_MASK = 0x07;
/** CDB bytes inside the SRP_CMD header. */
export const CDB_BYTES = 16;

/** What every IU begins with. */
export const IU_HEADER = record(16, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 2],
  word: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
});

export const LOGIN_REQ = record(64, {
  type: 'u8',
  pad1: ['pad', 7],
  tagHigh: 'u32',
  tagLow: 'u32',
  requestedLength: 'u32',
  /** Reserved; kept because one known initiator puts its IU length here. */
  reserved: 'u32',
  formats: 'u16',
  flags: 'u8',
  pad2: ['pad', 1],
  immediateOffset: 'u16',
  pad3: ['pad', 2],
  initiatorPort: ['bytes', 16],
  targetPort: ['bytes', 16],
});

export const LOGIN_RSP = record(52, {
  type: 'u8',
  pad1: ['pad', 3],
  delta: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
  maxInitiatorIu: 'u32',
  maxTargetIu: 'u32',
  formats: 'u16',
  flags: 'u8',
  pad2: ['pad', 25],
});

export const LOGIN_REJ = record(32, {
  type: 'u8',
  pad1: ['pad', 3],
  reason: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
  pad2: ['pad', 8],
  formats: 'u16',
  pad3: ['pad', 6],
});

/** SRP_I_LOGOUT, SRP_CRED_RSP, SRP_AER_RSP: a type and a tag. */
export const BARE_IU = record(16, {
  type: 'u8',
  pad1: ['pad', 7],
  tagHigh: 'u32',
  tagLow: 'u32',
});

export const T_LOGOUT = record(16, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 2],
  reason: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
});

export const CRED_REQ = record(16, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 2],
  delta: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
});

export const AER_REQ = record(36, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 2],
  delta: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
  pad2: ['pad', 4],
  lun: ['bytes', 8],
  senseLength: 'u32',
  pad3: ['pad', 4],
});

export const TSK_MGMT = record(48, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 6],
  tagHigh: 'u32',
  tagLow: 'u32',
  pad2: ['pad', 4],
  lun: ['bytes', 8],
  pad3: ['pad', 2],
  function: 'u8',
  pad4: ['pad', 1],
  managedTagHigh: 'u32',
  managedTagLow: 'u32',
  pad5: ['pad', 8],
});

export const CMD = record(48, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 3],
  /** Data-out format in bits 7:4, data-in format in bits 3:0. */
  formats: 'u8',
  dataOutCount: 'u8',
  dataInCount: 'u8',
  tagHigh: 'u32',
  tagLow: 'u32',
  pad2: ['pad', 4],
  lun: ['bytes', 8],
  pad3: ['pad', 1],
  attribute: 'u8',
  pad4: ['pad', 1],
  additionalCdb: 'u8',
  cdb: ['bytes', CDB_BYTES],
});

export const RSP = record(36, {
  type: 'u8',
  flags: 'u8',
  pad1: ['pad', 2],
  delta: 'u32',
  tagHigh: 'u32',
  tagLow: 'u32',
  pad2: ['pad', 2],
  valid: 'u8',
  status: 'u8',
  dataOutResidual: 'u32',
  dataInResidual: 'u32',
  senseLength: 'u32',
  responseLength: 'u32',
});

/** Memory descriptor; alone it is the direct data buffer descriptor (16 bytes). The address is an offset in the region. */
export const MEMORY_DESCRIPTOR = record(16, {
  addressHigh: 'u32',
  addressLow: 'u32',
  handle: 'u32',
  length: 'u32',
});

/** Head of the indirect data buffer descriptor; the partial list follows, unaligned. */
export const INDIRECT_DESCRIPTOR = record(20, {
  addressHigh: 'u32',
  addressLow: 'u32',
  handle: 'u32',
  tableLength: 'u32',
  totalLength: 'u32',
});

/** SRP-2 immediate data descriptor: only a length. */
export const IMMEDIATE_DESCRIPTOR = record(4, { length: 'u32' });

/** Bytes of the fixed part of an IU, by type; 0 for a type that does not exist. */
export function fixedBytes(type: number): number {
  switch (type) {
    case SRP_CMD:
      return CMD.size;
    case SRP_TSK_MGMT:
      return TSK_MGMT.size;
    case SRP_LOGIN_REQ:
      return LOGIN_REQ.size;
    case SRP_I_LOGOUT:
    case SRP_CRED_RSP:
    case SRP_AER_RSP:
      return BARE_IU.size;
    case SRP_T_LOGOUT:
    case SRP_CRED_REQ:
      return T_LOGOUT.size;
    case SRP_AER_REQ:
      return AER_REQ.size;
    case SRP_LOGIN_RSP:
      return LOGIN_RSP.size;
    case SRP_RSP:
      return RSP.size;
    case SRP_LOGIN_REJ:
      return LOGIN_REJ.size;
    default:
      return 0;
  }
}
