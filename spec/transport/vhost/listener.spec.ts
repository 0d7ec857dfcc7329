/** The vhost-user socket: who is let in, who is turned away, and what stays behind. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, connectUnix, listenUnix, receiveMessage, SOCK_STREAM } from '../../../src/libc.ts';
import { VhostListener } from '../../../src/transport/vhost/listener.ts';
import { openFds } from './front-end-socket.ts';

describe('vhost-user listener', () => {
  let path: string;
  let directory: string;
  let before: number;
  beforeEach(() => {
    before = openFds();
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    path = join(directory, 'vu.sock');
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
    assert.equal(openFds(), before, 'no descriptor is left open');
  });

  it('makes a socket for its owner only, and removes it', () => {
    const listener = new VhostListener({ path });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    listener.close();
    listener.close();
    assert.equal(existsSync(path), false);
    const wide = new VhostListener({ path, mode: 0o660 });
    assert.equal(statSync(path).mode & 0o777, 0o660);
    wide.close();
  });

  it('replaces a socket that a dead process left, and nothing else', () => {
    close(listenUnix(path, 1, SOCK_STREAM));
    const listener = new VhostListener({ path });
    const refused = (error: unknown): boolean =>
      error instanceof Error &&
      'code' in error &&
      error.code === 'ERR_LISTEN' &&
      error.message.startsWith(`Cannot listen on "${path}": `);
    assert.throws(() => new VhostListener({ path }), refused);
    listener.close();
    writeFileSync(path, 'precious');
    assert.throws(() => new VhostListener({ path }), refused);
    assert.equal(existsSync(path), true);
  });

  it('lets everyone in, and closes at once on those there is no room for', () => {
    const listener = new VhostListener({ path, maxConnections: 2 });
    assert.equal(listener.accept(), null);
    const ends = [0, 1, 2].map(() => connectUnix(path, true, SOCK_STREAM));
    const first = listener.accept();
    const second = listener.accept();
    assert.ok(first !== null && second !== null);
    assert.equal(first.processId, process.pid);
    assert.equal(listener.accept(), null);
    assert.equal(listener.refusals, 1);
    assert.equal(receiveMessage(ends[2] as number, 1), null, 'the third one sees the end');
    listener.dismiss(first);
    ends.push(connectUnix(path, true, SOCK_STREAM));
    const third = listener.accept();
    assert.ok(third !== null, 'a place that was given back is given again');
    for (const one of [second, third]) listener.dismiss(one);
    for (const fd of ends) close(fd);
    listener.close();
  });
});
