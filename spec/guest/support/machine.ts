/** A QEMU process under TCG: its command line, console, monitor and end. Nothing in here knows what runs inside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootFiles } from '../../../src/guest-image/initramfs.ts';
import { QmpClient } from '../../../src/qmp/client.ts';

export interface MachineOptions {
  /** Kernel and initramfs; null: the firmware boots from a disk. */
  readonly boot: BootFiles | null;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Further QEMU options. */
  readonly options: readonly string[];
  /** Empty PCI Express slots for devices that come later: buses rp1, rp2 … */
  readonly slots: number;
}

const START_MS = 30_000;

/**
 * Machines that run, to be killed when this process ends before its tests do.
 */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** q35 boots fastest, "max" is as fast as any model, KVM cannot be had everywhere. */
function commandLine(machine: MachineOptions, directory: string): string[] {
  const words = ['-accel', 'tcg', '-cpu', 'max', '-machine', 'q35,memory-backend=memory'];
  words.push('-nodefaults', '-display', 'none', '-no-reboot', '-m', String(machine.memoryMiB));
  // A device process works on this memory too.
  words.push('-object', `memory-backend-memfd,id=memory,size=${machine.memoryMiB}M,share=on`);
  // With one possible CPU, TCG leaves out the memory barriers that the other process counts on.
  words.push('-smp', `${machine.cpus},maxcpus=${Math.max(2, machine.cpus)}`);
  words.push('-serial', 'stdio');
  words.push('-qmp', `unix:${join(directory, 'qmp.sock')},server=on,wait=off`);
  if (machine.boot !== null) {
    words.push('-kernel', machine.boot.kernel, '-initrd', machine.boot.initramfs);
    // The kernel counts ticks to see whether the timer works; on a busy host there are too few, and it panics.
    const options =
      'console=ttyS0 panic=-1 quiet nokaslr mitigations=off tsc=reliable no_timer_check';
    words.push('-append', options);
  }
  for (let slot = 1; slot <= machine.slots; slot++) {
    words.push('-device', `pcie-root-port,id=rp${slot},chassis=${slot},slot=${slot}`);
  }
  return [...words, ...machine.options];
}

export class Machine {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  #hasEnded = false;
  #qmp: QmpClient | null = null;
  /** What came over the serial port. */
  console = '';
  /** What QEMU itself had to say. */
  errors = '';

  private constructor(directory: string, words: readonly string[]) {
    this.directory = directory;
    const child = spawn('qemu-system-x86_64', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    running.add(child);
    child.stdout.on('data', (chunk: Buffer) => {
      this.console += chunk.toString('latin1');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
    this.#closed = once(child, 'close').then(([code]) => {
      this.#hasEnded = true;
      running.delete(child);
      return code as number | null;
    });
    this.#closed.catch(() => undefined);
  }

  /** Starts QEMU and connects to its monitor. `options` may depend on the machine's directory, for its sockets. */
  static async start(
    options: Omit<MachineOptions, 'options'>,
    words: (directory: string) => readonly string[],
  ): Promise<Machine> {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-guest-'));
    const line = commandLine({ ...options, options: words(directory) }, directory);
    const machine = new Machine(directory, line);
    try {
      await machine.#connect();
    } catch (error) {
      await machine.kill();
      throw error;
    }
    return machine;
  }

  async #connect(): Promise<void> {
    const path = join(this.directory, 'qmp.sock');
    this.#qmp = await this.listening('the QMP socket of QEMU', START_MS, () =>
      QmpClient.connect({ path }),
    );
  }

  /** QEMU's monitor. */
  get qmp(): QmpClient {
    if (this.#qmp === null) throw new Error('the machine does not run');
    return this.#qmp;
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Resolves with QEMU's exit code; null when a signal ended it. */
  get ended(): Promise<number | null> {
    return this.#closed;
  }

  /** Waits for something; ends with an error that has QEMU's words and the console when QEMU ends or time is over. */
  async until(condition: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (this.#hasEnded) throw this.trouble(`QEMU ended before ${what} was there`);
      if (Date.now() > deadline) throw this.trouble(`${what} was not there in ${timeoutMs} ms`);
      await sleep(20);
    }
  }

  /**
   * Connects to a socket of QEMU, again and again until somebody listens: its file is there from bind() on, and refuses
   * until listen().
   */
  async listening<T>(what: string, timeoutMs: number, connect: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      try {
        return await connect();
      } catch (error) {
        if (this.#hasEnded) throw this.trouble(`QEMU ended before ${what} was there`);
        if (Date.now() > deadline) {
          throw this.trouble(`${what} was not there in ${timeoutMs} ms: ${String(error)}`);
        }
      }
      await sleep(20);
    }
  }

  trouble(text: string): Error {
    const console = this.console.slice(-4000);
    return new Error(`${text}\nQEMU: ${this.errors.trim()}\nconsole:\n${console}`);
  }

  /** Waits for a text on the serial port. */
  async waitForConsole(text: string, timeoutMs = 60_000): Promise<void> {
    await this.until(() => this.console.includes(text), `"${text}" on the console`, timeoutMs);
  }

  /** Pulls the plug. */
  async kill(): Promise<void> {
    this.#qmp?.close();
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#closed.catch(() => undefined);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
