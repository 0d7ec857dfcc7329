/** Why a takeover did not happen, and what the guest has now. */

export type TakeoverErrorCode =
  /** QEMU has no such device, or it is no disk that can be taken over. */
  | 'ERR_TAKEOVER_DEVICE'
  /** The device and the LUN do not have the same image, or not as the same disk. */
  | 'ERR_TAKEOVER_IMAGE'
  /** The LUN is not there or not in standby, or could not be activated. */
  | 'ERR_TAKEOVER_LUN'
  /** QEMU or the guest keeps the device. */
  | 'ERR_TAKEOVER_REFUSED'
  /** The connection to QEMU failed in the middle. */
  | 'ERR_TAKEOVER_QMP';

/**
 * What the guest has after a failed takeover: `emulated`: its emulated disk, never touched. `put-back`: the emulated disk again,
 * as a newly plugged device. `paused`: no disk, so it was left paused. `unknown`: QEMU cannot be asked any more.
 * In each case the LUN is in standby.
 */
export type GuestOutcome = 'emulated' | 'put-back' | 'paused' | 'unknown';

const OUTCOME_TEXT: Readonly<Record<GuestOutcome, string>> = {
  emulated: 'the guest keeps its emulated disk',
  'put-back': 'the emulated disk was plugged in again',
  paused: 'the guest was left paused, because neither disk can be used',
  unknown: 'what the guest has now could not be found out',
};

export class TakeoverError extends Error {
  readonly code: TakeoverErrorCode;
  readonly outcome: GuestOutcome;
  /** What went wrong, without what the guest has now. */
  readonly why: string;
  constructor(code: TakeoverErrorCode, why: string, outcome: GuestOutcome = 'emulated') {
    super(`${why}; ${OUTCOME_TEXT[outcome]}`);
    this.code = code;
    this.why = why;
    this.outcome = outcome;
  }
}
