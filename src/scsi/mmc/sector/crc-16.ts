/** CRC-16 of sub-channel Q and of CD-TEXT packs: x^16 + x^12 + x^5 + 1, kept inverted (IEC 60908, ECMA-130 22.3.6). */

const POLYNOMIAL = 0x1021;

function remainderOf(byte: number): number {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : POLYNOMIAL);
  return crc & 0xffff;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => remainderOf(byte));

/** CRC of bytes [from, end), not inverted. */
export function crc16(bytes: Uint8Array, from: number, end: number): number {
  let crc = 0;
  for (let i = from; i < end; i += 1) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ (bytes[i] as number)] as number);
  }
  return crc;
}

/** Writes the inverted CRC of bytes [from, end) behind them. */
export function sealCrc(bytes: Uint8Array, from: number, end: number): void {
  const crc = ~crc16(bytes, from, end);
  bytes[end] = crc >> 8;
  bytes[end + 1] = crc;
}

/** Whether the CRC behind bytes [from, end) is theirs. */
export function isSealed(bytes: Uint8Array, from: number, end: number): boolean {
  const kept = ((bytes[end] as number) << 8) | (bytes[end + 1] as number);
  return kept === (~crc16(bytes, from, end) & 0xffff);
}
