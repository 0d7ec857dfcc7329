/**
 * The login phase of one connection (RFC 7143 clause 6).
 *
 *   SECURITY (0) --T, NSG 1--> OPERATIONAL (1) --T, NSG 3--> ENTERING --the session stands--> over
 *       \------------------------T, NSG 3-----------------------^
 * Every failure is answered with a status class and ends the connection.
 */
import { Buffer } from 'node:buffer';
import { type ChapConfig, ChapExchange } from './chap.ts';
import { isInitiatorName, PORTAL_GROUP_TAG } from './names.ts';
import { Negotiation, type Parameters } from './negotiation.ts';
import {
  addSN,
  CONTINUE,
  LOGIN,
  LOGIN_ANSWER,
  LOGIN_REQUEST,
  LOGIN_RESPONSE,
  OPCODE_MASK,
  type Pdu,
  TRANSIT,
} from './pdu.ts';
import { newHeader } from './pdu-writer.ts';
import { encodeText, TextCollector, type TextPairs } from './text-keys.ts';

/** Status class and detail (11.13.5). */
export const LOGIN_OK = 0x0000;
export const INITIATOR_ERROR = 0x0200;
export const AUTHENTICATION_FAILED = 0x0201;
export const NOT_AUTHORIZED = 0x0202;
export const NOT_FOUND = 0x0203;
export const UNSUPPORTED_VERSION = 0x0205;
export const TOO_MANY_CONNECTIONS = 0x0206;
export const MISSING_PARAMETER = 0x0207;
export const UNSUPPORTED_SESSION_TYPE = 0x0209;
export const NO_SUCH_SESSION = 0x020a;
export const INVALID_REQUEST = 0x020b;
export const OUT_OF_RESOURCES = 0x0302;

const SECURITY = 0;
const OPERATIONAL = 1;
const FULL_FEATURE = 3;
/** Exchanges of one login; more lead nowhere. */
const MAX_EXCHANGES = 64;

/** What a login has settled. */
export interface LoginTerms {
  readonly initiatorName: string;
  readonly isid: Buffer;
  readonly cid: number;
  readonly discovery: boolean;
  /** CmdSN of the first command. */
  readonly cmdSN: number;
  readonly parameters: Parameters;
}

export interface LoginHost {
  readonly targetName: string;
  readonly chap: ChapConfig | null;
  /** Names that may log in; null: all. */
  readonly initiators: readonly string[] | null;
  /** Whether a session of this number exists. */
  sessionExists(tsih: number): boolean;
}

export interface LoginConnection {
  /** StatSN of the next response. */
  statSN: number;
  sendPdu(header: Buffer, data: Buffer | null): void;
  /** Everything is settled: make the session, then call `enter`, or `refuse`. */
  onSettled(terms: LoginTerms): void;
  /** A failure was answered: close. */
  onRefused(why: string): void;
}

export class Login {
  readonly #host: LoginHost;
  readonly #connection: LoginConnection;
  readonly #collector = new TextCollector();
  #negotiation: Negotiation | null = null;
  #chap: ChapExchange | null = null;
  #chapChosen = false;
  #stage = -1;
  #over = false;
  #settling = false;
  #exchanges = 0;
  #initiatorName = '';
  #discovery = false;
  /** Of the first request; the others must repeat them. */
  #first: Buffer = Buffer.alloc(0);
  /** The request that is being answered. */
  #request: Buffer = Buffer.alloc(0);

  constructor(host: LoginHost, connection: LoginConnection) {
    this.#host = host;
    this.#connection = connection;
  }

  receive(pdu: Pdu): void {
    if (this.#over) return;
    const { header } = pdu;
    this.#request = header;
    if (((header[0] as number) & OPCODE_MASK) !== LOGIN) {
      this.#fail(INVALID_REQUEST, 'something else than a login request');
      return;
    }
    this.#exchanges += 1;
    const status = this.#checkHeader(header);
    if (status !== LOGIN_OK) {
      this.#fail(status, 'its header cannot be used');
      return;
    }
    if (!this.#collector.add(pdu.data)) {
      this.#fail(INITIATOR_ERROR, 'its text is too long');
      return;
    }
    const flags = header[LOGIN_REQUEST.at.flags] as number;
    if ((flags & CONTINUE) !== 0) {
      if ((flags & TRANSIT) !== 0) this.#fail(INITIATOR_ERROR, 'it continues and transits at once');
      else this.#respond(0, []);
      return;
    }
    const offers = this.#collector.take();
    if (offers === null) this.#fail(INITIATOR_ERROR, 'its text breaks the rules');
    else this.#answer(flags, offers);
  }

  /** The session stands: says so. */
  enter(tsih: number, maxCmdSN: number): void {
    if (this.#over) return;
    this.#over = true;
    const stage = (this.#request[1] as number) & 0x0f;
    const header = this.#header(TRANSIT | stage, LOGIN_OK);
    header.writeUInt16BE(tsih, LOGIN_ANSWER.at.tsih);
    header.writeUInt32BE(maxCmdSN, LOGIN_ANSWER.at.maxCmdSN);
    this.#connection.sendPdu(header, this.#lastText);
  }

  /** The session could not be made. */
  refuse(status: number, why: string): void {
    this.#fail(status, why);
  }

  #lastText: Buffer = Buffer.alloc(0);

  #checkHeader(header: Buffer): number {
    if (this.#settling || this.#exchanges > MAX_EXCHANGES) return INVALID_REQUEST;
    const { at } = LOGIN_REQUEST;
    if (this.#first.length === 0) {
      if (header[at.versionMin] !== 0) return UNSUPPORTED_VERSION;
      this.#first = Buffer.from(header);
      this.#connection.statSN = header.readUInt32BE(at.expStatSN);
      const tsih = header.readUInt16BE(at.tsih);
      if (tsih === 0) return LOGIN_OK;
      return this.#host.sessionExists(tsih) ? TOO_MANY_CONNECTIONS : NO_SUCH_SESSION;
    }
    const same =
      header.compare(this.#first, at.isid, at.isid + 8, at.isid, at.isid + 8) === 0 &&
      header.readUInt16BE(at.cid) === this.#first.readUInt16BE(at.cid);
    return same ? LOGIN_OK : INITIATOR_ERROR;
  }

  #answer(flags: number, offers: TextPairs): void {
    const current = (flags >> 2) & 3;
    const next = flags & 3;
    const transit = (flags & TRANSIT) !== 0;
    if (this.#stage < 0 && !this.#identify(offers)) return;
    if (this.#stage < 0) this.#stage = current;
    const possible = current === SECURITY || current === OPERATIONAL;
    const forward = !transit || (next > current && next !== 2);
    if (!possible || current !== this.#stage || !forward) {
      this.#fail(INITIATOR_ERROR, `stage ${current} to ${next} in stage ${this.#stage}`);
      return;
    }
    const answers = current === SECURITY ? this.#secure(offers) : this.#operate(offers);
    if (answers === null) return;
    const named = this.#exchanges === 1 && !this.#discovery;
    if (named) answers.unshift(['TargetPortalGroupTag', String(PORTAL_GROUP_TAG)]);
    // Who has not proven itself yet stays where it is.
    const ready = current === OPERATIONAL || this.#host.chap === null || this.#chapDone;
    if (!transit || !ready) this.#respond(current << 2, answers);
    else if (next === FULL_FEATURE) this.#settle(answers);
    else {
      this.#stage = next;
      this.#respond(TRANSIT | (current << 2) | next, answers);
    }
  }

  get #chapDone(): boolean {
    return this.#chap?.done === true;
  }

  /** Who logs in where: the keys of the first request. */
  #identify(offers: TextPairs): boolean {
    const name = offers.get('InitiatorName');
    const type = offers.get('SessionType') ?? 'Normal';
    const target = offers.get('TargetName');
    this.#discovery = type === 'Discovery';
    if (name === undefined) return this.#fail(MISSING_PARAMETER, 'it has no InitiatorName');
    if (!isInitiatorName(name)) return this.#fail(INITIATOR_ERROR, 'its InitiatorName is no name');
    this.#initiatorName = name;
    if (!this.#discovery && type !== 'Normal') {
      return this.#fail(UNSUPPORTED_SESSION_TYPE, 'its SessionType is unknown');
    }
    if (!this.#discovery && target === undefined) {
      return this.#fail(MISSING_PARAMETER, 'it has no TargetName');
    }
    if (target !== undefined && target !== this.#host.targetName) {
      return this.#fail(NOT_FOUND, 'it asks for a target that is not here');
    }
    const { initiators } = this.#host;
    if (initiators !== null && !initiators.includes(name)) {
      return this.#fail(NOT_AUTHORIZED, 'its initiator is not on the list');
    }
    this.#negotiation = new Negotiation(this.#discovery);
    return true;
  }

  /** The security stage. Null: it has failed. */
  #secure(offers: TextPairs): [string, string][] | null {
    const { chap } = this.#host;
    const rest: TextPairs = new Map();
    for (const [key, value] of offers) {
      if (key !== 'AuthMethod' && !key.startsWith('CHAP_')) rest.set(key, value);
    }
    const answers: [string, string][] = [];
    const methods = offers.get('AuthMethod');
    if (methods !== undefined) {
      const method = chap === null ? 'None' : 'CHAP';
      if (this.#chapChosen || !methods.split(',').includes(method)) {
        this.#fail(AUTHENTICATION_FAILED, `its AuthMethod is not ${method}`);
        return null;
      }
      answers.push(['AuthMethod', method]);
      this.#chapChosen = chap !== null;
      if (chap !== null) this.#chap = new ChapExchange(chap);
    }
    const proof = this.#chap === null || this.#chapDone ? [] : this.#chap.answer(offers);
    if (proof === null) {
      this.#fail(AUTHENTICATION_FAILED, 'CHAP failed');
      return null;
    }
    answers.push(...proof);
    return this.#negotiate(rest, false, answers);
  }

  #operate(offers: TextPairs): [string, string][] | null {
    if (this.#host.chap !== null && !this.#chapDone) {
      this.#fail(AUTHENTICATION_FAILED, 'it skips authentication');
      return null;
    }
    return this.#negotiate(offers, true, []);
  }

  #negotiate(
    offers: TextPairs,
    operational: boolean,
    answers: [string, string][],
  ): [string, string][] | null {
    const more = this.#negotiation?.answer(offers, operational) ?? null;
    if (more !== null) return [...answers, ...more];
    this.#fail(INITIATOR_ERROR, 'it negotiates a key twice');
    return null;
  }

  #settle(answers: readonly (readonly [string, string])[]): void {
    this.#settling = true;
    this.#lastText = encodeText(answers);
    const { at } = LOGIN_REQUEST;
    const first = this.#first;
    this.#connection.onSettled({
      initiatorName: this.#initiatorName,
      isid: Buffer.from(first.subarray(at.isid, at.isid + 6)),
      cid: first.readUInt16BE(at.cid),
      discovery: this.#discovery,
      cmdSN: this.#request.readUInt32BE(at.cmdSN),
      parameters: (this.#negotiation as Negotiation).parameters,
    });
  }

  #header(flags: number, status: number): Buffer {
    const request = this.#request;
    const { at } = LOGIN_ANSWER;
    const header = newHeader(LOGIN_RESPONSE, request.readUInt32BE(LOGIN_REQUEST.at.itt));
    const cmdSN = request.readUInt32BE(LOGIN_REQUEST.at.cmdSN);
    header[at.flags] = flags;
    request.copy(header, at.isid, LOGIN_REQUEST.at.isid, LOGIN_REQUEST.at.isid + 8);
    header.writeUInt32BE(cmdSN, at.expCmdSN);
    header.writeUInt32BE(cmdSN, at.maxCmdSN);
    header.writeUInt16BE(status, at.statusClass);
    if (status === LOGIN_OK) {
      header.writeUInt32BE(this.#connection.statSN, at.statSN);
      this.#connection.statSN = addSN(this.#connection.statSN, 1);
    }
    return header;
  }

  #respond(flags: number, answers: readonly (readonly [string, string])[]): void {
    const text = encodeText(answers);
    this.#connection.sendPdu(this.#header(flags, LOGIN_OK), text.length === 0 ? null : text);
  }

  #fail(status: number, why: string): false {
    if (this.#over) return false;
    this.#over = true;
    this.#connection.sendPdu(this.#header(0, status), null);
    this.#connection.onRefused(`login refused (${status.toString(16).padStart(4, '0')}h): ${why}`);
    return false;
  }
}
