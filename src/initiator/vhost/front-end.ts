/** A synthetic guest with its front end: memory, rings, driver and socket in one, between the sending of its messages and the event loop. */
import { close, connectUnix, createEventFd, drainEventFd, signalEventFd } from '../../libc.ts';
import { expect } from './back-end-error.ts';
import { GuestRam, type Layout } from './guest-ram.ts';
import {
  enable,
  type FrontEndParts,
  type HandshakeOptions,
  type RingDescriptors,
  realize,
  resetDevice,
  type Steps,
  start,
  stop,
} from './handshake.ts';
import { encodeStep, FrontEndSocket, type Reply, type Step } from './message.ts';
import { ScsiDriver } from './scsi-driver.ts';
import { SplitQueue } from './split-queue.ts';

const SOCK_STREAM = 1;
const ANSWER_MS = 30_000;

export interface FrontEndOptions extends Partial<HandshakeOptions> {
  readonly layout?: Layout;
  readonly ramBytes?: number;
  readonly requestQueues?: number;
  readonly queueSize?: number;
  readonly name?: string;
}

export const DEFAULTS: HandshakeOptions = {
  eventIndex: true,
  indirect: true,
  memoryTable: false,
  enableLate: false,
};

export class FrontEnd implements FrontEndParts {
  readonly ram: GuestRam;
  readonly queues: readonly SplitQueue[];
  readonly descriptors: readonly RingDescriptors[];
  readonly requestFd: number = createEventFd();
  offered = 0n;
  readonly options: HandshakeOptions;
  socket: FrontEndSocket;
  readonly driver: ScsiDriver;
  /** Inflight areas the back end made. */
  readonly #kept: number[] = [];
  /** Kicks that were sent, and interrupts that came. */
  kicks = 0;
  interrupts = 0;
  #memoryKnown = false;
  #hungUp = false;

  /** Connects. Throws SystemError when nobody listens. */
  constructor(path: string, options: FrontEndOptions = {}) {
    const {
      layout = 'whole',
      ramBytes = 8 * 2 ** 20,
      requestQueues = 1,
      queueSize = 128,
    } = options;
    this.options = { ...DEFAULTS, ...options };
    this.ram = new GuestRam(layout, ramBytes, options.name);
    const { eventIndex, indirect } = this.options;
    this.queues = Array.from(
      { length: 2 + requestQueues },
      () => new SplitQueue(this.ram, { size: queueSize, eventIndex, indirect }),
    );
    this.descriptors = this.queues.map(() => ({
      kick: createEventFd(),
      call: createEventFd(),
      error: createEventFd(),
    }));
    this.driver = new ScsiDriver(this.ram, this.queues);
    this.socket = new FrontEndSocket(connectUnix(path, true, SOCK_STREAM));
  }

  realize(): Steps {
    return realize(this);
  }
  reset(): Steps {
    this.driver.reset();
    return resetDevice();
  }
  start(): Steps {
    const known = this.#memoryKnown;
    this.#memoryKnown = true;
    return start(this, known, (fd) => this.#kept.push(fd));
  }
  enable(): Steps {
    return enable(this);
  }
  stop(bases: number[] = []): Steps {
    return stop(this, (base) => bases.push(base));
  }

  send(step: Step): void {
    const sent = this.socket.send(encodeStep(step), step.descriptors);
    expect(sent === 0, `does not take request ${step.request}`);
  }

  /** Tells the device of what was made available. */
  kick(): void {
    for (const [index, queue] of this.queues.entries()) {
      if (!queue.kickNeeded()) continue;
      this.kicks += 1;
      signalEventFd(this.descriptors[index]?.kick as number);
    }
  }

  /** Serves the interrupts that came: a ring without one is not looked at. */
  serveInterrupts(): void {
    for (const [index, queue] of this.queues.entries()) {
      if (!drainEventFd(this.descriptors[index]?.call as number)) continue;
      this.interrupts += 1;
      do this.driver.collect(index);
      while (queue.arm());
    }
    this.kick();
  }

  /** Connects again, as a front end that knows nothing of an earlier connection. */
  reconnect(path: string): void {
    this.hangUp();
    this.driver.reset();
    this.#memoryKnown = false;
    this.#hungUp = false;
    this.socket = new FrontEndSocket(connectUnix(path, true, SOCK_STREAM));
  }

  /** Closes the socket, and what came by it. */
  hangUp(): void {
    if (this.#hungUp) return;
    this.#hungUp = true;
    this.socket.end();
    for (const fd of this.#kept.splice(0)) close(fd);
  }

  /** Closes everything: the guest is gone. */
  end(): void {
    this.hangUp();
    close(this.requestFd);
    for (const { kick, call, error } of this.descriptors)
      for (const fd of [kick, call, error]) close(fd);
    this.ram.end();
  }
}

/** What a reply to a step must look like. */
export function checkReply(step: Step, reply: Reply): void {
  expect(
    reply.request === step.request,
    `answers request ${reply.request} instead of ${step.request}`,
  );
  expect((reply.flags & 3) === 1, `speaks version ${reply.flags & 3} instead of 1`);
  if (step.answer === 'acknowledgement') {
    expect(reply.payload.length === 8, 'acknowledges with something else than a 64-bit word');
    expect(reply.payload.readBigUInt64LE(0) === 0n, `refuses request ${step.request}`);
  }
}

/** Sends steps one by one and waits for their replies in the event loop. */
export async function perform(frontEnd: FrontEnd, steps: Steps): Promise<void> {
  let reply: Reply | null = null;
  for (;;) {
    const { value: step, done } = steps.next(reply);
    if (done === true) return;
    frontEnd.send(step);
    reply = null;
    if (step.answer === 'none') continue;
    const startedMs = performance.now();
    while (reply === null) {
      // biome-ignore lint/performance/noAwaitInLoops: the back end is another process, which answers in its time
      await new Promise((resolve) => setImmediate(resolve));
      reply = frontEnd.socket.take();
      expect(!frontEnd.socket.ended, `closed the connection at request ${step.request}`);
      expect(
        performance.now() - startedMs < ANSWER_MS,
        `does not answer request ${step.request} within ${ANSWER_MS} ms`,
      );
    }
    checkReply(step, reply);
  }
}
