/** TEST UNIT READY (SPC-4 6.47). */
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';

export const TEST_UNIT_READY = command(
  0x00,
  'TEST UNIT READY',
  6,
  {},
  {
    data: 'none',
    medium: 'required',
    attention: 'report',
    reservation: 'allowed',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.47',
  },
);

/** Every gate it stands for has passed. */
export function testUnitReady(task: Task): void {
  unitOf(task).finish(task);
}
