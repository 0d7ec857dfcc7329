/** The CRC of the LOGICAL BLOCK GUARD field (SBC-3 4.22.4): polynomial 8BB7h, initial value 0, nothing reflected or inverted. */

const POLYNOMIAL = 0x8bb7;
const TOP_BIT = 0x8000;

function makeTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & TOP_BIT) === 0 ? crc << 1 : ((crc << 1) ^ POLYNOMIAL) & 0xffff;
    }
    table[byte] = crc;
  }
  return table;
}

const TABLE = makeTable();

/** CRC of bytes [at, at + length). */
export function guardOf(bytes: Uint8Array, at: number, length: number): number {
  let crc = 0;
  for (let i = at; i < at + length; i += 1) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ (bytes[i] as number)] as number);
  }
  return crc;
}
