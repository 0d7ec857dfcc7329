/** START STOP UNIT: start, stop, power conditions, and where the medium can be removed eject and load (SBC-3 5.25, SPC-4 5.11). */
import { bits, field } from '../cdb.ts';
import { command, WRITES_UNIT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { refuse, unitOf } from '../parameter-data.ts';
import {
  type Condition,
  IDLE_A,
  IDLE_B,
  IDLE_C,
  ACTIVE as POWER_ACTIVE,
  STANDBY_Y,
  STANDBY_Z,
} from '../power-condition.ts';
import { MEDIUM_REMOVAL_PREVENTED } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { moveIn, moveOut, quietens } from '../tray.ts';
import { blockDeviceOf, refuseField } from './access.ts';
import { checkFlushFault } from './store-fault.ts';

const IMMED = bits(1, 0, 0);
const POWER_CONDITION_MODIFIER = bits(3, 3, 0);
const POWER_CONDITION = bits(4, 7, 4);
const NO_FLUSH = bits(4, 2, 2);
const LOEJ = bits(4, 1, 1);
const START = bits(4, 0, 0);

/** POWER CONDITION values that mean something to a disk without a motor (SBC-3 5.25). */
const START_VALID = 0x0;
const ACTIVE = 0x1;
const IDLE = 0x2;
const STANDBY = 0x3;
const LU_CONTROL = 0x7;
const FORCE_IDLE = 0xa;
const FORCE_STANDBY = 0xb;

const IDLE_CONDITIONS: readonly Condition[] = [IDLE_A, IDLE_B, IDLE_C];
const STANDBY_CONDITIONS: readonly Condition[] = [STANDBY_Z, STANDBY_Y];
/** Conditions by POWER CONDITION and POWER CONDITION MODIFIER (SBC-3 table 99). */
const NAMED: ReadonlyMap<number, readonly Condition[]> = new Map([
  [ACTIVE, [POWER_ACTIVE]],
  [IDLE, IDLE_CONDITIONS],
  [STANDBY, STANDBY_CONDITIONS],
  [FORCE_IDLE, IDLE_CONDITIONS],
  [FORCE_STANDBY, STANDBY_CONDITIONS],
]);

function isPlainStart(cdb: Uint8Array): boolean {
  return field(cdb, START) === 1 && field(cdb, POWER_CONDITION) === START_VALID;
}

export const START_STOP_UNIT = command(
  0x1b,
  'START STOP UNIT',
  6,
  {
    immed: IMMED,
    powerConditionModifier: POWER_CONDITION_MODIFIER,
    powerCondition: POWER_CONDITION,
    noFlush: NO_FLUSH,
    loej: LOEJ,
    start: START,
  },
  {
    data: 'none',
    medium: 'none',
    attention: 'report',
    // A unit that was stopped may be started by anybody (SPC-4 table 51).
    reservation: (task) => (isPlainStart(task.cdb) ? 'always' : 'writes'),
    // What was written before is on the medium when it stops or leaves: those writes end first.
    extent: WRITES_UNIT,
    clause: 'SBC-3 5.25',
  },
);

/**
 * Starts, stops, or changes the power condition. IMMED = 1 is answered after the work as well. Every power condition is
 * accepted: START and LOEJ are then ignored.
 * A drive with a removable medium is never stopped: START = 0 flushes it, with LOEJ = 1 it gives the medium out.
 */
export function startStopUnit(task: Task): void {
  const block = blockDeviceOf(task);
  const { medium } = unitOf(task);
  const condition = field(task.cdb, POWER_CONDITION);
  const moves = movesMedium(task);
  const named = NAMED.get(condition);
  if (named !== undefined && field(task.cdb, POWER_CONDITION_MODIFIER) >= named.length) {
    refuseField(task, POWER_CONDITION_MODIFIER);
  } else if (moves && medium === null) {
    refuseField(task, LOEJ);
  } else if (moves && medium?.prevented === true) {
    // Neither out nor in, into an empty drive either (iscsi-test-cu PreventAllow.Eject).
    refuse(task, MEDIUM_REMOVAL_PREVENTED);
  } else if (quiets(task, condition) && (moves || field(task.cdb, NO_FLUSH) === 0)) {
    task.await(block.store.flush(task), flushed);
  } else {
    settle(task, condition);
  }
}

function movesMedium(task: Task): boolean {
  return field(task.cdb, POWER_CONDITION) === START_VALID && field(task.cdb, LOEJ) === 1;
}

/** Somebody prevents the removal of a medium that is still there. */
function isHeldFast(task: Task): boolean {
  const { medium } = unitOf(task);
  return medium?.prevented === true && medium.loaded;
}

/** Whether the command makes the unit less ready than it is, so that its cache must be on the medium first. */
function quiets(task: Task, condition: number): boolean {
  if (unitOf(task).medium?.loaded === false) return false;
  if (condition === START_VALID) return field(task.cdb, START) === 0;
  return condition === STANDBY || condition === FORCE_STANDBY;
}

function flushed(task: Task, reply: StoreReply): void {
  // An aborted command, and one that a reset ended, changes nothing any more.
  if (reply === DONE && !task.aborting) {
    // Somebody may have prevented it meanwhile.
    if (movesMedium(task) && isHeldFast(task)) refuse(task, MEDIUM_REMOVAL_PREVENTED);
    else settle(task, field(task.cdb, POWER_CONDITION));
    return;
  }
  if (reply !== DONE) checkFlushFault(task, reply);
  unitOf(task).finish(task);
}

/** The power condition the command names. An explicit ACTIVE, IDLE or STANDBY ends the stopped state as well. */
function settleCondition({ block, power }: LogicalUnit, cdb: Uint8Array): void {
  const condition = field(cdb, POWER_CONDITION);
  const named = NAMED.get(condition)?.[field(cdb, POWER_CONDITION_MODIFIER)];
  if (condition === LU_CONTROL) {
    power.release();
  } else if (named === undefined) {
    // Nothing that a disk without a motor has.
    return;
  } else if (condition === FORCE_IDLE || condition === FORCE_STANDBY) {
    power.force(named);
  } else {
    if (block !== null) block.stopped = false;
    power.choose(named);
  }
}

function settle(task: Task, condition: number): void {
  const block = blockDeviceOf(task);
  const unit = unitOf(task);
  const starts = field(task.cdb, START) === 1;
  if (condition !== START_VALID) {
    settleCondition(unit, task.cdb);
  } else if (unit.medium === null) {
    if (starts && block.stopped) unit.logs.startStopCycles += 1;
    if (!starts) quietens(unit);
    block.stopped = !starts;
    if (starts) unit.power.reset();
  } else if (field(task.cdb, LOEJ) === 1) {
    if (starts) moveIn(task, unit.medium);
    else moveOut(task, unit.medium);
    return;
  }
  unit.finish(task);
}
