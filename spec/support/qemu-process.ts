/** A real QEMU in a process of its own, with a QMP socket, that is gone when the spec is. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QmpClient, type QmpClientOptions, QmpError } from '../../src/qmp/client.ts';

const BINARY = 'qemu-system-x86_64';
const LOOK_MS = 20;
const START_MS = 20_000;

/** The title of a spec that needs QEMU, with the reason when it cannot run here. */
export function needsQemu(title: string): { readonly title: string; readonly missing: boolean } {
  const missing = spawnSync(BINARY, ['--version']).status !== 0;
  const reason = `${title} (skipped: ${BINARY} is not installed, apt-get install qemu-system-x86)`;
  return { title: missing ? reason : title, missing };
}

export class QemuProcess {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  errors = '';

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.#child = child;
    this.#exit = once(child, 'close').then(([code]) => code as number | null);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
  }

  /** Starts QEMU without devices, stopped, in `directory` or one of its own; `words` are added. */
  static start(words: readonly string[], directory: string | null = null): QemuProcess {
    const home = directory ?? mkdtempSync(join(tmpdir(), 'ringscsi-qemu-'));
    const fixed = ['-S', '-nodefaults', '-display', 'none', '-accel', 'tcg'];
    const qmp = ['-qmp', 'unix:qmp.sock,server=on,wait=off'];
    const child = spawn(BINARY, [...fixed, ...qmp, ...words], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return new QemuProcess(home, child);
  }

  get socket(): string {
    return join(this.directory, 'qmp.sock');
  }

  /** A client, as soon as QEMU listens. Throws when it ended instead. */
  async connect(options: Omit<QmpClientOptions, 'path'> = {}): Promise<QmpClient> {
    const until = Date.now() + START_MS;
    for (;;) {
      try {
        return await QmpClient.connect({ ...options, path: this.socket });
      } catch (error) {
        // Not there yet, or the socket of an earlier QEMU.
        const early = error instanceof QmpError && error.code !== 'ERR_QMP_REFUSED';
        if (this.#child.exitCode !== null) throw new Error(`QEMU ended: ${this.errors}`);
        if (!early || Date.now() > until) throw error;
      }
      await sleep(LOOK_MS);
    }
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#exit;
  }

  /** Ends it at once. */
  async end(keep = false): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}
