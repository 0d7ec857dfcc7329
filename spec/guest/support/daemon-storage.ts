/** Our daemon, in a process of its own, with a vhost-user socket that guests attach to. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ControlClient } from '../../../src/transport/control/client.ts';
import { MAIN } from './places.ts';
import { type AdapterOptions, type DiskSpec, Images, type Storage } from './storage.ts';

const START_MS = 20_000;

/** Daemons that run, to be killed when this process ends before its tests do. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class DaemonStorage implements Storage {
  readonly #images: Images;
  readonly #disks: readonly DiskSpec[];
  readonly #name: string;
  readonly #listen: readonly string[];
  readonly #keeps: boolean;
  readonly #luns: readonly string[];
  #child: ChildProcess | null = null;
  #control: ControlClient | null = null;
  #exit: Promise<number | null> = Promise.resolve(null);
  #errors = '';

  private constructor(
    disks: readonly DiskSpec[],
    name: string,
    listen: readonly string[],
    keeps: boolean,
    luns: readonly string[],
  ) {
    this.#disks = disks;
    this.#name = name;
    this.#listen = listen;
    this.#keeps = keeps;
    this.#luns = luns;
    this.#images = new Images(disks);
  }

  /**
   * `listen`: further ports, as `serve --listen` has them; `keeps`: it has a state directory; `luns`: units that are no
   * disks, as `serve --lun` has them.
   */
  static async start(
    disks: readonly DiskSpec[],
    name = 'guests',
    listen: readonly string[] = [],
    keeps = false,
    luns: readonly string[] = [],
  ): Promise<DaemonStorage> {
    const storage = new DaemonStorage(disks, name, listen, keeps, luns);
    try {
      await storage.restart();
    } catch (error) {
      await storage.end();
      throw error;
    }
    return storage;
  }

  get directory(): string {
    return this.#images.directory;
  }
  /** The vhost-user socket. */
  get socket(): string {
    return join(this.directory, 'vhost.sock');
  }
  get control(): string {
    return join(this.directory, 'control.sock');
  }
  /** The state directory, if it keeps one. */
  get state(): string {
    return join(this.directory, 'state');
  }
  get processId(): number {
    assert(this.#child?.pid, 'the daemon runs');
    return this.#child.pid;
  }
  /** The log. */
  get log(): string {
    return this.#errors;
  }

  image(lun: number): string {
    return this.#images.path(lun);
  }

  /** As the command line and the control socket have it. */
  #specification(disk: DiskSpec): string {
    const { lun, blockBytes = 512, readOnly = false, serial, physicalBytes } = disk;
    const words = [`${lun}:disk`, `path=${this.image(lun)}`, `block=${blockBytes}`];
    if (readOnly) words.push('ro');
    if (physicalBytes !== undefined) words.push(`physical=${physicalBytes}`);
    if (disk.encrypted) words.push(`size=${disk.sizeMiB}M`, `key=${this.image(lun)}.key`);
    if (serial !== undefined) words.push(`serial=${serial}`);
    return words.join(',');
  }

  /** Starts the daemon again after `stop`. */
  async restart(): Promise<void> {
    const words = ['serve', '--listen', `vhost-user:${this.socket}`, '--control', this.control];
    words.push('--name', this.#name);
    if (this.#keeps) words.push('--state', this.state);
    for (const port of this.#listen) words.push('--listen', port);
    for (const disk of this.#disks) words.push('--lun', this.#specification(disk));
    for (const lun of this.#luns) words.push('--lun', lun);
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    running.add(child);
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#exit = once(child, 'close').then(([code]) => {
      running.delete(child);
      return code as number | null;
    });
    const ended = this.#exit.then(() => {
      throw new Error(`the daemon ended: ${this.#errors}`);
    });
    ended.catch(() => undefined);
    const lines = createInterface({ input: child.stdout });
    await Promise.race([once(lines, 'line', { signal: AbortSignal.timeout(START_MS) }), ended]);
    this.#control = await ControlClient.connect({ path: this.control });
  }

  adapter({ id = 'scsi0', queues, bus }: AdapterOptions = {}): string[] {
    return [
      '-chardev',
      `socket,id=${id}-socket,path=${this.socket}`,
      '-device',
      this.device({
        id,
        ...(queues === undefined ? {} : { queues }),
        ...(bus === undefined ? {} : { bus }),
      }),
    ];
  }

  /** The device alone, whose character device is `${id}-socket`. */
  device({ id = 'scsi0', queues, bus }: AdapterOptions = {}): string {
    const properties = [`vhost-user-scsi-pci,id=${id},chardev=${id}-socket`];
    if (queues !== undefined) properties.push(`num_queues=${queues}`);
    if (bus !== undefined) properties.push(`bus=${bus}`);
    return properties.join(',');
  }

  /** A verb of the control socket. */
  call(verb: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    assert(this.#control, 'the daemon runs');
    return this.#control.call(verb, args);
  }

  async add(disk: DiskSpec): Promise<void> {
    this.#images.create(disk);
    const { lun, blockBytes = 512, readOnly = false, serial, physicalBytes, encrypted } = disk;
    await this.call('lun.add', {
      lun,
      type: 'disk',
      path: this.image(lun),
      block: blockBytes,
      ro: readOnly,
      ...(serial === undefined ? {} : { serial }),
      ...(physicalBytes === undefined ? {} : { physical: physicalBytes }),
      ...(encrypted ? { size: `${disk.sizeMiB}M`, key: `${this.image(lun)}.key` } : {}),
    });
  }

  /** Asks the daemon to stop, or kills it. Resolves with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#control?.close();
    this.#control = null;
    this.#child?.kill(signal);
    this.#child = null;
    return await this.#exit;
  }

  async end(): Promise<void> {
    await this.stop();
    this.#images.remove();
  }

  /** Open descriptors of the daemon. */
  descriptors(): string[] {
    const folder = `/proc/${this.processId}/fd`;
    return readdirSync(folder).map((name) => {
      try {
        return readlinkSync(join(folder, name));
      } catch {
        return 'closed meanwhile';
      }
    });
  }

  /** Mappings of memory files: what guests brought. */
  guestMappings(): string[] {
    const maps = readFileSync(`/proc/${this.processId}/maps`, 'latin1');
    return maps.split('\n').filter((line) => line.includes('memfd:'));
  }

  residentBytes(): number {
    const status = readFileSync(`/proc/${this.processId}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }
}
