/** Generated hostile front ends that attach nearly as they should: one or more of their messages are wrong in some way. */
import { Buffer } from 'node:buffer';
import { FrontEnd } from '../../src/initiator/vhost/front-end.ts';
import type { Steps } from '../../src/initiator/vhost/handshake.ts';
import {
  encodeMessage,
  encodeStep,
  type Reply,
  type Step,
} from '../../src/initiator/vhost/message.ts';
import { lunField } from '../../src/initiator/vhost/scsi-driver.ts';
import { close } from '../../src/libc.ts';
import { type BackEnd, GUEST_NAME, ServedFrontEnd } from '../support/vhost/back-end.ts';
import type { Seeded } from '../transport/control/seeded.ts';
import { checkServed, hostileWord, pick } from './generated-case.ts';

/** Requests and the bytes of their payloads (vhost-user protocol). */
const PAYLOADS: readonly (readonly [request: number, bytes: number])[] = [
  [1, 0],
  [2, 8],
  [3, 0],
  [4, 0],
  [5, 40],
  [6, 16],
  [7, 0],
  [8, 8],
  [9, 40],
  [10, 8],
  [11, 8],
  [12, 8],
  [13, 8],
  [14, 8],
  [15, 0],
  [16, 8],
  [17, 0],
  [18, 8],
  [21, 0],
  [31, 24],
  [32, 24],
  [34, 0],
  [36, 0],
  [37, 40],
  [38, 40],
  [39, 8],
  [40, 0],
  [43, 8],
];
const READ_SLOW = new Uint8Array([0x28, 0, 0, 0, 0x10, 0, 0, 0, 1, 0]);
const READ = new Uint8Array([0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0]);
const ONE_IN = 24;

export class MessageGenerator {
  readonly #backEnd: BackEnd;
  readonly #frontEnd: FrontEnd;
  #served: ServedFrontEnd;

  constructor(backEnd: BackEnd) {
    this.#backEnd = backEnd;
    this.#frontEnd = new FrontEnd(backEnd.path, {
      name: GUEST_NAME,
      ramBytes: 2 ** 20 + 2 ** 18,
      queueSize: 8,
    });
    this.#served = new ServedFrontEnd(backEnd, 'vhost:generated');
    this.#served.end();
  }

  /** One front end, from its connection to its end. */
  run(random: Seeded): void {
    const frontEnd = this.#frontEnd;
    frontEnd.reconnect(this.#backEnd.path);
    const served = new ServedFrontEnd(this.#backEnd, 'vhost:generated');
    this.#served = served;
    const alive = this.#attach(random);
    if (alive && served.broken.length === 0) this.#work(random);
    served.pump();
    checkServed(served);
    frontEnd.hangUp();
    served.end();
    checkServed(served);
  }

  end(): void {
    this.#frontEnd.end();
  }

  #attach(random: Seeded): boolean {
    const frontEnd = this.#frontEnd;
    function* all(): Steps {
      yield* frontEnd.realize();
      yield* frontEnd.reset();
      yield* frontEnd.start();
    }
    const steps = all();
    let reply: Reply | null = null;
    for (;;) {
      let step: Step | undefined;
      try {
        const result = steps.next(reply);
        if (result.done === true) return true;
        step = result.value;
      } catch {
        // The front end gives up when it is not given what it needs.
        return false;
      }
      if (random.below(ONE_IN) === 0) this.#disturb(random, step);
      else frontEnd.socket.send(encodeStep(step), step.descriptors);
      this.#served.pump();
      if (this.#served.broken.length > 0) return false;
      reply = step.answer === 'none' ? null : this.#reply(step);
    }
  }

  /** What came, if it is the reply to the step: another one may carry descriptors nobody wants. */
  #reply(step: Step): Reply | null {
    const reply = this.#frontEnd.socket.take();
    if (reply === null || reply.request === step.request) return reply;
    for (const fd of reply.descriptors) close(fd);
    return null;
  }

  /** Sends something else than the step, or besides it. */
  #disturb(random: Seeded, step: Step): void {
    const { socket } = this.#frontEnd;
    const bytes = encodeStep(step);
    const kind = random.below(8);
    if (kind === 0) return;
    if (kind === 1) {
      socket.send(bytes.subarray(0, random.below(bytes.length)), step.descriptors);
    } else if (kind === 2) {
      socket.send(bytes, this.#descriptors(random, random.below(12)));
    } else if (kind === 3) {
      this.#anything(random);
      socket.send(bytes, step.descriptors);
    } else if (kind === 4) {
      socket.send(bytes, step.descriptors);
      socket.send(bytes, step.descriptors);
    } else {
      // A word of the header, or rather one of the payload.
      const words = bytes.length / 4;
      const word = words > 3 && random.below(4) > 0 ? 3 + random.below(words - 3) : random.below(3);
      bytes.writeUInt32LE(hostileWord(random, bytes.readUInt32LE(4 * word)), 4 * word);
      socket.send(bytes, step.descriptors);
    }
  }

  /** A message of the right size that nobody expects now. */
  #anything(random: Seeded): void {
    const [request, size] = pick(random, PAYLOADS);
    const payload = Buffer.alloc(size);
    for (let at = 0; at < size; at += 4) {
      const small = random.below(3) > 0;
      payload.writeUInt32LE(small ? random.below(4) : hostileWord(random, 0x1000), at);
    }
    const count = random.below(3) === 0 ? 0 : 1;
    const flags = random.below(2) * 8;
    this.#frontEnd.socket.send(
      encodeMessage(request, payload, flags),
      this.#descriptors(random, count),
    );
  }

  #descriptors(random: Seeded, count: number): number[] {
    const { ram, requestFd, descriptors } = this.#frontEnd;
    const all = [ram.fd, requestFd, descriptors[2]?.kick as number];
    return Array.from({ length: count }, () => pick(random, all));
  }

  /** Commands, then messages in the middle of them. */
  #work(random: Seeded): void {
    const { driver } = this.#frontEnd;
    driver.postEvents(2);
    const lun = lunField(0);
    for (let i = random.below(3); i >= 0; i -= 1) {
      driver.submit({ lun, cdb: READ_SLOW, dataInBytes: 512 }, () => undefined);
      driver.submit({ lun, cdb: READ, dataInBytes: 4096 }, () => undefined);
    }
    this.#served.pump();
    for (let i = random.below(4); i > 0 && this.#served.broken.length === 0; i -= 1) {
      this.#anything(random);
      this.#served.pump();
      if (random.below(2) === 0) this.#backEnd.advance(20);
    }
  }
}
