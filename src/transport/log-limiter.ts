/** Keeps a peer from filling the log: a few lines a second pass, the next line says how many did not. */

export type LogLevel = 'info' | 'warn';

const LINES = 8;
const PERIOD_MS = 1000;

export class LogLimiter {
  readonly #write: (text: string, level: LogLevel) => void;
  readonly #nowMs: () => number;
  #periodStartMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #dropped = 0;

  constructor(
    write: (text: string, level: LogLevel) => void,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#write = write;
    this.#nowMs = nowMs;
  }

  log(level: LogLevel, text: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#periodStartMs >= PERIOD_MS) {
      this.#periodStartMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines === LINES) {
      this.#dropped += 1;
      return;
    }
    this.#lines += 1;
    const dropped = this.#dropped;
    this.#dropped = 0;
    const note = dropped === 0 ? '' : ` (${dropped} lines before this one were dropped)`;
    this.#write(text + note, level);
  }
}
