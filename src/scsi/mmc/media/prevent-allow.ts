/** PREVENT ALLOW MEDIUM REMOVAL of an optical drive: each nexus holds the disc for itself, plainly or persistently (MMC-6). */
import { assert } from '../../../assert.ts';
import { bits, field } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import { nexusOf, unitOf } from '../../parameter-data.ts';
import type { Task } from '../../task.ts';

const PREVENT = bits(4, 0, 0);
const PERSISTENT = bits(4, 1, 1);

export const PREVENT_ALLOW_MEDIUM_REMOVAL = command(
  0x1e,
  'PREVENT ALLOW MEDIUM REMOVAL',
  6,
  { persistent: PERSISTENT, prevent: PREVENT },
  {
    data: 'none',
    medium: 'none',
    attention: 'report',
    // To give the medium free is everybody's right (SPC-4 table 51).
    reservation: (task) => (field(task.cdb, PREVENT) === 0 ? 'always' : 'writes'),
    extent: TOUCHES_NOTHING,
    clause: 'MMC-6 6',
  },
);

/** Each of the two preventions is set and ended for itself: 00b and 01b are about the plain one, 10b and 11b about the persistent one. */
export function preventAllowMediumRemoval(task: Task): void {
  const unit = unitOf(task);
  const { medium } = unit;
  assert(medium !== null, 'the disc of an optical drive can be removed');
  const kind = field(task.cdb, PERSISTENT) === 1 ? 'persistent' : 'plain';
  if (field(task.cdb, PREVENT) === 1) medium.prevent(nexusOf(task), kind);
  else medium.endPrevention(nexusOf(task), kind);
  unit.finish(task);
}
