/** Requests of the target (T_LOGOUT, CRED_REQ, AER_REQ) in buffers the initiator parked, one unanswered at a time (SRP r16a 6.6, 6.10, 6.11). */
import type { Buffer } from 'node:buffer';
import { encodeLun, type LunPresentation } from '../../scsi/lun.ts';
import { encodeFixedSense, FIXED_SENSE_BYTES, NONE } from '../../scsi/sense.ts';
import {
  AER_REQ,
  AESOLNT,
  CRED_REQ,
  CRSOLNT,
  LOSOLNT,
  SOLNT,
  SRP_AER_REQ,
  SRP_AER_RSP,
  SRP_CRED_REQ,
  SRP_CRED_RSP,
  SRP_T_LOGOUT,
  T_LOGOUT,
} from './iu.ts';
import type { MadServer, ParkedBuffer } from './mad.ts';

/** Told that an IU of `length` bytes with this tag lies in the initiator's memory. */
type Publish = (length: number, tagHigh: number, tagLow: number) => void;

/**
 * The tag of a target request is the tag of the EMPTY_IU whose buffer it uses: by it the initiator finds the buffer, and
 * the element that announces the request is the answer to that EMPTY_IU. The last parked buffer is kept for T_LOGOUT.
 */
export class TargetRequests {
  readonly #mads: MadServer;
  readonly #shared: Buffer;
  readonly #publish: Publish;
  /** Flags of the LOGIN_REQ: which requests the initiator asked for. */
  #wanted = 0;
  /** The type of response that is awaited, 0 when none is; and its tag. */
  #awaited = 0;
  #tagHigh = 0;
  #tagLow = 0;

  constructor(mads: MadServer, shared: Buffer, publish: Publish) {
    this.#mads = mads;
    this.#shared = shared;
    this.#publish = publish;
  }

  /** A login (its flags) or the end of one (0): nothing is awaited. */
  reset(loginFlags: number): void {
    this.#wanted = loginFlags;
    this.#awaited = 0;
  }

  /** Whether this initiator can be given credits without a response, now or when it has answered what it was asked. */
  get canGrant(): boolean {
    return (this.#wanted & CRSOLNT) !== 0 && (this.#mads.parked > 1 || this.#awaited !== 0);
  }

  /** SRP_T_LOGOUT with a reason, if a buffer is parked. */
  logout(reason: number): void {
    const parked = this.#mads.take(T_LOGOUT.size);
    if (parked === null) return;
    const { tagHigh, tagLow } = parked;
    const flags = (this.#wanted & LOSOLNT) === 0 ? 0 : SOLNT;
    this.#shared.fill(0, parked.at, parked.at + T_LOGOUT.size);
    const iu = { type: SRP_T_LOGOUT, flags, reason, tagHigh, tagLow };
    T_LOGOUT.layout.encode(iu, this.#shared, parked.at);
    this.#publish(T_LOGOUT.size, tagHigh, tagLow);
  }

  /** SRP_CRED_REQ. False when it cannot be sent now. */
  grant(delta: number): boolean {
    const parked = this.#take(CRSOLNT, CRED_REQ.size, SRP_CRED_RSP);
    if (parked === null) return false;
    const { tagHigh, tagLow } = parked;
    this.#shared.fill(0, parked.at, parked.at + CRED_REQ.size);
    const iu = { type: SRP_CRED_REQ, flags: SOLNT, delta, tagHigh, tagLow };
    CRED_REQ.layout.encode(iu, this.#shared, parked.at);
    this.#publish(CRED_REQ.size, tagHigh, tagLow);
    return true;
  }

  /** SRP_AER_REQ with fixed format sense data. False when it cannot be sent now. */
  notify(delta: number, lun: number, presentation: LunPresentation, sense: number): boolean {
    const length = AER_REQ.size + FIXED_SENSE_BYTES;
    const parked = this.#take(AESOLNT, length, SRP_AER_RSP);
    if (parked === null) return false;
    const { at, tagHigh, tagLow } = parked;
    const shared = this.#shared;
    const view = new DataView(shared.buffer, shared.byteOffset, shared.byteLength);
    shared.fill(0, at, at + length);
    encodeLun(shared, at + AER_REQ.at.lun, lun, presentation);
    shared[at + AER_REQ.at.type] = SRP_AER_REQ;
    shared[at + AER_REQ.at.flags] = SOLNT;
    view.setUint32(at + AER_REQ.at.delta, delta);
    view.setUint32(at + AER_REQ.at.tagHigh, tagHigh);
    view.setUint32(at + AER_REQ.at.tagLow, tagLow);
    view.setUint32(at + AER_REQ.at.senseLength, FIXED_SENSE_BYTES);
    encodeFixedSense(view, at + AER_REQ.size, sense, NONE, NONE);
    this.#publish(length, tagHigh, tagLow);
    return true;
  }

  /** A response IU has come. False when it answers nothing. */
  answered(type: number, tagHigh: number, tagLow: number): boolean {
    if (type !== this.#awaited || tagHigh !== this.#tagHigh || tagLow !== this.#tagLow)
      return false;
    this.#awaited = 0;
    return true;
  }

  /** A parked buffer for a request that awaits a response, if the initiator asked for such requests and none is pending. */
  #take(wanted: number, bytes: number, response: number): ParkedBuffer | null {
    if ((this.#wanted & wanted) === 0 || this.#awaited !== 0 || this.#mads.parked < 2) return null;
    const parked = this.#mads.take(bytes);
    if (parked === null) return null;
    this.#awaited = response;
    this.#tagHigh = parked.tagHigh;
    this.#tagLow = parked.tagLow;
    return parked;
  }
}
