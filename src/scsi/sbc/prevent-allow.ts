/** PREVENT ALLOW MEDIUM REMOVAL (SBC-3 5.13): each nexus holds the medium for itself. */
import { assert } from '../../assert.ts';
import { bits, field } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';

const PREVENT = bits(4, 0, 0);

export const PREVENT_ALLOW_MEDIUM_REMOVAL = command(
  0x1e,
  'PREVENT ALLOW MEDIUM REMOVAL',
  6,
  { prevent: PREVENT },
  {
    data: 'none',
    medium: 'none',
    attention: 'report',
    // To give the medium free is everybody's right (SPC-4 table 51).
    reservation: (task) => (field(task.cdb, PREVENT) === 0 ? 'always' : 'writes'),
    extent: TOUCHES_NOTHING,
    clause: 'SBC-3 5.13',
  },
);

export function preventAllowMediumRemoval(task: Task): void {
  const unit = unitOf(task);
  const { nexus } = task;
  assert(unit.medium !== null && nexus !== null, 'only units with a removable medium have it');
  if (field(task.cdb, PREVENT) === 1) unit.medium.prevent(nexus);
  else unit.medium.allow(nexus);
  unit.finish(task);
}
