/**
 * Moves a guest from a disk that QEMU emulates to the LUN of a daemon over the same image. At no moment do both write:
 *
 *   look      the device, its image, the LUN; nothing is changed until everything fits
 *   pause     stop: QEMU finishes and flushes what the guest has sent
 *   unplug    device_del, until DEVICE_DELETED
 *   verify    no node of QEMU lies over the image any more
 *   activate  the daemon locks the image, flushes it and lets commands at the LUN
 *   resume    cont
 *
 * A device that the guest has to let go of (PCI) is unplugged before the pause: a paused guest lets go of nothing. When a
 * step fails, what was done is undone: before `unplug` has happened the emulated disk is as it was, afterwards it is
 * plugged in again. When that fails too the guest stays paused.
 */
import { messageOf } from '../message-of.ts';
import { type QmpClient, QmpError } from '../qmp/client.ts';
import {
  closeNodes,
  type EmulatedDisk,
  findEmulatedDisk,
  nodesOfImage,
  putBack,
} from './emulated-disk.ts';
import { isSameFile } from './image-path.ts';
import { type GuestOutcome, TakeoverError, type TakeoverErrorCode } from './takeover-error.ts';
import { deviceExists, UnplugRefusedError, unplugDevice } from './unplug-device.ts';

const DEFAULT_UNPLUG_MS = 15_000;

/** What has to be known about a LUN. */
export interface LunFacts {
  readonly lun: number;
  readonly state: string;
  readonly path: string | null;
  readonly bytes: number;
  readonly blockBytes: number;
  readonly readOnly: boolean;
}

/** The daemon, as far as a takeover needs it. */
export interface LunSwitch {
  /** Every LUN. */
  luns(): Promise<readonly LunFacts[]>;
  /** Locks the image of a LUN in standby, flushes it, and serves it. Rejects when somebody else has the image. */
  activate(lun: number): Promise<void>;
}

export interface TakeoverOptions {
  /** Connects to the monitor: at first, and again when the connection fails in the middle and something has to be undone. */
  readonly connect: () => Promise<QmpClient>;
  /** Path of the monitor socket. */
  readonly socket: string;
  /** Id of the emulated disk, as of `-device …,id=`. */
  readonly device: string;
  readonly lun: number;
  readonly luns: LunSwitch;
  /** How long the guest may take to let go of the device. */
  readonly unplugMs?: number;
  /** Told of each step that is done. */
  readonly onStep?: (step: string) => void;
}

export interface TakeoverReport {
  readonly device: string;
  readonly lun: number;
  readonly image: string;
  /** How long the guest was without a disk and did not run, in milliseconds; 0 when it was not running before. */
  readonly pausedMs: number;
}

class Takeover {
  readonly #options: TakeoverOptions;
  readonly #action: string;
  readonly #step: (step: string) => void;
  #qmp: QmpClient;
  /** The guest ran when this began and is to run when it ends. */
  #ran = false;
  #paused = false;
  #pausedAtMs = 0;

  constructor(options: TakeoverOptions, qmp: QmpClient) {
    this.#options = options;
    this.#qmp = qmp;
    this.#action = `Cannot take over device "${options.device}" for LUN ${options.lun}`;
    this.#step = options.onStep ?? (() => undefined);
  }

  async run(): Promise<TakeoverReport> {
    const { device, lun, luns } = this.#options;
    const disk = await this.#look();
    this.#step(`${device} (${disk.driver}) and LUN ${lun} have ${disk.image}`);
    try {
      if (!disk.asksGuest) await this.#pause();
      await this.#unplug(disk);
      this.#step(`${device} unplugged`);
      if (!this.#paused) await this.#pause();
      await this.#verify(disk);
      await luns.activate(lun);
    } catch (error) {
      await this.#undo(disk, error);
    }
    this.#step(`LUN ${lun} active`);
    const pausedMs = await this.#resume();
    return { device, lun, image: disk.image, pausedMs };
  }

  close(): void {
    this.#qmp.close();
  }

  #fail(code: TakeoverErrorCode, why: string, outcome: GuestOutcome = 'emulated'): never {
    throw new TakeoverError(code, `${this.#action}: ${why}`, outcome);
  }

  async #look(): Promise<EmulatedDisk> {
    const { socket, device } = this.#options;
    try {
      await this.#checkGuest();
      const disk = await findEmulatedDisk(this.#qmp, socket, device);
      await this.#checkLun(disk);
      if (disk.asksGuest && !this.#ran) {
        this.#fail('ERR_TAKEOVER_REFUSED', 'the guest has to let go of it and does not run');
      }
      return disk;
    } catch (error) {
      if (error instanceof QmpError) return this.#fail('ERR_TAKEOVER_QMP', error.message);
      throw error;
    }
  }

  async #checkGuest(): Promise<void> {
    const { status, running } = await this.#qmp.execute('query-status');
    if (!running && status !== 'paused' && status !== 'prelaunch') {
      this.#fail('ERR_TAKEOVER_REFUSED', `the guest is in state ${status}`);
    }
    this.#ran = running;
  }

  async #checkLun(disk: EmulatedDisk): Promise<void> {
    const { lun } = this.#options;
    const all = await this.#options.luns.luns();
    const facts = all.find((one) => one.lun === lun);
    if (facts === undefined) this.#fail('ERR_TAKEOVER_LUN', 'the daemon has no such LUN');
    if (facts.state !== 'standby') {
      this.#fail('ERR_TAKEOVER_LUN', `the LUN is ${facts.state}, add it with standby`);
    }
    if (facts.path === null || !isSameFile(facts.path, disk.image)) {
      const images = `the device has ${disk.image}, the LUN ${facts.path ?? 'memory'}`;
      this.#fail('ERR_TAKEOVER_IMAGE', `${images}: they are not one image`);
    }
    if (disk.blockBytes !== 0 && disk.blockBytes !== facts.blockBytes) {
      const blocks = `${disk.blockBytes} bytes a block, the LUN ${facts.blockBytes}`;
      this.#fail('ERR_TAKEOVER_IMAGE', `the device has ${blocks}: file systems would not fit`);
    }
    if (facts.readOnly && !disk.readOnly) {
      this.#fail('ERR_TAKEOVER_IMAGE', 'the guest can write to the device and not to the LUN');
    }
  }

  async #pause(): Promise<void> {
    if (!this.#ran) return;
    this.#pausedAtMs = performance.now();
    this.#paused = true;
    await this.#qmp.execute('stop');
    this.#step('guest paused');
  }

  /** Lets the guest run on. Milliseconds it was paused. */
  async #resume(): Promise<number> {
    if (!this.#paused) return 0;
    await this.#qmp.execute('cont');
    this.#paused = false;
    this.#step('guest resumed');
    return Math.round(performance.now() - this.#pausedAtMs);
  }

  async #unplug({ id, asksGuest }: EmulatedDisk): Promise<void> {
    try {
      await unplugDevice(this.#qmp, id, this.#options.unplugMs ?? DEFAULT_UNPLUG_MS);
    } catch (error) {
      if (!(error instanceof UnplugRefusedError)) throw error;
      const later = asksGuest
        ? '; it has been asked and may still do so: then ringscsi lun activate makes the LUN usable'
        : '';
      this.#fail('ERR_TAKEOVER_REFUSED', `${error.message}${later}`);
    }
  }

  async #verify(disk: EmulatedDisk): Promise<void> {
    const { socket } = this.#options;
    const qmp = this.#qmp;
    await closeNodes(qmp, disk);
    const left = await nodesOfImage(qmp, socket, disk.image);
    if (left.length === 0) return;
    const names = left.map((node) => node['node-name']).join(', ');
    this.#fail('ERR_TAKEOVER_REFUSED', `QEMU still has the image open in ${names}`);
  }

  /** A step failed: gives the guest its emulated disk back, in whatever state that is, and lets it run on. */
  async #undo(disk: EmulatedDisk, cause: unknown): Promise<never> {
    const why = cause instanceof TakeoverError ? cause.why : `${this.#action}: ${messageOf(cause)}`;
    let outcome: GuestOutcome = 'emulated';
    let also = '';
    try {
      if (cause instanceof QmpError && cause.code !== 'ERR_QMP_REFUSED') await this.#reconnect();
      if (!(await deviceExists(this.#qmp, disk.id))) {
        outcome = 'paused';
        await putBack(this.#qmp, disk);
        outcome = 'put-back';
      }
      await this.#resume();
    } catch (error) {
      const lost = error instanceof QmpError && error.code !== 'ERR_QMP_REFUSED';
      if (lost) outcome = 'unknown';
      also = `; then ${messageOf(error)}`;
    }
    throw new TakeoverError(codeOf(cause), why + also, outcome);
  }

  /** The connection failed, QEMU may be well: without a new one nobody could let the guest run on. */
  async #reconnect(): Promise<void> {
    this.#qmp.close();
    this.#qmp = await this.#options.connect();
  }
}

function codeOf(cause: unknown): TakeoverErrorCode {
  if (cause instanceof TakeoverError) return cause.code;
  if (!(cause instanceof QmpError)) return 'ERR_TAKEOVER_LUN';
  return cause.code === 'ERR_QMP_REFUSED' ? 'ERR_TAKEOVER_REFUSED' : 'ERR_TAKEOVER_QMP';
}

/**
 * Takes over a disk. Rejects with TakeoverError, which says what the guest has now, or with QmpError when nobody answers at the
 * monitor socket in the first place.
 */
export async function takeOver(options: TakeoverOptions): Promise<TakeoverReport> {
  const takeover = new Takeover(options, await options.connect());
  try {
    return await takeover.run();
  } finally {
    takeover.close();
  }
}
