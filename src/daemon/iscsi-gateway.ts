/** The daemon's iSCSI portals: in the main thread, each session an initiator that attaches to the reactor over its own ring. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRingLink } from '../initiator/ring-link.ts';
import { IscsiServer } from '../transport/iscsi/server.ts';
import type { Link } from '../transport/link.ts';
import type { IscsiConfig, IscsiListenConfig } from './iscsi-config.ts';

/** Memory of one session: queues, IUs, and the data of all its commands. Pages cost memory when they are touched. */
const SESSION_BYTES = 16 * 2 ** 20;
const ATTACH_MS = 5000;
/** Longest name of an attachment. */
const ATTACH_NAME_BYTES = 64;
const DEFAULT_NAMING_AUTHORITY = 'iqn.2026-11.localhost';

export interface IscsiGatewayOptions {
  readonly listen: readonly IscsiListenConfig[];
  readonly config: IscsiConfig | null;
  /** Name of the daemon. */
  readonly name: string;
  /** Makes the reactor listen at a socket. */
  readonly listenAt: (path: string) => Promise<void>;
  /** Tells the target what an initiator port (32 hexadecimal digits) is called. */
  readonly namePort: (port: string, transportId: Uint8Array) => Promise<void>;
  readonly luns: () => readonly number[];
  readonly log: (text: string, level: 'info' | 'warn') => void;
}

/** Name of the target when none is configured: the name of the daemon, in the characters an iSCSI name may have. */
export function defaultTargetName(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9.-]+/g, '-');
  return `${DEFAULT_NAMING_AUTHORITY}:${plain}`;
}

export class IscsiGateway {
  readonly #servers: readonly IscsiServer[];
  readonly #listen: readonly IscsiListenConfig[];
  /** Where the private socket is that only this process attaches to. */
  readonly #directory: string;

  private constructor(options: IscsiGatewayOptions) {
    const { config } = options;
    this.#directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    this.#listen = options.listen;
    this.#servers = options.listen.map(
      ({ host, port }) =>
        new IscsiServer({
          host,
          port,
          targetName: config?.target ?? defaultTargetName(options.name),
          chap: config?.chap ?? null,
          initiators: config?.initiators ?? null,
          openLink: (name) => this.#openLink(name),
          namePort: (port, transportId) => options.namePort(port.toString('hex'), transportId),
          luns: options.luns,
          log: options.log,
        }),
    );
  }

  /** Opens every portal. Rejects with IscsiListenError or what `listenAt` rejects with; nothing is left open then. */
  static async open(options: IscsiGatewayOptions): Promise<IscsiGateway> {
    const gateway = new IscsiGateway(options);
    try {
      await options.listenAt(gateway.#socket);
      await Promise.all(gateway.#servers.map((server) => server.listen()));
    } catch (error) {
      await gateway.stop(0);
      throw error;
    }
    return gateway;
  }

  /** `iscsi:HOST:PORT` of every portal, with the port it really has. */
  portals(): string[] {
    return this.#servers.map((server, i) => {
      const { path } = this.#listen[i] as IscsiListenConfig;
      return `iscsi:${path.slice(0, path.lastIndexOf(':'))}:${server.port}`;
    });
  }

  /** Ends every session once its commands have ended, or after the grace time. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop(graceMs)));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #socket(): string {
    return join(this.#directory, 'srp.sock');
  }

  #openLink(name: string): Promise<Link> {
    return openRingLink({
      path: this.#socket,
      name: name.slice(-ATTACH_NAME_BYTES),
      queuePairs: 1,
      regionBytes: SESSION_BYTES,
      timeoutMs: ATTACH_MS,
    });
  }
}
