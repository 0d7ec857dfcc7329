/** The SCSI target device: its logical units, its nexuses, and the task router in front of them (SAM-5 4.5). */
import { createHash, randomUUID } from 'node:crypto';
import { assert } from '../assert.ts';
import type { TargetPort, Timers } from './contracts.ts';
import { RodTokens } from './copy/rod-token.ts';
import { TurnClock } from './log/processing-times.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { REPORT_LUNS_WLUN } from './lun.ts';
import type { ManagementAddress } from './management-address.ts';
import type { Nexus } from './nexus.ts';
import { NexusTable } from './nexus-table.ts';
import { I_T_NEXUS_RESET } from './sam.ts';
import {
  I_T_NEXUS_LOSS_OCCURRED,
  POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED,
  REPORTED_LUNS_DATA_HAS_CHANGED,
} from './sense-codes.ts';
import { missingUnit, reportLunsUnit } from './spc/well-known-unit.ts';
import type { Task } from './task.ts';
import { manage, resetNexus } from './task-manager.ts';
import { TransportIds } from './transport-id.ts';

export interface TargetOptions {
  /** Those of the thread the target lives in; the event loop's when it has no others. */
  readonly timers?: Timers;
  /** Monotonic milliseconds in its one element, kept by who calls `clock.pass`; absent: nobody does, and no time is logged. */
  readonly time?: Float64Array;
  /** Text for people, what ADAPTER_INFO calls this end. */
  readonly name: string;
  /** Where people manage it; absent: nowhere that is told. */
  readonly managementAddresses?: readonly ManagementAddress[];
}

const EVENT_LOOP: Timers = {
  after: (delayMs, callback) => setTimeout(callback, delayMs),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

const PORT_DIGITS = 32;

function derivedPort(identity: string): string {
  return createHash('sha256').update(identity).digest('hex').slice(0, PORT_DIGITS);
}

export class Target {
  readonly name: string;
  readonly managementAddresses: readonly ManagementAddress[];
  readonly nexuses = new NexusTable();
  readonly timers: Timers;
  /** Names of initiator ports. */
  readonly transportIds = new TransportIds();
  readonly rodTokens = new RodTokens();
  readonly clock: TurnClock;
  readonly #units = new Map<number, LogicalUnit>();
  /** Stands for every LUN that has no logical unit. */
  readonly #missing: LogicalUnit;
  readonly #reportLuns: LogicalUnit;
  /** Told of bugs that ended a command with 4/44/00; the daemon logs them. */
  onInternalError: (error: unknown, task: Task) => void = () => undefined;
  /**
   * Told of each unit attention that was posted for every nexus but one (-1: for every one), so that ports whose
   * initiators asked for it can say so at once (AER). The condition stays pending until it is reported.
   */
  onAttention: (lun: number, sense: number, exceptNexus: number) => void = () => undefined;
  /** Whether an initiator of this name may log in: a transport that learns a name at login asks. */
  admits: (name: string) => boolean = () => true;
  /** Commands received, by anyone. */
  commands = 0;

  constructor(options: TargetOptions) {
    this.name = options.name;
    this.managementAddresses = options.managementAddresses ?? [];
    this.timers = options.timers ?? EVENT_LOOP;
    this.clock = new TurnClock(options.time ?? new Float64Array(1));
    this.#missing = missingUnit(this);
    this.#reportLuns = reportLunsUnit(this);
  }

  /** Logical units in ascending LUN order. */
  units(): LogicalUnit[] {
    return [...this.#units.values()].sort((a, b) => a.lun - b.lun);
  }

  unit(lun: number): LogicalUnit | undefined {
    return this.#units.get(lun);
  }

  /** A command has arrived: finds its logical unit and enters the task set. The port gets the task back through its contract. */
  receive(task: Task): void {
    this.commands += 1;
    const unit = this.#route(task.lun);
    task.unit = unit;
    unit.taskSet.admit(task);
  }

  /** A task management function has arrived. Answered when every task it affects has really stopped. */
  receiveManagement(task: Task): void {
    if (task.managementFunction === I_T_NEXUS_RESET) {
      resetNexus(task, [...this.#units.values()], [this.#missing, this.#reportLuns]);
      return;
    }
    const wellKnown = task.lun === REPORT_LUNS_WLUN ? this.#reportLuns : null;
    manage(task, this.#units.get(task.lun) ?? wellKnown);
  }

  /** One transport channel of a nexus is gone while others stay: its tasks end without a word. */
  abortPort(port: TargetPort): void {
    for (const unit of [...this.#units.values(), this.#missing, this.#reportLuns]) {
      unit.taskSet.abort((task) => task.port === port, false);
    }
  }

  /** Adds a logical unit; every other one tells every nexus that the inventory changed (SPC-4 6.33, 3F/0E). */
  addUnit(unit: LogicalUnit): void {
    assert(!this.#units.has(unit.lun), 'a LUN is added once');
    for (const nexus of this.nexuses.all())
      unit.attention.post(nexus.index, POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED);
    this.#units.set(unit.lun, unit);
    this.#inventoryChanged();
  }

  /** Takes a logical unit away. Its commands are aborted; `gone` is called when the last of them has stopped. */
  removeUnit(lun: number, gone: () => void): boolean {
    const unit = this.#units.get(lun);
    if (unit === undefined) return false;
    this.#units.delete(lun);
    this.#inventoryChanged();
    this.rodTokens.revoke(unit);
    unit.taskSet.abortAll();
    unit.taskSet.whenIdle(() => {
      unit.selfTest.stop(() => {
        unit.copies.reset(() => {
          unit.mediaRequests.stop(() => {
            if (unit.operation === null) gone();
            else unit.operation.stop(gone);
          });
        });
      });
    });
    return true;
  }

  /**
   * An initiator has logged in, through an initiator port of this identifier (32 hexadecimal digits); one without gets one
   * derived from its identity, an anonymous one a random one: nobody else may ever come by it, after a restart neither, and find
   * registrations that were kept. Null when MAX_NEXUSES are present already.
   */
  login(
    identity: string,
    name: string,
    anonymous: boolean,
    port = derivedPort(anonymous ? randomUUID() : identity),
  ): Nexus | null {
    const known = this.nexuses.find(identity);
    if (known !== undefined) {
      assert(!known.present, 'a nexus is lost before it comes back');
      known.present = true;
      this.nexuses.touch(known);
      return known;
    }
    const nexus = this.nexuses.create(identity, port, name, anonymous, (old) => this.#forget(old));
    if (nexus === null) return null;
    for (const unit of this.#units.values())
      unit.attention.post(nexus.index, POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED);
    return nexus;
  }

  /** I_T nexus loss (SAM-5 6.3.4): aborts its tasks everywhere; 29/07 waits for its return. */
  nexusLost(nexus: Nexus): void {
    assert(nexus.present, 'a nexus is lost once');
    nexus.present = false;
    for (const unit of this.#units.values()) {
      // First: what its commands held up runs when they are gone, and may be an eject.
      unit.medium?.allow(nexus);
      unit.optical?.burner?.nexusLost(nexus);
      unit.taskSet.abortNexus(nexus);
      unit.copies.lose(nexus, () => undefined);
      unit.reservations.release(nexus);
      unit.attention.post(nexus.index, I_T_NEXUS_LOSS_OCCURRED);
    }
    this.#missing.taskSet.abortNexus(nexus);
    this.#reportLuns.taskSet.abortNexus(nexus);
    if (nexus.anonymous) {
      this.nexuses.remove(nexus);
      this.#forget(nexus);
    }
  }

  #forget(nexus: Nexus): void {
    for (const unit of this.#units.values()) {
      unit.attention.forget(nexus.index);
      unit.cachedWrites.forget(nexus.index);
      unit.buffers.forget(nexus.index);
      unit.mediaEvents?.forget(nexus.index);
    }
  }

  #inventoryChanged(): void {
    for (const unit of this.#units.values()) unit.attentionForAll(REPORTED_LUNS_DATA_HAS_CHANGED);
  }

  #route(lun: number): LogicalUnit {
    const unit = this.#units.get(lun);
    if (unit !== undefined) return unit;
    return lun === REPORT_LUNS_WLUN ? this.#reportLuns : this.#missing;
  }
}
