/** Guests that attach by vhost-user: virtual machines whose own virtio-scsi driver is the initiator. */
import type { Source } from '../reactor/reactor.ts';
import type { Timer } from '../reactor/timers.ts';
import { NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED } from '../scsi/sense-codes.ts';
import type { Task } from '../scsi/task.ts';
import { VhostConnection } from '../transport/vhost/connection.ts';
import { type FrontEnd, VhostListener } from '../transport/vhost/listener.ts';
import { ScsiDeviceError, type VirtioScsiDevice } from '../transport/vhost/scsi-device.ts';
import type { Door, Doorkeeper, Guest, GuestTerms } from './guest.ts';
import type { GuestStatus } from './reactor-messages.ts';

/** How long after work a queue is looked at again (docs/decisions/0006-barriers-that-guests-lose.md). */
const LOOK_AGAIN_MS = 20;
/** How long rings may take to stop before what runs on them is aborted. */
const STOP_MS = 20_000;

/** One ring as the reactor polls it. */
class RingSource implements Source {
  readonly doorbellFd: number;
  readonly #device: VirtioScsiDevice;
  readonly #index: number;
  readonly #guest: VhostGuest;

  constructor(guest: VhostGuest, device: VirtioScsiDevice, index: number, kickFd: number) {
    this.doorbellFd = kickFd;
    this.#device = device;
    this.#index = index;
    this.#guest = guest;
  }
  poll(budget: number): number {
    return this.#device.poll(this.#index, budget);
  }
  flush(): void {
    this.#device.flush(this.#index);
    this.#guest.flushed(this.#index);
  }
  arm(): boolean {
    const armed = this.#device.arm(this.#index);
    this.#guest.watchOver();
    return armed;
  }
  disarm(): void {
    this.#device.disarm(this.#index);
  }
}

class VhostGuest implements Guest {
  readonly name: string;
  readonly #terms: GuestTerms;
  readonly #frontEnd: FrontEnd;
  readonly #listener: VhostListener;
  readonly #connection: VhostConnection;
  readonly #sources = new Map<number, RingSource>();
  /** Interrupts of rings that have stopped. */
  #pastInterrupts = 0;
  #lookPending = false;
  #stopTimer: Timer | null = null;
  #muted = false;
  #gone = false;

  /** Throws ScsiDeviceError. */
  constructor(listener: VhostListener, frontEnd: FrontEnd, terms: GuestTerms) {
    const { processId } = frontEnd;
    this.name = `vhost-user ${processId}`;
    this.#terms = terms;
    this.#frontEnd = frontEnd;
    this.#listener = listener;
    this.#connection = new VhostConnection({
      fd: frontEnd.fd,
      target: terms.target,
      identity: `vhost:${listener.path}`,
      name: this.name,
      log: terms.log,
      ringStarted: (index, kickFd) => this.#started(index, kickFd),
      ringStopped: (index) => this.#stopped(index),
      suspended: (on) => this.#suspended(on),
      broken: terms.doom,
    });
    this.#watch();
  }

  status(): Omit<GuestStatus, 'id'> {
    const { device, memory } = this.#connection;
    const { counters } = device;
    return {
      name: this.name,
      transport: 'vhost-user',
      processId: this.#frontEnd.processId,
      listener: this.#listener.path,
      queuePairs: this.#sources.size,
      regionBytes: memory.bytes,
      initiatorPorts: [],
      commands: counters.commands,
      bytesIn: counters.bytesIn,
      bytesOut: counters.bytesOut,
      outstanding: device.outstanding,
    };
  }

  get doorbells(): number {
    return this.#pastInterrupts + this.#connection.interrupts;
  }

  idle(): boolean {
    return this.#connection.device.idle();
  }

  mute(): void {
    this.#muted = true;
    for (const source of this.#sources.values()) this.#terms.reactor.mute(source);
  }

  tidy(): boolean {
    this.#connection.tidy();
    return this.#connection.isSuspended;
  }

  breakOff(): void {
    this.#gone = true;
    this.#endStopTimer();
    this.#terms.reactor.unwatch(this.#frontEnd.fd);
    this.#connection.detach();
  }

  close(): void {
    this.#connection.close();
    this.#listener.released();
  }

  /** vhost-user has no words for it: what was answered is published, then the connection ends. */
  logOut(): void {
    for (const source of this.#sources.values()) source.flush();
  }

  setTracing(record: ((task: Task, nowUs: number) => void) | null): void {
    const { device } = this.#connection;
    device.trace = record === null ? null : (task) => record(task, device.clockUs());
  }

  /** Unit attentions are reported with the next command; events are for what changes the inventory, a capacity or a medium. */
  announce(lun: number, sense: number, exceptNexus: number): void {
    if (sense !== NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED) return;
    const { device } = this.#connection;
    if (device.nexus.index === exceptNexus) return;
    device.mediumChanged(lun);
    this.watchOver();
  }

  unitAdded(lun: number): void {
    this.#connection.device.unitAdded(lun);
    this.watchOver();
  }

  capacityChanged(lun: number): void {
    this.#connection.device.capacityChanged(lun);
    this.watchOver();
  }

  unitLeaving(lun: number): number {
    const { device } = this.#connection;
    if (!device.unitRemoved(lun)) return -1;
    this.watchOver();
    return device.nexus.index;
  }

  /** Sees to it that the rings are looked at again a while after something was taken, answered or armed. */
  watchOver(): void {
    if (this.#lookPending || !this.#connection.device.worked) return;
    this.#lookAgainSoon();
  }

  #lookAgainSoon(): void {
    this.#lookPending = true;
    this.#terms.reactor.timers.after(LOOK_AGAIN_MS, () => this.#lookAgain());
  }

  /** A ring was flushed. */
  flushed(index: number): void {
    this.watchOver();
    if (this.#connection.isStuck(index)) {
      this.#terms.doom('its interrupt eventfd blocks whoever signals it');
    }
  }

  #lookAgain(): void {
    this.#lookPending = false;
    if (!this.#gone && !this.#muted && this.#connection.device.lookAgain()) {
      this.#lookAgainSoon();
    }
  }

  #watch(): void {
    this.#terms.reactor.watch(this.#frontEnd.fd, () => this.#connection.receive());
  }

  #started(index: number, kickFd: number): void {
    const source = new RingSource(this, this.#connection.device, index, kickFd);
    this.#sources.set(index, source);
    this.#terms.reactor.add(source);
    if (this.#muted) this.#terms.reactor.mute(source);
  }

  #stopped(index: number): void {
    const source = this.#sources.get(index);
    if (source === undefined) return;
    this.#sources.delete(index);
    this.#terms.reactor.remove(source);
  }

  /** A message waits for rings to stop: the socket is left alone until then, and what runs too long is aborted. */
  #suspended(on: boolean): void {
    if (this.#gone) return;
    const { reactor, target, untidy } = this.#terms;
    if (!on) {
      this.#endStopTimer();
      this.#watch();
      return;
    }
    reactor.unwatch(this.#frontEnd.fd);
    untidy();
    this.#stopTimer = reactor.timers.after(STOP_MS, () => {
      this.#stopTimer = null;
      this.#terms.log(`commands that did not end within ${STOP_MS} ms were aborted`, 'warn');
      target.abortPort(this.#connection.device);
      untidy();
    });
  }

  #endStopTimer(): void {
    if (this.#stopTimer !== null) this.#terms.reactor.timers.cancel(this.#stopTimer);
    this.#stopTimer = null;
  }
}

/** A listening vhost-user socket. */
export class VhostDoor implements Door {
  readonly #keeper: Doorkeeper;
  readonly #listener: VhostListener;

  /** Throws ListenError. */
  constructor(path: string, keeper: Doorkeeper) {
    this.#keeper = keeper;
    this.#listener = new VhostListener({ path });
  }

  get fd(): number {
    return this.#listener.fd;
  }

  open(): void {
    for (;;) {
      const frontEnd = this.#listener.accept();
      if (frontEnd === null) return;
      try {
        this.#keeper.admit((terms) => new VhostGuest(this.#listener, frontEnd, terms));
      } catch (error) {
        if (!(error instanceof ScsiDeviceError)) throw error;
        this.#listener.dismiss(frontEnd);
        this.#keeper.emit({ kind: 'log', level: 'warn', text: error.message });
      }
    }
  }

  close(): void {
    this.#listener.close();
  }
}
