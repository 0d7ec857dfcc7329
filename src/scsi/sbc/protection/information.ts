/**
 * Protection information: eight bytes behind the user data of each logical block (SBC-3 4.22.3).
 *
 *   0  LOGICAL BLOCK GUARD            CRC of the user data
 *   2  LOGICAL BLOCK APPLICATION TAG  the application client's (ATO = 1)
 *   4  LOGICAL BLOCK REFERENCE TAG    type 1: low half of the LBA; type 2: counts from what the CDB says; type 3: the client's
 *
 * On the medium every bit of it is inverted: a hole, which reads as zeros, is FFFFFFFFFFFFFFFFh, what SBC-3 4.22.2 asks of a
 * block that was formatted and never written (docs/decisions/0012).
 */
import {
  LOGICAL_BLOCK_APPLICATION_TAG_CHECK_FAILED,
  LOGICAL_BLOCK_GUARD_CHECK_FAILED,
  LOGICAL_BLOCK_REFERENCE_TAG_CHECK_FAILED,
} from '../../sense-codes.ts';
import { guardOf } from './crc.ts';

export const INFORMATION_BYTES = 8;

/** P_TYPE + 1; 0: the blocks carry none. */
export type ProtectionType = 0 | 1 | 2 | 3;

/** Fields that are checked or compared, as bits. */
export const NO_FIELD = 0;
export const GUARD = 1;
export const APPLICATION_TAG = 2;
export const REFERENCE_TAG = 4;
export const ALL_FIELDS: number = GUARD | APPLICATION_TAG | REFERENCE_TAG;

const APPLICATION_AT = 2;
const REFERENCE_AT = 4;
const ESCAPE_TAG = 0xffff;
const ESCAPE_REFERENCE = 0xffffffff;
const TWO_32 = 2 ** 32;

/** What the tags of the blocks of a command should be. */
export interface ExpectedTags {
  /** LOGICAL BLOCK REFERENCE TAG of the first block, one more in each that follows; -1: nobody knows. */
  readonly reference: number;
  readonly application: number;
  /** Bits of the application tag that are known. */
  readonly applicationMask: number;
}

/** Runs of blocks with their information: block i starts at i * (blockBytes + 8). */
export class ProtectedBlocks {
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, blockBytes: number) {
    this.bytes = bytes;
    this.blockBytes = blockBytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get stride(): number {
    return this.blockBytes + INFORMATION_BYTES;
  }

  #informationAt(index: number): number {
    return index * this.stride + this.blockBytes;
  }

  reference(index: number): number {
    return this.#view.getUint32(this.#informationAt(index) + REFERENCE_AT);
  }

  setReference(index: number, tag: number): void {
    this.#view.setUint32(this.#informationAt(index) + REFERENCE_AT, tag % TWO_32);
  }

  /** Gives a block the guard its user data has. */
  seal(index: number): void {
    const guard = guardOf(this.bytes, index * this.stride, this.blockBytes);
    this.#view.setUint16(this.#informationAt(index), guard);
  }

  /**
   * Makes the information of a block that came without (SBC-3 5.33, WRPROTECT = 000b): the guard, an application tag of FFFFh
   * (ATO = 1), and as reference tag the low half of the LBA for type 1, FFFFFFFFh for the others.
   */
  generate(index: number, lba: number, type: ProtectionType): void {
    this.seal(index);
    const at = this.#informationAt(index);
    this.#view.setUint16(at + APPLICATION_AT, ESCAPE_TAG);
    this.setReference(index, type === 1 ? lba : ESCAPE_REFERENCE);
  }

  /** Whether the application client wants the block unchecked when it is read (SBC-3 4.22.3, FFFFh). */
  escapes(index: number, type: ProtectionType): boolean {
    const at = this.#informationAt(index);
    if (this.#view.getUint16(at + APPLICATION_AT) !== ESCAPE_TAG) return false;
    return type !== 3 || this.#view.getUint32(at + REFERENCE_AT) === ESCAPE_REFERENCE;
  }

  /** Sense of the first of `fields` that is not as it should be, or 0. `offset`: number of the block in its command. */
  check(index: number, offset: number, fields: number, expected: ExpectedTags): number {
    const at = this.#informationAt(index);
    if ((fields & GUARD) !== 0) {
      const guard = guardOf(this.bytes, index * this.stride, this.blockBytes);
      if (this.#view.getUint16(at) !== guard) return LOGICAL_BLOCK_GUARD_CHECK_FAILED;
    }
    if ((fields & APPLICATION_TAG) !== 0) {
      const difference = this.#view.getUint16(at + APPLICATION_AT) ^ expected.application;
      if ((difference & expected.applicationMask) !== 0) {
        return LOGICAL_BLOCK_APPLICATION_TAG_CHECK_FAILED;
      }
    }
    if ((fields & REFERENCE_TAG) !== 0 && expected.reference >= 0) {
      const tag = (expected.reference + offset) % TWO_32;
      if (this.#view.getUint32(at + REFERENCE_AT) !== tag) {
        return LOGICAL_BLOCK_REFERENCE_TAG_CHECK_FAILED;
      }
    }
    return 0;
  }

  /**
   * Sense of the first of `fields` in which block `index` differs from block `theirIndex` of `theirs`, or 0. `ahead`: how much
   * higher its reference tag is to be.
   */
  difference(
    index: number,
    theirs: ProtectedBlocks,
    theirIndex: number,
    fields: number,
    ahead: number,
  ): number {
    const at = this.#informationAt(index);
    const view = theirs.#view;
    const there = theirs.#informationAt(theirIndex);
    if ((fields & GUARD) !== 0 && this.#view.getUint16(at) !== view.getUint16(there)) {
      return LOGICAL_BLOCK_GUARD_CHECK_FAILED;
    }
    const tag = (from: DataView, position: number): number =>
      from.getUint16(position + APPLICATION_AT);
    if ((fields & APPLICATION_TAG) !== 0 && tag(this.#view, at) !== tag(view, there)) {
      return LOGICAL_BLOCK_APPLICATION_TAG_CHECK_FAILED;
    }
    const reference = (theirs.reference(theirIndex) + ahead) % TWO_32;
    if ((fields & REFERENCE_TAG) !== 0 && this.reference(index) !== reference) {
      return LOGICAL_BLOCK_REFERENCE_TAG_CHECK_FAILED;
    }
    return 0;
  }

  /** Copies tags, not the guard, of block `theirIndex` of `theirs`. */
  takeTags(index: number, theirs: ProtectedBlocks, theirIndex: number): void {
    const from = theirs.#informationAt(theirIndex);
    const tags = theirs.bytes.subarray(from + APPLICATION_AT, from + INFORMATION_BYTES);
    this.bytes.set(tags, this.#informationAt(index) + APPLICATION_AT);
  }

  /** Between what initiators see and what the medium holds. */
  invert(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const at = this.#informationAt(index);
      for (let i = at; i < at + INFORMATION_BYTES; i += 1) {
        this.bytes[i] = ~(this.bytes[i] as number);
      }
    }
  }

  /** Moves the user data of the first `count` blocks together, over their information. */
  strip(count: number): void {
    const { bytes, blockBytes, stride } = this;
    for (let i = 1; i < count; i += 1) {
      bytes.copyWithin(i * blockBytes, i * stride, i * stride + blockBytes);
    }
  }

  /** The reverse: makes room for information behind each of `count` blocks of user data. */
  spread(count: number): void {
    const { bytes, blockBytes, stride } = this;
    for (let i = count - 1; i > 0; i -= 1) {
      bytes.copyWithin(i * stride, i * blockBytes, (i + 1) * blockBytes);
    }
  }
}
