/** CDBs of the block commands for specs, laid out by hand from the tables of SBC-3 (never from src rows). */

/** `value` as `width` big-endian bytes. */
export function be(value: number | bigint, width: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (let i = 0; i < width; i += 1) {
    bytes.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return bytes;
}

type Lba = number | bigint;

/** Bits of CDB byte 1. */
export const DPO = 0x10;
export const FUA = 0x08;
export const UNMAP_BIT = 0x08;
export const NDOB = 0x01;

export const six = (opcode: number, lba: number, blocks: number): number[] => [
  opcode,
  ...be(lba, 3),
  blocks,
  0,
];
export const ten = (opcode: number, lba: Lba, blocks: number, flags = 0): number[] => [
  opcode,
  flags,
  ...be(lba, 4),
  0,
  ...be(blocks, 2),
  0,
];
export const twelve = (opcode: number, lba: Lba, blocks: number, flags = 0): number[] => [
  opcode,
  flags,
  ...be(lba, 4),
  ...be(blocks, 4),
  0,
  0,
];
export const sixteen = (opcode: number, lba: Lba, blocks: number, flags = 0): number[] => [
  opcode,
  flags,
  ...be(lba, 8),
  ...be(blocks, 4),
  0,
  0,
];

export const read6 = (lba: number, blocks: number): number[] => six(0x08, lba, blocks);
export const write6 = (lba: number, blocks: number): number[] => six(0x0a, lba, blocks);
export const read10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x28, lba, blocks, flags);
export const write10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x2a, lba, blocks, flags);
export const verify10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x2f, lba, blocks, flags);
export const sync10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x35, lba, blocks, flags);
export const writeSame10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x41, lba, blocks, flags);
export const read12 = (lba: Lba, blocks: number, flags = 0): number[] =>
  twelve(0xa8, lba, blocks, flags);
export const write12 = (lba: Lba, blocks: number, flags = 0): number[] =>
  twelve(0xaa, lba, blocks, flags);
export const read16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x88, lba, blocks, flags);
export const write16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x8a, lba, blocks, flags);
export const verify16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x8f, lba, blocks, flags);
export const sync16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x91, lba, blocks, flags);
export const writeSame16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x93, lba, blocks, flags);

export const verify12 = (lba: Lba, blocks: number, flags = 0): number[] =>
  twelve(0xaf, lba, blocks, flags);
export const writeVerify10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x2e, lba, blocks, flags);
export const writeVerify12 = (lba: Lba, blocks: number, flags = 0): number[] =>
  twelve(0xae, lba, blocks, flags);
export const writeVerify16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x8e, lba, blocks, flags);
export const orWrite16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x8b, lba, blocks, flags);
export const preFetch10 = (lba: Lba, blocks: number, flags = 0): number[] =>
  ten(0x34, lba, blocks, flags);
export const preFetch16 = (lba: Lba, blocks: number, flags = 0): number[] =>
  sixteen(0x90, lba, blocks, flags);
export const compareAndWriteCdb = (lba: Lba, blocks: number, flags = 0): number[] => [
  0x89,
  flags,
  ...be(lba, 8),
  0,
  0,
  0,
  blocks,
  0,
  0,
];
export const getLbaStatusCdb = (lba: Lba, allocationLength: number): number[] => [
  0x9e,
  0x12,
  ...be(lba, 8),
  ...be(allocationLength, 4),
  0,
  0,
];

/** UNMAP with its PARAMETER LIST LENGTH. */
export const unmapCdb = (listBytes: number): number[] => [
  0x42,
  0,
  0,
  0,
  0,
  0,
  0,
  ...be(listBytes, 2),
  0,
];
/** UNMAP parameter list of [LBA, blocks] descriptors. */
export function unmapList(descriptors: readonly (readonly [Lba, number])[]): number[] {
  const data = descriptors.flatMap(([lba, blocks]) => [
    ...be(lba, 8),
    ...be(blocks, 4),
    0,
    0,
    0,
    0,
  ]);
  return [...be(data.length + 6, 2), ...be(data.length, 2), 0, 0, 0, 0, ...data];
}

/** READ and WRITE, VERIFY, SYNCHRONIZE CACHE and WRITE SAME by CDB size, for tables over all of them. */
export const RANGED = [
  ['READ(10)', read10, 4],
  ['READ(12)', read12, 4],
  ['READ(16)', read16, 8],
  ['WRITE(10)', write10, 4],
  ['WRITE(12)', write12, 4],
  ['WRITE(16)', write16, 8],
  ['VERIFY(10)', verify10, 4],
  ['VERIFY(12)', verify12, 4],
  ['VERIFY(16)', verify16, 8],
  ['WRITE AND VERIFY(10)', writeVerify10, 4],
  ['WRITE AND VERIFY(12)', writeVerify12, 4],
  ['WRITE AND VERIFY(16)', writeVerify16, 8],
  ['ORWRITE(16)', orWrite16, 8],
  ['SYNCHRONIZE CACHE(10)', sync10, 4],
  ['SYNCHRONIZE CACHE(16)', sync16, 8],
  ['WRITE SAME(10)', writeSame10, 4],
  ['WRITE SAME(16)', writeSame16, 8],
] as const;

/** `blocks` blocks in which every byte depends on its LBA and its place, and none is zero. */
export function pattern(lba: number, blocks: number, blockBytes = 512): Uint8Array {
  const bytes = new Uint8Array(blocks * blockBytes);
  for (let i = 0; i < bytes.length; i += 1) {
    const at = lba * blockBytes + i;
    bytes[i] = 1 + ((at ^ (at >> 9) ^ (at >> 17)) & 0x7f);
  }
  return bytes;
}
