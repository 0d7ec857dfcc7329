/** Which real devices are logical units in a reactor: adding, removing and watching them. */
import type { Timers } from '../../scsi/contracts.ts';
import type { UnitIdentity } from '../../scsi/logical-unit.ts';
import { MAX_LUN } from '../../scsi/lun.ts';
import type { Target } from '../../scsi/target.ts';
import type { UnitStatistics } from '../inventory.ts';
import { InventoryError } from '../inventory-error.ts';
import { type AllowedOpcode, allowedRow } from './allow.ts';
import { type DeviceConnection, SgLink, type Watcher } from './sg-link.ts';
import { type DeviceInquiry, PassthroughUnit } from './unit.ts';

const POLL_MS = 2000;

/** Everything a device is served from. Plain data; the main thread has opened it. */
export interface DeviceSpec {
  readonly lun: number;
  readonly connection: DeviceConnection;
  readonly inquiry: DeviceInquiry;
  readonly identity: UnitIdentity;
  readonly allow: readonly AllowedOpcode[];
}

export interface PassthroughUnitsOptions {
  readonly target: Target;
  readonly timers: Timers;
  readonly watcher: Watcher;
  /** A device is no longer there. */
  readonly onGone: (lun: number) => void;
}

export class PassthroughUnits {
  readonly #options: PassthroughUnitsOptions;
  readonly #units = new Map<number, PassthroughUnit>();

  constructor(options: PassthroughUnitsOptions) {
    this.#options = options;
  }

  has(lun: number): boolean {
    return this.#units.has(lun);
  }

  /** Throws InventoryError, SystemError; the connection stays the caller's then. */
  add({ lun, connection, inquiry, identity, allow }: DeviceSpec): void {
    const { target, timers, watcher, onGone } = this.#options;
    const action = `Cannot add LUN ${lun}`;
    if (lun < 0 || lun > MAX_LUN) {
      throw new InventoryError('ERR_LUN_RANGE', `${action}: 0 to ${MAX_LUN} can be reached`);
    }
    if (target.unit(lun) !== undefined) {
      throw new InventoryError(
        'ERR_LUN_IN_USE',
        `${action}: there is a logical unit of this number, choose another or remove it first`,
      );
    }
    const link = new SgLink(connection, watcher);
    try {
      const unit = new PassthroughUnit(target, {
        lun,
        identity,
        inquiry,
        link,
        timers,
        allowed: allow.map(allowedRow),
        pollMs: POLL_MS,
        now: () => performance.now(),
        onGone: () => onGone(lun),
      });
      this.#units.set(lun, unit);
      target.addUnit(unit.unit);
      unit.start();
    } catch (error) {
      link.close();
      if (!(error instanceof RangeError)) throw error;
      throw new InventoryError(
        'ERR_LUN_ALLOW',
        `${action}: allow names what is let through anyway (${error.message})`,
      );
    }
  }

  /** Nobody reaches it any more; `gone` is called when its last command has ended and the device is let go of. */
  remove(lun: number, gone: () => void): void {
    const unit = this.#units.get(lun);
    if (unit === undefined) return;
    this.#units.delete(lun);
    this.#options.target.removeUnit(lun, () => unit.close(gone));
  }

  statistics(): UnitStatistics[] {
    return [...this.#units.entries()].map(([lun, { unit, counters, capacityBytes }]) => ({
      lun,
      bytes: capacityBytes,
      commands: unit.counters.commands,
      reads: counters.reads,
      writes: counters.writes,
      bytesRead: counters.bytesRead,
      bytesWritten: counters.bytesWritten,
      checkConditions: unit.counters.checkConditions,
      outstanding: unit.taskSet.count,
    }));
  }
}
