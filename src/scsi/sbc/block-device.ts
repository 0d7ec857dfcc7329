/** What an SBC logical unit has behind it: a store cut into logical blocks, and its medium state. */
import type { BlockStore } from '../contracts.ts';
import { BOUNCE_BYTES, type BouncePool } from './bounce.ts';

/** Longest transfer of one command in bytes: port_max_txu and MAXIMUM TRANSFER LENGTH both say so. */
export const MAX_TRANSFER_BYTES = 1024 * 1024;

export interface BlockDeviceOptions {
  readonly blockBytes: number;
  /** Bytes of a physical block, a power-of-two multiple of `blockBytes`. */
  readonly physicalBlockBytes: number;
  /** Logical block provisioning management: UNMAP and WRITE SAME(UNMAP) give space back. */
  readonly thin: boolean;
  /** Private memory for VERIFY, UNMAP and WRITE SAME; units of one thread may share it. */
  readonly bounce: BouncePool;
}

export class BlockDevice {
  readonly store: BlockStore;
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly thin: boolean;
  readonly bounce: BouncePool;
  /** START STOP UNIT with START = 0: medium commands answer 2/04/02 until START = 1. */
  stopped = false;

  constructor(store: BlockStore, options: BlockDeviceOptions) {
    this.store = store;
    this.blockBytes = options.blockBytes;
    this.physicalBlockBytes = options.physicalBlockBytes;
    this.thin = options.thin;
    this.bounce = options.bounce;
  }

  /** LBPRZ: unmapped blocks read as zeros. */
  get unmappedReadsZeros(): boolean {
    return this.store.key === null;
  }

  /** Capacity in logical blocks. */
  get blocks(): number {
    return Math.floor(this.store.bytes / this.blockBytes);
  }

  /** MAXIMUM COMPARE AND WRITE LENGTH: what one bounce buffer holds. */
  get maxCompareAndWriteBlocks(): number {
    return BOUNCE_BYTES / this.blockBytes;
  }

  /** MAXIMUM ATOMIC TRANSFER LENGTH; 0: the store has no atomic writes. */
  get maxAtomicBlocks(): number {
    return Math.floor(Math.min(this.store.atomicBytes, MAX_TRANSFER_BYTES) / this.blockBytes);
  }

  /** ATOMIC ALIGNMENT and ATOMIC TRANSFER LENGTH GRANULARITY: what the medium replaces in one piece. */
  get atomicUnitBlocks(): number {
    return this.physicalBlockBytes / this.blockBytes;
  }

  get maxTransferBlocks(): number {
    return MAX_TRANSFER_BYTES / this.blockBytes;
  }
}
