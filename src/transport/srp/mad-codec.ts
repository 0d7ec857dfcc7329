/** Management datagrams (MADs) of virtual SCSI: header, payload records and codes (LoPAR, virtual SCSI appendix). */
import { Buffer } from 'node:buffer';
import { record } from '../../record.ts';
import type { MediaReply } from '../../scsi/media-request.ts';

/** MAD types. */
export const MAD_EMPTY_IU = 0x01;
export const MAD_ERROR_LOGGING = 0x02;
export const MAD_ADAPTER_INFO = 0x03;
export const MAD_HOST_CONFIG = 0x04;
export const MAD_CAPABILITIES = 0x05;
export const MAD_ENABLE_FAST_FAIL = 0x08;
/** An extension of this binding (docs/srp-ring.md), no LoPAR type: "RS", 1. */
export const MAD_MEDIA_REQUEST = 0x52530001;

/** MAD status, 16 bits. */
export const MAD_SUCCESS = 0x0000;
export const MAD_NOT_SUPPORTED = 0x00f1;
export const MAD_FAILED = 0x00f7;

/** OS_TYPE of ADAPTER_INFO. */
export const OS_OS400 = 1;
export const OS_LINUX = 2;
export const OS_AIX = 3;
export const OS_OPEN_FIRMWARE = 4;

export const SRP_VERSION = '16.a';
export const MAD_VERSION = 1;

export const MAD_HEADER = record(16, {
  type: 'u32',
  status: 'u16',
  /** Bytes of the payload the request is about; of the MAD itself when it has none. */
  length: 'u16',
  tagHigh: 'u32',
  tagLow: 'u32',
});

/** A MAD that points to a buffer. The address is an offset in the first region. */
export const BUFFER_MAD = record(24, {
  type: 'u32',
  status: 'u16',
  length: 'u16',
  tagHigh: 'u32',
  tagLow: 'u32',
  addressHigh: 'u32',
  addressLow: 'u32',
});

/** EMPTY_IU: a buffer MAD with a word nobody uses. */
export const EMPTY_IU_MAD = record(28, {
  type: 'u32',
  status: 'u16',
  length: 'u16',
  tagHigh: 'u32',
  tagLow: 'u32',
  addressHigh: 'u32',
  addressLow: 'u32',
  port: 'u32',
});

export const ADAPTER_INFO = record(148, {
  srpVersion: ['bytes', 8],
  partitionName: ['bytes', 96],
  partitionNumber: 'u32',
  madVersion: 'u32',
  osType: 'u32',
  /** port_max_txu[0]: most bytes of one command's data; the client sends 0. */
  maxTransferBytes: 'u32',
  otherTransferBytes: ['bytes', 28],
});

/** CAPABILITIES with migration and reservation; 80 bytes without the latter. */
export const CAPABILITIES = record(92, {
  flags: 'u32',
  hostName: ['bytes', 32],
  location: ['bytes', 32],
  migrationType: 'u32',
  migrationLength: 'u16',
  migrationSupport: 'u16',
  migrationEcl: 'u32',
  reservationType: 'u32',
  reservationLength: 'u16',
  reservationSupport: 'u16',
  reservationKind: 'u32',
});
export const CAPABILITIES_SHORT_BYTES = 80;

export const ERROR_LOG = record(104, {
  lun: ['bytes', 8],
  correlator: ['bytes', 8],
  pad1: ['pad', 8],
  errorId: 'u32',
  bufferSize: 'u32',
  clientName: ['bytes', 32],
  deviceName: ['bytes', 32],
  partitionNumber: 'u32',
  flags: 'u32',
});
/** Flags of ERROR_LOG: what follows the structure is text. */
export const ERROR_LOG_ASCII = 2;

/** Payload of MEDIA_REQUEST; the target writes what follows `request`, and the version it has answered in. */
export const MEDIA_REQUEST = record(24, {
  version: 'u16',
  request: 'u8',
  result: 'u8',
  flags: 'u8',
  reserved: ['pad', 3],
  lun: ['bytes', 8],
  generationHigh: 'u32',
  generationLow: 'u32',
});
export const MEDIA_REQUEST_VERSION = 1;
/** REQUEST and RESULT, by their numbers. */
export const MEDIA_REQUESTS = ['query', 'lock', 'unlock', 'eject'] as const;
export const MEDIA_RESULTS = [
  'done',
  'pending',
  'unsupported',
  'absent',
  'failed',
  'prevented',
] as const;
/** FLAGS. */
export const MEDIA_LOADED = 0x01;
export const MEDIA_OPEN = 0x02;
export const MEDIA_LOCKED = 0x04;
export const MEDIA_HELD = 0x08;
export const MEDIA_REQUESTED = 0x10;

const TWO_32 = 2 ** 32;

/** Writes the answer into a MEDIA_REQUEST. */
export function writeMediaReply(payload: Buffer, reply: MediaReply): void {
  const flags =
    (reply.loaded ? MEDIA_LOADED : 0) |
    (reply.open ? MEDIA_OPEN : 0) |
    (reply.locked ? MEDIA_LOCKED : 0) |
    (reply.held ? MEDIA_HELD : 0) |
    (reply.requested ? MEDIA_REQUESTED : 0);
  MEDIA_REQUEST.layout.encode(
    {
      ...MEDIA_REQUEST.layout.decode(payload),
      version: MEDIA_REQUEST_VERSION,
      result: MEDIA_RESULTS.indexOf(reply.result),
      flags,
      generationHigh: Math.floor(reply.generation / TWO_32),
      generationLow: reply.generation % TWO_32,
    },
    payload,
  );
}

/** What the target has written into a MEDIA_REQUEST. A result that is not known means that nothing was done. */
export function readMediaReply(payload: Buffer): MediaReply {
  const { result, flags, generationHigh, generationLow } = MEDIA_REQUEST.layout.decode(payload);
  return {
    result: MEDIA_RESULTS[result] ?? 'failed',
    loaded: (flags & MEDIA_LOADED) !== 0,
    open: (flags & MEDIA_OPEN) !== 0,
    locked: (flags & MEDIA_LOCKED) !== 0,
    held: (flags & MEDIA_HELD) !== 0,
    requested: (flags & MEDIA_REQUESTED) !== 0,
    generation: generationHigh * TWO_32 + generationLow,
  };
}

/** Text of a NUL-padded field, what cannot be printed replaced by dots. */
export function fieldText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const text = Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('latin1');
  return text.replace(/[^\x20-\x7e]/g, '.');
}

/** `text` NUL-padded to `lengthBytes`; cut so that the last byte stays NUL. */
export function textField(text: string, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  bytes.write(text, 0, lengthBytes - 1, 'latin1');
  return bytes;
}

/** ADAPTER_INFO in words. */
export interface AdapterInfo {
  readonly srpVersion: string;
  readonly partitionName: string;
  readonly partitionNumber: number;
  readonly madVersion: number;
  readonly osType: number;
  readonly maxTransferBytes: number;
}

export function encodeAdapterInfo(info: AdapterInfo): Buffer {
  const bytes = Buffer.alloc(ADAPTER_INFO.size);
  ADAPTER_INFO.layout.encode(
    {
      ...info,
      srpVersion: textField(info.srpVersion, 8),
      partitionName: textField(info.partitionName, 96),
      otherTransferBytes: Buffer.alloc(28),
    },
    bytes,
  );
  return bytes;
}

/** Decodes 148 bytes. */
export function decodeAdapterInfo(bytes: Buffer): AdapterInfo {
  const { otherTransferBytes: _, ...info } = ADAPTER_INFO.layout.decode(bytes);
  return {
    ...info,
    srpVersion: fieldText(info.srpVersion),
    partitionName: fieldText(info.partitionName),
  };
}
