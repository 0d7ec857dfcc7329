/** The guests of a reactor, whatever they came by: let in, tidied up after, told of changes, let go. */
import type { Reactor } from '../reactor/reactor.ts';
import type { Target } from '../scsi/target.ts';
import type { TraceRing } from '../trace.ts';
import type { ListenKind } from './config.ts';
import type { Door, Guest, GuestTerms } from './guest.ts';
import type { GuestStatus, ReactorEvent } from './reactor-messages.ts';
import { RingDoor } from './ring-guest.ts';
import { VhostDoor } from './vhost-guest.ts';

/** How long a logical unit stays for the flushes of guests that were told it leaves. */
const LEAVING_MS = 1500;

/** No such guest. */
export class GuestError extends Error {
  readonly code = 'ERR_GUEST';
}

interface Lodger {
  readonly guest: Guest;
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
  readonly #doors = new Set<Door>();
  readonly #lodgers = new Map<number, Lodger>();
  /** Someone is doomed, leaving, or has work of its own: `tidy` has something to do. */
  #untidy = false;
  #lastId = 0;
  #pastDoorbells = 0;

  constructor(options: GuestHouseOptions) {
    this.#reactor = options.reactor;
    this.#target = options.target;
    this.#trace = options.trace;
    this.#emit = options.emit;
    this.#target.onAttention = (lun, sense, except) => {
      for (const { guest } of this.#present()) guest.announce(lun, sense, except);
    };
  }

  /** Opens a listener. Throws ListenError. */
  listen(kind: ListenKind, path: string): void {
    const keeper = {
      reactor: this.#reactor,
      target: this.#target,
      emit: this.#emit,
      admit: (make: (terms: GuestTerms) => Guest) => this.#admit(make),
    };
    const door = kind === 'srp' ? new RingDoor(path, keeper) : new VhostDoor(path, keeper);
    this.#doors.add(door);
    this.#reactor.watch(door.fd, () => door.open());
  }

  /** Doorbells rung at guests, those that are gone included. */
  get doorbells(): number {
    let rung = this.#pastDoorbells;
    for (const { guest } of this.#lodgers.values()) rung += guest.doorbells;
    return rung;
  }

  status(): GuestStatus[] {
    return [...this.#lodgers]
      .filter(([, { leaving }]) => !leaving)
      .map(([id, { guest }]) => ({ id, ...guest.status() }));
  }

  /** Breaks a guest off. Throws GuestError. */
  kick(id: number): void {
    const lodger = this.#lodgers.get(id);
    if (lodger === undefined || lodger.leaving) {
      throw new GuestError(`Cannot kick guest ${id}: there is no such guest, see "guest list"`);
    }
    this.#doom(id, 'kicked by the operator');
  }

  /** Breaks off who is doomed, lets go of who has no command left. Called every turn. False: there was nothing to do. */
  tidy(): boolean {
    if (!this.#untidy) return false;
    this.#untidy = false;
    for (const [id, lodger] of this.#lodgers) {
      const { guest } = lodger;
      if (!lodger.leaving && lodger.doomed === '' && guest.tidy()) this.#untidy = true;
      if (lodger.doomed !== '' && !lodger.leaving) this.#breakOff(id, lodger);
      if (!lodger.leaving) continue;
      if (guest.idle()) this.#release(id, lodger);
      else this.#untidy = true;
    }
    return true;
  }

  /** Stops listening and taking commands; what was taken goes on. */
  closeToNewCommands(): void {
    for (const door of this.#doors) {
      this.#reactor.unwatch(door.fd);
      door.close();
    }
    for (const { guest } of this.#lodgers.values()) guest.mute();
  }

  /** Whether no command of any guest is being served. */
  idle(): boolean {
    for (const { guest } of this.#lodgers.values()) if (!guest.idle()) return false;
    return true;
  }

  /** Tells every guest that this end goes away and lets go of it. */
  logOut(): void {
    for (const [id, lodger] of this.#lodgers) {
      lodger.guest.logOut();
      if (!lodger.leaving) {
        lodger.doomed = 'the target shuts down';
        this.#breakOff(id, lodger);
      }
      this.#release(id, lodger);
    }
  }

  /** A logical unit was added. */
  unitAdded(lun: number): void {
    for (const { guest } of this.#present()) guest.unitAdded(lun);
  }

  /** A logical unit has another capacity. */
  capacityChanged(lun: number): void {
    for (const { guest } of this.#present()) guest.capacityChanged(lun);
  }

  /**
   * A logical unit is to be taken away: guests that can be told are, and `then` is called when each of them has flushed
   * it (SYNCHRONIZE CACHE), or after a while.
   */
  unitLeaving(lun: number, then: () => void): void {
    const unit = this.#target.unit(lun);
    const waiting = new Set<number>();
    for (const { guest } of this.#present()) {
      const nexus = guest.unitLeaving(lun);
      if (nexus >= 0) waiting.add(nexus);
    }
    if (unit === undefined || waiting.size === 0) {
      then();
      return;
    }
    const done = (): void => {
      unit.onFlushed = () => undefined;
      this.#reactor.timers.cancel(timer);
      then();
    };
    const timer = this.#reactor.timers.after(LEAVING_MS, done);
    unit.onFlushed = (nexus) => {
      // Not from inside the command: taking the unit away aborts what runs on it.
      if (waiting.delete(nexus) && waiting.size === 0) this.#reactor.timers.after(0, done);
    };
  }

  /** Switches tracing of every command of every guest. */
  setTracing(on: boolean): void {
    this.#tracing = on;
    for (const [id, { guest }] of this.#lodgers) this.#traceOn(id, guest);
  }

  #present(): Lodger[] {
    return [...this.#lodgers.values()].filter(({ leaving }) => !leaving);
  }

  #admit(make: (terms: GuestTerms) => Guest): void {
    const id = this.#lastId + 1;
    const guest = make({
      id,
      reactor: this.#reactor,
      target: this.#target,
      log: (text, level) => this.#emit({ kind: 'log', level, text: `guest ${id}: ${text}` }),
      doom: (reason) => this.#doom(id, reason),
      untidy: () => {
        this.#untidy = true;
      },
    });
    this.#lastId = id;
    this.#lodgers.set(id, { guest, doomed: '', leaving: false });
    this.#traceOn(id, guest);
    this.#emit({ kind: 'guestAttached', guest: { id, ...guest.status() } });
  }

  #traceOn(id: number, guest: Guest): void {
    const trace = this.#trace;
    guest.setTracing(this.#tracing ? (task, nowUs) => trace.record(id, task, nowUs) : null);
  }

  /** Marks a guest for `tidy`: breaking it off in the middle of its own poll would pull the ground from under it. */
  #doom(id: number, reason: string): void {
    const lodger = this.#lodgers.get(id);
    if (lodger === undefined) return;
    if (lodger.doomed === '') lodger.doomed = reason;
    this.#untidy = true;
  }

  #breakOff(id: number, lodger: Lodger): void {
    const { guest, doomed } = lodger;
    lodger.leaving = true;
    guest.breakOff(doomed);
    this.#emit({ kind: 'guestLost', id, name: guest.name, why: doomed });
  }

  #release(id: number, { guest }: Lodger): void {
    this.#lodgers.delete(id);
    this.#pastDoorbells += guest.doorbells;
    guest.close();
  }
}
