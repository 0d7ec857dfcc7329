/** REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.36): what `task-manager.ts` does. */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';

const REPD = bits(2, 7, 7);
const ALLOCATION_LENGTH = u(6, 4);

export const REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS = command(
  0xa3,
  'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
  12,
  { repd: REPD, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.36',
  },
  0x0d,
);

const ABORT_TASK = 0x80;
const ABORT_TASK_SET = 0x40;
const CLEAR_ACA = 0x20;
const CLEAR_TASK_SET = 0x10;
const LOGICAL_UNIT_RESET = 0x08;
const QUERY_TASK = 0x04;
/** Second byte. */
const QUERY_ASYNCHRONOUS_EVENT = 0x04;
const QUERY_TASK_SET = 0x02;
const I_T_NEXUS_RESET = 0x01;

/** Bytes without and with the timeouts, of which there are none. */
const BASIC_BYTES = 4;
const EXTENDED_BYTES = 16;

export function reportSupportedTaskManagementFunctions(task: Task): void {
  const bytes = field(task.cdb, REPD) === 1 ? EXTENDED_BYTES : BASIC_BYTES;
  const data = new Uint8Array(bytes);
  data[0] = ABORT_TASK | ABORT_TASK_SET | CLEAR_TASK_SET | LOGICAL_UNIT_RESET | QUERY_TASK;
  if (unitOf(task).normalAca) data[0] |= CLEAR_ACA;
  data[1] = QUERY_ASYNCHRONOUS_EVENT | QUERY_TASK_SET | I_T_NEXUS_RESET;
  data[3] = bytes - BASIC_BYTES;
  answer(task, data, bytes, field(task.cdb, ALLOCATION_LENGTH));
}
