/** Text of login and text requests: key=value pairs, each ended by a zero byte (RFC 7143 6.1), bounded in every way. */
import { Buffer } from 'node:buffer';

/** Longest key, and most pairs and bytes of one request, continuations included. */
const MAX_KEY_BYTES = 63;
const MAX_PAIRS = 64;
export const MAX_TEXT_BYTES = 65_536;
/** Longest value by default (6.1). */
const MAX_VALUE_BYTES = 8192;

const KEY = /^[A-Za-z][A-Za-z0-9.\-+@_#]*$/;

export type TextPairs = Map<string, string>;

/** Reads pairs; null when the text breaks a rule. A key may not be there twice. */
export function decodeText(bytes: Buffer): TextPairs | null {
  const pairs: TextPairs = new Map();
  if (bytes.length > MAX_TEXT_BYTES) return null;
  let at = 0;
  while (at < bytes.length) {
    let end = bytes.indexOf(0, at);
    // The last zero byte may be the padding's.
    if (end < 0) end = bytes.length;
    if (end > at && !addPair(pairs, bytes.subarray(at, end))) return null;
    at = end + 1;
  }
  return pairs;
}

function addPair(pairs: TextPairs, pair: Buffer): boolean {
  const equals = pair.indexOf(0x3d);
  if (equals <= 0 || equals > MAX_KEY_BYTES || pair.length - equals - 1 > MAX_VALUE_BYTES) {
    return false;
  }
  const key = pair.toString('latin1', 0, equals);
  if (!KEY.test(key) || pairs.has(key) || pairs.size === MAX_PAIRS) return false;
  pairs.set(key, pair.toString('utf8', equals + 1));
  return true;
}

/** Writes pairs in order. */
export function encodeText(pairs: Iterable<readonly [string, string]>): Buffer {
  let text = '';
  for (const [key, value] of pairs) text += `${key}=${value}\0`;
  return Buffer.from(text, 'utf8');
}

/** Collects the data segments of a request that is continued over several PDUs (C bit). */
export class TextCollector {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** False when it is more than a request may have. */
  add(data: Buffer): boolean {
    this.#bytes += data.length;
    if (this.#bytes > MAX_TEXT_BYTES) return false;
    if (data.length > 0) this.#parts.push(Buffer.from(data));
    return true;
  }

  /** The whole request, or null when it breaks a rule; the collector is empty again. */
  take(): TextPairs | null {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return decodeText(bytes);
  }
}
