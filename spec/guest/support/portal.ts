/** Our daemon with an iSCSI port that keeps its address over a restart. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { DaemonStorage } from './daemon-storage.ts';
import type { DiskSpec } from './storage.ts';

const runTool = promisify(execFile);

/** A port that was free a moment ago: the daemon comes back at the same one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export class Portal {
  readonly storage: DaemonStorage;
  readonly port: number;
  /** The target's name. */
  readonly target: string;

  private constructor(storage: DaemonStorage, port: number, target: string) {
    this.storage = storage;
    this.port = port;
    this.target = target;
  }

  /** `luns`: units that are no disks, as `serve --lun` has them. */
  static async open(disks: readonly DiskSpec[], luns: readonly string[] = []): Promise<Portal> {
    const port = await freePort();
    const listen = [`iscsi:127.0.0.1:${port}`];
    const storage = await DaemonStorage.start(disks, 'guests', listen, false, luns);
    const { stdout } = await runTool('iscsi-ls', ['--url', `iscsi://127.0.0.1:${port}`]);
    const target = /iscsi:\/\/[^/]+\/(\S+)/.exec(stdout)?.[1]?.split('/')[0];
    assert.ok(target !== undefined, stdout);
    return new Portal(storage, port, target);
  }

  url(lun: number): string {
    return `iscsi://127.0.0.1:${this.port}/${this.target}/${lun}`;
  }
}
