/** What a guest's disks are served by: our daemon over vhost-user-scsi, or QEMU's own virtio-scsi as the one to compare with. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DiskSpec {
  readonly lun: number;
  readonly sizeMiB: number;
  readonly blockBytes?: 512 | 4096;
  readonly readOnly?: boolean;
  readonly serial?: string;
  /** Bytes of a physical block; the daemon has 4096 when it is not said. */
  readonly physicalBytes?: 512 | 4096;
  /** The daemon makes the image, and its key beside it: only on disks of ours. */
  readonly encrypted?: boolean;
}

export interface AdapterOptions {
  /** Id of the device, for the monitor; several on one guest need several. */
  readonly id?: string;
  /** Request queues; QEMU makes one for each processor when it is not said. */
  readonly queues?: number;
  /** PCI bus it sits on. */
  readonly bus?: string;
}

export interface Storage {
  /** Where the images are. */
  readonly directory: string;
  /** Path of the image of a disk. */
  image(lun: number): string;
  /** QEMU options that attach a guest to all of its disks. */
  adapter(options?: AdapterOptions): string[];
  end(): Promise<void>;
}

/** A directory with one image for each disk. */
export class Images {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ringscsi-storage-'));

  constructor(disks: readonly DiskSpec[]) {
    for (const disk of disks) this.create(disk);
  }

  create({ lun, sizeMiB, encrypted = false }: DiskSpec): void {
    if (encrypted) return;
    writeFileSync(this.path(lun), '');
    truncateSync(this.path(lun), sizeMiB * 1024 * 1024);
  }

  path(lun: number): string {
    return join(this.directory, `lun-${lun}.img`);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** QEMU's virtio-scsi with scsi-hd. */
export class QemuStorage implements Storage {
  readonly #images: Images;
  readonly #disks: readonly DiskSpec[];

  constructor(disks: readonly DiskSpec[]) {
    this.#disks = disks;
    this.#images = new Images(disks);
  }

  get directory(): string {
    return this.#images.directory;
  }

  image(lun: number): string {
    return this.#images.path(lun);
  }

  adapter({ id = 'scsi0', queues, bus }: AdapterOptions = {}): string[] {
    const properties = [`virtio-scsi-pci,id=${id}`];
    if (queues !== undefined) properties.push(`num_queues=${queues}`);
    if (bus !== undefined) properties.push(`bus=${bus}`);
    return [
      '-device',
      properties.join(','),
      ...this.#disks.flatMap((disk) => this.#disk(disk, id)),
    ];
  }

  #disk(disk: DiskSpec, adapter: string): string[] {
    const { lun, blockBytes = 512, readOnly = false, serial } = disk;
    const node = `${adapter}-lun${lun}`;
    const file = [`file,node-name=${node},filename=${this.image(lun)}`, 'locking=off'];
    if (readOnly) file.push('read-only=on');
    const device = [
      `scsi-hd,id=${node}-device,drive=${node},bus=${adapter}.0,scsi-id=0,lun=${lun}`,
    ];
    device.push(`logical_block_size=${blockBytes},physical_block_size=${blockBytes}`);
    if (serial !== undefined) device.push(`serial=${serial}`);
    // Guests that share an image must be allowed to.
    device.push('share-rw=on');
    return ['-blockdev', file.join(','), '-device', device.join(',')];
  }

  end(): Promise<void> {
    this.#images.remove();
    return Promise.resolve();
  }
}
