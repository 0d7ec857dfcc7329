/** A booted Debian kernel with our agent inside: runs scripts there and returns what they said. */
import { strict as assert } from 'node:assert';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { AGENT_PORT, AGENT_READY } from './guest-scripts.ts';
import { bootFiles, type ImageKind } from './initramfs.ts';
import { Machine } from './machine.ts';

export interface GuestOptions {
  /** What is in the root file system. */
  readonly image?: ImageKind;
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly slots?: number;
  /** QEMU options that give it disks. */
  readonly options?: readonly string[];
}

export interface ScriptOutcome {
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

interface WaitingScript {
  readonly resolve: (outcome: ScriptOutcome) => void;
  readonly reject: (error: Error) => void;
}

const BOOT_MS = 120_000;
const SCRIPT_MS = 120_000;

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

export class Guest {
  readonly machine: Machine;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, WaitingScript>();
  #ready = false;
  #lastId = 0;
  #rest = '';

  private constructor(machine: Machine, socket: Socket) {
    this.machine = machine;
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#received(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
  }

  /** Boots; resolves when the drivers are loaded and the agent is there. */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    const { image = 'base', memoryMiB = image === 'base' ? 256 : 512 } = options;
    const { cpus = 1, slots = 0 } = options;
    const boot = bootFiles(image);
    const machine = await Machine.start({ boot, memoryMiB, cpus, slots }, (directory) => [
      '-chardev',
      `socket,id=agent,path=${join(directory, 'agent.sock')},server=on,wait=off`,
      '-device',
      'virtio-serial-pci',
      '-device',
      `virtserialport,chardev=agent,name=${AGENT_PORT}`,
      ...(options.options ?? []),
    ]);
    try {
      const path = join(machine.directory, 'agent.sock');
      const socket = await machine.listening('the socket of the agent', BOOT_MS, () =>
        connected(path),
      );
      const guest = new Guest(machine, socket);
      await machine.until(() => guest.#ready, 'the agent in the guest', BOOT_MS);
      return guest;
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  #received(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [id = '', code = '', output = ''] = line.split(' ');
      if (id === AGENT_READY) this.#ready = true;
      const waiting = this.#waiting.get(Number(id));
      this.#waiting.delete(Number(id));
      waiting?.resolve({ code: Number(code), output: Buffer.from(output, 'base64').toString() });
    }
  }

  #lost(): void {
    for (const { reject } of this.#waiting.values()) {
      reject(this.machine.trouble('the guest ended under a script'));
    }
    this.#waiting.clear();
  }

  /** Runs a shell script in the guest. Several may run at once. */
  run(script: string, timeoutMs = SCRIPT_MS): Promise<ScriptOutcome> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(this.machine.trouble(`the guest did not answer in ${timeoutMs} ms:\n${script}`));
      }, timeoutMs);
      this.#waiting.set(id, {
        resolve: (outcome) => {
          clearTimeout(timer);
          resolve(outcome);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(
        `${id} ${Buffer.from(`. /etc/functions\n${script}`).toString('base64')}\n`,
      );
    });
  }

  /** Runs a shell script that must succeed, every line of it; returns what it said. */
  async sh(script: string, timeoutMs = SCRIPT_MS): Promise<string> {
    const { code, output } = await this.run(`set -e\n${script}`, timeoutMs);
    assert.equal(code, 0, `in the guest:\n${script}\nended with ${code}:\n${output}`);
    return output.trimEnd();
  }

  /** Runs it again until it succeeds: for what the guest finds out by itself. */
  async shUntil(script: string, timeoutMs = 30_000): Promise<string> {
    const attempt = `i=0; until { ${script}\n}; do i=$((i+1)); [ $i -lt ${timeoutMs / 100} ] || exit 1; usleep 100000; done`;
    return await this.sh(attempt, timeoutMs * 3);
  }

  /** Kernel messages of the guest. */
  async messages(): Promise<string> {
    return await this.sh('dmesg');
  }

  /** An orderly end: the guest flushes and switches itself off. Resolves with QEMU's exit code. */
  async powerOff(): Promise<number | null> {
    this.run('poweroff -f').catch(() => undefined);
    const code = await this.machine.ended;
    await this.machine.kill();
    return code;
  }

  async kill(): Promise<void> {
    this.#socket.destroy();
    await this.machine.kill();
  }
}
