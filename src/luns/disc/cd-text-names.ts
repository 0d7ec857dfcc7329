/** The texts of CD-TEXT packs, by track (MMC-6 annex J). */

const PACK_BYTES = 18;
const TEXT_AT = 4;
const TEXT_BYTES = 12;
const DOUBLE_BYTES = 0x80;
const BLOCK = 0x70;
const SAME_AS_BEFORE = '\t';

/** PACK TYPE INDICATORs of texts, and what CUE sheets and TOC files call them. */
const TEXT_TYPES: ReadonlyMap<number, string> = new Map([
  [0x80, 'TITLE'],
  [0x81, 'PERFORMER'],
  [0x82, 'SONGWRITER'],
  [0x83, 'COMPOSER'],
  [0x84, 'ARRANGER'],
  [0x85, 'MESSAGE'],
]);

/** By track (0: the disc), by name: the texts of the first language. Texts of two bytes a character are left out. */
export function cdTextNames(packs: Uint8Array): ReadonlyMap<number, ReadonlyMap<string, string>> {
  const texts = new Map<string, { first: number; text: string }>();
  for (let at = 0; at + PACK_BYTES <= packs.length; at += PACK_BYTES) {
    const pack = packs.subarray(at, at + PACK_BYTES);
    const name = TEXT_TYPES.get(pack[0] as number);
    const flags = pack[3] as number;
    if (name === undefined || (flags & (DOUBLE_BYTES | BLOCK)) !== 0) continue;
    const text = Buffer.from(pack.subarray(TEXT_AT, TEXT_AT + TEXT_BYTES)).toString('latin1');
    const before = texts.get(name);
    if (before === undefined) texts.set(name, { first: pack[1] as number, text });
    else before.text += text;
  }
  const tracks = new Map<number, Map<string, string>>();
  for (const [name, { first, text }] of texts) {
    let last = '';
    for (const [i, part] of text.split('\0').entries()) {
      if (part !== '' && part !== SAME_AS_BEFORE) last = part;
      if (part === '') continue;
      const track = tracks.get(first + i) ?? new Map<string, string>();
      tracks.set(first + i, track.set(name, last));
    }
  }
  return tracks;
}
