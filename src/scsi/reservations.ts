/**
 * Reservations of one logical unit: persistent ones (SPC-4 5.13) and those of RESERVE(6) and (10) (SPC-2).
 *
 * Registrations belong to initiator ports (`Nexus.port`), not to nexus records: they outlive nexus loss, resets and, with
 * APTPL, power loss. A RESERVE belongs to a nexus and ends with it.
 */
import type { ReservationClass } from './command-table.ts';
import type { Nexus } from './nexus.ts';

/** TYPE of a persistent reservation (SPC-4 table 53). */
export const WRITE_EXCLUSIVE = 0x1;
export const EXCLUSIVE_ACCESS = 0x3;
export const WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 0x5;
export const EXCLUSIVE_ACCESS_REGISTRANTS_ONLY = 0x6;
export const WRITE_EXCLUSIVE_ALL_REGISTRANTS = 0x7;
export const EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 0x8;

/** This target has one port as far as reservations go: whoever comes, by whatever transport, comes through it. */
export const RELATIVE_TARGET_PORT = 1;

/** Most registrations of a logical unit: initiators that never come back stay registered, and every name may be new. */
export const MAX_REGISTRATIONS = 1024;

/** Types as the bits of the PERSISTENT RESERVATION TYPE MASK (SPC-4 table 180). */
export const TYPE_MASK = 0xea01;

export function isReservationType(type: number): boolean {
  return type === WRITE_EXCLUSIVE || type === EXCLUSIVE_ACCESS || (type >= 0x5 && type <= 0x8);
}

export function isAllRegistrants(type: number): boolean {
  return type === WRITE_EXCLUSIVE_ALL_REGISTRANTS || type === EXCLUSIVE_ACCESS_ALL_REGISTRANTS;
}

/** Registrants share it, or at least may work beside the holder. */
export function isForRegistrants(type: number): boolean {
  return type >= WRITE_EXCLUSIVE_REGISTRANTS_ONLY;
}

function excludesReads(type: number): boolean {
  return (
    type === EXCLUSIVE_ACCESS ||
    type === EXCLUSIVE_ACCESS_REGISTRANTS_ONLY ||
    type === EXCLUSIVE_ACCESS_ALL_REGISTRANTS
  );
}

/** Keys are 64-bit numbers that mean nothing to the target. */
export interface Registration {
  /** Initiator port: 32 hexadecimal digits. */
  readonly port: string;
  /** What it is called on its transport. */
  readonly transportId: Uint8Array;
  readonly key: bigint;
  /** It was made for every target port (ALL_TG_PT). */
  readonly allTargetPorts: boolean;
}

export interface Reservation {
  readonly type: number;
  /** The holder's port; null: every registrant holds it. */
  readonly holder: string | null;
}

/** All there is to know; never changed, only replaced, so that a failed save leaves everything as it was. */
export interface ReservationState {
  readonly registrations: readonly Registration[];
  readonly reservation: Reservation | null;
  /** Persist through power loss: what the last registration asked for. */
  readonly aptpl: boolean;
}

const NOTHING: ReservationState = { registrations: [], reservation: null, aptpl: false };

const FORMAT = 1;
const HEADER_BYTES = 8;
/** Key, port, ALL_TG_PT, length of the TransportID, which follows. */
const REGISTRATION_BYTES = 27;
const PORT_BYTES = 16;
const PORT_AT = 8;
const FLAG_AT = 24;
const ID_LENGTH_AT = 25;

/** State as bytes, for keeping. */
export function encodeReservations(state: ReservationState): Uint8Array {
  const { registrations, reservation } = state;
  const idBytes = registrations.reduce((sum, { transportId }) => sum + transportId.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + registrations.length * REGISTRATION_BYTES + idBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = FORMAT;
  bytes[1] = reservation?.type ?? 0;
  view.setUint16(2, registrations.length);
  view.setUint16(4, registrations.findIndex(({ port }) => port === reservation?.holder) + 1);
  let at = HEADER_BYTES;
  for (const { port, key, allTargetPorts, transportId } of registrations) {
    view.setBigUint64(at, key);
    bytes.set(portBytes(port), at + PORT_AT);
    bytes[at + FLAG_AT] = allTargetPorts ? 1 : 0;
    view.setUint16(at + ID_LENGTH_AT, transportId.length);
    bytes.set(transportId, at + REGISTRATION_BYTES);
    at += REGISTRATION_BYTES + transportId.length;
  }
  return bytes;
}

/** Reads one registration; null when it leaves the bytes. */
function decodeRegistration(bytes: Uint8Array, at: number): Registration | null {
  if (at + REGISTRATION_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const idAt = at + REGISTRATION_BYTES;
  const idEnd = idAt + view.getUint16(at + ID_LENGTH_AT);
  if (idEnd > bytes.length) return null;
  return {
    port: portText(bytes.subarray(at + PORT_AT, at + PORT_AT + PORT_BYTES)),
    transportId: bytes.slice(idAt, idEnd),
    key: view.getBigUint64(at),
    allTargetPorts: bytes[at + FLAG_AT] === 1,
  };
}

/** The state that `encodeReservations` made these bytes from; null when they are nothing of the kind. */
export function decodeReservations(bytes: Uint8Array): ReservationState | null {
  if (bytes.length < HEADER_BYTES || bytes[0] !== FORMAT) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes[1] as number;
  const count = view.getUint16(2);
  const holder = view.getUint16(4);
  const registrations: Registration[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i += 1) {
    const registration = decodeRegistration(bytes, at);
    if (registration === null) return null;
    registrations.push(registration);
    at += REGISTRATION_BYTES + registration.transportId.length;
  }
  if (at !== bytes.length || holder > count) return null;
  if (type === 0) return { registrations, reservation: null, aptpl: true };
  if (!isReservationType(type) || isAllRegistrants(type) !== (holder === 0) || count === 0) {
    return null;
  }
  const held = registrations[holder - 1]?.port ?? null;
  return { registrations, reservation: { type, holder: held }, aptpl: true };
}

export function portBytes(port: string): Uint8Array {
  return Uint8Array.from({ length: PORT_BYTES }, (_, i) =>
    Number.parseInt(port.slice(2 * i, 2 * i + 2), 16),
  );
}

export function portText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Reservations {
  #state: ReservationState = NOTHING;
  /** PRGENERATION: counts what PERSISTENT RESERVE OUT changed since power on, modulo 2^32. */
  generation = 0;
  #reservedBy: Nexus | null = null;
  /** Something is reserved: the one word the hot path looks at. */
  active = false;
  #changing = false;
  #draining = false;
  readonly #waiting: (() => void)[] = [];

  get state(): ReservationState {
    return this.#state;
  }

  set state(state: ReservationState) {
    this.#state = state;
    this.#look();
  }

  /** The nexus that RESERVE(6) or (10) reserved the unit for. */
  get reservedBy(): Nexus | null {
    return this.#reservedBy;
  }

  set reservedBy(nexus: Nexus | null) {
    this.#reservedBy = nexus;
    this.#look();
  }

  #look(): void {
    this.active = this.#state.reservation !== null || this.#reservedBy !== null;
  }

  /** One change at a time: runs `change` now, or when the changes before it have called `leave`. */
  enter(change: () => void): void {
    if (this.#changing) {
      this.#waiting.push(change);
      return;
    }
    this.#changing = true;
    change();
  }

  /** The change under way has ended: those that wait run, one after the other, without growing the stack. */
  leave(): void {
    this.#changing = false;
    if (this.#draining) return;
    this.#draining = true;
    while (!this.#changing) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#changing = true;
      next();
    }
    this.#draining = false;
  }

  registration(port: string): Registration | undefined {
    return this.#state.registrations.find((each) => each.port === port);
  }

  holds(port: string): boolean {
    const { reservation } = this.#state;
    if (reservation === null) return false;
    if (reservation.holder !== null) return reservation.holder === port;
    return this.registration(port) !== undefined;
  }

  /** Whether a command of `nexus` meets a RESERVATION CONFLICT. Call it only while `active`. */
  conflicts(nexus: Nexus, policy: ReservationClass): boolean {
    if (this.#reservedBy !== null) {
      // By identity: commands of the copy manager come through a nexus of their own that has the identity of who asked.
      const holds = this.#reservedBy.identity === nexus.identity;
      return policy === 'persistent' || (!holds && policy !== 'always');
    }
    const { reservation } = this.#state;
    if (reservation === null || (policy !== 'reads' && policy !== 'writes')) return false;
    const { type } = reservation;
    if (this.holds(nexus.port)) return false;
    if (isForRegistrants(type) && this.registration(nexus.port) !== undefined) return false;
    return policy === 'writes' || excludesReads(type);
  }

  /** Logical unit reset, and loss of the nexus that called RESERVE. Persistent reservations know neither. */
  release(nexus: Nexus | null): void {
    if (nexus === null || this.#reservedBy === nexus) this.reservedBy = null;
  }

  /** Power on with what was kept. */
  restore(state: ReservationState): void {
    this.state = state;
    this.generation = 0;
  }
}
