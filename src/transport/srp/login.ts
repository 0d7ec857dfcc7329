/** SRP login: what a LOGIN_REQ asks for, why it is refused, and the two answers to it (SRP r16a 6.3 to 6.5). */
import type { Buffer } from 'node:buffer';
import {
  CMD,
  IMMEDIATE_DATA,
  IMMEDIATE_DESCRIPTOR,
  LOGIN_REJ,
  LOGIN_REQ,
  LOGIN_RSP,
  MAX_IT_IU_BYTES,
  MAX_TI_IU_BYTES,
  MIN_IT_IU_BYTES,
  MULTI_CHANNEL_MASK,
  MULTI_CHANNEL_MULTIPLE,
  REJECT_FORMATS,
  REJECT_IU_TOO_LARGE,
  REJECT_NO_REASON,
  SOLNTSUP,
  SRP_LOGIN_REJ,
  SRP_LOGIN_RSP,
  SUPPORTED_FORMATS,
} from './iu.ts';
import { formatPortIdentifier } from './port-identifier.ts';

/** A login request, out of the private copy. */
export interface LoginRequest {
  readonly tagHigh: number;
  readonly tagLow: number;
  /** Longest IU the initiator will send, in bytes. */
  readonly requestedLength: number;
  readonly formats: number;
  readonly flags: number;
  readonly multiChannelAction: number;
  /** IMMEDIATE DATA OFFSET that can be granted; 0 when none was asked for or the one asked for is unusable. */
  readonly immediateOffset: number;
  /** 32 hexadecimal digits each. */
  readonly initiatorPort: string;
  readonly targetPort: string;
}

/** The data start behind the header at least, on a word, inside the longest IU. */
function usableOffset(flags: number, offset: number, requestedLength: number): number {
  const asked = (flags & IMMEDIATE_DATA) !== 0;
  const least = CMD.size;
  const fits = offset >= least && offset + IMMEDIATE_DESCRIPTOR.size <= requestedLength;
  return asked && fits && offset % 4 === 0 ? offset : 0;
}

/** Reads a LOGIN_REQ of at least 64 bytes. */
export function readLogin(bytes: Buffer): LoginRequest {
  const iu = LOGIN_REQ.layout.decode(bytes);
  const { tagHigh, tagLow, requestedLength, formats, flags } = iu;
  return {
    tagHigh,
    tagLow,
    requestedLength,
    formats,
    flags,
    multiChannelAction: flags & MULTI_CHANNEL_MASK,
    immediateOffset: usableOffset(flags, iu.immediateOffset, requestedLength),
    initiatorPort: formatPortIdentifier(iu.initiatorPort),
    targetPort: formatPortIdentifier(iu.targetPort),
  };
}

/** Why the request is refused whoever sends it: a LOGIN_REJ reason, or 0. */
export function refuseLogin(request: LoginRequest): number {
  if (request.requestedLength < MIN_IT_IU_BYTES) return REJECT_NO_REASON;
  if (request.requestedLength > MAX_IT_IU_BYTES) return REJECT_IU_TOO_LARGE;
  if ((request.formats & ~SUPPORTED_FORMATS) !== 0) return REJECT_FORMATS;
  return request.multiChannelAction > MULTI_CHANNEL_MULTIPLE ? REJECT_NO_REASON : 0;
}

/** Writes LOGIN_RSP at `at` and returns its length. `result`: MULTI-CHANNEL RESULT. */
export function encodeLoginResponse(
  bytes: Buffer,
  at: number,
  request: LoginRequest,
  requestLimit: number,
  result: number,
): number {
  const immediate = request.immediateOffset === 0 ? 0 : IMMEDIATE_DATA;
  bytes.fill(0, at, at + LOGIN_RSP.size);
  LOGIN_RSP.layout.encode(
    {
      type: SRP_LOGIN_RSP,
      delta: requestLimit,
      tagHigh: request.tagHigh,
      tagLow: request.tagLow,
      maxInitiatorIu: request.requestedLength,
      maxTargetIu: MAX_TI_IU_BYTES,
      formats: SUPPORTED_FORMATS,
      flags: result | SOLNTSUP | immediate,
    },
    bytes,
    at,
  );
  return LOGIN_RSP.size;
}

/** Writes LOGIN_REJ at `at` and returns its length. */
export function encodeLoginReject(
  bytes: Buffer,
  at: number,
  request: LoginRequest,
  reason: number,
): number {
  const { tagHigh, tagLow } = request;
  bytes.fill(0, at, at + LOGIN_REJ.size);
  LOGIN_REJ.layout.encode(
    { type: SRP_LOGIN_REJ, reason, tagHigh, tagLow, formats: SUPPORTED_FORMATS },
    bytes,
    at,
  );
  return LOGIN_REJ.size;
}
