/** The daemon's end of the control socket: many clients, one request at a time for each, nothing unbounded. */
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  ControlError,
  encodeFrame,
  FrameReader,
  GREETING,
  MAX_FRAME_BYTES,
  type Reply,
  type Request,
  readGreeting,
  readRequest,
} from './protocol.ts';

const MAX_CLIENTS = 64;
/** Unread bytes of a client above which events are dropped and its next request waits. */
const MAX_UNREAD_BYTES = MAX_FRAME_BYTES;
const GREETING_TIMEOUT_MS = 5000;
/** How long a closing connection may take to drain. */
const CLOSE_TIMEOUT_MS = 500;

export interface ControlServerOptions {
  readonly path: string;
  /** Executes a request. What it throws becomes the error of the reply: `code` of the error, or ERR_INTERNAL. */
  readonly handle: (request: Request, client: ControlSession) => Promise<unknown>;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

function errorReply(id: number, error: unknown): Reply {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_INTERNAL';
  return { id, ok: false, error: { code, message } };
}

/** One connected client. */
export class ControlSession {
  readonly #socket: Socket;
  readonly #options: ControlServerOptions;
  readonly #reader = new FrameReader();
  /** Frames of the last chunk that wait their turn; the socket is paused while there are any. */
  readonly #waiting: Uint8Array[] = [];
  #greeted = false;
  #busy = false;
  #dropped = 0;
  /** Called once when the client is gone. */
  onClosed: (() => void) | null = null;

  constructor(socket: Socket, options: ControlServerOptions) {
    this.#socket = socket;
    this.#options = options;
    const timer = setTimeout(
      () => this.#refuse('no greeting arrived in time'),
      GREETING_TIMEOUT_MS,
    );
    timer.unref();
    socket.on('data', (chunk: Uint8Array) => this.#received(chunk));
    socket.on('drain', () => this.#next());
    // A client may vanish at any moment: 'close' follows every error and is where it is dealt with.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      this.#waiting.length = 0;
      this.onClosed?.();
    });
    socket.write(encodeFrame(GREETING));
    this.#greetingTimer = timer;
  }

  readonly #greetingTimer: NodeJS.Timeout;

  /**
   * Sends an event. A client that does not read loses events instead of filling the daemon's memory; it is told how
   * many (`dropped`) once it reads again. False when this one was dropped.
   */
  send(event: string, value: unknown): boolean {
    if (this.#socket.destroyed) return false;
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) {
      this.#dropped += 1;
      return false;
    }
    if (this.#dropped > 0) {
      this.#socket.write(encodeFrame({ event: 'dropped', value: { count: this.#dropped } }));
      this.#dropped = 0;
    }
    this.#socket.write(encodeFrame({ event, value }));
    return true;
  }

  /** Ends the connection after what was sent; by force when the client does not take it. */
  close(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  #received(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (body) => this.#waiting.push(body));
    } catch (error) {
      this.#waiting.length = 0;
      this.#refuse(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#next();
  }

  /** Takes the next frame, unless one is being served or the client has not read its answers. */
  #next(): void {
    if (this.#busy || this.#socket.destroyed) return;
    if (this.#waiting.length === 0) {
      this.#socket.resume();
      return;
    }
    this.#socket.pause();
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) return;
    const body = this.#waiting.shift();
    if (body === undefined) return;
    try {
      if (this.#greeted) this.#serve(readRequest(body));
      else this.#greet(body);
    } catch (error) {
      this.#refuse(error instanceof Error ? error.message : String(error));
    }
  }

  #greet(body: Uint8Array): void {
    readGreeting(body);
    this.#greeted = true;
    clearTimeout(this.#greetingTimer);
    this.#next();
  }

  #serve(request: Request): void {
    this.#busy = true;
    this.#options
      .handle(request, this)
      .then(
        (value): Reply => ({ id: request.id, ok: true, value: value ?? null }),
        (error: unknown) => errorReply(request.id, error),
      )
      .then((reply) => {
        this.#busy = false;
        if (this.#socket.destroyed) return;
        this.#socket.write(this.#encode(reply));
        this.#next();
      })
      .catch((error: unknown) => this.#refuse(String(error)));
  }

  #encode(reply: Reply): Uint8Array {
    try {
      return encodeFrame(reply);
    } catch (error) {
      return encodeFrame(errorReply(reply.id, error));
    }
  }

  #refuse(why: string): void {
    if (this.#socket.destroyed) return;
    this.#options.log('warn', `control client refused: ${why}`);
    this.#socket.pause();
    this.#socket.write(
      encodeFrame({ event: 'refused', value: { code: 'ERR_CONTROL_FRAME', message: why } }),
    );
    this.#socket.removeAllListeners('data');
    this.#socket.removeAllListeners('drain');
    this.#socket.resume();
    this.close();
  }
}

function addressError(path: string, why: string): ControlError {
  return new ControlError(
    'ERR_CONTROL_ADDRESS',
    `Cannot listen at control socket "${path}": ${why}`,
  );
}

/** Whether somebody accepts connections at the socket file. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

/** Removes the socket file of a daemon that died. Throws ControlError when it lives, or the file is no socket. */
async function removeStale(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return;
  if (!file.isSocket()) {
    throw addressError(path, 'the file exists and is no socket; choose another path or remove it');
  }
  if (await answers(path)) {
    throw addressError(path, 'a running daemon answers there; stop it or choose another path');
  }
  unlinkSync(path);
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #sessions = new Set<ControlSession>();
  readonly #server: Server;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CLIENTS;
    this.#server.on('drop', () =>
      options.log('warn', `control client refused: ${MAX_CLIENTS} are connected`),
    );
  }

  get clients(): number {
    return this.#sessions.size;
  }

  /** Creates the socket file, readable and writable by its owner only. Throws ControlError. */
  async listen(): Promise<void> {
    const { path } = this.#options;
    await removeStale(path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(addressError(path, error.message)));
      this.#server.once('listening', () => resolve());
      // listen() binds before it returns: with this mask the file never exists with a wider mode.
      const mask = process.umask(0o177);
      try {
        this.#server.listen({ path });
      } finally {
        process.umask(mask);
      }
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (error) => {
      this.#options.log('warn', `control socket: ${error.message}`);
    });
  }

  /** Removes the socket file, ends every connection, and resolves when all are gone. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const session of this.#sessions) session.close();
    });
  }

  #accept(socket: Socket): void {
    const session = new ControlSession(socket, this.#options);
    this.#sessions.add(session);
    socket.on('close', () => this.#sessions.delete(session));
  }
}
