/** The listening socket: who is greeted, who is refused, and that nothing grows. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { close, drainEventFd, listenUnix, Poller } from '../../../src/libc.ts';
import { connectRing, type RingConnection } from '../../../src/transport/ring/connector.ts';
import { RingListener } from '../../../src/transport/ring/listener.ts';
import { emptyElement, fdsReturn, Goods, goodAttach, openFds, RawInitiator, Rig } from './rig.ts';

const STARVED = fileURLToPath(new URL('./starved-target.js', import.meta.url));
const REFUSED = 4;
const BUSY = 9;

function typeOf(body: Buffer | undefined): number | undefined {
  return body?.readUInt32BE(12);
}

/** Sends one element and waits until it comes back. */
function roundTrip(connection: RingConnection, poller: Poller, low: number): void {
  const pair = connection.queuePairs[0];
  const callFd = connection.callFds[0];
  assert.ok(pair !== undefined && callFd !== undefined);
  assert.equal(pair.send(0x80, 1, 0, 0, 48, 0, low), true);
  pair.flush();
  pair.flush();
  const element = emptyElement();
  while (!pair.take(element)) {
    if (!pair.arm()) continue;
    assert.ok(poller.wait(5000) > 0, `no answer to ${low}`);
    drainEventFd(callFd);
  }
  assert.equal(element.low, low);
}

describe('ring listener', () => {
  it('makes a socket for its owner only, and removes it', () => {
    const rig = new Rig();
    assert.equal(statSync(rig.path).mode & 0o777, 0o600);
    rig.listener.close();
    assert.equal(existsSync(rig.path), false);
    rig.close();
    const wide = new Rig({ mode: 0o660 });
    assert.equal(statSync(wide.path).mode & 0o777, 0o660);
    wide.close();
  });

  it('replaces a socket that a dead process left, and nothing else', () => {
    const before = openFds();
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    const path = join(directory, 'a.sock');
    const options = { path, name: 'target', maxRequestBytes: 1024, maxResponseBytes: 512 };
    close(listenUnix(path, 1));
    assert.equal(existsSync(path), true);
    const listener = new RingListener(options);
    const failure = (why: RegExp) => (error: unknown) =>
      error instanceof Error &&
      'code' in error &&
      error.code === 'ERR_LISTEN' &&
      error.message.startsWith(`Cannot listen on "${path}": `) &&
      why.test(error.message);
    assert.throws(() => new RingListener(options), failure(/EADDRINUSE/));
    listener.close();
    writeFileSync(path, 'precious');
    assert.throws(() => new RingListener(options), failure(/EADDRINUSE/));
    assert.equal(existsSync(path), true);
    assert.throws(() => new RingListener({ ...options, name: '' }), failure(/target name ""/));
    rmSync(directory, { recursive: true });
    assert.throws(() => new RingListener(options), failure(/ENOENT/));
    assert.equal(openFds(), before);
  });

  it('limits connections, and those that never attach, saying so; there is room again when one ends', () => {
    const rig = new Rig({ maxConnections: 4, maxGreetings: 2 });
    const raws = [1, 2, 3].map(() => new RawInitiator(rig.path));
    const greeted = [rig.accept(), rig.accept()];
    assert.equal(rig.listener.accept(), null);
    assert.equal(rig.listener.refusals, 1);
    const refusal = raws[2]?.receive()?.body;
    assert.equal(typeOf(refusal), REFUSED);
    assert.equal(refusal?.readUInt32BE(16), BUSY);
    assert.match(String(refusal?.subarray(20)), /^connections that have not attached are 2; /);
    greeted[0]?.close();
    const [attachment, connection] = rig.attach();
    const [other, partner] = rig.attach();
    const [third, companion] = rig.attach();
    const late = new RawInitiator(rig.path);
    assert.equal(rig.listener.accept(), null);
    assert.match(String(late.receive()?.body.subarray(20)), /^connections are 4; /);
    for (const end of [...raws, late, attachment, connection, other, partner, third, companion]) {
      end.close();
    }
    greeted[1]?.close();
    assert.equal(rig.listener.connections, 0);
    rig.close();
  });

  it('a connection that never attaches holds its socket only, and only for a time', async () => {
    const rig = new Rig({ greetingMs: 300 });
    const before = openFds();
    const raw = new RawInitiator(rig.path);
    const attachment = rig.accept();
    assert.equal(openFds(), before + 2, 'two ends of one socket');
    assert.equal(rig.listener.expired(), null);
    const [attached, connection] = rig.attach();
    await pause(320);
    assert.equal(rig.listener.expired(), attachment);
    assert.equal(rig.listener.expired(), null);
    assert.deepEqual([attachment.state, attachment.reason], ['gone', 'no ATTACH within 300 ms']);
    assert.equal(attached.state, 'attached');
    for (const end of [attachment, raw, attached, connection]) end.close();
    await fdsReturn(before);
    rig.close();
  });

  it('10 000 connects and disconnects: descriptors and memory do not grow', function () {
    this.timeout(30_000);
    const rig = new Rig();
    const cycle = (i: number): void => {
      const [attachment, connection] = rig.attach({ regions: [{ handle: 0, bytes: 65536 }] });
      // The initiator leaves first, the target first, or one vanishes without having attached.
      if (i % 3 === 0) attachment.close();
      connection.close();
      attachment.receive();
      attachment.close();
      if (i % 10 === 0) {
        const raw = new RawInitiator(rig.path);
        const half = rig.accept();
        raw.close();
        half.receive();
        half.close();
      }
    };
    const settle = (): number => {
      globalThis.gc?.();
      return process.memoryUsage.rss();
    };
    for (let i = 0; i < 2000; i += 1) cycle(i);
    const fds = openFds();
    const bytes = settle();
    for (let i = 0; i < 8000; i += 1) cycle(i);
    assert.equal(openFds(), fds);
    // What the collector has freed goes back to the system when it has swept: what counts is where it settles.
    const grown = Math.min(settle(), settle(), settle()) - bytes;
    assert.ok(grown < 24 * 2 ** 20, `grew by ${grown} bytes`);
    assert.equal(rig.listener.connections, 0);
    rig.close();
  });

  it('F10: a target out of descriptors refuses newcomers, serves its guest, and recovers', async function () {
    this.timeout(20_000);
    const before = openFds();
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    const path = join(directory, 'a.sock');
    const child = spawn(
      'sh',
      ['-c', 'ulimit -n 32; exec "$0" "$@"', process.execPath, STARVED, path],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    const exited = once(child, 'close');
    await once(child.stdout, 'data');
    const small = { path, regions: [{ handle: 0, bytes: 65536 }] };
    const guest = await connectRing({ ...small, name: 'first' });
    const poller = new Poller();
    poller.add(guest.callFds[0] ?? -1);
    roundTrip(guest, poller, 1);

    const goods = new Goods();
    const storm: RawInitiator[] = [];
    let greeted = 0;
    let refused = 0;
    for (let i = 0; i < 40; i += 1) {
      const raw = new RawInitiator(path);
      storm.push(raw);
      const door = new Poller();
      door.add(raw.fd);
      assert.ok(door.wait(5000) > 0, 'every newcomer hears something');
      door.close();
      const { body } = raw.receive() ?? {};
      if (typeOf(body) === REFUSED) {
        assert.equal(body?.readUInt32BE(16), BUSY);
        refused += 1;
      } else {
        assert.equal(typeOf(body), 1);
        greeted += 1;
      }
      roundTrip(guest, poller, 100 + i);
    }
    assert.ok(greeted > 0 && refused > 20, `${greeted} greeted, ${refused} refused`);
    // Those that were greeted now bring descriptors for which there is no room.
    const surplus = Array.from({ length: 100 }, () => goods.call);
    for (const raw of storm) raw.send(goodAttach(), [goods.memory, ...surplus]);
    roundTrip(guest, poller, 200);
    for (const raw of storm) raw.close();
    goods.close();
    roundTrip(guest, poller, 201);
    await pause(50);
    const late = await connectRing({ ...small, name: 'late' });
    roundTrip(guest, poller, 202);
    late.close();
    await pause(50);
    guest.close();
    poller.close();
    assert.deepEqual(await exited, [0, null]);
    const report = JSON.parse(Buffer.concat(output).toString().split('\n')[1] ?? '') as {
      readonly base: number;
      readonly end: number;
      readonly refusals: number;
    };
    assert.equal(report.end, report.base);
    assert.ok(report.refusals >= refused, `${report.refusals}`);
    rmSync(directory, { recursive: true });
    await fdsReturn(before);
  });
});
