/** RESERVE and RELEASE, 6 and 10 bytes (SPC-2 7.21, 7.22, 7.16, 7.17): the whole unit, for the nexus that asks. */
import { assert } from '../../assert.ts';
import { bits } from '../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../command-table.ts';
import type { Nexus } from '../nexus.ts';
import { unitOf } from '../parameter-data.ts';
import type { Reservations } from '../reservations.ts';
import { RESERVATION_CONFLICT } from '../sam.ts';
import type { Task } from '../task.ts';

function policy(clause: string, reservation: 'allowed' | 'always'): CommandPolicy {
  return {
    data: 'none',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation,
    extent: TOUCHES_NOTHING,
    clause,
  };
}

/** LongID says how a third party would be named; without one it is ignored, as drives do. */
const LONG_ID = { longId: bits(1, 1, 1) } as const;

export const RESERVE_6 = command(0x16, 'RESERVE(6)', 6, {}, policy('SPC-2 7.21', 'allowed'));
export const RELEASE_6 = command(0x17, 'RELEASE(6)', 6, {}, policy('SPC-2 7.16', 'always'));
export const RESERVE_10 = command(
  0x56,
  'RESERVE(10)',
  10,
  LONG_ID,
  policy('SPC-2 7.22', 'allowed'),
);
export const RELEASE_10 = command(0x57, 'RELEASE(10)', 10, LONG_ID, policy('SPC-2 7.17', 'always'));

/** Runs when no PERSISTENT RESERVE OUT is on its way: it, too, is one change of what is reserved. */
function change(task: Task, effect: (reservations: Reservations, nexus: Nexus) => void): void {
  const unit = unitOf(task);
  const { reservations } = unit;
  const { nexus } = task;
  assert(nexus !== null, 'a running task has a nexus');
  reservations.enter(() => {
    // Registrations and this kind of reservation exclude each other (SPC-4 5.13.3; CRH = 0).
    if (reservations.state.registrations.length > 0) task.status = RESERVATION_CONFLICT;
    else if (!task.aborting) effect(reservations, nexus);
    unit.finish(task);
    reservations.leave();
  });
}

export function reserve(task: Task): void {
  change(task, (reservations, nexus) => {
    const { reservedBy } = reservations;
    // Somebody else may have been faster while this one waited.
    if (reservedBy !== null && reservedBy !== nexus) task.status = RESERVATION_CONFLICT;
    else reservations.reservedBy = nexus;
  });
}

/** GOOD without effect from everybody but the holder. */
export function release(task: Task): void {
  change(task, (reservations, nexus) => reservations.release(nexus));
}
