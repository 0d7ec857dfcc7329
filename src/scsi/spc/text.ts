/** ASCII fields of parameter data (SPC-4 4.4.1): graphic characters 20h to 7Eh, left-aligned, padded with blanks. */

const BLANK = 0x20;
const LAST_GRAPHIC = 0x7e;

/** Writes `text` into the `lengthBytes` bytes at `at`; cut when it is longer, every other character becomes a blank. */
export function putText(bytes: Uint8Array, at: number, lengthBytes: number, text: string): void {
  for (let i = 0; i < lengthBytes; i += 1) {
    const code = i < text.length ? text.charCodeAt(i) : BLANK;
    bytes[at + i] = code >= BLANK && code <= LAST_GRAPHIC ? code : BLANK;
  }
}
