/** A real daemon in a process of its own, in a directory of its own, that is gone when the spec is. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../../src/transport/control/client.ts';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'cli', 'main.js');
const START_MS = 10_000;

export class DaemonProcess {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ringscsi-spec-'));
  readonly #luns: readonly string[];
  readonly #listen: readonly string[];
  readonly #options: readonly string[];
  readonly #under: readonly string[];
  #child: ChildProcess | null = null;
  #control: ControlClient | null = null;
  #errors = '';
  #ready = '';

  private constructor(
    luns: readonly string[],
    listen: readonly string[],
    options: readonly string[],
    under: readonly string[],
  ) {
    this.#luns = luns;
    this.#listen = listen;
    this.#options = options;
    this.#under = under;
  }

  /**
   * Starts a daemon with these `--lun` and further `--listen` options, and other options; relative paths are in its
   * directory. `under`: a command that runs it, and stays the same process.
   */
  static async start(
    luns: readonly string[] = [],
    listen: readonly string[] = [],
    options: readonly string[] = [],
    under: readonly string[] = [],
  ): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(luns, listen, options, under);
    await daemon.restart();
    return daemon;
  }

  get connect(): string {
    return `srp:${this.socket}`;
  }
  get socket(): string {
    return join(this.directory, 'a.sock');
  }
  /** Path of something in its directory. */
  path(name: string): string {
    return join(this.directory, name);
  }
  get processId(): number {
    assert(this.#child?.pid, 'the daemon runs');
    return this.#child.pid;
  }
  /** The line it said it was ready with. */
  get ready(): string {
    return this.#ready;
  }
  /** What it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** Starts it again after `kill`. */
  async restart(): Promise<void> {
    const control = join(this.directory, 'c.sock');
    const args = ['serve', '--listen', this.connect, '--control', control, ...this.#options];
    for (const lun of this.#luns) args.push('--lun', lun);
    for (const port of this.#listen) args.push('--listen', port);
    const [command = '', ...words] = [...this.#under, process.execPath, MAIN, ...args];
    const child = spawn(command, words, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    const lines = createInterface({ input: child.stdout });
    const ready = once(lines, 'line', { signal: AbortSignal.timeout(START_MS) });
    const ended = once(child, 'exit').then(([code, signal]) => {
      // It ended by itself in the middle of a test: the reason is in what it said last.
      if (this.#child === child) {
        process.stderr.write(
          `the daemon ended (${code ?? signal}): ${this.#errors.slice(-2000)}\n`,
        );
      }
      throw new Error(`the daemon ended: ${this.#errors}`);
    });
    const [line] = (await Promise.race([ready, ended])) as [string];
    this.#ready = line;
    ended.catch(() => undefined);
    this.#control = await ControlClient.connect({ path: control });
  }

  call(verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    assert(this.#control, 'the daemon runs');
    return this.#control.call(verb, args);
  }

  /** Ends it without asking. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    this.#control?.close();
    this.#control = null;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [exitCode] = (await ended) as [number | null];
    return exitCode;
  }

  async end(): Promise<void> {
    await this.kill('SIGTERM');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Ends it, and what it left, before this process ends. */
  abandon(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Open descriptors of the daemon. */
  descriptors(): number {
    return readdirSync(`/proc/${this.processId}/fd`).length;
  }

  /** Mappings of shared memory that guests brought. */
  guestMappings(): number {
    return this.mappingsOf('ringscsi ');
  }

  /** Mappings of memory files whose name begins so. */
  mappingsOf(name: string): number {
    const maps = readFileSync(`/proc/${this.processId}/maps`, 'latin1');
    return maps.split('\n').filter((line) => line.includes(`memfd:${name}`)).length;
  }

  residentBytes(): number {
    const status = readFileSync(`/proc/${this.processId}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }
}
