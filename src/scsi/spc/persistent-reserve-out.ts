/**
 * PERSISTENT RESERVE OUT (SPC-4 6.16, 5.13): what each service action makes of the state. `persistent-reserve-list.ts` reads
 * the parameter list.
 *
 *   read list -> its turn -> next state or refusal -> APTPL? save -> state -> unit attentions -> PREEMPT AND ABORT? abort
 *                                                       |
 *                                                       +-- fault --> 4/44/00, nothing changed
 */
import { assert } from '../../assert.ts';
import { bits, field, u } from '../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { Nexus } from '../nexus.ts';
import { unitOf } from '../parameter-data.ts';
import {
  encodeReservations,
  isAllRegistrants,
  isForRegistrants,
  isReservationType,
  MAX_REGISTRATIONS,
  type Registration,
  type Reservation,
  type ReservationState,
} from '../reservations.ts';
import { RESERVATION_CONFLICT } from '../sam.ts';
import { cdbPointer, NONE, parameterBytePointer } from '../sense.ts';
import {
  INSUFFICIENT_REGISTRATION_RESOURCES,
  INTERNAL_TARGET_FAILURE,
  INVALID_FIELD_IN_CDB,
  INVALID_FIELD_IN_PARAMETER_LIST,
  INVALID_RELEASE_OF_PERSISTENT_RESERVATION,
  REGISTRATIONS_PREEMPTED,
  RESERVATIONS_PREEMPTED,
  RESERVATIONS_RELEASED,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  type Asked,
  type NamedPort,
  type Refusal,
  readList,
  readMoveList,
} from './persistent-reserve-list.ts';

const POLICY: CommandPolicy = {
  data: 'out',
  medium: 'none',
  standby: true,
  attention: 'report',
  // Each service action has rules of its own for persistent reservations; they are below.
  reservation: 'persistent',
  extent: TOUCHES_NOTHING,
  clause: 'SPC-4 6.16',
};
const SCOPE = bits(2, 7, 4);
const TYPE = bits(2, 3, 0);
const LENGTH = u(5, 4);
const FIELDS = { scope: SCOPE, type: TYPE, parameterListLength: LENGTH } as const;

const row = (action: string, serviceAction: number) =>
  command(0x5f, `PERSISTENT RESERVE OUT - ${action}`, 10, FIELDS, POLICY, serviceAction);

export const REGISTER = row('REGISTER', 0x00);
export const RESERVE = row('RESERVE', 0x01);
export const RELEASE = row('RELEASE', 0x02);
export const CLEAR = row('CLEAR', 0x03);
export const PREEMPT = row('PREEMPT', 0x04);
export const PREEMPT_AND_ABORT = row('PREEMPT AND ABORT', 0x05);
export const REGISTER_AND_IGNORE = row('REGISTER AND IGNORE EXISTING KEY', 0x06);
export const REGISTER_AND_MOVE = row('REGISTER AND MOVE', 0x07);

/** What a service action makes of it: a next state with its consequences, or a refusal, or nothing at all. */
interface Change {
  readonly state: ReservationState;
  /** PRGENERATION counts it. */
  readonly counts: boolean;
  /** Who is told what. */
  readonly attentions: readonly (readonly [port: string, sense: number])[];
  /** Ports whose commands PREEMPT AND ABORT aborts. */
  readonly preempted?: readonly string[];
}

const CONFLICT: Refusal = { status: RESERVATION_CONFLICT, sense: 0, pointer: NONE };
const refusal = (sense: number, pointer: number = NONE): Refusal => ({ status: 0, sense, pointer });

type Outcome = Change | Refusal | null;

function isRefusal(outcome: Change | Refusal): outcome is Refusal {
  return 'pointer' in outcome;
}

/** What an action works on. */
interface Situation {
  readonly state: ReservationState;
  readonly port: string;
  readonly transportId: Uint8Array;
  readonly own: Registration | undefined;
  readonly asked: Asked;
  readonly type: number;
  readonly holds: boolean;
  /** NUAR: a release is no news. */
  readonly quiet: boolean;
}

function others(
  registrations: readonly Registration[],
  port: string,
  sense: number,
): (readonly [string, number])[] {
  return registrations.filter((each) => each.port !== port).map((each) => [each.port, sense]);
}

/** The reservation is gone with its holder's consent: registrants of the kinds that serve them are told (SPC-4 5.13.11.2). */
function released(
  { port, quiet }: Situation,
  was: Reservation,
  left: readonly Registration[],
): (readonly [string, number])[] {
  return isForRegistrants(was.type) && !quiet ? others(left, port, RESERVATIONS_RELEASED) : [];
}

/** REGISTER with SERVICE ACTION RESERVATION KEY zero. */
function unregister(situation: Situation): Change {
  const { state, port, asked, holds } = situation;
  const registrations = state.registrations.filter((each) => each.port !== port);
  const { reservation } = state;
  const ends =
    reservation !== null &&
    holds &&
    (!isAllRegistrants(reservation.type) || registrations.length === 0);
  return {
    state: { registrations, reservation: ends ? null : reservation, aptpl: asked.aptpl },
    counts: true,
    attentions: ends ? released(situation, reservation, registrations) : [],
  };
}

function register(situation: Situation, ignoresKey: boolean): Outcome {
  const { state, port, transportId, own, asked } = situation;
  if (asked.specifiesPorts && own !== undefined) {
    return refusal(INVALID_FIELD_IN_CDB, cdbPointer(1, 4));
  }
  if (!ignoresKey && asked.key !== (own?.key ?? 0n)) return CONFLICT;
  if (asked.actionKey === 0n) return own === undefined ? null : unregister(situation);
  if (asked.ports.some((each) => each.port !== port && isRegistered(state, each.port)))
    return CONFLICT;
  const fresh = (each: NamedPort): Registration => ({
    ...each,
    key: asked.actionKey,
    allTargetPorts: asked.allTargetPorts,
  });
  const mine = fresh({ port, transportId });
  const registrations = state.registrations.map((each) => (each.port === port ? mine : each));
  if (own === undefined) registrations.push(mine);
  for (const each of asked.ports) {
    // Named twice is named once.
    if (!registrations.some((other) => other.port === each.port)) registrations.push(fresh(each));
  }
  if (registrations.length > MAX_REGISTRATIONS) return refusal(INSUFFICIENT_REGISTRATION_RESOURCES);
  return {
    state: { registrations, reservation: state.reservation, aptpl: asked.aptpl },
    counts: true,
    attentions: [],
  };
}

function isRegistered(state: ReservationState, port: string): boolean {
  return state.registrations.some((each) => each.port === port);
}

function reserve({ state, port, type, holds }: Situation): Outcome {
  const { reservation } = state;
  if (reservation !== null) return holds && reservation.type === type ? null : CONFLICT;
  const holder = isAllRegistrants(type) ? null : port;
  return {
    state: { ...state, reservation: { type, holder } },
    counts: false,
    attentions: [],
  };
}

function release(situation: Situation): Outcome {
  const { state, type, holds } = situation;
  const { reservation } = state;
  if (reservation === null || !holds) return null;
  if (reservation.type !== type) return refusal(INVALID_RELEASE_OF_PERSISTENT_RESERVATION);
  return {
    state: { ...state, reservation: null },
    counts: false,
    attentions: released(situation, reservation, state.registrations),
  };
}

function clear({ state, port }: Situation): Outcome {
  return {
    state: { registrations: [], reservation: null, aptpl: state.aptpl },
    counts: true,
    attentions: others(state.registrations, port, RESERVATIONS_PREEMPTED),
  };
}

/** SPC-4 5.13.11.4: who goes, and whether a reservation changes hands. */
function preempt({ state, port, asked, type }: Situation): Outcome {
  const { registrations, reservation } = state;
  const victimKey = asked.actionKey;
  const shared = reservation !== null && isAllRegistrants(reservation.type);
  if (victimKey === 0n && !shared) {
    return refusal(INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(8));
  }
  const holderKey = registrations.find((each) => each.port === reservation?.holder)?.key;
  const takes = reservation !== null && (shared ? victimKey === 0n : victimKey === holderKey);
  const isVictim = (each: Registration): boolean =>
    (shared && victimKey === 0n) || each.key === victimKey;
  const victims = registrations.filter(isVictim);
  if (victims.length === 0) return CONFLICT;
  // Whoever takes the reservation keeps its own registration, even under the victims' key.
  const stays = (each: Registration): boolean => !isVictim(each) || (takes && each.port === port);
  const left = registrations.filter(stays);
  const gone = registrations.filter((each) => !stays(each));
  const next: Reservation | null = takes
    ? { type, holder: isAllRegistrants(type) ? null : port }
    : withoutHolder(reservation, left);
  const changed = takes && reservation.type !== type;
  return {
    state: { registrations: left, reservation: next, aptpl: state.aptpl },
    counts: true,
    attentions: [
      ...others(gone, port, REGISTRATIONS_PREEMPTED),
      ...(changed ? others(left, port, RESERVATIONS_RELEASED) : []),
    ],
    preempted: victims.map((each) => each.port),
  };
}

/** A reservation of all registrants ends with the last of them. */
function withoutHolder(
  reservation: Reservation | null,
  left: readonly Registration[],
): Reservation | null {
  if (reservation === null || reservation.holder !== null) return reservation;
  return left.length === 0 ? null : reservation;
}

/** SPC-4 5.13.8: the holder hands registration and reservation to another port. */
function registerAndMove({ state, port, asked, holds }: Situation): Outcome {
  const { reservation } = state;
  if (reservation === null || !holds || isAllRegistrants(reservation.type)) return CONFLICT;
  const heir = asked.ports[0];
  assert(heir !== undefined, 'a REGISTER AND MOVE names a port');
  if (asked.actionKey === 0n) {
    return refusal(INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(8));
  }
  if (heir.port === port) return refusal(INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(24));
  const registrations = state.registrations.filter(
    (each) => each.port !== heir.port && !(asked.unregisters && each.port === port),
  );
  registrations.push({ ...heir, key: asked.actionKey, allTargetPorts: false });
  if (registrations.length > MAX_REGISTRATIONS) return refusal(INSUFFICIENT_REGISTRATION_RESOURCES);
  return {
    state: {
      registrations,
      reservation: { type: reservation.type, holder: heir.port },
      aptpl: asked.aptpl,
    },
    counts: true,
    attentions: [],
  };
}

function act(task: Task, situation: Situation): Outcome {
  const { own, asked } = situation;
  if (task.row === REGISTER) return register(situation, false);
  if (task.row === REGISTER_AND_IGNORE) return register(situation, true);
  if (own === undefined || own.key !== asked.key) return CONFLICT;
  if (task.row === RESERVE) return reserve(situation);
  if (task.row === RELEASE) return release(situation);
  if (task.row === CLEAR) return clear(situation);
  return task.row === REGISTER_AND_MOVE ? registerAndMove(situation) : preempt(situation);
}

function portOf(task: Task): string {
  assert(task.nexus !== null, 'a running task has a nexus');
  return task.nexus.port;
}

/** Ends the command and lets the next one change something. */
function leave(task: Task): void {
  const unit = unitOf(task);
  unit.finish(task);
  unit.reservations.leave();
}

function refuse(task: Task, { status, sense, pointer }: Refusal): void {
  if (status !== 0) task.status = status;
  else task.check(sense, NONE, pointer);
  leave(task);
}

/** Nexuses of initiator ports; one that has logged out is told when it comes back. */
function nexusesOf(unit: LogicalUnit, ports: readonly string[]): Nexus[] {
  return [...unit.target.nexuses.all()].filter(({ port }) => ports.includes(port));
}

function commit(task: Task, { state, counts, attentions, preempted }: Change): void {
  const unit = unitOf(task);
  const { reservations, attention, taskSet } = unit;
  reservations.state = state;
  if (counts) reservations.generation = (reservations.generation + 1) >>> 0;
  for (const [port, sense] of attentions) {
    for (const { index } of nexusesOf(unit, [port])) attention.post(index, sense);
  }
  if (task.row !== PREEMPT_AND_ABORT || preempted === undefined) {
    leave(task);
    return;
  }
  const losers = nexusesOf(unit, preempted);
  const isTheirs = (other: Task): boolean =>
    other !== task && other.nexus !== null && losers.includes(other.nexus);
  const stopping = taskSet.abortFor(task.nexus, isTheirs);
  for (const nexus of losers) {
    taskSet.clearAca(nexus);
    unit.medium?.allow(nexus);
  }
  taskSet.whenStopped(stopping, () => leave(task));
}

/** APTPL: durable before GOOD, and gone from there as durably when the last registration did not ask for it. */
function keep(task: Task, change: Change): void {
  const unit = unitOf(task);
  const { reservationStore, reservations } = unit;
  if (reservationStore === null || !(change.state.aptpl || reservations.state.aptpl)) {
    commit(task, change);
    return;
  }
  const bytes = change.state.aptpl ? encodeReservations(change.state) : new Uint8Array(0);
  task.await(reservationStore.save(task, unit.lun, bytes), (_, reply: StoreReply) => {
    if (reply === DONE) commit(task, change);
    else refuse(task, refusal(INTERNAL_TARGET_FAILURE));
  });
}

function change(task: Task, asked: Asked): void {
  const unit = unitOf(task);
  const port = portOf(task);
  const { reservations } = unit;
  // A RESERVE may have come first while this one waited.
  if (reservations.reservedBy !== null) {
    refuse(task, CONFLICT);
    return;
  }
  const outcome = task.aborting
    ? null
    : act(task, {
        state: reservations.state,
        port,
        transportId: unit.target.transportIds.encode(port),
        own: reservations.registration(port),
        asked,
        type: field(task.cdb, TYPE),
        holds: reservations.holds(port),
        quiet: unit.noAttentionOnRelease,
      });
  if (outcome === null) leave(task);
  else if (isRefusal(outcome)) refuse(task, outcome);
  else keep(task, outcome);
}

/** SCOPE and TYPE mean something to the actions that make or end a reservation. */
function wrongScope(task: Task): Refusal | null {
  const uses = [RESERVE, RELEASE, PREEMPT, PREEMPT_AND_ABORT].some((each) => each === task.row);
  if (!uses) return null;
  if (field(task.cdb, SCOPE) !== 0) return refusal(INVALID_FIELD_IN_CDB, cdbPointer(2, 7));
  if (isReservationType(field(task.cdb, TYPE))) return null;
  return refusal(INVALID_FIELD_IN_CDB, cdbPointer(2, 3));
}

export function persistentReserveOut(task: Task): void {
  const unit = unitOf(task);
  const wrong = wrongScope(task);
  const length = field(task.cdb, LENGTH);
  const asked =
    wrong ??
    (task.row === REGISTER_AND_MOVE
      ? readMoveList(task, length)
      : readList(task, length, task.row === REGISTER));
  if ('pointer' in asked) {
    task.check(asked.sense, NONE, asked.pointer);
    unit.finish(task);
    return;
  }
  unit.reservations.enter(() => change(task, asked));
}
