/** The back end's listening socket: whoever connects is served, each connection as a device of its own. */
import { close, peerProcess, SOCK_STREAM } from '../../libc.ts';
import { ListeningSocket } from '../listening-socket.ts';

export interface VhostListenerOptions {
  /** Path of the unix socket, made by the listener and removed by `close`. */
  readonly path: string;
  /** Access mode of the socket; default 0600. */
  readonly mode?: number;
  /** Most connections at a time; default 256. */
  readonly maxConnections?: number;
}

/** A front end that has connected. The descriptor is the owner's. */
export interface FrontEnd {
  readonly fd: number;
  /** Process that connected, 0 when the kernel does not say. */
  readonly processId: number;
}

export class VhostListener {
  /** Non-blocking. Wait for it to become readable, then call `accept` until it returns null. */
  readonly fd: number;
  readonly path: string;
  readonly #socket: ListeningSocket;
  readonly #maxConnections: number;
  #connections = 0;

  /** Throws ListenError. A socket left behind by a dead process is replaced. */
  constructor(options: VhostListenerOptions) {
    this.#maxConnections = options.maxConnections ?? 256;
    this.#socket = new ListeningSocket({
      path: options.path,
      kind: SOCK_STREAM,
      ...(options.mode === undefined ? {} : { mode: options.mode }),
      // The protocol has no words for it: a front end that waits for its first answer sees the end instead.
      refuse: () => undefined,
    });
    this.fd = this.#socket.fd;
    this.path = options.path;
  }

  /** Newcomers that were turned away for want of room or descriptors. */
  get refusals(): number {
    return this.#socket.refusals;
  }

  /** Next front end, or null when none waits. `released` gives its place back. */
  accept(): FrontEnd | null {
    const fd = this.#socket.accept(() =>
      this.#connections < this.#maxConnections
        ? null
        : `connections are ${this.#maxConnections}; no more are served`,
    );
    if (fd < 0) return null;
    this.#connections += 1;
    return { fd, processId: peerProcess(fd) };
  }

  /** A connection that `accept` returned has ended. */
  released(): void {
    this.#connections -= 1;
  }

  /** A front end that could not be served after all. */
  dismiss(frontEnd: FrontEnd): void {
    close(frontEnd.fd);
    this.released();
  }

  /** Stops listening and removes the socket file. Connections stay. */
  close(): void {
    this.#socket.close();
  }
}
