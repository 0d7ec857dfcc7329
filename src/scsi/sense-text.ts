/** Sense data in words: sense keys and additional sense codes as T10 spells them (SPC-4 4.5.6, annex F.2). */
import { SENSE_TEXT_HIGH } from './sense-text-high.ts';
import { SENSE_TEXT_LOW } from './sense-text-low.ts';

const SENSE_KEYS: readonly string[] = [
  'NO SENSE',
  'RECOVERED ERROR',
  'NOT READY',
  'MEDIUM ERROR',
  'HARDWARE ERROR',
  'ILLEGAL REQUEST',
  'UNIT ATTENTION',
  'DATA PROTECT',
  'BLANK CHECK',
  'VENDOR SPECIFIC(9)',
  'COPY ABORTED',
  'ABORTED COMMAND',
  'EQUAL',
  'VOLUME OVERFLOW',
  'MISCOMPARE',
  'COMPLETED',
];

const FIRST_VENDOR_SPECIFIC = 0x80;
const CODE = /^([0-9A-F]{2})([0-9A-F]{2})(?:-([0-9A-F]{2}))? (.+)$/gm;

interface Range {
  readonly asc: number;
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

interface Texts {
  /** Key: asc << 8 | ascq. */
  readonly exact: ReadonlyMap<number, string>;
  readonly ranges: readonly Range[];
}

function parse(source: string): Texts {
  const exact = new Map<number, string>();
  const ranges: Range[] = [];
  for (const [, high = '', low = '', last, text = ''] of source.matchAll(CODE)) {
    const asc = Number.parseInt(high, 16);
    const first = Number.parseInt(low, 16);
    if (last === undefined) exact.set((asc << 8) | first, text);
    else ranges.push({ asc, first, last: Number.parseInt(last, 16), text });
  }
  return { exact, ranges };
}

let parsed: Texts | null = null;

/** Parsed at the first question: most processes never ask. */
function texts(): Texts {
  parsed ??= parse(SENSE_TEXT_LOW + SENSE_TEXT_HIGH);
  return parsed;
}

/** Name of a sense key, 0 to 15, in capitals. */
export function senseKeyText(key: number): string {
  return SENSE_KEYS[key] ?? `SENSE KEY ${key.toString(16).toUpperCase()}h`;
}

/** T10's words for an additional sense code and qualifier; `null` when T10 has none. In ranges NN is the qualifier. */
export function additionalSenseText(asc: number, ascq: number): string | null {
  const { exact, ranges } = texts();
  const text = exact.get((asc << 8) | ascq);
  if (text !== undefined) return text;
  const range = ranges.find((r) => r.asc === asc && ascq >= r.first && ascq <= r.last);
  if (range !== undefined) return range.text.replace(/\bNN\b/, `${hexByte(ascq)}h`);
  return null;
}

function hexByte(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0');
}

function unassigned(asc: number, ascq: number): string {
  const vendor = asc >= FIRST_VENDOR_SPECIFIC || ascq >= FIRST_VENDOR_SPECIFIC;
  return vendor ? 'VENDOR SPECIFIC ADDITIONAL SENSE CODE' : 'UNASSIGNED ADDITIONAL SENSE CODE';
}

/** Sense in words with its numbers: `ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE (5/21/00)`. */
export function senseText(key: number, asc: number, ascq: number): string {
  const additional = additionalSenseText(asc, ascq) ?? unassigned(asc, ascq);
  const numbers = `${key.toString(16).toUpperCase()}/${hexByte(asc)}/${hexByte(ascq)}`;
  return `${senseKeyText(key)}, ${additional} (${numbers})`;
}
