/** The one poller of a real device: what it says about its medium goes to every nexus, as unit attention and as event. */
import type { Timers } from '../../scsi/contracts.ts';
import type { LogicalUnit } from '../../scsi/logical-unit.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import { GOOD } from '../../scsi/sam.ts';
import {
  ascOf,
  ascqOf,
  ILLEGAL_REQUEST,
  NOT_READY,
  senseKeyOf,
  UNIT_ATTENTION,
} from '../../scsi/sense.ts';
import { NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED } from '../../scsi/sense-codes.ts';
import { chore, type Line, type Turn } from './line.ts';
import { modePages } from './lists.ts';
import type { DeviceOutcome } from './outcome.ts';
import type { Prevention } from './prevention.ts';
import { WRITE_PARAMETERS_PAGE, type WriteBlocks } from './write-blocks.ts';

export const OPTICAL = 0x05;
export const DISK = 0x00;
export const TAPE = 0x01;

const TEST_UNIT_READY = [0x00, 0, 0, 0, 0, 0];
const MEDIA_EVENTS = [0x4a, 0x01, 0, 0, 0x10, 0, 0, 0, 8, 0];
const CURRENT_PROFILE = [0x46, 0x02, 0, 0, 0, 0, 0, 0, 8, 0];
const WRITE_PARAMETERS = [0x5a, 0x08, WRITE_PARAMETERS_PAGE, 0, 0, 0, 0, 0, 64, 0];
const READ_CAPACITY_10 = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const READ_CAPACITY_16 = [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0];
const BLOCK_DESCRIPTOR = [0x1a, 0, 0, 0, 12, 0];
const MODE_SENSE_10_HEADER = 8;

const MEDIA_CLASS = 4;
const NO_EVENT_AVAILABLE = 0x80;
const EJECT_REQUEST = 1;
const NEW_MEDIA = 2;
const MEDIA_REMOVAL = 3;
const MEDIA_CHANGED = 4;
const FORMAT_COMPLETED = 5;
const FORMAT_RESTARTED = 6;
const TRAY_OPEN = 0x01;
const MEDIA_PRESENT = 0x02;

const MEDIUM_CHANGED = 0x28;
const RESET = 0x29;
const NOT_PRESENT = 0x3a;
const BECOMING_READY = 0x04;
const WITH_TRAY_OPEN = 0x02;
/** Profiles of CDs: CD-ROM, CD-R, CD-RW. */
const CD_PROFILES: readonly number[] = [0x0008, 0x0009, 0x000a];
/** Looks at the events of a drive in which it may still tell of what its unit attention, or the end of a burn, has told before. */
const ECHOES = 2;
/** A device has a few unit attentions when it is opened, which are about times before. */
const FIRST_LOOKS = 8;

export interface MediumWatchOptions {
  readonly line: Line;
  readonly unit: LogicalUnit;
  readonly peripheralType: number;
  readonly timers: Timers;
  readonly pollMs: number;
  readonly blocks: WriteBlocks;
  readonly prevention: Prevention;
}

export class MediumWatch {
  readonly #options: MediumWatchOptions;
  readonly #line: Line;
  readonly #unit: LogicalUnit;
  #hasEvents: boolean;
  #timer: object | null = null;
  /** A burn has ended, of a nexus, and the drive may still be at it. */
  #settling: Nexus | null = null;
  #polling = false;
  /** Looks in which an event of a new medium is no news. */
  #echoes = 0;
  /** Bytes of the medium; 0: there is none, or nobody knows. */
  capacityBytes = 0;

  constructor(options: MediumWatchOptions) {
    this.#options = options;
    this.#line = options.line;
    this.#unit = options.unit;
    this.#hasEvents = options.peripheralType === OPTICAL;
  }

  /** Learns what is there, and goes on watching it when it can change. */
  start(): void {
    this.#look(FIRST_LOOKS);
    this.#schedule();
  }

  stop(): void {
    if (this.#timer !== null) this.#options.timers.cancel(this.#timer);
    this.#timer = null;
  }

  /** What the device answers to a command of `by` (null: of the daemon) tells about the medium. `ready`: it was TEST UNIT READY. */
  saw({ status, sense }: DeviceOutcome, by: Nexus | null, ready: boolean): void {
    const { medium } = this.#unit;
    const asc = ascOf(sense);
    if (senseKeyOf(sense) === UNIT_ATTENTION) {
      this.#attention(sense, by);
    } else if (senseKeyOf(sense) === NOT_READY && asc === NOT_PRESENT) {
      this.#left(ascqOf(sense) === WITH_TRAY_OPEN);
    } else if (ready && medium !== null && !medium.loaded) {
      const turns = senseKeyOf(sense) === NOT_READY && asc === BECOMING_READY;
      if (status === GOOD || turns) this.#arrived(by);
    } else if (ready && status === GOOD && by !== null && this.#settling !== null) {
      // The host that waits for the end of its burn has seen it.
      this.settle(this.#settling);
    }
  }

  /** A command of `by` has made another disc of the one that is there, at once or when the drive is ready again. */
  settle(by: Nexus): void {
    this.#settling = by;
    this.#line.first(this.#turn(TEST_UNIT_READY, 0, (outcome) => this.#settled(outcome)));
  }

  /** Asks now: something has been done to the medium. */
  poll(): void {
    if (this.#polling) return;
    this.#polling = true;
    for (const turn of this.#options.prevention.reconcile()) this.#line.last(turn);
    if (this.#settling !== null) {
      this.#line.last(this.#turn(TEST_UNIT_READY, 0, (outcome) => this.#settled(outcome)));
    }
    if (this.#hasEvents) {
      this.#line.last(this.#turn(MEDIA_EVENTS, 8, (outcome, data) => this.#heard(outcome, data)));
      return;
    }
    this.#line.last(
      this.#turn(TEST_UNIT_READY, 0, (outcome) => {
        this.#polling = false;
        this.saw(outcome, null, true);
      }),
    );
  }

  /** Learns the sizes that lengths of data depend on. */
  refresh(): void {
    const { peripheralType } = this.#options;
    const turns: Turn[] = [];
    if (peripheralType === OPTICAL) {
      turns.push(
        this.#turn(CURRENT_PROFILE, 8, (outcome, data) => this.#setProfile(outcome, data)),
        this.#turn(WRITE_PARAMETERS, 64, (outcome, data) => this.#setPage(outcome, data)),
      );
    }
    if (peripheralType === OPTICAL || peripheralType === DISK) {
      turns.push(
        this.#turn(READ_CAPACITY_10, 8, (outcome, data) => this.#setCapacity(outcome, data)),
      );
    }
    if (peripheralType === TAPE) {
      turns.push(
        this.#turn(BLOCK_DESCRIPTOR, 12, (outcome, data) => this.#setTapeBlock(outcome, data)),
      );
    }
    this.#line.first(...turns);
  }

  #turn(
    cdb: readonly number[],
    inBytes: number,
    heard: (outcome: DeviceOutcome, data: Uint8Array) => void,
  ): Turn {
    return chore(cdb, inBytes, heard)(this.#line.data);
  }

  #schedule(): void {
    const { timers, pollMs } = this.#options;
    if (this.#unit.medium === null) return;
    this.#timer = timers.after(pollMs, () => {
      this.poll();
      this.#schedule();
    });
  }

  /** At the beginning: unit attentions of before are eaten, and what is found is no news. */
  #look(left: number): void {
    this.#line.first(
      this.#turn(TEST_UNIT_READY, 0, (outcome) => {
        if (senseKeyOf(outcome.sense) === UNIT_ATTENTION && left > 0) {
          this.#look(left - 1);
          return;
        }
        this.saw(outcome, null, true);
        this.refresh();
      }),
    );
  }

  #attention(sense: number, by: Nexus | null): void {
    const asc = ascOf(sense);
    if (asc === MEDIUM_CHANGED && this.#unit.medium !== null) {
      this.#echoes = ECHOES;
      this.#arrived(by);
      return;
    }
    // A reset of the device ends what was prevented there.
    if (asc === RESET) this.#options.prevention.forgotten();
    this.#unit.attentionForAll(sense, by?.index ?? -1);
    this.refresh();
  }

  #arrived(by: Nexus | null): void {
    const { medium } = this.#unit;
    if (medium === null) return;
    this.#options.blocks.forgetCueSheet();
    medium.insert(this.#unit, medium.generation + 1, by);
    this.refresh();
  }

  #left(isTrayOpen: boolean): void {
    const { medium } = this.#unit;
    if (medium === null) return;
    this.capacityBytes = 0;
    this.#echoes = 0;
    if (isTrayOpen && medium.place !== 'tray') medium.eject(this.#unit, null);
    else if (!isTrayOpen && medium.place !== 'away') medium.take();
  }

  #heard(outcome: DeviceOutcome, data: Uint8Array): void {
    this.#polling = false;
    const isEcho = this.#echoes > 0;
    if (isEcho) this.#echoes -= 1;
    if (outcome.status !== GOOD) {
      if (senseKeyOf(outcome.sense) === ILLEGAL_REQUEST) this.#hasEvents = false;
      this.saw(outcome, null, false);
      return;
    }
    const [, , header = NO_EVENT_AVAILABLE, , event = 0, status = 0] = data;
    if (data.length < 6 || (header & NO_EVENT_AVAILABLE) !== 0 || (header & 0x07) !== MEDIA_CLASS)
      return;
    this.#event(event & 0x0f, status, isEcho);
  }

  #event(event: number, status: number, isEcho: boolean): void {
    const { medium, mediaEvents } = this.#unit;
    const isThere = (status & MEDIA_PRESENT) !== 0;
    if (event === EJECT_REQUEST) mediaEvents?.ejectRequested();
    else if (event === FORMAT_COMPLETED) mediaEvents?.formatCompleted();
    else if (event === FORMAT_RESTARTED) mediaEvents?.formatRestarted();
    const isNew = event === NEW_MEDIA || event === MEDIA_CHANGED;
    const isOld = isThere && isEcho && medium?.loaded === true;
    if (isOld && (isNew || event === MEDIA_REMOVAL)) {
      // The one before has gone, the next one is there: that was told when it was met.
      if (isNew) this.#echoes = 0;
    } else if (isThere && (isNew || medium?.loaded === false)) {
      this.#arrived(null);
      this.#eatAttention();
    } else if (event === MEDIA_REMOVAL || (!isThere && medium?.place !== 'away')) {
      this.#left((status & TRAY_OPEN) !== 0);
    }
  }

  /** The drive has a unit attention about what every nexus has just been told. */
  #eatAttention(): void {
    this.#line.first(
      this.#turn(TEST_UNIT_READY, 0, (outcome) => {
        if (outcome.sense !== NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED) {
          this.saw(outcome, null, false);
        }
      }),
    );
  }

  #settled(outcome: DeviceOutcome): void {
    const by = this.#settling;
    const isBusy =
      senseKeyOf(outcome.sense) === NOT_READY && ascOf(outcome.sense) === BECOMING_READY;
    if (by === null || isBusy) return;
    this.#settling = null;
    this.#echoes = ECHOES;
    this.#options.blocks.forgetCueSheet();
    this.#unit.mediaEvents?.newMedia(by);
    this.saw(outcome, null, false);
    this.refresh();
  }

  #setProfile({ status }: DeviceOutcome, data: Uint8Array): void {
    if (status !== GOOD || data.length < 8) return;
    const profile = ((data[6] as number) << 8) | (data[7] as number);
    this.#options.blocks.isCd = CD_PROFILES.includes(profile);
  }

  #setPage({ status }: DeviceOutcome, data: Uint8Array): void {
    if (status !== GOOD || data.length < MODE_SENSE_10_HEADER) return;
    const bytes = 2 + (((data[0] as number) << 8) | (data[1] as number));
    const page = modePages(data.subarray(0, bytes), true)?.find(
      ({ code }) => code === WRITE_PARAMETERS_PAGE,
    );
    if (page !== undefined) this.#options.blocks.setPage(page.bytes);
  }

  #setCapacity({ status }: DeviceOutcome, data: Uint8Array): void {
    if (status !== GOOD || data.length < 8) return;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const last = view.getUint32(0);
    if (last === 0xffffffff && this.#options.peripheralType === DISK) {
      this.#line.first(
        this.#turn(READ_CAPACITY_16, 32, (outcome, long) => {
          if (outcome.status !== GOOD || long.length < 12) return;
          const wide = new DataView(long.buffer, long.byteOffset, long.length);
          this.#setBlocks(Number(wide.getBigUint64(0)) + 1, wide.getUint32(8));
        }),
      );
      return;
    }
    this.#setBlocks(last + 1, view.getUint32(4));
  }

  #setBlocks(blocks: number, blockBytes: number): void {
    this.capacityBytes = blocks * blockBytes;
    // An optical drive counts in 2048 whatever a blank disc says of itself.
    if (this.#options.peripheralType === DISK) this.#options.blocks.blockBytes = blockBytes;
  }

  #setTapeBlock({ status }: DeviceOutcome, data: Uint8Array): void {
    if (status !== GOOD || data.length < 12) return;
    const [a = 0, b = 0, c = 0] = data.subarray(9);
    this.#options.blocks.blockBytes = (a << 16) | (b << 8) | c;
  }
}
