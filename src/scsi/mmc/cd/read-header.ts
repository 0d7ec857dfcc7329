/** READ HEADER: mode and address of a data sector (MMC-2, gone since). */
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import { answer, refuse } from '../../parameter-data.ts';
import { NO_BUFFER } from '../../sbc/access.ts';
import {
  CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT,
  ILLEGAL_MODE_FOR_THIS_TRACK,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { discOf, opticalOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { absoluteFrames, putMsf } from '../sector/msf.ts';
import { failRead, roundIn } from '../sector-rounds.ts';
import { sectorsAt } from './position.ts';

const MSF = bits(1, 1, 1);
const ADDRESS = u(2, 4);
const ALLOCATION_LENGTH = u(7, 2);

export const READ_HEADER = command(
  0x44,
  'READ HEADER',
  10,
  { msf: MSF, address: ADDRESS, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'required',
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'MMC-2',
  },
);

const HEADER_BYTES = 8;

export function readHeader(task: Task): void {
  const disc = discOf(task);
  if (familyOf(disc.profile) !== 'cd') {
    refuse(task, CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT);
    return;
  }
  task.scratch = NO_BUFFER;
  task.position = 0;
  const lba = field(task.cdb, ADDRESS) | 0;
  const round = roundIn(opticalOf(task), sectorsAt(disc, lba), lba, 1);
  if (typeof round === 'number') {
    failRead(task, round, lba);
    return;
  }
  const { form } = round.run;
  if (form === 'audio') {
    failRead(task, ILLEGAL_MODE_FOR_THIS_TRACK, lba);
    return;
  }
  const data = new Uint8Array(HEADER_BYTES);
  data[0] = form === 'mode1' ? 1 : 2;
  if (field(task.cdb, MSF) === 1) putMsf(data, 5, absoluteFrames(lba));
  else new DataView(data.buffer).setInt32(4, lba);
  answer(task, data, HEADER_BYTES, field(task.cdb, ALLOCATION_LENGTH));
}
