/** A bench for specs about the media of a running daemon: images, initiators, and the verbs of the operator. */
import { closeSync, writeFileSync } from 'node:fs';
import type { MediaChange, MediaStatus } from '../../src/daemon/media-house.ts';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { openDiskFile } from '../../src/luns/open.ts';
import type { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';

export const MIB: number = 1024 * 1024;
export const EJECT = '1b 00 00 00 02 00';
export const LOAD = '1b 00 00 00 03 00';
export const PREVENT = '1e 00 00 00 01 00';

/** The drive is LUN 0. */
export class MediaBench {
  readonly daemon: DaemonProcess;
  readonly #open: Initiator[] = [];

  constructor(daemon: DaemonProcess) {
    this.daemon = daemon;
  }

  async attach(name = 'a', lun = 0): Promise<TestInitiator> {
    const initiator = await openInitiator({ connect: this.daemon.connect, name });
    this.#open.push(initiator);
    const test = new TestInitiator(initiator, lun);
    await test.attentions();
    return test;
  }

  /** Ends the initiators. */
  async detach(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((initiator) => initiator.close()));
  }

  path(name: string): string {
    return this.daemon.path(name);
  }

  image(name: string, bytes: number, fill: number): string {
    const path = this.path(name);
    writeFileSync(path, Buffer.alloc(bytes, fill));
    return path;
  }

  load(args: Record<string, unknown>): Promise<MediaChange> {
    return this.daemon.call('media.load', { lun: 0, ...args }) as Promise<MediaChange>;
  }

  eject(args: Record<string, unknown> = {}): Promise<MediaChange> {
    return this.daemon.call('media.eject', { lun: 0, ...args }) as Promise<MediaChange>;
  }

  media(): Promise<MediaStatus[]> {
    return this.daemon.call('media.list') as Promise<MediaStatus[]>;
  }

  /** Somebody else who has the image for writing; throws when it is locked. */
  own(path: string): () => void {
    const { fd } = openDiskFile({ lun: 9, path, blockBytes: 512, readOnly: false });
    return () => closeSync(fd);
  }
}

/** Logical blocks of the medium, as READ CAPACITY(10) says. */
export async function capacity(a: TestInitiator): Promise<number> {
  const { dataIn } = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
  return Buffer.from(dataIn).readUInt32BE(0) + 1;
}
