/** Values of Control mode page fields that the core acts on (SPC-4 7.5.8). */

/** QERR values (SPC-4 table 371). */
export const QERR_CONTINUE = 0b00;
export const QERR_ABORT_ALL = 0b01;
export const QERR_ABORT_NEXUS = 0b11;

/** UA_INTLCK_CTRL values (SPC-4 table 372): reporting clears; only REQUEST SENSE clears; and busy statuses are remembered. */
export const INTERLOCK_NONE = 0b00;
export const INTERLOCK_KEEP = 0b10;
export const INTERLOCK_ESTABLISH = 0b11;
