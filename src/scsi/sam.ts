/** Codes of the SCSI Architecture Model: status, task attributes, task management functions and their outcomes. */

/** Status codes (SAM-5 5.3.1). */
export const GOOD = 0x00;
export const CHECK_CONDITION = 0x02;
export const CONDITION_MET = 0x04;
export const BUSY = 0x08;
export const RESERVATION_CONFLICT = 0x18;
export const TASK_SET_FULL = 0x28;
export const ACA_ACTIVE = 0x30;
export const TASK_ABORTED = 0x40;

/** Task attributes (SAM-5 8.6), with the values SRP carries (SRP table 21). */
export const SIMPLE = 0;
export const HEAD_OF_QUEUE = 1;
export const ORDERED = 2;
export const ACA = 4;

/** Task management functions (SAM-5 7.1), with the values SRP carries (SRP 6.7). */
export const ABORT_TASK = 0x01;
export const ABORT_TASK_SET = 0x02;
export const CLEAR_TASK_SET = 0x04;
export const LOGICAL_UNIT_RESET = 0x08;
export const CLEAR_ACA = 0x40;
/** Functions that SRP does not have; the ring carries them with these values (docs/srp-ring.md, section 8). */
export const I_T_NEXUS_RESET = 0x80;
export const QUERY_TASK = 0x81;
export const QUERY_TASK_SET = 0x82;
export const QUERY_ASYNCHRONOUS_EVENT = 0x83;

/** Outcome of a task management function (SAM-5 7.1 service response); transports translate. */
export const FUNCTION_COMPLETE = 0;
export const FUNCTION_REJECTED = 1;
export const INCORRECT_LOGICAL_UNIT_NUMBER = 2;
/** What was asked for is there: a task in the task set (QUERY TASK, QUERY TASK SET), or a pending event. */
export const FUNCTION_SUCCEEDED = 3;

const STATUS_NAMES: Readonly<Record<number, string>> = {
  [GOOD]: 'GOOD',
  [CHECK_CONDITION]: 'CHECK CONDITION',
  [CONDITION_MET]: 'CONDITION MET',
  [BUSY]: 'BUSY',
  [RESERVATION_CONFLICT]: 'RESERVATION CONFLICT',
  [TASK_SET_FULL]: 'TASK SET FULL',
  [ACA_ACTIVE]: 'ACA ACTIVE',
  [TASK_ABORTED]: 'TASK ABORTED',
};

/** Name of a status code in T10 spelling, or its number in hexadecimal. */
export function statusName(status: number): string {
  return STATUS_NAMES[status] ?? `status ${status.toString(16).padStart(2, '0')}h`;
}
