/** A vhost-user front end and its back end in one process, turned by hand. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainEventFd } from '../../../src/libc.ts';
import { VhostConnection } from '../../../src/transport/vhost/connection.ts';
import { VhostListener } from '../../../src/transport/vhost/listener.ts';
import { disk, type Testbed } from '../../support/target.ts';
import { FrontEndSocket } from './front-end-socket.ts';

/** A back end that listens, and what it was told to do. */
export class BackEnd {
  readonly directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
  readonly path = join(this.directory, 'vu.sock');
  readonly listener: VhostListener;
  readonly bed: Testbed;

  constructor(options: { readonly bed?: Testbed; readonly maxConnections?: number } = {}) {
    this.bed = options.bed ?? disk({ blocks: 4096 });
    const { maxConnections } = options;
    this.listener = new VhostListener({
      path: this.path,
      ...(maxConnections === undefined ? {} : { maxConnections }),
    });
  }

  end(): void {
    this.listener.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** A front end whose back end is in this process, and turned by hand. */
export class FrontEnd extends FrontEndSocket {
  readonly backEnd: BackEnd;
  readonly connection: VhostConnection;
  readonly broken: string[] = [];
  readonly logged: string[] = [];
  /** Rings that are polled: index and kick eventfd. */
  readonly served = new Map<number, number>();
  suspended = false;

  constructor(backEnd: BackEnd) {
    super(backEnd.path, 0);
    this.backEnd = backEnd;
    const one = backEnd.listener.accept();
    assert.ok(one !== null);
    assert.equal(one.processId, process.pid);
    this.connection = new VhostConnection({
      fd: one.fd,
      target: backEnd.bed.target,
      identity: `vhost:${backEnd.path}`,
      name: 'spec',
      log: (text) => this.logged.push(text),
      ringStarted: (index, kickFd) => this.served.set(index, kickFd),
      ringStopped: (index) => this.served.delete(index),
      suspended: (on) => {
        this.suspended = on;
      },
      broken: (reason) => this.broken.push(reason),
    });
  }

  /** What a reactor does in a turn. */
  override turn(): void {
    if (!this.suspended) this.connection.receive();
    for (const [index, kick] of this.served) {
      drainEventFd(kick);
      this.connection.device.poll(index, 64);
      this.connection.device.flush(index);
    }
    this.connection.tidy();
  }

  end(): void {
    this.connection.detach();
    for (const store of this.backEnd.bed.stores.values()) store.releaseAll();
    this.connection.tidy();
    assert.equal(this.connection.device.idle(), true);
    this.connection.close();
    this.backEnd.listener.released();
    this.close();
  }
}
