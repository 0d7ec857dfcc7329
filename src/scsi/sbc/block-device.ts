/** What an SBC logical unit has behind it: a store cut into logical blocks, and its medium state. */
import type { BlockStore } from '../contracts.ts';
import { BOUNCE_BYTES, type BouncePool } from './bounce.ts';
import { INFORMATION_BYTES, type ProtectionType } from './protection/information.ts';

/** Longest transfer of one command in bytes of user data: port_max_txu and MAXIMUM TRANSFER LENGTH both say so. */
export const MAX_TRANSFER_BYTES = 1024 * 1024;
/** The same with protection information, of the smallest blocks. */
export const MAX_BUFFER_BYTES: number =
  MAX_TRANSFER_BYTES + (MAX_TRANSFER_BYTES / 512) * INFORMATION_BYTES;

/** Bytes that a logical block takes in a store. */
export function storedBlockBytes(blockBytes: number, protectionType: ProtectionType): number {
  return protectionType === 0 ? blockBytes : blockBytes + INFORMATION_BYTES;
}

export interface BlockDeviceOptions {
  readonly blockBytes: number;
  /** Bytes of a physical block, a power-of-two multiple of `blockBytes`. */
  readonly physicalBlockBytes: number;
  /** Logical block provisioning management: UNMAP and WRITE SAME(UNMAP) give space back. */
  readonly thin: boolean;
  /** Type of the protection information that is stored with each block; absent or 0: there is none. */
  readonly protectionType?: ProtectionType;
  /** Whether the atomic writes of the store are offered; absent: they are. */
  readonly atomic?: boolean;
  /** Whether anchored blocks are offered where the disk is thin and its store can keep space; absent: they are. */
  readonly anchor?: boolean;
  /** Private memory for VERIFY, UNMAP and WRITE SAME; units of one thread may share it. */
  readonly bounce: BouncePool;
}

export class BlockDevice {
  readonly store: BlockStore;
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly thin: boolean;
  readonly protectionType: ProtectionType;
  /** Bytes of a logical block in the store: with its protection information, where there is such. */
  readonly storedBlockBytes: number;
  readonly #atomic: boolean;
  readonly #anchor: boolean;
  /** MAXIMUM TRANSFER LENGTH. */
  readonly maxTransferBlocks: number;
  readonly bounce: BouncePool;
  /** START STOP UNIT with START = 0: medium commands answer 2/04/02 until START = 1. */
  stopped = false;

  constructor(store: BlockStore, options: BlockDeviceOptions) {
    this.store = store;
    this.blockBytes = options.blockBytes;
    this.physicalBlockBytes = options.physicalBlockBytes;
    this.thin = options.thin;
    this.protectionType = options.protectionType ?? 0;
    this.storedBlockBytes = storedBlockBytes(options.blockBytes, this.protectionType);
    this.maxTransferBlocks = MAX_TRANSFER_BYTES / options.blockBytes;
    this.#atomic = options.atomic ?? true;
    this.#anchor = options.anchor ?? true;
    this.bounce = options.bounce;
  }

  /** LBPRZ: unmapped blocks read as zeros. */
  get unmappedReadsZeros(): boolean {
    return this.store.key === null;
  }

  /** ANC_SUP: blocks can be unmapped and keep their space. */
  get anchors(): boolean {
    return this.#anchor && this.thin && this.store.canReserve;
  }

  /** Capacity in logical blocks. */
  get blocks(): number {
    return Math.floor(this.store.bytes / this.storedBlockBytes);
  }

  /** MAXIMUM COMPARE AND WRITE LENGTH: what one bounce buffer holds. */
  get maxCompareAndWriteBlocks(): number {
    return Math.floor(BOUNCE_BYTES / this.storedBlockBytes);
  }

  /**
   * MAXIMUM ATOMIC TRANSFER LENGTH; 0: there are no atomic writes. With protection information the blocks are put together
   * in a bounce buffer.
   */
  get maxAtomicBlocks(): number {
    if (!this.#atomic) return 0;
    const most = this.protectionType === 0 ? MAX_TRANSFER_BYTES : BOUNCE_BYTES;
    return Math.floor(Math.min(this.store.atomicBytes, most) / this.storedBlockBytes);
  }

  /** ATOMIC ALIGNMENT and ATOMIC TRANSFER LENGTH GRANULARITY: what the medium replaces in one piece. */
  get atomicUnitBlocks(): number {
    return this.physicalBlockBytes / this.blockBytes;
  }
}
