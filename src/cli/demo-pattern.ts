/** Test data that know where they belong: every word of a block follows from its LBA, so a block in the wrong place shows. */

const LBA_FACTOR = 0x9e3779b1;
const WORD_FACTOR = 0x85ebca6b;

/** Fills whole blocks with the pattern of [lba, …). `data` must be aligned to 4 bytes. */
export function fillPattern(data: Uint8Array, lba: number, blockBytes: number): void {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
  const wordsPerBlock = blockBytes / 4;
  for (let at = 0; at < words.length; at += wordsPerBlock) {
    const block = lba + at / wordsPerBlock;
    const seed = Math.imul(block, LBA_FACTOR);
    for (let i = 0; i < wordsPerBlock; i += 1) words[at + i] = seed ^ Math.imul(i, WORD_FACTOR);
    words[at] = block;
  }
}

/** LBA of the first block of `data` that does not hold the pattern of its place, or -1. `expected` is scratch of the same length. */
export function firstWrongBlock(
  data: Uint8Array,
  expected: Uint8Array,
  lba: number,
  blockBytes: number,
): number {
  fillPattern(expected, lba, blockBytes);
  if (Buffer.compare(data, expected) === 0) return -1;
  for (let at = 0; at < data.length; at += blockBytes) {
    const here = data.subarray(at, at + blockBytes);
    if (Buffer.compare(here, expected.subarray(at, at + blockBytes)) !== 0) {
      return lba + at / blockBytes;
    }
  }
  return lba;
}
