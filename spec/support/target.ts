/**
 * A target with disks over HeldStores, and nexuses that send it commands: the bench most core specs stand on.
 *
 *   const t = disk({ blocks: 2048, thin: true });
 *   const a = t.nexus('a').clear();
 *   const r = a.run('12 00 00 00 60 00', { in: 96 });    // r.status, r.sense, r.pointer, r.dataIn …
 *   t.store.hold = true;
 *   const w = a.start('2a 00 …', { out: pattern });      // w.done, w.result
 *   t.store.release();
 */
import { strict as assert } from 'node:assert';
import type {
  EncryptionKey,
  InformationStore,
  LogStore,
  OperationStore,
  ParameterStore,
  ReservationStore,
} from '../../src/scsi/contracts.ts';
import { LogicalUnit, type UnitIdentity } from '../../src/scsi/logical-unit.ts';
import type { LunPresentation } from '../../src/scsi/lun.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { BlockDevice, storedBlockBytes } from '../../src/scsi/sbc/block-device.ts';
import { BOUNCE_BYTES, BouncePool } from '../../src/scsi/sbc/bounce.ts';
import { diskType } from '../../src/scsi/sbc/disk-type.ts';
import type { ProtectionType } from '../../src/scsi/sbc/protection/information.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { Target } from '../../src/scsi/target.ts';
import {
  type Bytes,
  DirectPort,
  type Outcome,
  type Pending,
  type RunOptions,
} from './direct-port.ts';
import { HeldStore } from './held-store.ts';

/** Bounce buffers in plain memory. */
export function bouncePool(count: number): BouncePool {
  return new BouncePool(
    Array.from({ length: count }, () => {
      const bytes = new Uint8Array(BOUNCE_BYTES);
      const segments = new Segments({ words: new Uint32Array(4), address: 0 });
      segments.append({ view: bytes, address: 0 }, 0, BOUNCE_BYTES);
      return { segments, bytes };
    }),
  );
}

export interface DiskOptions {
  readonly blocks?: number;
  readonly blockBytes?: number;
  readonly physicalBlockBytes?: number;
  readonly thin?: boolean;
  /** Type of the protection information of its blocks. */
  readonly protection?: ProtectionType;
  readonly readOnly?: boolean;
  readonly removable?: boolean;
  readonly lun?: number;
  readonly serial?: string;
  readonly discardBytes?: number;
  readonly canDiscard?: boolean;
  /** Its store keeps space for zeroed blocks: thin, it has anchored blocks. */
  readonly canReserve?: boolean;
  readonly volatileCache?: boolean;
  /** Longest atomic write of the store; absent: it has none. */
  readonly atomicBytes?: number;
  readonly parameters?: ParameterStore;
  readonly reservationStore?: ReservationStore;
  /** With it there is SANITIZE. */
  readonly operationStore?: OperationStore;
  readonly key?: EncryptionKey;
  readonly informationStore?: InformationStore;
  readonly logStore?: LogStore;
  /** Bounce buffers of the unit. */
  readonly bounceBuffers?: number;
}

export class TestNexus {
  readonly nexus: Nexus;
  readonly port: DirectPort;
  readonly target: Target;

  constructor(target: Target, nexus: Nexus, presentation: LunPresentation) {
    this.target = target;
    this.nexus = nexus;
    this.port = new DirectPort(target, presentation);
  }

  /** Sends a command that must end at once. */
  run(cdb: Bytes, options: RunOptions = {}): Outcome {
    const pending = this.start(cdb, options);
    assert(pending.outcome, 'the command ended at once');
    return pending.outcome;
  }

  /** Sends a command that may end later. */
  start(cdb: Bytes, options: RunOptions = {}): Pending {
    return this.port.start(this.nexus, cdb, options);
  }

  /** Sends a task management function. */
  manage(managementFunction: number, managedTag = 0, options: RunOptions = {}): Pending {
    return this.port.manage(this.nexus, managementFunction, managedTag, options);
  }

  /** Eats the pending unit attentions of every logical unit. */
  clear(): this {
    for (const unit of this.target.units()) {
      for (let i = 0; i < 16; i += 1) {
        if (this.run('00 00 00 00 00 00', { lun: unit.lun }).sense[0] !== '6') break;
      }
    }
    return this;
  }

  /** The unit attentions that TEST UNIT READY reports now, in order. */
  attentions(lun = 0): string[] {
    const seen: string[] = [];
    for (let i = 0; i < 16; i += 1) {
      const { sense } = this.run('00 00 00 00 00 00', { lun });
      if (sense[0] !== '6') break;
      seen.push(sense);
    }
    return seen;
  }
}

/** Timers that fire when a spec says so. */
export class ManualTimers {
  #waiting: { readonly delayMs: number; readonly callback: () => void }[] = [];
  /** What the timers that have fired have waited for, one after the other. */
  passedMs = 0;

  after(delayMs: number, callback: () => void): object {
    const timer = { delayMs, callback };
    this.#waiting.push(timer);
    return timer;
  }

  cancel(timer: object): void {
    this.#waiting = this.#waiting.filter((other) => other !== timer);
  }

  /** Calls what waits; false when nothing does. */
  run(): boolean {
    const due = this.#waiting.splice(0);
    this.passedMs += Math.max(0, ...due.map(({ delayMs }) => delayMs));
    for (const { callback } of due) callback();
    return due.length > 0;
  }
}

export class Testbed {
  readonly timers = new ManualTimers();
  /** What its clock shows, in milliseconds; passes with `target.clock.pass()`. */
  readonly time = new Float64Array(1);
  readonly target = new Target({ name: 'spec', timers: this.timers, time: this.time });
  readonly stores = new Map<number, HeldStore>();
  /** Bugs that handlers threw; `nexus()` users get them as failed specs through `verify`. */
  readonly internalErrors: unknown[] = [];

  constructor() {
    this.target.onInternalError = (error) => {
      this.internalErrors.push(error);
      throw error;
    };
  }

  /** The logical unit with the lowest LUN. */
  get unit(): LogicalUnit {
    const [unit] = this.target.units();
    assert(unit, 'the target has a logical unit');
    return unit;
  }

  /** Its store. */
  get store(): HeldStore {
    const store = this.stores.get(this.unit.lun);
    assert(store, 'the logical unit has a store');
    return store;
  }

  add(options: DiskOptions = {}): LogicalUnit {
    const blockBytes = options.blockBytes ?? 512;
    const lun = options.lun ?? 0;
    const protection = options.protection ?? 0;
    const store = new HeldStore({
      bytes: (options.blocks ?? 2048) * storedBlockBytes(blockBytes, protection),
      readOnly: options.readOnly ?? false,
      canDiscard: options.canDiscard ?? true,
      canReserve: options.canReserve ?? false,
      discardBytes: options.discardBytes ?? 4096,
      volatileCache: options.volatileCache ?? true,
      atomicBytes: options.atomicBytes ?? 0,
    });
    store.key = options.key ?? null;
    this.stores.set(lun, store);
    const unit = this.#newUnit(lun, store, options);
    this.target.addUnit(unit);
    return unit;
  }

  #newUnit(lun: number, store: HeldStore, options: DiskOptions): LogicalUnit {
    const { protection = 0 } = options;
    return new LogicalUnit({
      target: this.target,
      lun,
      deviceType: diskType({
        thin: options.thin ?? false,
        anchor: options.canReserve ?? false,
        removable: options.removable ?? false,
        atomic: (options.atomicBytes ?? 0) > 0,
        sanitize: options.operationStore !== undefined,
        encrypted: options.key !== undefined,
        information: options.informationStore !== undefined,
        protection,
      }),
      operationStore: options.operationStore ?? null,
      informationStore: options.informationStore ?? null,
      logStore: options.logStore ?? null,
      removable: options.removable ?? false,
      identity: identity(lun, options.serial ?? `SPEC${lun}`),
      block: blockDevice(options, store),
      modePages: diskModePages({
        parameters: options.parameters ?? null,
        protection: protection > 0,
        savesLogs: options.logStore !== undefined,
      }),
      reservationStore: options.reservationStore ?? null,
    });
  }

  /** Logs an initiator in. It has 6/29/00 pending on every logical unit. */
  nexus(name: string, presentation: LunPresentation = 'native'): TestNexus {
    const nexus = this.target.login(name, name, false);
    assert(nexus, 'the target has room for a nexus');
    return new TestNexus(this.target, nexus, presentation);
  }
}

function blockDevice(options: DiskOptions, store: HeldStore): BlockDevice {
  const { blockBytes = 512, protection = 0 } = options;
  const physical = protection > 0 ? blockBytes : Math.max(blockBytes, 4096);
  return new BlockDevice(store, {
    blockBytes,
    physicalBlockBytes: options.physicalBlockBytes ?? physical,
    protectionType: protection,
    thin: options.thin ?? false,
    bounce: bouncePool(options.bounceBuffers ?? 2),
  });
}

function identity(lun: number, serial: string): UnitIdentity {
  const naa = new Uint8Array(16).fill(0x11);
  naa[0] = 0x60;
  naa[15] = lun;
  return { vendor: 'RINGSCSI', product: 'SPEC DISK', revision: '0001', serial, naa };
}

/** A target with one disk at LUN 0 (or `options.lun`). */
export function disk(options: DiskOptions = {}): Testbed {
  const bed = new Testbed();
  bed.add(options);
  return bed;
}
