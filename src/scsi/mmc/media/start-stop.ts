/** START STOP UNIT and LOAD/UNLOAD MEDIUM of an optical drive: the tray goes out and comes in (MMC-6 6.49). */
import { assert } from '../../../assert.ts';
import { bits, field, u } from '../../cdb.ts';
import { command, WRITES_UNIT } from '../../command-table.ts';
import { DONE, type StoreReply } from '../../contracts.ts';
import type { Medium } from '../../medium.ts';
import { nexusOf, refuse, unitOf } from '../../parameter-data.ts';
import { refuseField } from '../../sbc/access.ts';
import { checkFlushFault } from '../../sbc/store-fault.ts';
import { MEDIUM_REMOVAL_PREVENTED } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { moveIn, moveOut, quietens } from '../../tray.ts';
import { opticalOf } from '../optical-drive.ts';

const IMMED = bits(1, 0, 0);
const LOEJ = bits(4, 1, 1);
const START = bits(4, 0, 0);
const POWER_CONDITION = bits(4, 7, 4);
const SLOT = u(8, 1);

const POLICY = {
  data: 'none',
  medium: 'none',
  attention: 'report',
  reservation: 'writes',
  // What was written before is on the disc when it leaves: those writes end first.
  extent: WRITES_UNIT,
  burn: (cdb: Uint8Array) => (field(cdb, LOEJ) === 1 ? 'moves' : 'uses'),
} as const;

function isPlainStart(cdb: Uint8Array): boolean {
  return field(cdb, START) === 1 && field(cdb, POWER_CONDITION) === 0;
}

/** FL and FORMAT LAYER NUMBER are for hybrid discs, which are not there. */
export const START_STOP_UNIT = command(
  0x1b,
  'START STOP UNIT',
  6,
  { immed: IMMED, powerCondition: POWER_CONDITION, loej: LOEJ, start: START },
  {
    ...POLICY,
    // A unit that was stopped may be started by anybody (SPC-4 table 51).
    reservation: (task) => (isPlainStart(task.cdb) ? 'always' : 'writes'),
    clause: 'MMC-6 6.49',
  },
);

/** T10's list of operation codes has the old name. */
export const LOAD_UNLOAD_MEDIUM = command(
  0xa6,
  'LOAD/UNLOAD C/DVD',
  12,
  { immed: IMMED, loUnlo: LOEJ, start: START, slot: SLOT },
  { ...POLICY, clause: 'MMC-6 6' },
);

function mediumOf(task: Task): Medium {
  const { medium } = unitOf(task);
  assert(medium !== null, 'the disc of an optical drive can be removed');
  return medium;
}

/** The drive has no power conditions to change between: they are accepted, and LOEJ and START ignored then. */
export function startStopUnit(task: Task): void {
  if (field(task.cdb, POWER_CONDITION) === 0) operate(task);
  else unitOf(task).finish(task);
}

/** There is one slot, the tray. */
export function loadUnloadMedium(task: Task): void {
  if (field(task.cdb, SLOT) === 0) operate(task);
  else refuseField(task, SLOT);
}

/**
 * IMMED = 1 is answered after the work as well. The drive is never stopped: START = 0 flushes it, with LOEJ = 1 it gives the disc out, which
 * lies in the tray then until LOEJ and START take it in.
 */
function operate(task: Task): void {
  const medium = mediumOf(task);
  const moves = field(task.cdb, LOEJ) === 1;
  const starts = field(task.cdb, START) === 1;
  if (moves && !(medium.movableBy(nexusOf(task)) && (starts || mayLeave(task)))) {
    // Neither out nor in, into an empty drive either (iscsi-test-cu PreventAllow.Eject).
    refuse(task, MEDIUM_REMOVAL_PREVENTED);
  } else if (starts && moves) {
    moveIn(task, medium);
  } else if (starts || !medium.loaded) {
    unitOf(task).finish(task);
  } else {
    const { audio, store } = opticalOf(task);
    audio.stop();
    task.await(store.flush(task), flushed);
  }
}

/** Nobody burns the disc, or this initiator does, and nothing of it is half written. */
function mayLeave(task: Task): boolean {
  return opticalOf(task).burner?.keepsDisc(nexusOf(task)) !== true;
}

function flushed(task: Task, reply: StoreReply): void {
  if (reply === DONE) task.await(opticalOf(task).settle(task), settled);
  else settled(task, reply);
}

function settled(task: Task, reply: StoreReply): void {
  const unit = unitOf(task);
  const medium = mediumOf(task);
  // An aborted command, and one that a reset ended, changes nothing any more.
  if (reply !== DONE || task.aborting) {
    if (reply !== DONE) checkFlushFault(task, reply);
    unit.finish(task);
  } else if (field(task.cdb, LOEJ) === 0) {
    quietens(unit);
    unit.finish(task);
  } else if (medium.loaded && !medium.movableBy(nexusOf(task))) {
    // Somebody has prevented it meanwhile.
    refuse(task, MEDIUM_REMOVAL_PREVENTED);
  } else {
    moveOut(task, medium);
  }
}
