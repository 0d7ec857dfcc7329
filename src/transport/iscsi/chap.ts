/** CHAP (RFC 1994, RFC 7143 12.1.3): checks who the initiator is, and proves to it who the target is if it asks. */
import { Buffer } from 'node:buffer';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TextPairs } from './text-keys.ts';

/** Shortest secret: 96 bits (RFC 7143 12.1.3.1). */
export const MIN_SECRET_BYTES = 12;
export const MAX_SECRET_BYTES = 255;
const CHALLENGE_BYTES = 32;
const MAX_CHALLENGE_BYTES = 1024;

/** CHAP_A values (IANA "PPP Authentication Algorithms"), strongest first. */
const ALGORITHMS: ReadonlyMap<string, { readonly hash: string; readonly bytes: number }> = new Map([
  ['7', { hash: 'sha256', bytes: 32 }],
  ['5', { hash: 'md5', bytes: 16 }],
]);

export interface ChapCredentials {
  readonly name: string;
  readonly secret: string;
}

export interface ChapConfig {
  /** What initiators have to prove they know. */
  readonly incoming: ChapCredentials;
  /** What this target proves to initiators that ask; null: it does not. */
  readonly outgoing: ChapCredentials | null;
}

/** Hexadecimal (0x…) or base64 (0b…) bytes of a value (RFC 7143 6.1); null when it is neither or too long. */
export function decodeBinary(value: string, maxBytes: number): Buffer | null {
  if (/^0[xX]([0-9a-fA-F]{2})+$/.test(value) && value.length <= 2 + 2 * maxBytes) {
    return Buffer.from(value.slice(2), 'hex');
  }
  if (/^0[bB][A-Za-z0-9+/]+={0,2}$/.test(value) && value.length <= 2 * maxBytes + 8) {
    const bytes = Buffer.from(value.slice(2), 'base64');
    return bytes.length <= maxBytes && bytes.length > 0 ? bytes : null;
  }
  return null;
}

function encodeBinary(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`;
}

/** Response to a challenge: hash of identifier, secret, challenge (RFC 1994 4.1). */
export function chapResponse(
  hash: string,
  id: number,
  secret: string,
  challenge: Uint8Array,
): Buffer {
  return createHash(hash).update(Buffer.of(id)).update(secret, 'utf8').update(challenge).digest();
}

const WAIT_ALGORITHM = 0;
const WAIT_RESPONSE = 1;
const DONE = 2;
const FAILED = 3;

/**
 * One authentication:  WAIT_ALGORITHM --CHAP_A--> WAIT_RESPONSE --CHAP_N, CHAP_R [, CHAP_I, CHAP_C]--> DONE
 * and from everywhere to FAILED, which is final.
 */
export class ChapExchange {
  readonly #config: ChapConfig;
  readonly #random: (bytes: number) => Buffer;
  #state = WAIT_ALGORITHM;
  #hash = '';
  #hashBytes = 0;
  #id = 0;
  #challenge: Buffer = Buffer.alloc(0);

  constructor(config: ChapConfig, random: (bytes: number) => Buffer = randomBytes) {
    this.#config = config;
    this.#random = random;
  }

  get done(): boolean {
    return this.#state === DONE;
  }

  /** Answers the CHAP keys of one request; null when the authentication has failed. */
  answer(offers: TextPairs): [string, string][] | null {
    const answers = this.#step(offers);
    if (answers === null) this.#state = FAILED;
    return answers;
  }

  #step(offers: TextPairs): [string, string][] | null {
    if (this.#state === WAIT_ALGORITHM) return this.#challengeFor(offers.get('CHAP_A'));
    return this.#state === WAIT_RESPONSE ? this.#verify(offers) : null;
  }

  #challengeFor(offered: string | undefined): [string, string][] | null {
    if (offered === undefined) return [];
    const wanted = offered.split(',');
    const chosen = [...ALGORITHMS].find(([number]) => wanted.includes(number));
    if (chosen === undefined) return null;
    const [number, { hash, bytes }] = chosen;
    this.#hash = hash;
    this.#hashBytes = bytes;
    this.#challenge = this.#random(CHALLENGE_BYTES);
    this.#id = this.#random(1)[0] as number;
    this.#state = WAIT_RESPONSE;
    return [
      ['CHAP_A', number],
      ['CHAP_I', String(this.#id)],
      ['CHAP_C', encodeBinary(this.#challenge)],
    ];
  }

  #verify(offers: TextPairs): [string, string][] | null {
    const { incoming } = this.#config;
    const response = decodeBinary(offers.get('CHAP_R') ?? '', this.#hashBytes);
    if (response === null || response.length !== this.#hashBytes) return null;
    const expected = chapResponse(this.#hash, this.#id, incoming.secret, this.#challenge);
    // Both are looked at whatever comes out, so that time does not tell which one was wrong.
    const proven = timingSafeEqual(response, expected);
    const named = offers.get('CHAP_N') === incoming.name;
    if (!proven || !named) return null;
    const answers = this.#prove(offers.get('CHAP_I'), offers.get('CHAP_C'));
    if (answers !== null) this.#state = DONE;
    return answers;
  }

  /** The initiator's own challenge, when it sent one. */
  #prove(idText: string | undefined, challengeText: string | undefined): [string, string][] | null {
    if (idText === undefined && challengeText === undefined) return [];
    const { outgoing } = this.#config;
    const challenge = decodeBinary(challengeText ?? '', MAX_CHALLENGE_BYTES);
    const id = /^[0-9]{1,3}$/.test(idText ?? '') ? Number(idText) : 256;
    if (outgoing === null || challenge === null || id > 255) return null;
    // A challenge sent back would make this end compute the answer to its own (RFC 7143 12.1.3).
    if (challenge.equals(this.#challenge)) return null;
    return [
      ['CHAP_N', outgoing.name],
      ['CHAP_R', encodeBinary(chapResponse(this.#hash, id, outgoing.secret, challenge))],
    ];
  }
}
