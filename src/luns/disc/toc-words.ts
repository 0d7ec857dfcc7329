/** Words, strings and signs of a cdrdao TOC file. */
import type { ImageFiles } from './image-files.ts';

export interface TocWord {
  readonly text: string;
  /** It was in quotation marks. */
  readonly isString: boolean;
  readonly line: number;
}

const SIGNS = '{},:';
const ESCAPED = /\\(\\|"|[0-7]{3})/g;

/** Cuts the text into words; comments begin with two slashes. Times (mm:ss:ff) are one word. */
export function tocWords(text: string, files: ImageFiles): TocWord[] {
  const words: TocWord[] = [];
  const pattern = /\/\/[^\n]*|"((?:\\[\s\S]|[^"\\])*)"|\d+:\d+:\d+|[{},:]|[^\s{},:"]+|\n|"/g;
  let line = 1;
  for (const match of text.matchAll(pattern)) {
    const [whole, string] = match;
    if (whole === '\n') {
      line += 1;
    } else if (string !== undefined) {
      const plain = string.replace(ESCAPED, (_, code: string) =>
        code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : code,
      );
      words.push({ text: plain, isString: true, line });
      line += string.split('\n').length - 1;
    } else if (whole === '"') {
      files.refuse(`line ${line}`, 'a quotation mark is not closed');
    } else if (!whole.startsWith('//')) {
      words.push({ text: whole, isString: false, line });
    }
  }
  return words;
}

/** Goes through the words. */
export class TocReader {
  readonly #words: readonly TocWord[];
  readonly #files: ImageFiles;
  #at = 0;

  constructor(words: readonly TocWord[], files: ImageFiles) {
    this.#words = words;
    this.#files = files;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The line of the word that was taken last. */
  get where(): string {
    return `line ${this.#words[Math.max(0, this.#at - 1)]?.line ?? 1}`;
  }

  refuse(why: string): never {
    return this.#files.refuse(this.where, why);
  }

  /** The next word when it is none in quotation marks, or "". */
  peek(): string {
    const word = this.#words[this.#at];
    return word === undefined || word.isString ? '' : word.text;
  }

  /** Whether a string comes next. */
  get isString(): boolean {
    return this.#words[this.#at]?.isString === true;
  }

  next(): string {
    const word = this.#words[this.#at];
    this.#at += 1;
    if (word === undefined) this.refuse('it ends too early');
    return word.text;
  }

  /** Takes the next word when it is `text`. */
  take(text: string): boolean {
    if (this.peek() !== text) return false;
    this.#at += 1;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) {
      this.#at += 1;
      this.refuse(`"${text}" is expected`);
    }
  }

  string(of: string): string {
    if (!this.isString) {
      this.#at += 1;
      this.refuse(`${of} has to be followed by text in quotation marks`);
    }
    return this.next();
  }
}

export const isSign = (text: string): boolean => text.length === 1 && SIGNS.includes(text);
