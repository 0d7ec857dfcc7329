/**
 * ROD tokens (SPC-4 5.17.6): each stands for what certain blocks held when it was made. Nothing is kept of the blocks: the type is
 * point in time copy, change vulnerable, so a token is revoked when a block it names is about to be written.
 */
import { randomFillSync, timingSafeEqual } from 'node:crypto';
import { assert } from '../../assert.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { capacityParameters } from '../sbc/capacity-data.ts';
import {
  INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH,
  INVALID_TOKEN_OPERATION_TOKEN_CANCELLED,
  INVALID_TOKEN_OPERATION_TOKEN_CORRUPT,
  INVALID_TOKEN_OPERATION_TOKEN_DELETED,
  INVALID_TOKEN_OPERATION_TOKEN_EXPIRED,
  INVALID_TOKEN_OPERATION_TOKEN_REVOKED,
  INVALID_TOKEN_OPERATION_TOKEN_UNKNOWN,
  INVALID_TOKEN_OPERATION_UNSUPPORTED_TOKEN_TYPE,
} from '../sense-codes.ts';
import { identificationCscd } from './copy-list.ts';
import { MAX_ROD_TOKENS, POINT_IN_TIME_CHANGE_VULNERABLE } from './limits.ts';
import { bytesIn, overlaps, type Range } from './ranges.ts';

/** Bytes of a token. */
export const ROD_TOKEN_BYTES = 512;
/** ROD TOKEN LENGTH: bytes that follow the field. */
const FOLLOWING_BYTES = ROD_TOKEN_BYTES - 8;
const LENGTH_AT = 6;
const IDENTIFIER_AT = 8;
const IDENTIFIER_BYTES = 8;
const CREATOR_AT = 16;
/** NUMBER OF BYTES REPRESENTED has 16 bytes, of which eight are enough. */
const REPRESENTED_AT = 56;
const DEVICE_TYPE_DATA_AT = 96;
/** TARGET DEVICE DESCRIPTOR from 128 on: zeros, the target has no designator of its own. What follows it is random. */
const RANDOM_AT = 160;
const S_TO_MS = 1000;

export class RodToken {
  /** The blocks it names, in order. */
  readonly ranges: readonly Range[];
  /** The unit they are on. */
  readonly unit: LogicalUnit;
  readonly blockBytes: number;
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
  /** 0 while it is valid, then the sense code that says why it is not. */
  invalid = 0;
  /** Copies that use it now: it does not expire under them. */
  users = 0;
  usedAtMs: number;

  constructor(unit: LogicalUnit, ranges: readonly Range[], timeoutS: number, nowMs: number) {
    assert(unit.block !== null, 'a token names blocks');
    this.unit = unit;
    this.ranges = ranges;
    this.blockBytes = unit.block.blockBytes;
    this.timeoutMs = timeoutS * S_TO_MS;
    this.usedAtMs = nowMs;
    this.bytes = describe(unit, bytesIn(ranges, this.blockBytes));
  }

  /** What it is looked up by: COPY MANAGER ROD TOKEN IDENTIFIER. */
  get identifier(): string {
    return identifierOf(this.bytes);
  }
}

/** SPC-4 table 109, with SBC-3 table 19 as device type specific data. */
function describe(unit: LogicalUnit, representedBytes: number): Uint8Array {
  assert(unit.block !== null, 'a token names blocks');
  const bytes = new Uint8Array(ROD_TOKEN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, POINT_IN_TIME_CHANGE_VULNERABLE);
  view.setUint16(LENGTH_AT, FOLLOWING_BYTES);
  randomFillSync(bytes, IDENTIFIER_AT, IDENTIFIER_BYTES);
  bytes.set(identificationCscd(unit.identity.naa, unit.block.blockBytes), CREATOR_AT);
  view.setBigUint64(REPRESENTED_AT, BigInt(representedBytes));
  bytes.set(capacityParameters(unit.block), DEVICE_TYPE_DATA_AT);
  randomFillSync(bytes, RANDOM_AT);
  return bytes;
}

/** ROD TYPE of a token. */
export function typeOfToken(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** Whether ROD TOKEN LENGTH is what it has to be. */
export function hasTokenLength(bytes: Uint8Array): boolean {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(LENGTH_AT) === FOLLOWING_BYTES;
}

function identifierOf(bytes: Uint8Array): string {
  const at = bytes.subarray(IDENTIFIER_AT, IDENTIFIER_AT + IDENTIFIER_BYTES);
  return Buffer.from(at).toString('hex');
}

/** The tokens of a target. Their number is bounded, and so is that of the ones that are remembered to say why they are invalid. */
export class RodTokens {
  /** Valid ones, oldest first. */
  readonly #valid = new Map<string, RodToken>();
  readonly #invalid = new Map<string, RodToken>();
  /** Monotonic milliseconds; specs have their own. */
  now: () => number = () => performance.now();

  /** Makes a token for blocks that nobody writes just now. Cancels the oldest one that is not in use when there are too many. */
  create(unit: LogicalUnit, ranges: readonly Range[], timeoutS: number): RodToken {
    const token = new RodToken(unit, ranges, timeoutS, this.now());
    this.#valid.set(token.identifier, token);
    unit.tokens.add(token);
    if (this.#valid.size > MAX_ROD_TOKENS) this.#cancelOldest();
    return token;
  }

  /** The token that an initiator shows, or the sense code that says why it is none. `bytes` is a copy of ROD_TOKEN_BYTES. */
  find(bytes: Uint8Array): RodToken | number {
    if (typeOfToken(bytes) !== POINT_IN_TIME_CHANGE_VULNERABLE)
      return INVALID_TOKEN_OPERATION_UNSUPPORTED_TOKEN_TYPE;
    if (!hasTokenLength(bytes)) return INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH;
    const identifier = identifierOf(bytes);
    const token = this.#valid.get(identifier) ?? this.#invalid.get(identifier);
    if (token === undefined) return INVALID_TOKEN_OPERATION_TOKEN_UNKNOWN;
    if (!timingSafeEqual(token.bytes, bytes)) return INVALID_TOKEN_OPERATION_TOKEN_CORRUPT;
    this.#endIfIdle(token);
    return token.invalid === 0 ? token : token.invalid;
  }

  /** The valid tokens of a unit, oldest first. */
  validOf(unit: LogicalUnit): readonly RodToken[] {
    for (const token of unit.tokens) this.#endIfIdle(token);
    return [...unit.tokens];
  }

  /** A copy begins to use it. */
  use(token: RodToken): void {
    token.users += 1;
  }

  /** The copy has ended; `remove`: nobody needs the token any more (DEL_TKN). */
  used(token: RodToken, remove: boolean): void {
    token.users -= 1;
    token.usedAtMs = this.now();
    if (remove) this.#end(token, INVALID_TOKEN_OPERATION_TOKEN_DELETED);
  }

  /** Blocks [first, end) of `unit` are about to be written. */
  written(unit: LogicalUnit, first: number, end: number): void {
    for (const token of unit.tokens) {
      if (overlaps(token.ranges, first, end))
        this.#end(token, INVALID_TOKEN_OPERATION_TOKEN_REVOKED);
    }
  }

  /** The unit has gone, or its medium is out of sight: what is on it may be anything. */
  revoke(unit: LogicalUnit): void {
    for (const token of unit.tokens) this.#end(token, INVALID_TOKEN_OPERATION_TOKEN_REVOKED);
  }

  #endIfIdle(token: RodToken): void {
    const isIdle = token.users === 0 && this.now() - token.usedAtMs > token.timeoutMs;
    if (isIdle) this.#end(token, INVALID_TOKEN_OPERATION_TOKEN_EXPIRED);
  }

  #cancelOldest(): void {
    const tokens = [...this.#valid.values()];
    const token = tokens.find(({ users }) => users === 0) ?? tokens[0];
    if (token !== undefined) this.#end(token, INVALID_TOKEN_OPERATION_TOKEN_CANCELLED);
  }

  #end(token: RodToken, sense: number): void {
    if (token.invalid !== 0) return;
    token.invalid = sense;
    token.unit.tokens.delete(token);
    this.#valid.delete(token.identifier);
    this.#invalid.set(token.identifier, token);
    if (this.#invalid.size <= MAX_ROD_TOKENS) return;
    for (const oldest of this.#invalid.keys()) {
      this.#invalid.delete(oldest);
      return;
    }
  }
}
