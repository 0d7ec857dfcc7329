/** The guests of a reactor: from the listening socket through attach and login to the last byte of their memory. */
import type { Reactor, Source } from '../reactor/reactor.ts';
import type { Target } from '../scsi/target.ts';
import type { Task } from '../scsi/task.ts';
import type { TraceRing } from '../trace.ts';
import type { RingAttachment } from '../transport/ring/attachment.ts';
import { RingListener } from '../transport/ring/listener.ts';
import type { QueuePair } from '../transport/ring/queue-pair.ts';
import { MAX_IT_IU_BYTES, MAX_TI_IU_BYTES } from '../transport/srp/iu.ts';
import { SrpSession } from '../transport/srp/session.ts';
import { SrpTargetPort } from '../transport/srp/target-port.ts';
import type { GuestStatus, ReactorEvent } from './reactor-messages.ts';

const GREETING_LOOK_MS = 1000;
/** Credits of a channel, if its response queue is long enough for that many answers and a few more elements. */
const MAX_REQUEST_LIMIT = 128;
const SPARE_RESPONSES = 16;
/** Requests in flight beyond the limit that a miscounting initiator is forgiven. */
const SPARE_SLOTS = 8;

/** No such guest. */
export class GuestError extends Error {
  readonly code = 'ERR_GUEST';
}

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

interface Guest {
  readonly attachment: RingAttachment;
  readonly listener: string;
  readonly session: SrpSession;
  readonly ports: readonly SrpTargetPort[];
  readonly sources: readonly ChannelSource[];
  /** Why it is to be broken off, or empty. */
  doomed: string;
  /** It is gone; only commands that a store still works on hold its memory. */
  leaving: boolean;
}

export interface GuestHouseOptions {
  readonly reactor: Reactor;
  readonly target: Target;
  readonly trace: TraceRing;
  readonly emit: (event: ReactorEvent) => void;
}

export class GuestHouse {
  #tracing = false;
  readonly #reactor: Reactor;
  readonly #target: Target;
  readonly #trace: TraceRing;
  readonly #emit: (event: ReactorEvent) => void;
  readonly #listeners = new Map<string, RingListener>();
  readonly #guests = new Map<number, Guest>();
  /** Connections that have not attached yet. */
  readonly #greetings = new Set<RingAttachment>();
  /** Someone is doomed or leaving: `tidy` has something to do. */
  #untidy = false;
  #lastId = 0;
  #pastDoorbells = 0;

  constructor(options: GuestHouseOptions) {
    this.#reactor = options.reactor;
    this.#target = options.target;
    this.#trace = options.trace;
    this.#emit = options.emit;
    this.#target.onAttention = (lun, sense, except) => this.#announce(lun, sense, except);
  }

  /** Opens an SRP ring listener. Throws ListenError. */
  listen(path: string): void {
    const listener = new RingListener({
      path,
      name: this.#target.name,
      maxRequestBytes: MAX_IT_IU_BYTES,
      maxResponseBytes: MAX_TI_IU_BYTES,
    });
    this.#listeners.set(path, listener);
    this.#reactor.watch(listener.fd, () => this.#accept(path, listener));
  }

  /** Doorbells rung at guests, those that are gone included. */
  get doorbells(): number {
    let rung = this.#pastDoorbells;
    for (const { attachment } of this.#guests.values()) rung += doorbellsOf(attachment);
    return rung;
  }

  status(): GuestStatus[] {
    return [...this.#guests]
      .filter(([, guest]) => !guest.leaving)
      .map(([id, g]) => statusOf(id, g));
  }

  /** Breaks a guest off. Throws GuestError. */
  kick(id: number): void {
    const guest = this.#guests.get(id);
    if (guest === undefined || guest.leaving) {
      throw new GuestError(`Cannot kick guest ${id}: there is no such guest, see "guest list"`);
    }
    this.#doom(guest, 'kicked by the operator');
  }

  /** Sends AER_REQ to the guests that asked for it, but not to the nexus that caused it. One at a time: it is a hint. */
  #announce(lun: number, sense: number, exceptNexus: number): void {
    for (const { session, ports, sources, leaving } of this.#guests.values()) {
      if (leaving || session.nexuses().some(({ index }) => index === exceptNexus)) continue;
      if (ports.some((port) => port.sendAsynchronousEvent(lun, sense))) {
        for (const source of sources) source.flush();
      }
    }
  }

  /** Breaks off who is doomed, lets go of who has no command left. Called every turn. */
  tidy(): void {
    if (!this.#untidy) return;
    this.#untidy = false;
    for (const [id, guest] of this.#guests) {
      if (guest.doomed !== '' && !guest.leaving) this.#breakOff(id, guest);
      if (!guest.leaving) continue;
      if (guest.ports.every((port) => port.idle())) this.#release(id, guest);
      else this.#untidy = true;
    }
  }

  /** Stops listening and taking commands; what was taken goes on. */
  closeToNewCommands(): void {
    for (const listener of this.#listeners.values()) {
      this.#reactor.unwatch(listener.fd);
      listener.close();
    }
    for (const { sources } of this.#guests.values()) {
      for (const source of sources) this.#reactor.mute(source);
    }
  }

  /** Whether no command of any guest is being served. */
  idle(): boolean {
    for (const guest of this.#guests.values()) {
      if (!guest.ports.every((port) => port.idle())) return false;
    }
    return true;
  }

  /** Tells every guest that this end goes away (T_LOGOUT, transport event) and lets go of it. */
  logOut(): void {
    for (const [id, guest] of this.#guests) {
      for (const port of guest.ports) port.deregister();
      for (const source of guest.sources) source.flush();
      if (!guest.leaving) {
        guest.doomed = 'the target shuts down';
        this.#breakOff(id, guest);
      }
      this.#release(id, guest);
    }
  }

  #accept(path: string, listener: RingListener): void {
    for (let one = listener.accept(); one !== null; one = listener.accept()) {
      const attachment = one;
      this.#reactor.watch(attachment.fd, () => this.#hear(path, attachment));
      this.#greetings.add(attachment);
      if (this.#greetings.size === 1) this.#watchGreetings();
    }
  }

  /** A connection that was greeted and stays silent holds a descriptor: it gets some time, not for ever. */
  #watchGreetings(): void {
    this.#reactor.timers.after(GREETING_LOOK_MS, () => {
      for (const listener of this.#listeners.values()) {
        for (let late = listener.expired(); late !== null; late = listener.expired()) {
          this.#drop(late);
        }
      }
      if (this.#greetings.size > 0) this.#watchGreetings();
    });
  }

  #drop(attachment: RingAttachment): void {
    this.#greetings.delete(attachment);
    this.#reactor.unwatch(attachment.fd);
    attachment.close();
  }

  #hear(path: string, attachment: RingAttachment): void {
    const before = attachment.state;
    attachment.receive();
    if (attachment.state === before) return;
    this.#greetings.delete(attachment);
    if (attachment.state === 'attached') {
      this.#welcome(path, attachment);
      return;
    }
    for (const guest of this.#guests.values()) {
      if (guest.attachment === attachment) {
        this.#doom(guest, attachment.reason);
        return;
      }
    }
    this.#emit({
      kind: 'log',
      level: 'warn',
      text: `attach from process ${attachment.processId} on ${path}: ${attachment.reason}`,
    });
    this.#drop(attachment);
  }

  #welcome(path: string, attachment: RingAttachment): void {
    const { memory } = attachment;
    if (memory === null) return;
    this.#lastId += 1;
    const id = this.#lastId;
    const session = new SrpSession({
      name: attachment.name,
      memory,
      lunPresentation: attachment.lunPresentation ? 'vscsi' : 'native',
      target: this.#target,
    });
    const ports = attachment.queuePairs.map((pair) => this.#openPort(id, session, pair));
    const sources = ports.map(
      (port, i) =>
        new ChannelSource(
          port,
          attachment.queuePairs[i] as QueuePair,
          attachment.kickFds[i] as number,
          () => this.#doomById(id, 'its doorbell blocks whoever rings it'),
        ),
    );
    const guest = {
      attachment,
      listener: path,
      session,
      ports,
      sources,
      doomed: '',
      leaving: false,
    };
    this.#guests.set(id, guest);
    for (const source of sources) this.#reactor.add(source);
    this.#emit({ kind: 'guestAttached', guest: statusOf(id, guest) });
  }

  #openPort(id: number, session: SrpSession, pair: QueuePair): SrpTargetPort {
    const requestLimit = Math.min(MAX_REQUEST_LIMIT, pair.place.responseEntries - SPARE_RESPONSES);
    const port = new SrpTargetPort({
      requestLimit,
      slots: requestLimit + SPARE_SLOTS,
      channel: pair,
      target: this.#target,
      session,
      log: (text, level) => this.#emit({ kind: 'log', level, text: `guest ${id}: ${text}` }),
      broken: (reason) => this.#doomById(id, reason),
    });
    this.#traceOn(id, port);
    return port;
  }

  /** Switches tracing of every command of every guest. */
  setTracing(on: boolean): void {
    this.#tracing = on;
    for (const [id, { ports }] of this.#guests) for (const port of ports) this.#traceOn(id, port);
  }

  #traceOn(id: number, port: SrpTargetPort): void {
    const trace = this.#trace;
    port.trace = this.#tracing ? (task: Task) => trace.record(id, task, port.clockUs()) : null;
  }

  /** Marks a guest for `tidy`: breaking it off in the middle of its own poll would pull the ground from under it. */
  #doom(guest: Guest, reason: string): void {
    if (guest.doomed === '') guest.doomed = reason;
    this.#untidy = true;
  }

  #doomById(id: number, reason: string): void {
    const guest = this.#guests.get(id);
    if (guest !== undefined) this.#doom(guest, reason);
  }

  #breakOff(id: number, guest: Guest): void {
    const { attachment } = guest;
    for (const source of guest.sources) this.#reactor.remove(source);
    this.#reactor.unwatch(attachment.fd);
    for (const port of guest.ports) port.detach();
    attachment.condemn(guest.doomed);
    guest.leaving = true;
    this.#emit({ kind: 'guestLost', id, name: attachment.name, why: guest.doomed });
  }

  #release(id: number, guest: Guest): void {
    this.#guests.delete(id);
    this.#pastDoorbells += doorbellsOf(guest.attachment);
    for (const port of guest.ports) port.close();
    guest.attachment.close();
  }
}

function doorbellsOf(attachment: RingAttachment): number {
  return attachment.queuePairs.reduce((sum, pair) => sum + pair.rings, 0);
}

function statusOf(id: number, guest: Guest): GuestStatus {
  const { attachment, session, ports } = guest;
  const sum = (read: (port: SrpTargetPort) => number): number =>
    ports.reduce((total, port) => total + read(port), 0);
  return {
    id,
    name: attachment.name,
    processId: attachment.processId,
    listener: guest.listener,
    queuePairs: attachment.queuePairs.length,
    regionBytes: attachment.regionBytes,
    initiatorPorts: session.initiatorPorts(),
    commands: sum((port) => port.counters.commands),
    bytesIn: sum((port) => port.counters.bytesIn),
    bytesOut: sum((port) => port.counters.bytesOut),
    outstanding: sum((port) => port.outstanding),
  };
}
