/** The drive the guests use: a unit of our daemon, or QEMU's own scsi-cd as the one to compare with. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MediaStatus } from '../../../src/daemon/media-house.ts';
import { createBurnStore } from '../../../src/luns/disc/burn-store.ts';
import { setGeneration } from '../../support/aged-state.ts';
import { DaemonStorage } from '../support/daemon-storage.ts';
import type { Guest, GuestOptions } from '../support/guest.ts';
import { type Blank, FINISHED, isBlank, type Medium } from './case.ts';
import { CommandLog } from './command-log.ts';
import type { Sources } from './sources.ts';

const LUN = 0;

/** A fresh blank: its file is made before the drive gets it, so that the operator has nothing to say of it but its path. */
export function blankAt(path: string, kind: Blank): string {
  createBurnStore(path, kind);
  return path;
}

/** What else the daemon of a drive has. */
export interface Bay {
  /** Units beside LUN 0, as `serve --lun` has them; `directory` is for their images. */
  readonly luns: (directory: string) => readonly string[];
  /** Generation of the disc in LUN 0: as a daemon that has changed discs that often would have left it in its state directory. */
  readonly generation: number;
}

export interface Drive {
  /** QEMU options that attach a guest to it. */
  adapter(): string[];
  /** What guests that use it are booted with. */
  readonly boot: Pick<GuestOptions, 'image' | 'memoryMiB' | 'cpus'>;
  /** The device in the guest that the programs are given. */
  readonly node: string;
  /** A guest that is attached, where the drive is `/dev/sr0`; QEMU's drive is changed by the monitor of its machine. */
  attached(guest: Guest): Promise<void>;
  /** The operator puts in another disc: a fresh blank in a burner. */
  renew(force: boolean): Promise<void>;
  /** Null: nobody can tell. */
  readonly commands: CommandLog | null;
  end(): Promise<void>;
}

/** What burns, and little else. */
const BOOT = { image: 'burners', memoryMiB: 768 } as const;

/** `--lun 0:cdrom` or `--lun 0:burner` of a daemon of its own. */
export class OurDrive implements Drive {
  readonly boot: Drive['boot'] = BOOT;
  readonly node: string = '/dev/sr0';
  readonly daemon: DaemonStorage;
  readonly commands: CommandLog;
  readonly #medium: Medium;
  readonly #directory: string;
  #discs = 1;

  protected constructor(
    medium: Medium,
    directory: string,
    daemon: DaemonStorage,
    commands: CommandLog,
  ) {
    this.#medium = medium;
    this.#directory = directory;
    this.daemon = daemon;
    this.commands = commands;
  }

  static async start(medium: Medium, sources: Sources, bay?: Bay): Promise<OurDrive> {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-discs-'));
    const lun = isBlank(medium)
      ? `${LUN}:burner,media=${medium},path=${blankAt(join(directory, 'disc-1'), medium)}`
      : `${LUN}:cdrom,path=${sources.path(FINISHED[medium])}`;
    try {
      const luns = [lun, ...(bay?.luns(directory) ?? [])];
      const daemon = await DaemonStorage.start([], 'optical', [], bay !== undefined, luns);
      try {
        if (bay !== undefined) {
          await daemon.stop();
          setGeneration(daemon.state, LUN, bay.generation);
          await daemon.restart();
        }
        return new this(medium, directory, daemon, await CommandLog.follow(daemon.control));
      } catch (error) {
        await daemon.end();
        throw error;
      }
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  adapter(): string[] {
    return this.daemon.adapter();
  }

  attached(_guest: Guest): Promise<void> {
    // Every guest has the same drive.
    return Promise.resolve();
  }

  /** Where the store of the disc in the burner is. */
  get disc(): string {
    return this.file(`disc-${this.#discs}`);
  }

  /** Path of an image beside that. */
  file(name: string): string {
    return join(this.#directory, name);
  }

  async renew(force: boolean): Promise<void> {
    if (isBlank(this.#medium)) {
      this.#discs += 1;
      await this.load(blankAt(this.disc, this.#medium), force);
    } else {
      await this.load(null, force);
    }
  }

  /** `ringscsi media load`; null: what was in it last. */
  async load(path: string | null, force = false): Promise<void> {
    await this.daemon.call('media.load', { lun: LUN, ...(path === null ? {} : { path }), force });
  }

  /** `ringscsi media eject`: where the disc is then. */
  async eject(force = false): Promise<MediaStatus['state']> {
    return ((await this.daemon.call('media.eject', { lun: LUN, force })) as MediaStatus).state;
  }

  async end(): Promise<void> {
    this.commands.end();
    await this.daemon.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** scsi-cd on virtio-scsi-pci. */
export class QemuDrive implements Drive {
  readonly boot = BOOT;
  readonly node = '/dev/sr0';
  readonly commands = null;
  readonly #image: string;
  #guest: Guest | null = null;

  constructor(medium: Medium, sources: Sources) {
    assert(!isBlank(medium), 'QEMU has no burner');
    this.#image = sources.path(FINISHED[medium]);
  }

  adapter(): string[] {
    const drive = `if=none,id=disc,format=raw,media=cdrom,read-only=on,file=${this.#image}`;
    const device = 'scsi-cd,id=cd,drive=disc,bus=scsi0.0,scsi-id=0,lun=0';
    return ['-device', 'virtio-scsi-pci,id=scsi0', '-drive', drive, '-device', device];
  }

  attached(guest: Guest): Promise<void> {
    this.#guest = guest;
    return Promise.resolve();
  }

  async renew(force: boolean): Promise<void> {
    assert(this.#guest, 'a guest is attached');
    const { qmp } = this.#guest.machine;
    const change = { id: 'cd', filename: this.#image, format: 'raw', force };
    await qmp.execute('blockdev-change-medium', change);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}
