/** Ranges of logical blocks, as block device range descriptors name them (SBC-3 5.7.4). */

export interface Range {
  readonly lba: number;
  readonly blocks: number;
}

/** Blocks in all of them. */
export function blocksIn(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { blocks }) => sum + blocks, 0);
}

export function bytesIn(ranges: readonly Range[], blockBytes: number): number {
  return blocksIn(ranges) * blockBytes;
}

/** Whether one of them has a block of [first, end). */
export function overlaps(ranges: readonly Range[], first: number, end: number): boolean {
  if (end <= first) return false;
  return ranges.some(({ lba, blocks }) => blocks > 0 && lba < end && first < lba + blocks);
}

/** Index of a range that has a block which an earlier one has too, or -1. */
export function firstOverlap(ranges: readonly Range[]): number {
  return ranges.findIndex(({ lba, blocks }, i) => {
    return overlaps(ranges.slice(0, i), lba, lba + blocks);
  });
}

/** Where byte `offset` of what the ranges hold lies: its position on the unit, and how many bytes follow in one piece; or null. */
export function locate(
  ranges: readonly Range[],
  blockBytes: number,
  offset: number,
): { readonly position: number; readonly bytes: number } | null {
  let skip = offset;
  for (const { lba, blocks } of ranges) {
    const bytes = blocks * blockBytes;
    if (skip < bytes) return { position: lba * blockBytes + skip, bytes: bytes - skip };
    skip -= bytes;
  }
  return null;
}
