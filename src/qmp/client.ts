/** A client of QEMU's machine protocol (QMP): commands as promises, events as calls and as waits that end in time. */
import { connect, type Socket } from 'node:net';
import {
  encodeCommand,
  type QemuVersion,
  type QmpCommand,
  type QmpCommands,
  type QmpEvent,
  type QmpMessage,
  readQmpMessage,
} from './messages.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
/** QEMU's longest answers (query-qmp-schema, block graphs) stay far below. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;

export type QmpErrorCode =
  /** Nobody listens at the path, or it cannot be used. */
  | 'ERR_QMP_ADDRESS'
  /** The other end does not speak QMP. */
  | 'ERR_QMP_MESSAGE'
  /** QEMU closed the connection: it ended, or somebody else's monitor took over. */
  | 'ERR_QMP_CLOSED'
  /** No greeting, answer or event in time. */
  | 'ERR_QMP_TIMEOUT'
  /** QEMU understood the command and refused it. */
  | 'ERR_QMP_REFUSED';

/** A QMP connection or a command on it failed. The text names the command, or the socket. */
export class QmpError extends Error {
  readonly code: QmpErrorCode;
  /** QEMU's error class when it refused: GenericError, DeviceNotFound, CommandNotFound …; else null. */
  readonly errorClass: string | null;
  constructor(code: QmpErrorCode, message: string, errorClass: string | null = null) {
    super(message);
    this.code = code;
    this.errorClass = errorClass;
  }
}

export interface QmpClientOptions {
  /** Unix socket of `-qmp unix:PATH,server=on`. */
  readonly path: string;
  /** Longest wait for the greeting and for each answer. */
  readonly timeoutMs?: number;
  readonly onEvent?: (event: QmpEvent) => void;
}

interface WaitingCommand {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

interface WaitingEvent {
  readonly matches: (event: QmpEvent) => boolean;
  readonly resolve: (event: QmpEvent) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

function addressError(path: string, error: NodeJS.ErrnoException): QmpError {
  const nobody = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
  const why = nobody ? 'no QEMU listens there' : error.message;
  return new QmpError('ERR_QMP_ADDRESS', `Cannot connect to QMP socket "${path}": ${why}`);
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('error', (error) => reject(addressError(path, error)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

export class QmpClient {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #onEvent: ((event: QmpEvent) => void) | null;
  readonly #commands = new Map<number, WaitingCommand>();
  readonly #events = new Set<WaitingEvent>();
  #rest = '';
  #lastId = 0;
  #version: QemuVersion = { major: 0, minor: 0, micro: 0, package: '' };
  #greet: (error: Error | null) => void = () => undefined;
  readonly #greeted: Promise<void>;
  /** Why nothing more will come, once that is so. */
  #failure: QmpError | null = null;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, options: QmpClientOptions) {
    this.#socket = socket;
    this.#path = options.path;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#onEvent = options.onEvent ?? null;
    this.#greeted = new Promise((resolve, reject) => {
      // A monitor socket serves one client at a time: a second one connects and hears nothing.
      const timer = setTimeout(() => {
        const why = 'QEMU serves one client of a monitor at a time: is another one connected?';
        this.#fail('ERR_QMP_TIMEOUT', `No greeting from QMP socket "${this.#path}". ${why}`);
      }, this.#timeoutMs);
      this.#greet = (error) => {
        clearTimeout(timer);
        if (error === null) resolve();
        else reject(error);
      };
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#fail('ERR_QMP_CLOSED', 'QEMU closed the connection');
        resolve();
      });
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#received(chunk));
    socket.on('error', (error) => {
      this.#fail('ERR_QMP_CLOSED', `QEMU closed the connection: ${error.message}`);
    });
  }

  /** Connects, reads the greeting and leaves the negotiation mode. Throws QmpError. */
  static async connect(options: QmpClientOptions): Promise<QmpClient> {
    const client = new QmpClient(await open(options.path), options);
    await client.#greeted;
    try {
      await client.execute('qmp_capabilities');
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** The QEMU at the other end. */
  get version(): QemuVersion {
    return this.#version;
  }

  /** Sends a command and resolves with what it returns. Rejects with QmpError. */
  execute<C extends QmpCommand>(
    command: C,
    args?: QmpCommands[C]['arguments'],
    timeoutMs?: number,
  ): Promise<QmpCommands[C]['value']>;
  execute(
    command: string,
    args?: Readonly<Record<string, unknown>>,
    timeoutMs?: number,
  ): Promise<unknown>;
  execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#lost(command));
        return;
      }
      this.#lastId += 1;
      const id = this.#lastId;
      const timer = setTimeout(() => {
        this.#commands.delete(id);
        const text = `QMP command ${command} was not answered within ${timeoutMs} ms`;
        reject(new QmpError('ERR_QMP_TIMEOUT', text));
      }, timeoutMs);
      this.#commands.set(id, { command, resolve, reject, timer });
      this.#socket.write(encodeCommand(command, args, id));
    });
  }

  /**
   * Resolves with the next event of this name that `matches`. Call it before the command that causes the event: events
   * that came before are not looked at. Rejects with QmpError when the time is over or the connection ends.
   */
  waitFor(
    name: string,
    matches: (event: QmpEvent) => boolean = () => true,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<QmpEvent> {
    const promise = new Promise<QmpEvent>((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#lost(`event ${name}`));
        return;
      }
      const waiting: WaitingEvent = {
        matches: (event) => event.event === name && matches(event),
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#events.delete(waiting);
          const text = `QMP event ${name} did not come within ${timeoutMs} ms`;
          reject(new QmpError('ERR_QMP_TIMEOUT', text));
        }, timeoutMs),
      };
      this.#events.add(waiting);
    });
    // Whoever waits may still be busy with the command that causes the event when the wait fails.
    promise.catch(() => undefined);
    return promise;
  }

  close(): void {
    this.#fail('ERR_QMP_CLOSED', 'this end closed the connection');
  }

  #received(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_CHARACTERS) {
      this.#fail('ERR_QMP_MESSAGE', `a line of more than ${MAX_LINE_CHARACTERS} characters came`);
      return;
    }
    for (const line of lines) {
      if (this.#failure !== null) return;
      if (line.trim() !== '') this.#line(line);
    }
  }

  #line(line: string): void {
    const message = readQmpMessage(line);
    if (message === null) {
      this.#fail('ERR_QMP_MESSAGE', `"${line.slice(0, 80)}" is no QMP message`);
      return;
    }
    switch (message.kind) {
      case 'greeting':
        this.#version = message.version;
        this.#greet(null);
        return;
      case 'event':
        this.#tell(message.event);
        return;
      case 'return':
        this.#answered(message.id)?.resolve(message.value);
        return;
      case 'error':
        this.#refused(message);
        return;
    }
  }

  /** The command an answer belongs to. An answer to a command that timed out comes too late for anyone. */
  #answered(id: number | null): WaitingCommand | null {
    const waiting = id === null ? undefined : this.#commands.get(id);
    if (id === null || waiting === undefined) return null;
    this.#commands.delete(id);
    clearTimeout(waiting.timer);
    return waiting;
  }

  #refused(message: Extract<QmpMessage, { readonly kind: 'error' }>): void {
    if (message.id === null) {
      this.#fail('ERR_QMP_MESSAGE', `QEMU could not read a command: ${message.text}`);
      return;
    }
    const waiting = this.#answered(message.id);
    if (waiting === null) return;
    const text = `QMP command ${waiting.command} was refused: ${message.text}`;
    waiting.reject(new QmpError('ERR_QMP_REFUSED', text, message.errorClass));
  }

  #tell(event: QmpEvent): void {
    for (const waiting of [...this.#events]) {
      if (!waiting.matches(event)) continue;
      this.#events.delete(waiting);
      clearTimeout(waiting.timer);
      waiting.resolve(event);
    }
    this.#onEvent?.(event);
  }

  #lost(what: string): QmpError {
    const { code = 'ERR_QMP_CLOSED', message = 'the connection is gone' } = this.#failure ?? {};
    return new QmpError(code, `No QMP ${what}: ${message}`);
  }

  #fail(code: QmpErrorCode, why: string): void {
    if (this.#failure !== null) return;
    const failure = new QmpError(code, `QMP socket "${this.#path}": ${why}`);
    this.#failure = failure;
    this.#greet(failure);
    for (const { command, reject, timer } of this.#commands.values()) {
      clearTimeout(timer);
      reject(new QmpError(code, `QMP command ${command} has no answer: ${why}`));
    }
    this.#commands.clear();
    for (const { reject, timer } of this.#events) {
      clearTimeout(timer);
      reject(failure);
    }
    this.#events.clear();
    this.#socket.destroy();
  }
}
