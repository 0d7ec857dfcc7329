/** The ring between two real processes: nothing lost, nothing twice, nobody asleep for ever. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { drainEventFd, Poller } from '../../../src/libc.ts';
import type { RingAttachment } from '../../../src/transport/ring/attachment.ts';
import type { QueuePair } from '../../../src/transport/ring/queue-pair.ts';
import { emptyElement, fdsReturn, openFds, Rig } from './rig.ts';

const PEER = fileURLToPath(new URL('./peer.js', import.meta.url));
const COUNT = 20_000;
const SILENCE_MS = 5000;

interface PeerReport {
  readonly sent: number;
  readonly taken: number;
  readonly sleeps: number;
  readonly rings: number;
}

/** The target's end: sends every element back, sleeps whenever it may, lingers now and then. */
class Echo {
  readonly attachment: RingAttachment;
  readonly pair: QueuePair;
  readonly kickFd: number;
  readonly poller = new Poller();
  sleeps = 0;
  echoed = 0;
  readonly #element = emptyElement();

  constructor(attachment: RingAttachment) {
    this.attachment = attachment;
    this.pair = attachment.queuePairs[0] as QueuePair;
    this.kickFd = attachment.kickFds[0] as number;
    this.poller.add(this.kickFd);
    this.poller.add(attachment.fd);
  }

  run(): void {
    while (this.attachment.state === 'attached') {
      const before = this.echoed;
      while (this.pair.take(this.#element)) {
        const { high, low } = this.#element;
        assert.equal(low, this.echoed);
        assert.equal(
          this.pair.send(0x80, 1, 0, 0, 36, high, low),
          true,
          'the response queue is never full',
        );
        this.echoed += 1;
      }
      this.pair.flush();
      if (this.echoed === before && this.pair.arm()) this.#sleep();
    }
  }

  #sleep(): void {
    this.sleeps += 1;
    const ready = this.poller.wait(SILENCE_MS);
    assert.ok(ready > 0, `lost wake-up after ${this.echoed} elements`);
    for (let i = 0; i < ready; i += 1) {
      if (this.poller.readable(i) === this.attachment.fd) this.attachment.receive();
    }
    drainEventFd(this.kickFd);
    this.pair.disarm();
    // Every now and then the other end finds this one awake, and every now and then asleep.
    if (this.sleeps % 3 === 0) {
      const until = performance.now() + 0.03;
      while (performance.now() < until);
    }
  }
}

describe('ring between two processes', () => {
  for (const seed of [1, 2]) {
    it(`streams ${COUNT} elements both ways with random sleeps, seed ${seed}`, async function () {
      this.timeout(30_000);
      const before = openFds();
      const rig = new Rig();
      const child = spawn(process.execPath, [PEER, rig.path, String(COUNT), String(seed)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const output: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
      const exited = once(child, 'close');
      const door = new Poller();
      door.add(rig.listener.fd);
      assert.ok(door.wait(10_000) > 0, 'the peer connects');
      const attachment = rig.accept();
      door.remove(rig.listener.fd);
      door.add(attachment.fd);
      assert.ok(door.wait(10_000) > 0, 'the peer sends ATTACH');
      attachment.receive();
      door.close();
      assert.equal(attachment.state, 'attached', attachment.reason);
      assert.equal(attachment.processId, child.pid);
      const echo = new Echo(attachment);
      echo.run();
      echo.poller.close();
      attachment.close();
      rig.close();
      assert.deepEqual(await exited, [0, null]);
      const report = JSON.parse(Buffer.concat(output).toString()) as PeerReport;
      assert.equal(report.sent, COUNT);
      assert.equal(report.taken, COUNT);
      assert.equal(echo.echoed, COUNT);
      assert.ok(
        report.sleeps > 10 && echo.sleeps > 10,
        `${report.sleeps} and ${echo.sleeps} sleeps`,
      );
      assert.ok(report.rings > 10 && report.rings < COUNT, `${report.rings} doorbells`);
      await fdsReturn(before);
    });
  }
});
