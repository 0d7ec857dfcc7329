/** CD_TEXT of a cdrdao TOC file. */
import {
  type CdTextBlock,
  type CdTextField,
  ENGLISH,
  MOST_BLOCKS,
} from '../../scsi/mmc/sector/cd-text.ts';
import type { TocReader } from './toc-words.ts';

const FIELDS = new Map<string, CdTextField>([
  ['TITLE', 'title'],
  ['PERFORMER', 'performer'],
  ['SONGWRITER', 'songwriter'],
  ['COMPOSER', 'composer'],
  ['ARRANGER', 'arranger'],
  ['MESSAGE', 'message'],
  ['DISC_ID', 'discId'],
  ['UPC_EAN', 'code'],
  ['ISRC', 'code'],
]);
/** Made anew from the tracks, or about them in a way that the table of contents is, too. */
const IGNORED = [
  'TOC_INFO1',
  'TOC_INFO2',
  'SIZE_INFO',
  'RESERVED1',
  'RESERVED2',
  'RESERVED3',
  'CLOSED',
];

interface TextBlock {
  readonly fields: Map<CdTextField, string[]>;
  genreCode?: number;
}

export class TocText {
  readonly #blocks = new Map<number, TextBlock>();
  readonly #languages = new Map<number, number>();

  /** Reads what is behind CD_TEXT of the disc (track 0) or of a track. */
  read(reader: TocReader, track: number): void {
    reader.expect('{');
    if (reader.take('LANGUAGE_MAP')) this.#languageMap(reader);
    while (!reader.take('}')) {
      reader.expect('LANGUAGE');
      const number = Number(reader.next());
      if (!Number.isInteger(number) || number < 0 || number >= MOST_BLOCKS) {
        reader.refuse('LANGUAGE has to be from 0 to 7');
      }
      const block = this.#blocks.get(number) ?? { fields: new Map<CdTextField, string[]>() };
      this.#blocks.set(number, block);
      this.#language(reader, block, track);
    }
  }

  /** The blocks in order; of languages that are left out there is an empty one. */
  get blocks(): CdTextBlock[] {
    const last = Math.max(-1, ...this.#blocks.keys());
    return Array.from({ length: last + 1 }, (_, i) => {
      const block = this.#blocks.get(i);
      const fields = Object.fromEntries(block?.fields ?? []);
      const text = { language: this.#languages.get(i) ?? ENGLISH, fields };
      return block?.genreCode === undefined ? text : { ...text, genreCode: block.genreCode };
    });
  }

  #languageMap(reader: TocReader): void {
    reader.expect('{');
    while (!reader.take('}')) {
      const number = Number(reader.next());
      reader.expect(':');
      const code = reader.next();
      const language = code === 'EN' ? ENGLISH : Number(code);
      if (
        !Number.isInteger(number) ||
        !Number.isInteger(language) ||
        language < 0 ||
        language > 255
      ) {
        reader.refuse(`"${code}" is no language: EN or a number from 0 to 255`);
      }
      this.#languages.set(number, language);
      reader.take(',');
    }
  }

  #language(reader: TocReader, block: TextBlock, track: number): void {
    reader.expect('{');
    while (!reader.take('}')) {
      const word = reader.next();
      const field = FIELDS.get(word);
      if (word.startsWith('ENCODING_')) {
        if (word !== 'ENCODING_ISO_8859_1' && word !== 'ENCODING_ASCII') {
          reader.refuse(`CD-TEXT in ${word} is not made; use ENCODING_ISO_8859_1`);
        }
      } else if (word === 'GENRE') {
        this.#genre(reader, block);
      } else if (IGNORED.includes(word)) {
        if (reader.isString) reader.next();
        else bytesOf(reader);
      } else if (field === undefined) {
        reader.refuse(`"${word}" is nothing that CD_TEXT has`);
      } else {
        put(block, field, track, reader.isString ? reader.next() : textOf(bytesOf(reader)));
      }
    }
  }

  #genre(reader: TocReader, block: TextBlock): void {
    if (reader.isString) {
      reader.next();
      return;
    }
    const [high = 0, low = 0, ...text] = bytesOf(reader);
    block.genreCode = high * 256 + low;
    put(block, 'genre', 0, textOf(text));
  }
}

function put(block: TextBlock, field: CdTextField, track: number, text: string): void {
  const texts = block.fields.get(field) ?? [];
  for (let i = texts.length; i < track; i += 1) texts.push('');
  texts[track] = text;
  block.fields.set(field, texts);
}

/** Text up to the zero that ends it. */
function textOf(bytes: readonly number[]): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.slice(0, end)));
}

/** Numbers between braces. */
function bytesOf(reader: TocReader): number[] {
  const bytes: number[] = [];
  reader.expect('{');
  while (!reader.take('}')) {
    const text = reader.next();
    const byte = Number(text);
    if (!/^\d+$/.test(text) || byte > 255) reader.refuse(`"${text}" is no byte`);
    bytes.push(byte);
    reader.take(',');
  }
  return bytes;
}
