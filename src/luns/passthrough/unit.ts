/** The logical unit of a real device: its command table is the filter of its type and what several initiators share. */

import { field, u } from '../../scsi/cdb.ts';
import type { CommandRow, DeviceType, Handler } from '../../scsi/command-table.ts';
import { deviceType } from '../../scsi/command-table.ts';
import type { Timers } from '../../scsi/contracts.ts';
import { LogicalUnit, type UnitIdentity } from '../../scsi/logical-unit.ts';
import {
  GET_EVENT_STATUS_NOTIFICATION,
  getEventStatusNotification,
} from '../../scsi/mmc/media/get-event-status.ts';
import { MediaEvents } from '../../scsi/mmc/media/media-events.ts';
import { answer, refuseField } from '../../scsi/parameter-data.ts';
import { cdbBytePointer } from '../../scsi/sense.ts';
import { INQUIRY } from '../../scsi/spc/inquiry.ts';
import {
  PERSISTENT_RESERVE_COMMANDS,
  REPORT_COMMANDS,
  RESERVATION_COMMANDS,
} from '../../scsi/spc/shared-commands.ts';
import type { Target } from '../../scsi/target.ts';
import type { Task } from '../../scsi/task.ts';
import { blockTable } from './block-table.ts';
import type { DeviceLink } from './device.ts';
import { commandRow, dataIn, type PassedCommand, passed } from './filter.ts';
import { Line } from './line.ts';
import { MediumWatch, OPTICAL, TAPE } from './medium-watch.ts';
import { opticalTable } from './optical-table.ts';
import { Passthrough, type PassthroughCounters } from './passthrough.ts';
import { Prevention } from './prevention.ts';
import { changerTable, tapeTable } from './tape-tables.ts';
import { WriteBlocks } from './write-blocks.ts';

/** Filters by peripheral device type. */
export const FILTERS: ReadonlyMap<number, readonly PassedCommand[]> = new Map([
  [0x00, blockTable],
  [0x01, tapeTable],
  [0x05, opticalTable],
  [0x08, changerTable],
]);

/** What a device says of itself, read when it was opened. */
export interface DeviceInquiry {
  readonly standard: Uint8Array;
  /** Vital product data pages, by page code. */
  readonly vital: ReadonlyMap<number, Uint8Array>;
}

export interface PassthroughUnitOptions {
  readonly lun: number;
  readonly identity: UnitIdentity;
  readonly inquiry: DeviceInquiry;
  readonly link: DeviceLink;
  readonly timers: Timers;
  /** Rows that the operator lets through beside those of the table. */
  readonly allowed: readonly PassedCommand[];
  readonly pollMs: number;
  readonly now: () => number;
  readonly onGone: () => void;
}

const DEFAULT_BLOCK_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 512],
  [0x05, 2048],
]);
const TYPE_MASK = 0x1f;
const RMB = 0x80;

const REQUEST_SENSE = passed(0x03, 'REQUEST SENSE', 6, 'SPC-4 6.39', {
  ...dataIn(u(4, 1)),
  attention: 'clear',
  reservation: 'always',
});

/** INQUIRY from what was read: it is answered whatever the device is doing. */
function inquiryOf({ standard, vital }: DeviceInquiry): Handler {
  return (task) => {
    const { fields } = INQUIRY;
    const pageCode = field(task.cdb, fields.pageCode);
    const isVital = field(task.cdb, fields.evpd) === 1;
    const data = isVital ? vital.get(pageCode) : pageCode === 0 ? standard : undefined;
    if (data === undefined) refuseField(task, cdbBytePointer(fields.pageCode.byte));
    else answer(task, data, data.length, field(task.cdb, fields.allocationLength));
  };
}

type Run = (task: Task, row: PassedCommand) => void;
type Entry = readonly [CommandRow, Handler];

function entries(rows: readonly PassedCommand[], run: Run): Entry[] {
  return rows.map((row): Entry => [commandRow(row), (task) => run(task, row)]);
}

/** The command table of a device of this type. Throws RangeError: a row is there twice. */
export function passthroughType(
  peripheralType: number,
  inquiry: DeviceInquiry,
  allowed: readonly PassedCommand[],
  run: { readonly passed: Run; readonly requestSense: Run },
): DeviceType {
  const isOptical = peripheralType === OPTICAL;
  const events: readonly Entry[] = [[GET_EVENT_STATUS_NOTIFICATION, getEventStatusNotification]];
  return deviceType(peripheralType, [
    [INQUIRY, inquiryOf(inquiry)],
    ...entries([REQUEST_SENSE], run.requestSense),
    ...RESERVATION_COMMANDS,
    ...PERSISTENT_RESERVE_COMMANDS,
    // A3h is SEND KEY there, with a service action of none.
    ...(isOptical ? events : REPORT_COMMANDS),
    ...entries([...(FILTERS.get(peripheralType) ?? []), ...allowed], run.passed),
  ]);
}

/** A unit with what runs its commands. */
export class PassthroughUnit {
  readonly unit: LogicalUnit;
  readonly #line: Line;
  readonly #watch: MediumWatch;
  readonly #passthrough: Passthrough;
  readonly #blocks: WriteBlocks;

  /** The target does not know it yet. Throws RangeError: the operator lets through what is let through. */
  constructor(target: Target, options: PassthroughUnitOptions) {
    const { lun, identity, inquiry, link, timers, allowed, pollMs, now, onGone } = options;
    const [first = 0, second = 0] = inquiry.standard;
    const peripheralType = first & TYPE_MASK;
    // Tapes and the elements of changers come and go whatever RMB says.
    const removable = (second & RMB) !== 0 || peripheralType === TAPE;
    const line = new Line(link);
    const blocks = new WriteBlocks(DEFAULT_BLOCK_BYTES.get(peripheralType) ?? 0);
    const table = passthroughType(peripheralType, inquiry, allowed, {
      passed: (task, row) => this.#passthrough.run(task, row),
      requestSense: (task, row) => this.#passthrough.requestSense(task, row),
    });
    const unit = new LogicalUnit({
      target,
      lun,
      deviceType: table,
      identity,
      removable,
      ...(peripheralType === OPTICAL ? { mediaEvents: new MediaEvents() } : {}),
    });
    const prevention = new Prevention(unit.medium, link.data);
    const watch = new MediumWatch({
      line,
      unit,
      peripheralType,
      timers,
      pollMs,
      blocks,
      prevention,
    });
    this.unit = unit;
    this.#line = line;
    this.#blocks = blocks;
    this.#watch = watch;
    this.#passthrough = new Passthrough({ unit, line, watch, prevention, blocks, now, onGone });
  }

  get counters(): PassthroughCounters {
    return this.#passthrough.counters;
  }
  get capacityBytes(): number {
    return this.#watch.capacityBytes;
  }
  get blockBytes(): number {
    return this.#blocks.blockBytes;
  }
  get gone(): boolean {
    return this.#passthrough.gone;
  }

  /** Begins to talk to the device. */
  start(): void {
    this.#watch.start();
  }

  /** The unit has left the target: `closed` is called when the device is idle. */
  close(closed: () => void): void {
    this.#watch.stop();
    this.#line.close(closed);
  }
}
