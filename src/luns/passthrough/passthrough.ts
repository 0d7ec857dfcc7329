/** Runs the commands of initiators on a real device: filter, data, parts, outcome, and what several initiators need of it. */
import { assert } from '../../assert.ts';
import { type CdbField, field, setField } from '../../scsi/cdb.ts';
import type { LogicalUnit } from '../../scsi/logical-unit.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import { nexusIndexOf, nexusOf, refuse } from '../../scsi/parameter-data.ts';
import { CHECK_CONDITION, GOOD } from '../../scsi/sam.ts';
import {
  DATA_PHASE_ERROR,
  INVALID_FIELD_IN_CDB,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  MEDIUM_NOT_PRESENT,
  MEDIUM_REMOVAL_PREVENTED,
  MODE_PARAMETERS_CHANGED,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../../scsi/sense-codes.ts';
import { requestSense } from '../../scsi/spc/request-sense.ts';
import type { Task } from '../../scsi/task.ts';
import { type DeviceReply, type DeviceRequest, FROM_DEVICE, NO_DATA, TO_DEVICE } from './device.ts';
import {
  isRefusal,
  lbaOf,
  type PassedCommand,
  type Refusal,
  refusalOf,
  refused,
  sentCdb,
} from './filter.ts';
import { KeyOwners } from './key-owners.ts';
import { type Line, movedBytes, type Turn } from './line.ts';
import { modePages } from './lists.ts';
import type { MediumWatch } from './medium-watch.ts';
import { type DeviceOutcome, GONE } from './outcome.ts';
import { PassedBurn } from './passed-burn.ts';
import type { Kind, Prevention } from './prevention.ts';
import { WRITE_PARAMETERS_PAGE, type WriteBlocks } from './write-blocks.ts';

/** LOEJ and START of START STOP UNIT, LOUNLO and START of LOAD/UNLOAD. */
const LOEJ = 0x02;
const START = 0x01;
const PREVENT = 0x01;
const PERSISTENT = 0x02;
const POWER_CONDITION = 0xf0;
const START_STOP_UNIT = 0x1b;
const MODE_SELECT_10 = 0x55;

export interface PassthroughParts {
  readonly unit: LogicalUnit;
  readonly line: Line;
  readonly watch: MediumWatch;
  readonly prevention: Prevention;
  readonly blocks: WriteBlocks;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** The device is no longer there. */
  readonly onGone: () => void;
}

/** Sums of what has been moved for initiators. */
export interface PassthroughCounters {
  reads: number;
  writes: number;
  bytesRead: number;
  bytesWritten: number;
}

/** A command under way. */
interface Passing {
  readonly task: Task;
  readonly row: PassedCommand;
  readonly cdb: Uint8Array;
  /** Bytes in all. */
  readonly length: number;
  /** The parameter list that was checked, which is what is sent; null: blocks, or no data-out. */
  readonly list: Uint8Array | null;
  /** Blocks done, of `blocks`; both 0 when it goes in one piece. */
  readonly blocks: number;
  done: number;
  /** Bytes done. */
  moved: number;
}

export class Passthrough {
  readonly counters: PassthroughCounters = { reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 };
  readonly burn: PassedBurn;
  readonly #parts: PassthroughParts;
  readonly #keys = new KeyOwners();
  /** The device has gone. */
  gone = false;

  constructor(parts: PassthroughParts) {
    this.#parts = parts;
    this.burn = new PassedBurn(parts.now);
  }

  /** REQUEST SENSE: what waits for the nexus here, or what the device has to say (progress). */
  requestSense(task: Task, row: PassedCommand): void {
    const { unit } = this.#parts;
    const pends = unit.attention.pending[nexusIndexOf(task)] !== 0;
    if (pends || (unit.medium?.absence ?? 0) !== 0) requestSense(task);
    else this.run(task, row);
  }

  /** The handler of every row of the filter. */
  run(task: Task, row: PassedCommand): void {
    const cdb = sentCdb(row, task);
    const refusal = refusalOf(row, cdb) ?? this.#ruling(row, cdb, nexusOf(task));
    if (refusal !== null) {
      refuse(task, refusal.sense, refusal.pointer);
      return;
    }
    if (row.special === 'prevent') {
      this.#prevent(task, row, cdb);
      return;
    }
    const passing = this.#prepare(task, row, cdb);
    if ('sense' in passing) refuse(task, passing.sense, passing.pointer);
    else this.#send(passing);
  }

  /** What the rest of the nexuses and the lock have against it. */
  #ruling(row: PassedCommand, cdb: Uint8Array, nexus: Nexus): Refusal | null {
    const { unit, blocks } = this.#parts;
    if (this.burn.excludes(row, nexus, blocks.atOnce)) {
      return refused(LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS);
    }
    if (row.special === 'start-stop' && movesMedium(cdb)) {
      const { medium } = unit;
      if (medium !== null && !medium.movableBy(nexus)) return refused(MEDIUM_REMOVAL_PREVENTED);
    }
    if (row.special === 'key') return this.#keys.refusal(cdb, nexus);
    return null;
  }

  #prepare(task: Task, row: PassedCommand, cdb: Uint8Array): Passing | Refusal {
    const { line, blocks } = this.#parts;
    const limit = line.data.length;
    let length = row.length(cdb, blocks);
    if (isRefusal(length)) return length;
    const { allocation, parts } = row;
    if (allocation !== null && length > limit) {
      setField(cdb, allocation, limit);
      length = limit;
    }
    const count = parts === null ? 0 : field(cdb, parts.blocks);
    // READ(6) of "0" blocks and the like fit in one part, or are refused.
    const isLong = length > limit;
    if (isLong && (parts === null || count === 0 || length / count > limit)) {
      return refused(INVALID_FIELD_IN_CDB);
    }
    const list = row.data === 'out' ? this.#takeList(task, row, cdb, length) : null;
    if (list !== null && 'sense' in list) return list;
    return { task, row, cdb, length, list, blocks: isLong ? count : 0, done: 0, moved: 0 };
  }

  /** A parameter list is copied once, looked at and sent from the copy; null: these are blocks. */
  #takeList(
    task: Task,
    row: PassedCommand,
    cdb: Uint8Array,
    length: number,
  ): Uint8Array | Refusal | null {
    const isList = row.parts === null;
    task.dataOutWanted = length;
    if (task.dataOut.bytes < length) {
      return refused(isList ? PARAMETER_LIST_LENGTH_ERROR : DATA_PHASE_ERROR);
    }
    if (!isList || (row.list === null && row.special === null)) return null;
    const list = new Uint8Array(length);
    task.dataOut.get(0, list, 0, length);
    return row.list?.(list, cdb) ?? list;
  }

  #send(passing: Passing): void {
    const { task, row } = passing;
    if (this.gone) {
      this.#end(passing, GONE);
      return;
    }
    this.burn.began(row, nexusOf(task));
    this.#parts.line.last(this.#turnOf(passing));
  }

  #turnOf(passing: Passing): Turn {
    const part = this.#nextPart(passing);
    return {
      begin: (data) => this.#begin(passing, part, data),
      ended: (outcome, reply) => this.#ended(passing, part, outcome, reply),
    };
  }

  /** The blocks and bytes that go next. */
  #nextPart({ row, cdb, length, blocks, done }: Passing): Part {
    const { parts } = row;
    if (parts === null || blocks === 0) return { cdb, blocks: 0, bytes: length };
    const { line, blocks: state } = this.#parts;
    const next = cdb.slice();
    const lba = lbaOf(cdb, parts.lba) + done;
    setField(next, parts.lba, wrapped(lba, parts.lba));
    // Blocks of one session may be of different length: as many as fit.
    let count = Math.max(1, Math.floor((line.data.length * blocks) / length));
    count = Math.min(count, blocks - done);
    let bytes = this.#bytesOf(row, next, parts.blocks, count, state);
    while (bytes > line.data.length && count > 1) {
      count -= 1;
      bytes = this.#bytesOf(row, next, parts.blocks, count, state);
    }
    return { cdb: next, blocks: count, bytes };
  }

  #bytesOf(
    row: PassedCommand,
    cdb: Uint8Array,
    at: CdbField,
    count: number,
    state: WriteBlocks,
  ): number {
    setField(cdb, at, count);
    const bytes = row.length(cdb, state);
    assert(!isRefusal(bytes), 'a part of what was let through is let through');
    return bytes;
  }

  #begin(passing: Passing, part: Part, data: Uint8Array): DeviceRequest | null {
    const { task, row, list, moved } = passing;
    if (task.aborting || this.#isForOldMedium(task, row)) {
      if (!task.aborting) task.check(MEDIUM_NOT_PRESENT);
      this.#parts.unit.finish(task);
      return null;
    }
    if (row.data === 'out') {
      if (list === null) task.dataOut.get(moved, data, 0, part.bytes);
      else data.set(list);
    }
    return {
      cdb: part.cdb,
      direction: part.bytes === 0 ? NO_DATA : row.data === 'in' ? FROM_DEVICE : TO_DEVICE,
      length: part.bytes,
      timeoutMs: row.timeoutMs,
    };
  }

  /** The medium has changed since it passed the gates. */
  #isForOldMedium(task: Task, row: PassedCommand): boolean {
    const { medium } = this.#parts.unit;
    return row.medium && medium !== null && medium.generation !== task.mediumGeneration;
  }

  #ended(passing: Passing, part: Part, outcome: DeviceOutcome, reply: DeviceReply): void {
    const { task, row } = passing;
    const bytes = movedBytes(part.bytes, reply);
    if (row.data === 'in') this.#deliver(passing, bytes);
    passing.moved += bytes;
    passing.done += part.blocks;
    // A short transfer is the end of one that goes in parts: what follows would have a gap in front.
    const isShort = bytes < part.bytes;
    if (outcome.status === GOOD && passing.done < passing.blocks && !isShort && !task.aborting) {
      this.#parts.line.first(this.#turnOf(passing));
      return;
    }
    this.#end(passing, outcome);
  }

  /** What came goes to the initiator, as far as it has room. A command that is being aborted has none any more. */
  #deliver({ task, moved }: Passing, bytes: number): void {
    if (task.aborting) return;
    const fits = Math.min(bytes, Math.max(0, task.dataIn.bytes - moved));
    task.dataIn.put(moved, this.#parts.line.data, 0, fits);
  }

  #end(passing: Passing, outcome: DeviceOutcome): void {
    const { task, row, moved } = passing;
    const { unit } = this.#parts;
    if (row.data === 'in') {
      task.dataInWanted = moved;
      task.dataInMoved = Math.min(moved, task.dataIn.bytes);
    } else {
      task.dataOutWanted = moved;
      task.dataOutMoved = moved;
    }
    this.#count(row, moved);
    if (outcome.gone) this.#isGone();
    const nexus = nexusOf(task);
    // What an aborted command met is told to nobody by it.
    this.#parts.watch.saw(outcome, task.aborting ? null : nexus, row.special === 'ready');
    if (outcome.status === GOOD) this.#succeeded(passing, nexus);
    if (outcome.status === CHECK_CONDITION) {
      task.check(outcome.sense);
      task.deviceSense = outcome.deviceSense;
    } else {
      task.status = outcome.status;
    }
    unit.finish(task);
  }

  #isGone(): void {
    if (this.gone) return;
    this.gone = true;
    this.#parts.watch.stop();
    this.#parts.onGone();
  }

  #count({ data, medium }: PassedCommand, moved: number): void {
    const { counters } = this;
    if (!medium || moved === 0) return;
    if (data === 'in') {
      counters.reads += 1;
      counters.bytesRead += moved;
    } else {
      counters.writes += 1;
      counters.bytesWritten += moved;
    }
  }

  #succeeded({ task, row, cdb, list }: Passing, nexus: Nexus): void {
    const { unit, watch, blocks } = this.#parts;
    switch (row.special) {
      case 'mode-select':
        this.#modesSelected(list ?? new Uint8Array(0), cdb, nexus);
        break;
      case 'cue-sheet':
        if (list !== null) blocks.setCueSheet(list);
        break;
      case 'start-stop':
        watch.poll();
        break;
      case 'key':
        this.#keys.heard(cdb, task, nexus);
        break;
      default:
    }
    if (this.burn.ended(row, cdb, nexus, blocks.atOnce) && unit.mediaEvents !== null) {
      watch.settle(nexus);
    }
  }

  #modesSelected(list: Uint8Array, cdb: Uint8Array, nexus: Nexus): void {
    const { unit, blocks, watch } = this.#parts;
    const pages = modePages(list, cdb[0] === MODE_SELECT_10) ?? [];
    for (const { code, bytes } of pages) {
      if (code === WRITE_PARAMETERS_PAGE && unit.mediaEvents !== null) blocks.setPage(bytes);
    }
    if (list.length === 0) return;
    unit.attentionForAll(MODE_PARAMETERS_CHANGED, nexus.index);
    if (unit.mediaEvents === null) watch.refresh();
  }

  /** Each nexus for itself; the drive is only told when the sum has changed. */
  #prevent(task: Task, row: PassedCommand, cdb: Uint8Array): void {
    const { unit, prevention, line } = this.#parts;
    const { medium } = unit;
    const nexus = nexusOf(task);
    const value = cdb[4] as number;
    const kind: Kind = (value & PERSISTENT) === 0 ? 'plain' : 'persistent';
    const prevents = (value & PREVENT) !== 0;
    if (medium === null) {
      // Nothing can be taken out: the device says what it thinks of the command.
      this.#send({ task, row, cdb, length: 0, list: null, blocks: 0, done: 0, moved: 0 });
      return;
    }
    if (prevents) medium.prevent(nexus, kind);
    else medium.endPrevention(nexus, kind);
    if (prevention.isTold(kind)) {
      unit.finish(task);
      return;
    }
    const told = prevention.cdb(kind);
    const passing = { task, row, cdb: told, length: 0, list: null, blocks: 0, done: 0, moved: 0 };
    const turn = this.#turnOf(passing);
    line.last({
      begin: turn.begin,
      ended: (outcome, reply) => {
        if (outcome.status === GOOD) prevention.told(kind, ((told[4] as number) & PREVENT) !== 0);
        // The drive has not taken it: the nexus has no prevention that it could count on.
        else if (prevents) medium.endPrevention(nexus, kind);
        turn.ended(outcome, reply);
      },
    });
  }
}

interface Part {
  readonly cdb: Uint8Array;
  readonly blocks: number;
  readonly bytes: number;
}

/** Addresses in front of LBA 0 are negative numbers of 32 bits. */
function wrapped(lba: number, { width }: CdbField): number {
  return width === 4 ? lba >>> 0 : lba;
}

/** START STOP UNIT and LOAD/UNLOAD that move the tray; with a power condition LOEJ means nothing. */
function movesMedium(cdb: Uint8Array): boolean {
  const flags = cdb[4] as number;
  if (cdb[0] === START_STOP_UNIT && (flags & POWER_CONDITION) !== 0) return false;
  return (flags & LOEJ) !== 0 || (cdb[0] !== START_STOP_UNIT && (flags & START) !== 0);
}
