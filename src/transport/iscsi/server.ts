/** The iSCSI server: one portal, one target, its sessions; each session is an SRP initiator of the target behind it. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Link } from '../link.ts';
import { LogLimiter } from '../log-limiter.ts';
import { REJECT_UNASSOCIABLE } from '../srp/iu.ts';
import type { ChapConfig } from './chap.ts';
import { type ConnectionHost, IscsiConnection } from './connection.ts';
import { type LoginHost, type LoginTerms, OUT_OF_RESOURCES } from './login.ts';
import { encodeIscsiTransportId, initiatorPortIdentifier, targetPortIdentifier } from './names.ts';
import { EVENT_CONNECTIONS_DROPPED } from './pdu.ts';
import { NEXUS_COMMANDS, Session } from './session.ts';
import { NexusRefusedError, SrpNexus } from './srp-nexus.ts';
import type { ManagementHost } from './task-management.ts';

const MAX_CONNECTIONS = 128;
const MAX_SESSIONS = 64;
const BACKLOG = 64;
const LOGIN_MS = 15_000;
const PING_MS = 30_000;
/** What an initiator is told to wait before it comes back, in seconds. */
const TIME_TO_WAIT = 2;
const LOOK_MS = 5;
const LAST_WORDS_MS = 3000;
/** The target may still be busy with the end of the nexus that a new one replaces. */
const LOGIN_ATTEMPTS = 50;
const LOGIN_AGAIN_MS = 10;

export interface IscsiServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly targetName: string;
  readonly chap: ChapConfig | null;
  /** Names that may log in; null: all. */
  readonly initiators: readonly string[] | null;
  /** A new link to the target, for an initiator of this name. */
  readonly openLink: (name: string) => Promise<Link>;
  /** Tells the target what an initiator port is called, before it logs in. */
  readonly namePort: (initiatorPort: Buffer, transportId: Buffer) => Promise<void>;
  /** Units that a target reset resets. */
  readonly luns: () => readonly number[];
  readonly log: (text: string, level: 'info' | 'warn') => void;
  readonly loginMs?: number;
  readonly pingMs?: number;
}

/** The portal could not be opened. */
export class IscsiListenError extends Error {
  readonly code = 'ERR_LISTEN';
}

export class IscsiServer implements ConnectionHost, LoginHost, ManagementHost {
  readonly loginMs: number;
  readonly pingMs: number;
  readonly targetName: string;
  readonly chap: ChapConfig | null;
  readonly initiators: readonly string[] | null;
  readonly #options: IscsiServerOptions;
  readonly #log: LogLimiter;
  readonly #server: Server;
  readonly #connections = new Set<IscsiConnection>();
  /** Those that carry a session: by number, and normal ones by initiator port. */
  readonly #byNumber = new Map<number, IscsiConnection>();
  readonly #byPort = new Map<string, IscsiConnection>();
  /** Logins of one initiator port follow each other. */
  readonly #entering = new Map<string, Promise<void>>();
  #lastNumber = 0;
  #stopping = false;

  constructor(options: IscsiServerOptions) {
    this.#options = options;
    this.loginMs = options.loginMs ?? LOGIN_MS;
    this.pingMs = options.pingMs ?? PING_MS;
    this.targetName = options.targetName;
    this.chap = options.chap;
    this.initiators = options.initiators;
    this.#log = new LogLimiter((text, level) => options.log(`iscsi: ${text}`, level));
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  get login(): LoginHost {
    return this;
  }

  /** TCP port it listens at. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get sessions(): number {
    return this.#byNumber.size;
  }

  /** Rejects with IscsiListenError. */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        reject(new IscsiListenError(`Cannot listen on ${host}:${port}: ${error.message}`));
      };
      this.#server.once('error', fail);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', fail);
        this.#server.on('error', (error) => this.log(error.message, 'warn'));
        resolve();
      });
    });
  }

  /** No new connections and commands; what runs may end for `graceMs`; then every session is told and ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#server.close();
    for (const connection of this.#connections) {
      if (connection.session === null) connection.break('the target shuts down');
      else connection.session.closeToNewCommands();
    }
    const until = performance.now() + graceMs;
    await this.#quiet(until);
    for (const connection of this.#connections) {
      connection.session?.notify(EVENT_CONNECTIONS_DROPPED, TIME_TO_WAIT, 0);
      connection.finish('the target shuts down');
    }
    const over = Promise.all([...this.#connections].map(({ ended }) => ended));
    const late = setTimeout(() => {
      for (const connection of this.#connections) connection.break('it does not hang up');
    }, LAST_WORDS_MS);
    await over;
    clearTimeout(late);
  }

  sessionExists(tsih: number): boolean {
    return this.#byNumber.has(tsih);
  }

  log(text: string, level: 'info' | 'warn'): void {
    this.#log.log(level, text);
  }

  luns(): readonly number[] {
    return this.#options.luns();
  }

  dropSessions(why: string): void {
    for (const connection of this.#byPort.values()) connection.finish(why);
  }

  settle(connection: IscsiConnection, terms: LoginTerms): void {
    const key = `${terms.initiatorName} ${terms.isid.toString('hex')}`;
    const before = this.#entering.get(key) ?? Promise.resolve();
    const mine = before
      .then(() => this.#enter(connection, terms, key))
      .catch((error: unknown) => {
        connection.refuse(OUT_OF_RESOURCES, error instanceof Error ? error.message : 'failed');
      })
      .finally(() => {
        if (this.#entering.get(key) === mine) this.#entering.delete(key);
      });
    this.#entering.set(key, mine);
  }

  closed(connection: IscsiConnection): void {
    this.#connections.delete(connection);
    for (const [tsih, one] of this.#byNumber) if (one === connection) this.#byNumber.delete(tsih);
    for (const [key, one] of this.#byPort) if (one === connection) this.#byPort.delete(key);
  }

  #accept(socket: Socket): void {
    if (this.#stopping) socket.destroy();
    else this.#connections.add(new IscsiConnection(socket, this));
  }

  async #enter(connection: IscsiConnection, terms: LoginTerms, key: string): Promise<void> {
    if (!connection.alive) return;
    const { discovery } = terms;
    // The same initiator port again: the old session ends first, and all its commands with it (RFC 7143 6.3.5).
    const old = discovery ? undefined : this.#byPort.get(key);
    if (old !== undefined) {
      old.break('the initiator logged in again');
      await old.ended;
    }
    if (this.#byNumber.size >= MAX_SESSIONS || this.#stopping) {
      connection.refuse(OUT_OF_RESOURCES, 'no more sessions are served');
      return;
    }
    const nexus = discovery ? null : await this.#openNexus(terms);
    if (!connection.alive || this.#stopping) {
      await nexus?.logout();
      connection.break('the target shuts down');
      return;
    }
    const session = new Session({
      terms,
      connection,
      nexus,
      // The last login response takes one more.
      statSN: (connection.statSN + 1) >>> 0,
      targetName: this.targetName,
      management: this,
    });
    const tsih = this.#nextNumber();
    this.#byNumber.set(tsih, connection);
    if (!discovery) this.#byPort.set(key, connection);
    connection.enter(session, tsih);
    this.log(`${connection.peer}: logged in${discovery ? ' for discovery' : ''}`, 'info');
  }

  async #openNexus(terms: LoginTerms, attempt = 1): Promise<SrpNexus> {
    const { initiatorName, isid } = terms;
    const initiatorPort = initiatorPortIdentifier(initiatorName, isid);
    await this.#options.namePort(initiatorPort, encodeIscsiTransportId(initiatorName, isid));
    const link = await this.#options.openLink(initiatorName);
    try {
      return await SrpNexus.open({
        link,
        name: initiatorName,
        initiatorPort,
        targetPort: targetPortIdentifier(this.targetName),
        commands: NEXUS_COMMANDS,
      });
    } catch (error) {
      const busy = error instanceof NexusRefusedError && error.reason === REJECT_UNASSOCIABLE;
      if (!busy || attempt === LOGIN_ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOGIN_AGAIN_MS));
    return this.#openNexus(terms, attempt + 1);
  }

  #nextNumber(): number {
    do {
      this.#lastNumber = (this.#lastNumber % 0xffff) + 1;
    } while (this.#byNumber.has(this.#lastNumber));
    return this.#lastNumber;
  }

  /** Waits until no session has a command outstanding, or it is `untilMs`. */
  #quiet(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        const busy = [...this.#connections].some(({ session }) => (session?.outstanding ?? 0) > 0);
        if (!busy || performance.now() >= untilMs) resolve();
        else setTimeout(look, LOOK_MS);
      };
      look();
    });
  }
}
