/** The control socket between two ends: greeting, requests, errors, events, hostile and lazy clients, the socket file. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../../src/transport/control/client.ts';
import { encodeFrame, type Request } from '../../../src/transport/control/protocol.ts';
import { ControlServer, type ControlSession } from '../../../src/transport/control/server.ts';
import { Seeded } from './seeded.ts';

class TestError extends Error {
  readonly code = 'ERR_TEST';
}

describe('control socket: server and client', () => {
  let directory = '';
  let path = '';
  let server: ControlServer;
  let sessions: ControlSession[] = [];
  let warnings: string[] = [];

  function handle(request: Request, session: ControlSession): Promise<unknown> {
    sessions.push(session);
    switch (request.verb) {
      case 'echo':
        return Promise.resolve(request.args);
      case 'slow':
        return sleep(20).then(() => request.args['n']);
      case 'large':
        return Promise.resolve('x'.repeat(512 * 1024));
      case 'too-large':
        return Promise.resolve('x'.repeat(2 * 1024 * 1024));
      case 'nothing':
        return Promise.resolve(undefined);
      case 'never':
        return new Promise(() => undefined);
      default:
        return Promise.reject(new TestError(`Cannot ${request.verb}`));
    }
  }

  function newServer(): ControlServer {
    return new ControlServer({ path, handle, log: (_level, text) => warnings.push(text) });
  }

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-control-'));
    path = join(directory, 'c.sock');
    sessions = [];
    warnings = [];
    server = newServer();
    await server.listen();
  });

  afterEach(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });

  /** A client made of nothing but a socket: what it gets until the server closes. */
  async function raw(...parts: readonly Uint8Array[]): Promise<Buffer> {
    const socket = connect(path);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    for (const part of parts) socket.write(part);
    await once(socket, 'close');
    return Buffer.concat(chunks);
  }

  const greeting = (version = 1): Buffer => encodeFrame({ name: 'ringscsi', version });

  it('makes the socket file for its owner only, whatever the umask', async () => {
    await server.close();
    const mask = process.umask(0);
    try {
      server = newServer();
      await server.listen();
      assert.equal(process.umask(), 0, 'the mask is put back');
    } finally {
      process.umask(mask);
    }
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.ok(statSync(path).isSocket());
  });

  it('removes the socket file when it closes', async () => {
    await server.close();
    assert.equal(existsSync(path), false);
    await server.listen();
  });

  it('answers requests in order and by id', async () => {
    const client = await ControlClient.connect({ path });
    const answers = await Promise.all([
      client.call('slow', { n: 1 }),
      client.call('echo', { n: 2 }),
      client.call('nothing'),
    ]);
    assert.deepEqual(answers, [1, { n: 2 }, null]);
    client.close();
  });

  it('rejects a refused request with the code and message of the daemon', async () => {
    const client = await ControlClient.connect({ path });
    await assert.rejects(client.call('fly'), { code: 'ERR_TEST', message: 'Cannot fly' });
    await assert.rejects(client.call('too-large'), { code: 'ERR_CONTROL_FRAME' });
    assert.deepEqual(await client.call('echo', { still: 'there' }), { still: 'there' });
    client.close();
  });

  it('delivers events', async () => {
    const events: unknown[] = [];
    const onEvent = (event: string, value: unknown): void => void events.push([event, value]);
    const client = await ControlClient.connect({ path, onEvent });
    await client.call('echo');
    assert.equal(sessions[0]?.send('traced', [1, 2]), true);
    await client.call('echo');
    assert.deepEqual(events, [['traced', [1, 2]]]);
    client.close();
  });

  it('gives up a request that is not answered in time', async () => {
    const client = await ControlClient.connect({ path, timeoutMs: 50 });
    await assert.rejects(client.call('never'), { code: 'ERR_CONTROL_TIMEOUT' });
    client.close();
  });

  it('rejects what is open when the daemon goes, and everything after', async () => {
    const client = await ControlClient.connect({ path });
    const open = assert.rejects(client.call('never'), { code: 'ERR_CONTROL_CLOSED' });
    for (let i = 0; i < 100 && sessions.length === 0; i++) await sleep(5);
    await server.close();
    await open;
    await client.closed;
    await assert.rejects(client.call('echo'), { code: 'ERR_CONTROL_CLOSED' });
    await server.listen();
  });

  it('refuses a client of another version and says so', async () => {
    const got = await raw(greeting(2));
    assert.ok(got.includes('control protocol version 2'));
    assert.equal(warnings.length, 1);
  });

  it('closes the connection at a frame of 1 GiB', async () => {
    const started = performance.now();
    const got = await raw(greeting(), Buffer.from('40000000', 'hex'));
    assert.ok(got.includes('1073741824 bytes'));
    assert.ok(performance.now() - started < 2000);
  });

  it('closes the connection at a request before the greeting', async () => {
    await raw(encodeFrame({ id: 1, verb: 'echo', args: {} }));
    assert.deepEqual(sessions, []);
  });

  it('serves a client that sends byte by byte', async () => {
    const socket = connect(path);
    const stream = Buffer.concat([
      greeting(),
      encodeFrame({ id: 9, verb: 'echo', args: { a: 1 } }),
    ]);
    let got = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    for (const byte of stream) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const expected = Buffer.concat([greeting(), encodeFrame({ id: 9, ok: true, value: { a: 1 } })]);
    for (let i = 0; i < 100 && got.length < expected.length; i++) await sleep(5);
    assert.equal(got.toString('hex'), expected.toString('hex'));
    socket.destroy();
  });

  it('survives 300 connections of noise (seeded), and then serves', async () => {
    const random = new Seeded();
    for (let i = 0; i < 300; i++) {
      const socket = connect(path);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      if (random.below(2) === 0) socket.write(greeting());
      socket.write(random.bytes(random.below(200)));
      if (random.below(2) === 0) socket.destroy();
      else socket.end();
    }
    const client = await ControlClient.connect({ path });
    assert.deepEqual(await client.call('echo', { a: 1 }), { a: 1 }, `RINGSCSI_SEED=${random.seed}`);
    client.close();
    for (let i = 0; i < 200 && server.clients > 0; i++) await sleep(10);
    assert.equal(server.clients, 0, `RINGSCSI_SEED=${random.seed}`);
  });

  describe('a client that does not read', () => {
    let lazy: Socket;

    beforeEach(async () => {
      lazy = connect(path);
      lazy.on('error', () => undefined);
      await once(lazy, 'connect');
      lazy.write(greeting());
      lazy.pause();
    });

    afterEach(() => lazy.destroy());

    it('is asked no more after a few unread replies', async () => {
      for (let id = 1; id <= 64; id++) lazy.write(encodeFrame({ id, verb: 'large', args: {} }));
      await sleep(200);
      assert.ok(sessions.length >= 2 && sessions.length <= 8, `${sessions.length} were served`);
      const client = await ControlClient.connect({ path });
      assert.deepEqual(await client.call('echo', { a: 1 }), { a: 1 });
      client.close();
      // Once it reads, it gets the rest.
      let bytes = 0;
      lazy.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      lazy.resume();
      for (let i = 0; i < 300 && bytes < 64 * 512 * 1024; i++) await sleep(10);
      assert.ok(bytes >= 64 * 512 * 1024, `${bytes} bytes came`);
    });

    it('loses events instead of filling memory, and is told how many', async () => {
      lazy.write(encodeFrame({ id: 1, verb: 'echo', args: {} }));
      for (let i = 0; i < 100 && sessions.length === 0; i++) await sleep(5);
      const session = sessions[0];
      assert.ok(session !== undefined);
      const value = 'x'.repeat(64 * 1024);
      let sent = 0;
      for (let i = 0; i < 200; i++) if (session.send('traced', value)) sent += 1;
      assert.ok(sent < 40, `${sent} of 200 events were kept`);
      let got = Buffer.alloc(0);
      lazy.on('data', (chunk: Buffer) => {
        got = Buffer.concat([got.subarray(-100), chunk]);
      });
      lazy.resume();
      await sleep(100);
      assert.equal(session.send('traced', 'last'), true);
      for (let i = 0; i < 100 && !got.includes('last'); i++) await sleep(5);
      const told = encodeFrame({ event: 'dropped', value: { count: 200 - sent } });
      assert.ok(got.includes(told), 'the count of lost events comes first');
    });
  });

  it('takes at most 64 clients', async () => {
    const sockets = Array.from({ length: 70 }, () => connect(path));
    for (const socket of sockets) socket.on('error', () => undefined);
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await sleep(50);
    assert.equal(server.clients, 64);
    for (const socket of sockets) socket.destroy();
    for (let i = 0; i < 100 && server.clients > 0; i++) await sleep(5);
    const client = await ControlClient.connect({ path });
    client.close();
  });

  it('refuses a path where a daemon answers', async () => {
    await assert.rejects(newServer().listen(), {
      code: 'ERR_CONTROL_ADDRESS',
      message: `Cannot listen at control socket "${path}": a running daemon answers there; stop it or choose another path`,
    });
    const client = await ControlClient.connect({ path });
    client.close();
  });

  it('takes over the socket file of a process that was killed', async () => {
    await server.close();
    const code = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', code, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.ok(existsSync(path), 'the file of the dead is there');
    server = newServer();
    await server.listen();
    const client = await ControlClient.connect({ path });
    client.close();
  });

  it('leaves a file alone that is no socket', async () => {
    const file = join(directory, 'precious');
    writeFileSync(file, 'data');
    const other = new ControlServer({ path: file, handle, log: () => undefined });
    await assert.rejects(other.listen(), /the file exists and is no socket/);
    assert.equal(statSync(file).size, 4);
  });

  it('tells a client that nobody listens', async () => {
    const nowhere = join(directory, 'none.sock');
    await assert.rejects(ControlClient.connect({ path: nowhere }), {
      code: 'ERR_CONTROL_ADDRESS',
      message: `Cannot connect to control socket "${nowhere}": no daemon listens there`,
    });
  });

  for (const [name, bytes, code] of [
    ['of another version', encodeFrame({ name: 'ringscsi', version: 99 }), 'ERR_CONTROL_VERSION'],
    ['that is something else', Buffer.from('SSH-2.0-OpenSSH_9.0\r\n'), 'ERR_CONTROL_FRAME'],
  ] as const) {
    it(`tells a client that the other end is a daemon ${name}`, async () => {
      const place = join(directory, 'other.sock');
      const other = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(bytes);
      });
      other.listen(place);
      await once(other, 'listening');
      await assert.rejects(ControlClient.connect({ path: place }), { code });
      other.close();
    });
  }

  it('gives up on an end that does not greet', async () => {
    const place = join(directory, 'mute.sock');
    const mute = createServer((socket) => socket.on('error', () => undefined));
    mute.listen(place);
    await once(mute, 'listening');
    const options = { path: place, timeoutMs: 50 };
    await assert.rejects(ControlClient.connect(options), { code: 'ERR_CONTROL_TIMEOUT' });
    mute.close();
  });
});
