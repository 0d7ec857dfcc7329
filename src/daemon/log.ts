/** The daemon's log: one line each on standard error, which may be slow, full or gone without anybody waiting for it. */
import { Buffer } from 'node:buffer';
import { closeSync, constants, openSync, write, writeSync } from 'node:fs';
import { EAGAIN, sendMessage } from '../libc.ts';

export type LogLevel = 'info' | 'warn' | 'error';
export type LogFormat = 'text' | 'json';

/** Takes log lines. */
export interface Log {
  write(level: LogLevel, text: string): void;
}

const STANDARD_ERROR = 2;
const RETRY_MS = 100;
const MAX_QUEUED_BYTES = 256 * 1024;

/** What became of a line. */
const WRITTEN = 0;
const BUSY = 1;
const LOST = 2;
type Outcome = typeof WRITTEN | typeof BUSY | typeof LOST;

/** A way to write to a descriptor that never waits. */
interface Sink {
  put(line: Buffer): Outcome;
  close(): void;
}

/** A file, pipe or terminal, opened again: O_NONBLOCK on the inherited description would hit everyone who shares it. */
class ReopenedSink implements Sink {
  readonly #fd: number;

  constructor(fd: number) {
    const { O_WRONLY, O_NONBLOCK, O_APPEND, O_NOCTTY } = constants;
    this.#fd = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY);
  }

  put(line: Buffer): Outcome {
    try {
      writeSync(this.#fd, line);
      return WRITTEN;
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EAGAIN' ? BUSY : LOST;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** A socket (service managers connect one): cannot be opened again, but can be sent to without waiting. */
class SocketSink implements Sink {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  put(line: Buffer): Outcome {
    const result = sendMessage(this.#fd, line, []);
    if (result === 0) return WRITTEN;
    return result === -EAGAIN ? BUSY : LOST;
  }

  close(): void {}
}

/** What can be neither reopened nor sent to: one write at a time, in libuv's threads. */
class QueuedSink implements Sink {
  readonly #fd: number;
  #writing = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  put(line: Buffer): Outcome {
    if (this.#writing) return BUSY;
    this.#writing = true;
    write(this.#fd, line, () => {
      this.#writing = false;
    });
    return WRITTEN;
  }

  close(): void {}
}

function openSink(fd: number): Sink {
  try {
    return new ReopenedSink(fd);
  } catch (error) {
    const socket = error instanceof Error && 'code' in error && error.code === 'ENXIO';
    return socket ? new SocketSink(fd) : new QueuedSink(fd);
  }
}

/** Writes lines to a descriptor (standard error). Never blocks, never throws; lines it had to drop are counted. */
export class DescriptorLog implements Log {
  readonly #sink: Sink;
  readonly #format: LogFormat;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(format: LogFormat, fd = STANDARD_ERROR) {
    this.#format = format;
    this.#sink = openSink(fd);
  }

  /** Lines lost since the last one that was written after a loss. */
  get dropped(): number {
    return this.#dropped;
  }

  write(level: LogLevel, text: string): void {
    const line = this.#line(level, text);
    if (this.#queuedBytes + line.length > MAX_QUEUED_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push(line);
    this.#queuedBytes += line.length;
    this.#drain();
  }

  /** Tries once more to write what is queued, and lets the descriptor go. */
  close(): void {
    this.#drain();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue.length = 0;
    this.#sink.close();
  }

  #drain(): void {
    for (let line = this.#queue[0]; line !== undefined; line = this.#queue[0]) {
      const outcome = this.#sink.put(line);
      if (outcome === BUSY) {
        this.#retryLater();
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= line.length;
      if (outcome === LOST) this.#dropped += 1;
      else if (this.#dropped > 0) this.#tellDropped();
    }
  }

  #tellDropped(): void {
    const line = this.#line('warn', `${this.#dropped} log lines were lost: nobody took them`);
    this.#dropped = 0;
    this.#queue.push(line);
    this.#queuedBytes += line.length;
  }

  #retryLater(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#drain();
    }, RETRY_MS);
    this.#timer.unref();
  }

  #line(level: LogLevel, text: string): Buffer {
    const time = new Date().toISOString();
    if (this.#format === 'json') {
      return Buffer.from(`${JSON.stringify({ time, level, text })}\n`);
    }
    return Buffer.from(`${time} ${level} ${text.replaceAll(/\s*\n\s*/g, ' | ')}\n`);
  }
}
