/** PERSISTENT RESERVE IN: keys, reservation, capabilities, full status (SPC-4 6.15). */
import { field, u } from '../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, unitOf } from '../parameter-data.ts';
import { isAllRegistrants, RELATIVE_TARGET_PORT, TYPE_MASK } from '../reservations.ts';
import type { Task } from '../task.ts';

const POLICY: CommandPolicy = {
  data: 'in',
  medium: 'none',
  standby: true,
  attention: 'report',
  reservation: 'persistent',
  extent: TOUCHES_NOTHING,
  clause: 'SPC-4 6.15',
};
const ALLOCATION_LENGTH = u(7, 2);
const FIELDS = { allocationLength: ALLOCATION_LENGTH } as const;

export const READ_KEYS = command(
  0x5e,
  'PERSISTENT RESERVE IN - READ KEYS',
  10,
  FIELDS,
  POLICY,
  0x00,
);
export const READ_RESERVATION = command(
  0x5e,
  'PERSISTENT RESERVE IN - READ RESERVATION',
  10,
  FIELDS,
  POLICY,
  0x01,
);
export const REPORT_CAPABILITIES = command(
  0x5e,
  'PERSISTENT RESERVE IN - REPORT CAPABILITIES',
  10,
  FIELDS,
  POLICY,
  0x02,
);
export const READ_FULL_STATUS = command(
  0x5e,
  'PERSISTENT RESERVE IN - READ FULL STATUS',
  10,
  FIELDS,
  POLICY,
  0x03,
);

/** PRGENERATION and ADDITIONAL LENGTH. */
const HEADER_BYTES = 8;
const KEY_BYTES = 8;
const RESERVATION_BYTES = 16;
const DESCRIPTOR_BYTES = 24;

const SIP_C = 0x08;
const ATP_C = 0x04;
const PTPL_C = 0x01;
const TMV = 0x80;
const PTPL_A = 0x01;
const ALL_TG_PT = 0x02;
const R_HOLDER = 0x01;

function respond(task: Task, data: Uint8Array): void {
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

function withHeader(task: Task, bodyBytes: number): { data: Uint8Array; view: DataView } {
  const data = new Uint8Array(HEADER_BYTES + bodyBytes);
  const view = new DataView(data.buffer);
  view.setUint32(0, unitOf(task).reservations.generation);
  view.setUint32(4, bodyBytes);
  return { data, view };
}

export function readKeys(task: Task): void {
  const { registrations } = unitOf(task).reservations.state;
  const { data, view } = withHeader(task, registrations.length * KEY_BYTES);
  for (const [i, { key }] of registrations.entries()) {
    view.setBigUint64(HEADER_BYTES + i * KEY_BYTES, key);
  }
  respond(task, data);
}

export function readReservation(task: Task): void {
  const { reservation } = unitOf(task).reservations.state;
  const { data, view } = withHeader(task, reservation === null ? 0 : RESERVATION_BYTES);
  if (reservation !== null) {
    const holder = unitOf(task).reservations.registration(reservation.holder ?? '');
    view.setBigUint64(HEADER_BYTES, holder?.key ?? 0n);
    // SCOPE 0h: the logical unit.
    view.setUint8(21, reservation.type);
  }
  respond(task, data);
}

export function reportCapabilities(task: Task): void {
  const unit = unitOf(task);
  const data = new Uint8Array(8);
  const view = new DataView(data.buffer);
  view.setUint16(0, data.length);
  data[2] = SIP_C | ATP_C | (unit.reservationStore === null ? 0 : PTPL_C);
  data[3] = TMV | (unit.reservations.state.aptpl ? PTPL_A : 0);
  view.setUint16(4, TYPE_MASK);
  respond(task, data);
}

export function readFullStatus(task: Task): void {
  const { registrations, reservation } = unitOf(task).reservations.state;
  const bytes = registrations.reduce(
    (sum, { transportId }) => sum + DESCRIPTOR_BYTES + transportId.length,
    0,
  );
  const { data, view } = withHeader(task, bytes);
  let at = HEADER_BYTES;
  for (const { key, port, allTargetPorts, transportId } of registrations) {
    const holds =
      reservation !== null && (isAllRegistrants(reservation.type) || reservation.holder === port);
    view.setBigUint64(at, key);
    view.setUint8(at + 12, (allTargetPorts ? ALL_TG_PT : 0) | (holds ? R_HOLDER : 0));
    if (holds) view.setUint8(at + 13, reservation.type);
    if (!allTargetPorts) view.setUint16(at + 18, RELATIVE_TARGET_PORT);
    view.setUint32(at + 20, transportId.length);
    data.set(transportId, at + DESCRIPTOR_BYTES);
    at += DESCRIPTOR_BYTES + transportId.length;
  }
  respond(task, data);
}
