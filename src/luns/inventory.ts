/** Which disks exist in a reactor: adding, removing, growing and watching them. */
import { assert } from '../assert.ts';
import {
  DONE,
  type InformationStore,
  type LogStore,
  type OperationStore,
  type ParameterStore,
  type ReservationStore,
  type StoreReply,
  type Timers,
} from '../scsi/contracts.ts';
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import { MAX_LUN } from '../scsi/lun.ts';
import { encodeDiscState } from '../scsi/mmc/burn/disc-state.ts';
import { RecordableDisc } from '../scsi/mmc/burn/recordable-disc.ts';
import { faultOf } from '../scsi/mmc/burn/state-fault.ts';
import { newPrivateTask } from '../scsi/private-task.ts';
import type { BouncePool } from '../scsi/sbc/bounce.ts';
import { CAPACITY_DATA_HAS_CHANGED } from '../scsi/sense-codes.ts';
import { IdentifyingInformation } from '../scsi/spc/identifying-information.ts';
import type { Target } from '../scsi/target.ts';
import { backingBytes, openStore } from './backing.ts';
import { type SlotMemory, slotMemory } from './disc/burn-store.ts';
import { BurnerJournal } from './disc/burner-journal.ts';
import {
  createDisk,
  type DiskOptions,
  type InterruptedOperation,
  mapBouncePool,
  openModePages,
  resumeSanitize,
  savedLogs,
  savedReservations,
  savedSanitize,
} from './disk.ts';
import {
  Drive,
  type DriveStatus,
  type MediaKeeper,
  type MediumSpec,
  type Removed,
} from './drive.ts';
import { bytesOfBlock, imageBytesOf, userBytesOf } from './image-size.ts';
import { injectedFaults } from './injected-faults.ts';
import { InventoryError } from './inventory-error.ts';
import { createDiscDrive, opticalBytes } from './optical.ts';
import type { DiskStore } from './store/disk-store.ts';
import { type FaultRule, FaultStore } from './store/fault.ts';
import type { IoQueue } from './store/io-queue.ts';

export interface InventoryOptions {
  readonly target: Target;
  readonly timers: Timers;
  /** Where savable mode pages go; null: there is no such place. */
  readonly parameters: ParameterStore | null;
  /** Where reservations go that persist through power loss; null or absent: there is no such place. */
  readonly reservations?: ReservationStore | null;
  /** Where operations on a medium go that a restart must not end; null or absent: there is no such place. */
  readonly operations?: OperationStore | null;
  /** Where identifying information goes; null or absent: there is no such place. */
  readonly information?: InformationStore | null;
  /** Where logs go; null or absent: there is no such place. */
  readonly logs?: LogStore | null;
  /** Who has the files of media that can be removed; null or absent: the medium of a drive stays there. */
  readonly media?: MediaKeeper | null;
  /** Where requests to files are queued; null or absent: each is done at once. */
  readonly queue?: IoQueue | null;
}

export interface UnitStatistics {
  readonly lun: number;
  readonly bytes: number;
  readonly commands: number;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly checkConditions: number;
  readonly outstanding: number;
}

interface Disk {
  readonly unit: LogicalUnit;
  readonly store: FaultStore;
  readonly bounce: BouncePool;
  readonly options: DiskOptions;
  /** Where its media come and go; null: the medium is fixed, or there is nobody who has others. */
  readonly drive: Drive | null;
  /** Of a burner. */
  readonly journal: BurnerJournal | null;
}

/** What a disk is made of now. */
function optionsOf({ drive, options }: Disk): DiskOptions {
  return drive?.disk ?? options;
}

/** Whether what is behind a new unit can be that. Throws InventoryError. */
function checkBacking(action: string, options: DiskOptions): void {
  const { backing, optical = false, removable = false } = options;
  const isDisc = backing.kind === 'disc' || backing.kind === 'recordable';
  assert(optical ? removable : !isDisc, 'discs are in drives');
  if (backing.kind === 'none') {
    assert(removable, 'only a drive is without a medium');
    return;
  }
  if (backing.kind === 'disc' || backing.kind === 'recordable') return;
  assert(!optical, 'an optical drive has discs');
  if (backing.bytes <= 0 || backing.bytes % bytesOfBlock(options) !== 0) {
    throw new InventoryError(
      'ERR_LUN_SIZE',
      `${action}: ${backing.bytes} bytes, a disk needs a multiple of ${bytesOfBlock(options)}`,
    );
  }
}

/** Everything is on the medium afterwards, what is known of a recordable disc included. Blocks. False: it is not. */
function settleNow({ unit, store, journal }: Disk): boolean {
  if (store.syncNow() !== DONE) return false;
  const disc = unit.optical?.disc;
  if (journal === null || !(disc instanceof RecordableDisc) || !disc.changed) return true;
  assert(faultOf(disc.state) === null, 'a disc is legal at any time');
  const work = newPrivateTask();
  work.unit = unit;
  return journal.saveUnsynced(work, encodeDiscState(disc.state)) && store.syncNow() === DONE;
}

export class Inventory {
  readonly #target: Target;
  readonly #timers: Timers;
  readonly #parameters: ParameterStore | null;
  readonly #reservations: ReservationStore | null;
  readonly #operations: OperationStore | null;
  readonly #information: InformationStore | null;
  readonly #logs: LogStore | null;
  readonly #media: MediaKeeper | null;
  readonly #queue: IoQueue | null;
  readonly #disks = new Map<number, Disk>();
  /** Stores of every disk, those included whose last commands are still ending. */
  #stores: FaultStore[] = [];
  /** Operations on media that go on when their disk leaves standby. */
  readonly #interrupted = new Map<number, InterruptedOperation>();
  /** Bounce buffers of disks that are gone. */
  readonly #spare: BouncePool[] = [];
  /** Memory of the journals of burners that are gone. */
  readonly #spareSlots: SlotMemory[] = [];

  constructor(options: InventoryOptions) {
    this.#target = options.target;
    this.#timers = options.timers;
    this.#parameters = options.parameters;
    this.#reservations = options.reservations ?? null;
    this.#operations = options.operations ?? null;
    this.#information = options.information ?? null;
    this.#logs = options.logs ?? null;
    this.#media = options.media ?? null;
    this.#queue = options.queue ?? null;
  }

  /**
   * Adds a disk and takes over its descriptor. Throws InventoryError (the descriptor stays the caller's then): the LUN is
   * taken or out of range, another disk has its identity, its size is none, or its saved mode pages are of another layout;
   * SystemError when memory is short.
   */
  add(options: DiskOptions): LogicalUnit {
    this.#checkNew(options);
    const modePages = openModePages(options, this.#parameters);
    if (modePages === null) {
      throw new InventoryError(
        'ERR_LUN_SAVED_PAGES',
        `Cannot add LUN ${options.lun}: its saved mode pages are of another layout, remove them`,
      );
    }
    const reservations = savedReservations(options);
    if (reservations === undefined) {
      throw new InventoryError(
        'ERR_LUN_SAVED_RESERVATIONS',
        `Cannot add LUN ${options.lun}: what was saved of its reservations is of another layout, remove it`,
      );
    }
    const sanitize = savedSanitize(options);
    if (sanitize === undefined) {
      throw new InventoryError(
        'ERR_LUN_SAVED_SANITIZE',
        `Cannot add LUN ${options.lun}: what was saved of its SANITIZE is of another layout, remove it`,
      );
    }
    if (sanitize !== null && options.backing.kind === 'none') {
      throw new InventoryError(
        'ERR_LUN_SAVED_SANITIZE',
        `Cannot add LUN ${options.lun}: a SANITIZE of its medium is not done and the medium is not there, give it back or remove what was saved of the SANITIZE`,
      );
    }
    const information = options.savedInformation ?? new Uint8Array(0);
    if (!new IdentifyingInformation().load(information)) {
      throw new InventoryError(
        'ERR_LUN_SAVED_INFORMATION',
        `Cannot add LUN ${options.lun}: what was saved of its identifying information is of another layout, remove it`,
      );
    }
    const logs = savedLogs(options);
    if (logs === undefined) {
      throw new InventoryError(
        'ERR_LUN_SAVED_LOGS',
        `Cannot add LUN ${options.lun}: what was saved of its logs is of another layout, remove it`,
      );
    }
    const inner = openStore(options, this.#queue);
    const store = new FaultStore(inner, {
      timers: this.#timers,
      blockBytes: bytesOfBlock(options),
    });
    const bounce = this.#spare.pop() ?? mapBouncePool();
    const journal = this.#newJournal(options, store);
    const drive = this.#newDrive(options, store, journal);
    const create = options.optical === true ? createDiscDrive : createDisk;
    const unit = create(this.#target, options, {
      store,
      bounce,
      modePages,
      reservationStore: this.#reservations,
      reservations,
      operationStore: this.#operations,
      informationStore: this.#information,
      logStore: this.#logs,
      mediumChanger: drive,
      journal,
    });
    unit.information.load(information);
    if (logs !== null) unit.logs.resume(logs);
    this.#disks.set(options.lun, { unit, store, bounce, options, drive, journal });
    this.#stores.push(store);
    this.#target.addUnit(unit);
    if (sanitize === null) return unit;
    // The image of a standby disk is somebody else's for now.
    if (options.standby === true) this.#interrupted.set(options.lun, sanitize);
    else resumeSanitize(unit, sanitize);
    return unit;
  }

  /**
   * Takes a disk away: nobody reaches it any more, its commands are aborted. When the last of them has ended its data is
   * flushed, its descriptor closed, and `gone` called with whether the flush worked. Throws InventoryError.
   */
  remove(lun: number, gone: (flushed: boolean) => void): void {
    const disk = this.#find(lun, 'remove');
    this.#disks.delete(lun);
    this.#interrupted.delete(lun);
    disk.drive?.abandon();
    this.#target.removeUnit(lun, () => {
      const flushed = settleNow(disk);
      disk.store.close();
      disk.drive?.close();
      this.#stores = this.#stores.filter((store) => store !== disk.store);
      this.#spare.push(disk.bounce);
      if (disk.journal !== null) this.#spareSlots.push(disk.journal.memory);
      gone(flushed);
    });
  }

  /**
   * Takes over a larger capacity, in bytes of user data, and tells every nexus (2A/09). What is behind the disk has been extended before
   * (`growFile`); memory is extended here. Throws InventoryError: the size is smaller, no multiple of the block, or not
   * there.
   */
  resize(lun: number, bytes: number): void {
    const disk = this.#find(lun, 'resize');
    const { unit, store } = disk;
    const options = optionsOf(disk);
    const action = `Cannot resize LUN ${lun} to ${bytes} bytes`;
    if (unit.optical !== null) {
      throw new InventoryError('ERR_LUN_SIZE', `${action}: a disc has the size it has`);
    }
    if (bytes % options.blockBytes !== 0) {
      throw new InventoryError(
        'ERR_LUN_SIZE',
        `${action}: a disk needs a multiple of ${options.blockBytes}`,
      );
    }
    const now = userBytesOf(options, store.bytes);
    if (bytes < now) {
      throw new InventoryError('ERR_LUN_SIZE', `${action}: it has ${now} and a disk only grows`);
    }
    const there = backingBytes(options.backing);
    const needed = imageBytesOf(options, bytes);
    if (there < needed) {
      throw new InventoryError(
        'ERR_LUN_SIZE',
        `${action}: what is behind it has ${there}, extend that first`,
      );
    }
    if (bytes === now) return;
    store.grow(needed);
    unit.attentionForAll(CAPACITY_DATA_HAS_CHANGED);
  }

  /**
   * Lets a disk out of standby: whoever calls owns its image now (`lockImage`). `bytes` is the size it has found, which may
   * have grown meanwhile. Throws InventoryError.
   */
  activate(lun: number, bytes: number): void {
    const { unit } = this.#find(lun, 'activate');
    this.resize(lun, bytes);
    unit.activate();
    const interrupted = this.#interrupted.get(lun);
    this.#interrupted.delete(lun);
    if (interrupted !== undefined) resumeSanitize(unit, interrupted);
  }

  /** Puts a disk into standby. When nothing touches its medium any more and its data is flushed `quiet` is called. */
  standBy(lun: number, quiet: (flushed: boolean) => void): void {
    const { unit, store } = this.#find(lun, 'put into standby');
    if (unit.operation !== null) {
      throw new InventoryError(
        'ERR_LUN_BUSY',
        `Cannot put LUN ${lun} into standby: a SANITIZE is under way, wait until it has ended`,
      );
    }
    unit.standBy(() => quiet(store.syncNow() === DONE));
  }

  /**
   * Puts a medium into a drive (`Drive.insert`) and takes over its descriptors, which are closed when `done` gets an error. `asked`: for a
   * START STOP UNIT. Throws InventoryError and SystemError.
   */
  loadMedium(
    lun: number,
    spec: MediumSpec,
    how: { readonly force: boolean; readonly asked: boolean },
    done: Removed,
  ): void {
    const { unit, drive } = this.#findDrive(lun, 'load a medium into');
    drive.insert(unit, spec, how, done);
  }

  /** Takes the medium out of a drive (`Drive.take`). Throws InventoryError. */
  ejectMedium(lun: number, force: boolean, done: Removed): void {
    const { unit, drive } = this.#findDrive(lun, 'eject the medium of');
    drive.take(unit, force, done);
  }

  /** The operator asks for the medium of a drive (`Drive.request`). Throws InventoryError. */
  requestMedium(lun: number, silently: boolean): void {
    const { unit, drive } = this.#findDrive(lun, 'ask for the medium of');
    drive.request(unit, silently);
  }

  /** The operator prevents the removal of the medium of a drive, or does no longer. Throws InventoryError. */
  lockMedium(lun: number, locked: boolean): void {
    const { unit } = this.#findDrive(lun, locked ? 'lock the medium of' : 'unlock the medium of');
    if (unit.medium !== null) unit.medium.locked = locked;
  }

  /** What a START STOP UNIT waits for is done, or cannot be. Throws InventoryError. */
  answerMedium(lun: number, reply: StoreReply): void {
    this.#findDrive(lun, 'answer for the medium of').drive.answer(reply);
  }

  /** Every drive, in ascending LUN order. */
  drives(): DriveStatus[] {
    const disks = [...this.#disks.values()].sort((a, b) => a.unit.lun - b.unit.lun);
    return disks.flatMap(({ unit, drive }) => (drive === null ? [] : [drive.status(unit)]));
  }

  /** Replaces the fault-injection rules of a disk; an empty list ends them. Throws InventoryError. */
  inject(lun: number, rules: readonly FaultRule[]): void {
    const { unit, store } = this.#find(lun, 'inject faults into');
    const { faults, others } = injectedFaults(lun, unit, rules);
    unit.optical?.faults.set(faults);
    store.setRules(others);
  }

  /** A new turn of the reactor: files are looked at again before their next write. Hot path. */
  turn(): void {
    for (let i = 0; i < this.#stores.length; i += 1) (this.#stores[i] as FaultStore).turn();
  }

  /** Flushes every disk and has its logs saved, for an orderly end. Blocks. Returns the LUNs that could not be. */
  flushAll(): number[] {
    const failed: number[] = [];
    for (const [lun, disk] of this.#disks) {
      disk.unit.logs.saveImplicitly();
      if (!settleNow(disk)) failed.push(lun);
    }
    return failed;
  }

  /** Statistics of every disk, in ascending LUN order. */
  statistics(): UnitStatistics[] {
    const disks = [...this.#disks.values()].sort((a, b) => a.unit.lun - b.unit.lun);
    return disks.map(({ unit, store, options: layout }) => ({
      lun: unit.lun,
      bytes: unit.optical === null ? userBytesOf(layout, store.bytes) : opticalBytes(unit.optical),
      commands: unit.counters.commands,
      reads: unit.counters.reads,
      writes: unit.counters.writes,
      bytesRead: unit.counters.bytesRead,
      bytesWritten: unit.counters.bytesWritten,
      checkConditions: unit.counters.checkConditions,
      outstanding: unit.taskSet.count,
    }));
  }

  #checkNew(options: DiskOptions): void {
    const { lun, serial, naa } = options;
    const action = `Cannot add LUN ${lun}`;
    if (!Number.isInteger(lun) || lun < 0 || lun > MAX_LUN) {
      throw new InventoryError('ERR_LUN_RANGE', `${action}: 0 to ${MAX_LUN} can be reached`);
    }
    if (this.#target.unit(lun) !== undefined) {
      throw new InventoryError(
        'ERR_LUN_IN_USE',
        `${action}: there is a logical unit of this number, choose another or remove it first`,
      );
    }
    checkBacking(action, options);
    for (const { unit } of this.#disks.values()) {
      const { identity } = unit;
      if (identity.serial === serial || Buffer.compare(identity.naa, naa) === 0) {
        throw new InventoryError(
          'ERR_LUN_IDENTITY',
          `${action}: LUN ${unit.lun} has serial "${serial}" already, give each disk its own`,
        );
      }
    }
  }

  #newJournal({ burner = false, backing }: DiskOptions, store: FaultStore): BurnerJournal | null {
    if (!burner) return null;
    return new BurnerJournal(store, this.#spareSlots.pop() ?? slotMemory(), backing);
  }

  #newDrive(disk: DiskOptions, store: FaultStore, journal: BurnerJournal | null): Drive | null {
    const keeper = this.#media;
    if (disk.removable !== true || keeper === null) return null;
    const open = (options: DiskOptions): DiskStore => openStore(options, this.#queue);
    return new Drive({ disk, store, keeper, timers: this.#timers, open, journal });
  }

  #findDrive(lun: number, verb: string): { readonly unit: LogicalUnit; readonly drive: Drive } {
    const { unit, drive } = this.#find(lun, verb);
    if (drive !== null) return { unit, drive };
    throw new InventoryError(
      'ERR_LUN_FIXED',
      `Cannot ${verb} LUN ${lun}: its medium is fixed, attach the disk with removable`,
    );
  }

  #find(lun: number, verb: string): Disk {
    const disk = this.#disks.get(lun);
    if (disk !== undefined) return disk;
    throw new InventoryError('ERR_LUN_MISSING', `Cannot ${verb} LUN ${lun}: there is no such disk`);
  }
}
