/** What QUERY ASYNCHRONOUS EVENT tells: the unit attention or deferred error that the nexus would be told next (SAM-5 7.10). */
import { ascOf, ascqOf, senseKeyOf } from '../scsi/sense.ts';

export interface PendingEvent {
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
  /** Others are pending behind it. */
  readonly more: boolean;
}

/** UADE DEPTH 10b: more than one. */
const UADE_DEPTH = 0x30_0000;
const MORE_THAN_ONE = 0x20_0000;

/** The event in the three bytes of additional response information. */
export function pendingEvent(information: number): PendingEvent {
  return {
    key: senseKeyOf(information),
    asc: ascOf(information),
    ascq: ascqOf(information),
    more: (information & UADE_DEPTH) === MORE_THAN_ONE,
  };
}
