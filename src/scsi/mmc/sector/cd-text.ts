/** CD-TEXT: titles and names as packs of 18 bytes in sub-channels R to W of the lead-in (MMC-6 annex on CD-TEXT, IEC 61866). */
import { TextDecoder } from 'node:util';
import { isSealed, sealCrc } from './crc-16.ts';

export const PACK_BYTES = 18;
const HEADER_BYTES = 4;
const TEXT_BYTES = 12;
const SEALED_BYTES = HEADER_BYTES + TEXT_BYTES;
/** A block of one language has as many packs as its sequence numbers can count. */
const MOST_PACKS = 256;
export const MOST_BLOCKS = 8;

/** Fields of text; the number is the pack type. */
export const CD_TEXT_FIELDS = {
  title: 0x80,
  performer: 0x81,
  songwriter: 0x82,
  composer: 0x83,
  arranger: 0x84,
  message: 0x85,
  discId: 0x86,
  genre: 0x87,
  closed: 0x8d,
  code: 0x8e,
} as const;
export type CdTextField = keyof typeof CD_TEXT_FIELDS;
const SIZE_INFORMATION = 0x8f;

/** Character codes (size information, byte 0). */
const ISO_8859_1 = 0x00;
const ASCII = 0x01;
const MS_JIS = 0x80;

/** English, as EBU Tech 3264 numbers languages. */
export const ENGLISH = 0x09;

/** The text of one language. */
export interface CdTextBlock {
  readonly language: number;
  /** By field: [0] is of the disc, [n] of track n. */
  readonly fields: Readonly<Partial<Record<CdTextField, readonly string[]>>>;
  /** Code of the genre; the field `genre` is what is written beside it. */
  readonly genreCode?: number;
}

/** ISO 8859-1, with a question mark for what it does not have. */
function latin1(text: string): number[] {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) as number;
    return code < 0x100 ? code : 0x3f;
  });
}

/** One string of a field and the track it is of. */
interface Piece {
  readonly track: number;
  readonly bytes: readonly number[];
}

function piecesOf(block: CdTextBlock, field: CdTextField, lastTrack: number): Piece[] {
  const strings = block.fields[field];
  if (field === 'genre') {
    if (block.genreCode === undefined) return [];
    const code = [block.genreCode >> 8, block.genreCode & 0xff];
    return [{ track: 0, bytes: [...code, ...latin1(strings?.[0] ?? ''), 0] }];
  }
  if (strings === undefined || strings.every((each) => each === '')) return [];
  if (field === 'discId') return [{ track: 0, bytes: [...latin1(strings[0] ?? ''), 0] }];
  return Array.from({ length: lastTrack + 1 }, (_, track) => ({
    track,
    bytes: [...latin1(strings[track] ?? ''), 0],
  }));
}

/** Packs of one field without sequence numbers: the strings one behind the other, cut into pieces of 12. */
function packsOfField(type: number, block: number, pieces: readonly Piece[]): Uint8Array[] {
  const packs: Uint8Array[] = [];
  let room = 0;
  for (const { track, bytes } of pieces) {
    for (let i = 0; i < bytes.length; i += 1) {
      if (room === 0) {
        const pack = new Uint8Array(PACK_BYTES);
        pack.set([type, track, 0, (block << 4) | Math.min(i, 15)]);
        packs.push(pack);
        room = TEXT_BYTES;
      }
      (packs.at(-1) as Uint8Array)[SEALED_BYTES - room] = bytes[i] as number;
      room -= 1;
    }
  }
  return packs;
}

const SIZE_PACKS = 3;
/** Where size information has the counts of packs by type, and the last sequence numbers by block and the languages behind. */
const COUNTS_AT = 4;
const LAST_SEQUENCE_AT = 20;
const LANGUAGES_AT = 28;

interface BlockPacks {
  readonly language: number;
  readonly packs: Uint8Array[];
}

function sizeInformation(
  blocks: readonly BlockPacks[],
  index: number,
  firstTrack: number,
  lastTrack: number,
): Uint8Array[] {
  const size = new Uint8Array(SIZE_PACKS * TEXT_BYTES);
  size.set([ISO_8859_1, firstTrack, lastTrack]);
  for (const pack of blocks[index]?.packs ?? []) {
    const at = COUNTS_AT + ((pack[0] as number) & 0xf);
    size[at] = (size[at] as number) + 1;
  }
  size[COUNTS_AT + (SIZE_INFORMATION & 0xf)] = SIZE_PACKS;
  blocks.forEach(({ language, packs }, i) => {
    size[LAST_SEQUENCE_AT + i] = packs.length + SIZE_PACKS - 1;
    size[LANGUAGES_AT + i] = language;
  });
  return Array.from({ length: SIZE_PACKS }, (_, i) => {
    const pack = new Uint8Array(PACK_BYTES);
    pack.set([SIZE_INFORMATION, i, 0, index << 4]);
    pack.set(size.subarray(i * TEXT_BYTES, (i + 1) * TEXT_BYTES), HEADER_BYTES);
    return pack;
  });
}

/**
 * The packs of a disc with tracks `firstTrack` to `lastTrack`, or null: there is no text. Throws RangeError when a language has more
 * text than its packs can be counted.
 */
export function makeCdText(
  text: readonly CdTextBlock[],
  firstTrack: number,
  lastTrack: number,
): Uint8Array | null {
  const blocks = text.slice(0, MOST_BLOCKS).map((block, index): BlockPacks => {
    const packs = Object.entries(CD_TEXT_FIELDS).flatMap(([field, type]) =>
      packsOfField(type, index, piecesOf(block, field as CdTextField, lastTrack)),
    );
    return { language: block.language, packs };
  });
  if (blocks.every(({ packs }) => packs.length === 0)) return null;
  const all: Uint8Array[] = [];
  blocks.forEach(({ packs }, index) => {
    const whole = [...packs, ...sizeInformation(blocks, index, firstTrack, lastTrack)];
    if (whole.length > MOST_PACKS) {
      throw new RangeError(`CD-TEXT of one language takes ${whole.length} packs of ${MOST_PACKS}`);
    }
    whole.forEach((pack, sequence) => {
      pack[2] = sequence;
      sealCrc(pack, 0, SEALED_BYTES);
    });
    all.push(...whole);
  });
  const bytes = new Uint8Array(all.length * PACK_BYTES);
  all.forEach((pack, i) => {
    bytes.set(pack, i * PACK_BYTES);
  });
  return bytes;
}

/** Whether the CRC of the pack at `at` is its own. */
export function isPackIntact(packs: Uint8Array, at: number): boolean {
  return isSealed(packs, at, at + SEALED_BYTES);
}

/** Whether `packs` are whole packs whose CRCs are right. */
export function isCdText(packs: Uint8Array): boolean {
  if (packs.length === 0 || packs.length % PACK_BYTES !== 0) return false;
  for (let at = 0; at < packs.length; at += PACK_BYTES) {
    if (!isPackIntact(packs, at)) return false;
  }
  return true;
}

/** Writes the CRCs of packs that have none (zeros), as some programs keep them. */
export function sealCdText(packs: Uint8Array): void {
  for (let at = 0; at + PACK_BYTES <= packs.length; at += PACK_BYTES) {
    const end = at + SEALED_BYTES;
    if (packs[end] === 0 && packs[end + 1] === 0) sealCrc(packs, at, end);
  }
}

const NAMES = new Map(
  Object.entries(CD_TEXT_FIELDS).map(([name, type]) => [type as number, name as CdTextField]),
);

/** Decoder of a character code; null: nobody knows it. */
function decoderOf(code: number): TextDecoder | null {
  if (code === ISO_8859_1 || code === ASCII) return new TextDecoder('latin1');
  return code === MS_JIS ? new TextDecoder('shift_jis') : null;
}

/** Bytes of one field of one block. */
interface FieldBytes {
  readonly bytes: number[];
  /** Track of the first string. */
  readonly track: number;
  readonly wide: boolean;
}

interface RawBlock {
  readonly fields: Map<number, FieldBytes>;
  readonly size: number[];
}

function collect(packs: Uint8Array): Map<number, RawBlock> {
  const blocks = new Map<number, RawBlock>();
  for (let at = 0; at < packs.length; at += PACK_BYTES) {
    const type = packs[at] as number;
    const where = packs[at + 3] as number;
    const index = (where >> 4) & 7;
    const block = blocks.get(index) ?? { fields: new Map<number, FieldBytes>(), size: [] };
    blocks.set(index, block);
    const text = packs.subarray(at + HEADER_BYTES, at + SEALED_BYTES);
    if (type === SIZE_INFORMATION) {
      block.size.push(...text);
      continue;
    }
    const track = (packs[at + 1] as number) & 0x7f;
    const field = block.fields.get(type) ?? { bytes: [], track, wide: (where & 0x80) !== 0 };
    block.fields.set(type, field);
    field.bytes.push(...text);
  }
  return blocks;
}

/** Cuts the bytes of a field at the zeros that end strings. */
function stringsOf({ bytes, wide }: FieldBytes, decoder: TextDecoder): string[] {
  const step = wide ? 2 : 1;
  const strings: string[] = [];
  let from = 0;
  for (let at = 0; at + step <= bytes.length; at += step) {
    if (bytes[at] !== 0 || bytes[at + step - 1] !== 0) continue;
    strings.push(decoder.decode(Uint8Array.from(bytes.slice(from, at))));
    from = at + step;
  }
  return strings;
}

/** A tab alone says: the same as of the track before. */
function withRepeats(strings: readonly string[]): string[] {
  const whole: string[] = [];
  for (const each of strings) whole.push(each === '\t' ? (whole.at(-1) ?? '') : each);
  return whole;
}

function blockOf(index: number, { fields, size }: RawBlock, languages: readonly number[]) {
  const decoder = decoderOf(size[0] ?? ISO_8859_1);
  if (decoder === null) return null;
  const lastTrack = size[2] ?? 99;
  const texts: Partial<Record<CdTextField, string[]>> = {};
  let genreCode: number | undefined;
  for (const [type, field] of fields) {
    const name = NAMES.get(type);
    if (name === undefined) continue;
    if (name === 'genre') {
      const [high = 0, low = 0, ...rest] = field.bytes;
      genreCode = high * 256 + low;
      const [text = ''] = stringsOf({ ...field, bytes: rest }, decoder);
      texts.genre = [text];
      continue;
    }
    const count = name === 'discId' ? 1 : lastTrack + 1 - field.track;
    const strings = withRepeats(stringsOf(field, decoder).slice(0, Math.max(0, count)));
    texts[name] = [...new Array<string>(field.track).fill(''), ...strings];
  }
  const block = { language: languages[index] ?? 0, fields: texts };
  return genreCode === undefined ? block : { ...block, genreCode };
}

/** What packs say; null: they are no packs, or in a character code that nobody knows. */
export function readCdText(packs: Uint8Array): CdTextBlock[] | null {
  if (!isCdText(packs)) return null;
  const raw = collect(packs);
  const languages = raw.get(0)?.size.slice(LANGUAGES_AT) ?? [];
  const blocks: CdTextBlock[] = [];
  for (const [index, each] of [...raw].sort(([a], [b]) => a - b)) {
    const block = blockOf(index, each, languages);
    if (block === null) return null;
    blocks.push(block);
  }
  return blocks;
}

/** Packs in the sub-channels of one sector, and symbols of six bits that one takes there. */
export const PACKS_PER_SECTOR = 4;
const SYMBOLS = 24;

/** Spreads four packs at `from` over R to W of the 96 interleaved bytes at `to`; P and Q stay. */
export function putPacks(
  packs: Uint8Array,
  from: number,
  interleaved: Uint8Array,
  to: number,
): void {
  for (let i = 0; i < PACKS_PER_SECTOR * SYMBOLS; i += 1) {
    const bit = i * 6;
    const byte = from + (bit >> 3);
    const two = ((packs[byte] as number) << 8) | (packs[byte + 1] ?? 0);
    const symbol = (two >> (10 - (bit & 7))) & 0x3f;
    interleaved[to + i] = ((interleaved[to + i] as number) & 0xc0) | symbol;
  }
}

/** The other way. */
export function getPacks(
  interleaved: Uint8Array,
  from: number,
  packs: Uint8Array,
  to: number,
): void {
  const bytes = PACKS_PER_SECTOR * PACK_BYTES;
  packs.fill(0, to, to + bytes);
  for (let i = 0; i < PACKS_PER_SECTOR * SYMBOLS; i += 1) {
    const bit = i * 6;
    const byte = to + (bit >> 3);
    const two = ((interleaved[from + i] as number) & 0x3f) << (10 - (bit & 7));
    packs[byte] = (packs[byte] as number) | (two >> 8);
    if ((bit & 7) > 2) packs[byte + 1] = (packs[byte + 1] as number) | (two & 0xff);
  }
}
