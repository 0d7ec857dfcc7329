/** CRC32C (Castagnoli), the digest of iSCSI headers and data (RFC 7143 13.1; vectors in RFC 3720 B.4). */

/** The polynomial 1EDC6F41h, bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 4;

/** Four tables of 256 entries: a word is folded in at once. */
const TABLES: Int32Array = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let i = 0; i < 256; i += 1) {
    let crc = i;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (POLYNOMIAL & -(crc & 1));
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const before = tables[i - 256] as number;
    tables[i] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

/** CRC of `bytes`, continuing from the CRC of what came before them (0: nothing). */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const t = TABLES;
  const words = bytes.length & ~3;
  let crc = ~before;
  let i = 0;
  for (; i < words; i += 4) {
    crc ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    crc =
      (t[768 + (crc & 0xff)] as number) ^
      (t[512 + ((crc >>> 8) & 0xff)] as number) ^
      (t[256 + ((crc >>> 16) & 0xff)] as number) ^
      (t[crc >>> 24] as number);
  }
  for (; i < bytes.length; i += 1) {
    crc = (crc >>> 8) ^ (t[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
