/** The other end of the control socket: requests as promises, events as calls. */
import { connect, type Socket } from 'node:net';
import {
  ControlError,
  encodeFrame,
  FrameReader,
  GREETING,
  RefusedError,
  readGreeting,
  readServerMessage,
} from './protocol.ts';

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ControlClientOptions {
  readonly path: string;
  /** Longest wait for the greeting and for each reply. */
  readonly timeoutMs?: number;
  readonly onEvent?: (event: string, value: unknown) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

function connectError(path: string, error: NodeJS.ErrnoException): ControlError {
  const nobody = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
  const why = nobody ? 'no daemon listens there' : error.message;
  return new ControlError(
    'ERR_CONTROL_ADDRESS',
    `Cannot connect to control socket "${path}": ${why}`,
  );
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('error', (error) => reject(connectError(path, error)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #options: ControlClientOptions;
  readonly #timeoutMs: number;
  readonly #reader = new FrameReader();
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeted: Promise<void>;
  #greet: (error: Error | null) => void = () => undefined;
  #hasGreeting = false;
  #lastId = 0;
  /** Why nothing more will come, once that is so. */
  #failure: Error | null = null;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, options: ControlClientOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#greeted = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new ControlError('ERR_CONTROL_TIMEOUT', `No greeting from "${options.path}"`));
      }, this.#timeoutMs);
      this.#greet = (error) => {
        clearTimeout(timer);
        if (error === null) resolve();
        else reject(error);
      };
    });
    socket.on('data', (chunk: Uint8Array) => this.#received(chunk));
    socket.on('error', (error) =>
      this.#fail(new ControlError('ERR_CONTROL_CLOSED', error.message)),
    );
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#fail(
          new ControlError(
            'ERR_CONTROL_CLOSED',
            `The daemon at "${options.path}" closed the connection`,
          ),
        );
        resolve();
      });
    });
    socket.write(encodeFrame(GREETING));
  }

  /** Connects and checks that a ringscsi of this protocol version answers. Throws ControlError. */
  static async connect(options: ControlClientOptions): Promise<ControlClient> {
    const client = new ControlClient(await open(options.path), options);
    await client.#greeted;
    return client;
  }

  /** Sends a request and resolves with its value. Rejects with RefusedError (the daemon said no) or ControlError. */
  call(verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#lastId = (this.#lastId + 1) % 2 ** 32;
      const id = this.#lastId;
      const frame = encodeFrame({ id, verb, args });
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new ControlError(
            'ERR_CONTROL_TIMEOUT',
            `No answer to "${verb}" within ${this.#timeoutMs} ms`,
          ),
        );
      }, this.#timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(frame);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (body) => this.#frame(body));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #frame(body: Uint8Array): void {
    if (!this.#hasGreeting) {
      readGreeting(body);
      this.#hasGreeting = true;
      this.#greet(null);
      return;
    }
    const message = readServerMessage(body);
    if ('event' in message) {
      this.#options.onEvent?.(message.event, message.value);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    // A reply to a request that timed out comes too late for anyone.
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.ok) waiting.resolve(message.value);
    else waiting.reject(new RefusedError(message.error.code, message.error.message));
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#greet(error);
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.#waiting.clear();
    this.#socket.destroy();
  }
}
