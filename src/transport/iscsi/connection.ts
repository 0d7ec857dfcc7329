/**
 * One TCP connection: bytes to PDUs and back, the login, then the session it carries.
 *
 *   LOGIN --settled--> SETTLING --session stands--> FULL_FEATURE --finish--> CLOSING --> CLOSED
 *     every state --break, the socket closes--> CLOSED
 */
import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { Login, type LoginHost, type LoginTerms } from './login.ts';
import { PORTAL_GROUP_TAG } from './names.ts';
import { DEFAULT_RECEIVE_BYTES, MAX_RECEIVE_BYTES } from './negotiation.ts';
import type { Pdu } from './pdu.ts';
import { PduReader, type PduSink } from './pdu-reader.ts';
import { PduWriter } from './pdu-writer.ts';
import type { Session, SessionConnection } from './session.ts';

const LOGIN = 0;
const SETTLING = 1;
const FULL_FEATURE = 2;
const CLOSING = 3;
const CLOSED = 4;

/** Bytes that wait for a slow initiator before its commands stay unread. */
const HIGH_WATER_BYTES = 4 * 2 ** 20;
/** How long what was sent last may take to arrive. */
const LINGER_MS = 2000;

export interface ConnectionHost {
  readonly login: LoginHost;
  /** How long a login may take. */
  readonly loginMs: number;
  /** How often a silent initiator is asked whether it is there; unanswered twice, it is gone. */
  readonly pingMs: number;
  log(text: string, level: 'info' | 'warn'): void;
  /** A login has settled everything: make the session and call `enter`, or `refuse`. */
  settle(connection: IscsiConnection, terms: LoginTerms): void;
  /** The connection is over; `ended` has resolved. */
  closed(connection: IscsiConnection): void;
}

export class IscsiConnection implements PduSink, SessionConnection {
  /** StatSN of the next response, during login. */
  statSN = 0;
  session: Session | null = null;
  /** Resolves when socket and session are over. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  /** A socket that is closed does not know any more. */
  readonly #remote: string;
  readonly #host: ConnectionHost;
  readonly #reader: PduReader;
  readonly #writer: PduWriter;
  readonly #login: Login;
  #state = LOGIN;
  #timer: NodeJS.Timeout;
  #heard = true;
  #why = 'the initiator closed the connection';

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#remote = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`;
    this.#host = host;
    this.#reader = new PduReader(this, DEFAULT_RECEIVE_BYTES);
    this.#writer = new PduWriter(socket);
    this.#login = new Login(host.login, this);
    this.#timer = setTimeout(() => this.break('it takes too long to log in'), host.loginMs);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#hear(chunk));
    socket.on('drain', () => socket.resume());
    socket.on('error', (error) => {
      this.#why = error.message;
    });
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.#close()
          .catch((error: unknown) => host.log(`${this.peer}: ${String(error)}`, 'warn'))
          .finally(() => {
            resolve();
            host.closed(this);
          });
      });
    });
  }

  /** Who is at the other end, for the log. */
  get peer(): string {
    const name = this.session?.terms.initiatorName ?? 'somebody';
    return `${name} at ${this.#remote}`;
  }

  get portal(): string {
    const { localAddress = '', localPort = 0 } = this.#socket;
    const plain = localAddress.replace(/^::ffff:(?=\d+\.)/, '');
    const host = plain.includes(':') ? `[${plain}]` : plain;
    return `${host}:${localPort},${PORTAL_GROUP_TAG}`;
  }

  get alive(): boolean {
    return this.#state < CLOSING;
  }

  /** The session stands: the full feature phase begins with the last login response. */
  enter(session: Session, tsih: number): void {
    if (this.#state !== SETTLING) return;
    this.session = session;
    this.#state = FULL_FEATURE;
    this.#login.enter(tsih, session.maxCmdSN);
    const { headerDigest, dataDigest } = session.terms.parameters;
    for (const end of [this.#reader, this.#writer]) {
      end.headerDigest = headerDigest;
      end.dataDigest = dataDigest;
    }
    this.#reader.maxDataBytes = MAX_RECEIVE_BYTES;
    clearTimeout(this.#timer);
    this.#timer = setInterval(() => this.#look(), this.#host.pingMs);
  }

  /** The session could not be made. */
  refuse(status: number, why: string): void {
    this.#login.refuse(status, why);
  }

  /** LoginConnection. */
  sendPdu(header: Buffer, data: Buffer | null): void {
    this.transmit(header, data);
  }

  onSettled(terms: LoginTerms): void {
    this.#state = SETTLING;
    this.#host.settle(this, terms);
  }

  onRefused(why: string): void {
    this.finish(why);
  }

  /** PduSink. */
  onPdu(pdu: Pdu): void {
    this.#heard = true;
    if (this.#state === FULL_FEATURE) this.session?.receive(pdu);
    else if (this.#state === LOGIN || this.#state === SETTLING) this.#login.receive(pdu);
  }

  onBroken(why: string): void {
    this.break(why);
  }

  transmit(header: Buffer, data: Uint8Array | null): void {
    if (this.#state === CLOSED) return;
    this.#writer.send(header, data);
    // Whoever does not read its answers is not given more to answer.
    if (this.#socket.writableLength > HIGH_WATER_BYTES) this.#socket.pause();
  }

  finish(why: string): void {
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    this.#why = why;
    this.#reader.stop();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.resume();
    this.#socket.end();
  }

  break(why: string): void {
    if (this.#state === CLOSED) return;
    if (this.#state !== CLOSING) this.#why = why;
    this.#state = CLOSED;
    this.#reader.stop();
    this.#socket.destroy();
  }

  #hear(chunk: Buffer): void {
    if (this.#state < CLOSING) this.#reader.push(chunk);
  }

  /** Nothing heard since the last look: ask, and give up when that was not answered either. */
  #look(): void {
    if (this.#heard) this.#heard = false;
    else if (this.session?.ping() === false) this.break('it does not answer');
  }

  async #close(): Promise<void> {
    this.#state = CLOSED;
    this.#reader.stop();
    clearTimeout(this.#timer);
    const quiet = this.#why === 'logged out';
    this.#host.log(`${this.peer}: ${this.#why}`, quiet || this.session !== null ? 'info' : 'warn');
    await this.session?.end();
  }
}
