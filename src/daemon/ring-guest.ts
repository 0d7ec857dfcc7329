/** Guests that speak SRP over a shared-memory ring: from the listening socket through attach and login to their last command. */
import type { Reactor, Source } from '../reactor/reactor.ts';
import type { Task } from '../scsi/task.ts';
import type { RingAttachment } from '../transport/ring/attachment.ts';
import { RingListener } from '../transport/ring/listener.ts';
import type { QueuePair } from '../transport/ring/queue-pair.ts';
import { MAX_IT_IU_BYTES, MAX_TI_IU_BYTES } from '../transport/srp/iu.ts';
import { SrpSession } from '../transport/srp/session.ts';
import { SrpTargetPort } from '../transport/srp/target-port.ts';
import type { Door, Doorkeeper, Guest, GuestTerms } from './guest.ts';
import type { GuestStatus } from './reactor-messages.ts';

const GREETING_LOOK_MS = 1000;
/** Credits of a channel, if its response queue is long enough for that many answers and a few more elements. */
const MAX_REQUEST_LIMIT = 128;
const SPARE_RESPONSES = 16;
/** Requests in flight beyond the limit that a miscounting initiator is forgiven. */
const SPARE_SLOTS = 8;

/** One queue pair as the reactor polls it. */
class ChannelSource implements Source {
  readonly doorbellFd: number;
  readonly #port: SrpTargetPort;
  readonly #pair: QueuePair;
  readonly #stuck: () => void;

  /** `stuck` is called when a doorbell of this pair had to be unblocked by the watchdog. */
  constructor(port: SrpTargetPort, pair: QueuePair, doorbellFd: number, stuck: () => void) {
    this.doorbellFd = doorbellFd;
    this.#port = port;
    this.#pair = pair;
    this.#stuck = stuck;
  }
  poll(budget: number): number {
    return this.#port.poll(budget);
  }
  flush(): void {
    this.#pair.flush();
    if (this.#pair.stuck) this.#stuck();
  }
  arm(): boolean {
    return this.#pair.arm();
  }
  disarm(): void {
    this.#pair.disarm();
  }
}

class RingGuest implements Guest {
  readonly name: string;
  readonly attachment: RingAttachment;
  readonly #listener: string;
  readonly #terms: GuestTerms;
  readonly #reactor: Reactor;
  readonly #session: SrpSession;
  readonly #ports: readonly SrpTargetPort[];
  readonly #sources: readonly ChannelSource[];

  constructor(listener: string, attachment: RingAttachment, terms: GuestTerms) {
    const { memory, queuePairs, kickFds } = attachment;
    if (memory === null) throw new RangeError('Cannot serve a guest that has not attached');
    this.name = attachment.name;
    this.attachment = attachment;
    this.#listener = listener;
    this.#terms = terms;
    this.#reactor = terms.reactor;
    this.#session = new SrpSession({
      name: attachment.name,
      memory,
      lunPresentation: attachment.lunPresentation ? 'vscsi' : 'native',
      target: terms.target,
    });
    this.#ports = queuePairs.map((pair) => this.#openPort(pair));
    const stuck = (): void => terms.doom('its doorbell blocks whoever rings it');
    this.#sources = this.#ports.map(
      (port, i) => new ChannelSource(port, queuePairs[i] as QueuePair, kickFds[i] as number, stuck),
    );
    for (const source of this.#sources) this.#reactor.add(source);
  }

  status(): Omit<GuestStatus, 'id'> {
    const { attachment } = this;
    const sum = (read: (port: SrpTargetPort) => number): number =>
      this.#ports.reduce((total, port) => total + read(port), 0);
    return {
      name: this.name,
      transport: 'srp',
      processId: attachment.processId,
      listener: this.#listener,
      queuePairs: attachment.queuePairs.length,
      regionBytes: attachment.regionBytes,
      initiatorPorts: this.#session.initiatorPorts(),
      commands: sum((port) => port.counters.commands),
      bytesIn: sum((port) => port.counters.bytesIn),
      bytesOut: sum((port) => port.counters.bytesOut),
      outstanding: sum((port) => port.outstanding),
    };
  }

  get doorbells(): number {
    return this.attachment.queuePairs.reduce((sum, pair) => sum + pair.rings, 0);
  }

  idle(): boolean {
    return this.#ports.every((port) => port.idle());
  }

  mute(): void {
    for (const source of this.#sources) this.#reactor.mute(source);
  }

  tidy(): boolean {
    return false;
  }

  breakOff(reason: string): void {
    for (const source of this.#sources) this.#reactor.remove(source);
    this.#reactor.unwatch(this.attachment.fd);
    for (const port of this.#ports) port.detach();
    this.attachment.condemn(reason);
  }

  close(): void {
    for (const port of this.#ports) port.close();
    this.attachment.close();
  }

  logOut(): void {
    for (const port of this.#ports) port.deregister();
    for (const source of this.#sources) source.flush();
  }

  setTracing(record: ((task: Task, nowUs: number) => void) | null): void {
    for (const port of this.#ports) {
      port.trace = record === null ? null : (task) => record(task, port.clockUs());
    }
  }

  /** Sends AER_REQ if the initiator asked for it. One at a time: it is a hint. */
  announce(lun: number, sense: number, exceptNexus: number): void {
    if (this.#session.nexuses().some(({ index }) => index === exceptNexus)) return;
    if (this.#ports.some((port) => port.sendAsynchronousEvent(lun, sense))) {
      for (const source of this.#sources) source.flush();
    }
  }

  /** The unit attention that waits for its next command says it. */
  unitAdded(): void {}
  capacityChanged(): void {}
  unitLeaving(): number {
    return -1;
  }

  #openPort(pair: QueuePair): SrpTargetPort {
    const requestLimit = Math.min(MAX_REQUEST_LIMIT, pair.place.responseEntries - SPARE_RESPONSES);
    return new SrpTargetPort({
      requestLimit,
      slots: requestLimit + SPARE_SLOTS,
      channel: pair,
      target: this.#terms.target,
      session: this.#session,
      log: this.#terms.log,
      broken: this.#terms.doom,
    });
  }
}

/** A listening SRP socket, and the connections that have not attached yet. */
export class RingDoor implements Door {
  readonly #keeper: Doorkeeper;
  readonly #path: string;
  readonly #listener: RingListener;
  readonly #greetings = new Set<RingAttachment>();
  readonly #doom = new WeakMap<RingAttachment, (reason: string) => void>();

  /** Throws ListenError. */
  constructor(path: string, keeper: Doorkeeper) {
    this.#keeper = keeper;
    this.#path = path;
    this.#listener = new RingListener({
      path,
      name: keeper.target.name,
      maxRequestBytes: MAX_IT_IU_BYTES,
      maxResponseBytes: MAX_TI_IU_BYTES,
    });
  }

  get fd(): number {
    return this.#listener.fd;
  }

  open(): void {
    for (let one = this.#listener.accept(); one !== null; one = this.#listener.accept()) {
      const attachment = one;
      this.#keeper.reactor.watch(attachment.fd, () => this.#hear(attachment));
      this.#greetings.add(attachment);
      if (this.#greetings.size === 1) this.#watchGreetings();
    }
  }

  close(): void {
    this.#listener.close();
  }

  /** A connection that was greeted and stays silent holds a descriptor: it gets some time, not for ever. */
  #watchGreetings(): void {
    this.#keeper.reactor.timers.after(GREETING_LOOK_MS, () => {
      for (let late = this.#listener.expired(); late !== null; late = this.#listener.expired()) {
        this.#drop(late);
      }
      if (this.#greetings.size > 0) this.#watchGreetings();
    });
  }

  #drop(attachment: RingAttachment): void {
    this.#greetings.delete(attachment);
    this.#keeper.reactor.unwatch(attachment.fd);
    attachment.close();
  }

  #hear(attachment: RingAttachment): void {
    const before = attachment.state;
    attachment.receive();
    if (attachment.state === before) return;
    this.#greetings.delete(attachment);
    if (attachment.state === 'attached') {
      this.#keeper.admit((terms) => {
        this.#doom.set(attachment, terms.doom);
        return new RingGuest(this.#path, attachment, terms);
      });
      return;
    }
    const doom = this.#doom.get(attachment);
    this.#doom.delete(attachment);
    if (doom !== undefined) {
      doom(attachment.reason);
      return;
    }
    this.#keeper.emit({
      kind: 'log',
      level: 'warn',
      text: `attach from process ${attachment.processId} on ${this.#path}: ${attachment.reason}`,
    });
    this.#drop(attachment);
  }
}
