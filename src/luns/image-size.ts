/** Sizes of images: with protection information each block takes more than what it holds (docs/decisions/0012). */
import { storedBlockBytes } from '../scsi/sbc/block-device.ts';
import type { ProtectionType } from '../scsi/sbc/protection/information.ts';

/** How an image is cut into blocks. */
export interface BlockLayout {
  readonly blockBytes: number;
  readonly protectionType?: ProtectionType;
}

/** Bytes that one block takes. */
export function bytesOfBlock({ blockBytes, protectionType = 0 }: BlockLayout): number {
  return storedBlockBytes(blockBytes, protectionType);
}

/** Size of an image that holds `userBytes`, a multiple of the block. */
export function imageBytesOf(layout: BlockLayout, userBytes: number): number {
  return (userBytes / layout.blockBytes) * bytesOfBlock(layout);
}

/** What an image of `imageBytes` holds, in whole blocks. */
export function userBytesOf(layout: BlockLayout, imageBytes: number): number {
  return Math.floor(imageBytes / bytesOfBlock(layout)) * layout.blockBytes;
}
