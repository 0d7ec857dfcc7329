/** The processes of the demo: the daemon and the guests, in a directory of their own; whatever happens they end with it. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../transport/control/client.ts';
import type { GuestAnswer, GuestCall, GuestTask } from './demo-guest.ts';

const START_MS = 10_000;
const STOP_MS = 10_000;
const ANSWER_MS = 40_000;

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class GuestProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(name: string) {
    this.name = name;
    this.#child = fork(script('./demo-guest.js'), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: GuestAnswer) => this.#answered(answer));
    this.#child.on('exit', () => {
      for (const { reject, timer } of this.#waiting.values()) {
        clearTimeout(timer);
        reject(new Error(`the process of ${name} ended`));
      }
      this.#waiting.clear();
    });
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  /** Has the guest do something; rejects with what it failed with. */
  call<T>(task: GuestTask): Promise<T> {
    this.#lastId += 1;
    const call: GuestCall = { id: this.#lastId, task };
    return new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(call.id);
        reject(new Error(`${this.name} did not finish "${task.kind}" within ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      this.#waiting.set(call.id, { resolve, reject, timer });
      this.#child.send(call);
    }) as Promise<T>;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #answered(answer: GuestAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if (answer.ok) waiting.resolve(answer.value);
    else waiting.reject(new Error(`${this.name}: ${answer.message}`));
  }
}

export class Cast {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ringscsi-demo-'));
  readonly #guests: GuestProcess[] = [];
  #daemon: ChildProcess | null = null;
  #control: ControlClient | null = null;

  get connect(): string {
    return `srp:${join(this.directory, 'target.sock')}`;
  }
  get daemonProcessId(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Starts the daemon with these LUNs; resolves when it says that it is ready. */
  async startDaemon(luns: readonly string[], listen: string = this.connect): Promise<void> {
    const control = join(this.directory, 'control.sock');
    const args = ['serve', '--listen', listen, '--control', control, '--name', 'demo'];
    for (const lun of luns) args.push('--lun', lun);
    const daemon = spawn(process.execPath, [script('./main.js'), ...args], {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#daemon = daemon;
    let errors = '';
    daemon.stderr.on('data', (chunk: Uint8Array) => {
      errors += Buffer.from(chunk).toString();
    });
    const lines = createInterface({ input: daemon.stdout });
    const ready = once(lines, 'line', { signal: AbortSignal.timeout(START_MS) });
    const ended = once(daemon, 'exit').then(() => {
      throw new Error(`the daemon ended: ${errors.trim()}`);
    });
    ended.catch(() => undefined);
    await Promise.race([ready, ended]);
    this.#control = await ControlClient.connect({ path: control });
  }

  /** Asks the daemon over its control socket. */
  async control<T>(verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    if (this.#control === null) throw new Error('the daemon does not run');
    return (await this.#control.call(verb, args)) as T;
  }

  guest(name: string): GuestProcess {
    const guest = new GuestProcess(name);
    this.#guests.push(guest);
    return guest;
  }

  /** Ends the daemon the way a service manager does; resolves with its exit code. */
  async stopDaemon(): Promise<number | null> {
    const daemon = this.#daemon;
    this.#control?.close();
    this.#control = null;
    if (daemon === null || daemon.exitCode !== null) return daemon?.exitCode ?? null;
    const ended = once(daemon, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    daemon.kill('SIGTERM');
    const [exitCode] = (await ended) as [number | null];
    this.#daemon = null;
    return exitCode;
  }

  /** Ends every process at once and removes the directory. */
  end(): void {
    for (const guest of this.#guests) guest.kill();
    this.#control?.close();
    this.#daemon?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
