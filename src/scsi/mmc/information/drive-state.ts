/** MECHANISM STATUS, REPORT KEY, SEEK(10) and SET READ AHEAD: what the drive does, and small things it is told (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import { answer, refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import { LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { PLAYING } from '../audio/audio-player.ts';
import { discOf, driveOf, opticalOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { FIRST_ADDRESS } from '../sector/msf.ts';
import { TELLS_OF_DRIVE } from './policy.ts';

export const MECHANISM_STATUS = command(
  0xbd,
  'MECHANISM STATUS',
  12,
  { allocationLength: u(8, 2) },
  TELLS_OF_DRIVE,
);

const MECHANISM_BYTES = 8;
const PLAYS = 1 << 5;
const DOOR_OPEN = 0x10;

/** No changer: no slots, and no slot table. */
export function mechanismStatus(task: Task): void {
  const unit = unitOf(task);
  const { audio } = driveOf(unit);
  const lba = Math.max(0, audio.position(unit));
  const state = audio.status(unit) === PLAYING ? PLAYS : 0;
  const bytes = new Uint8Array(MECHANISM_BYTES);
  bytes[1] = state | (unit.medium?.place === 'tray' ? DOOR_OPEN : 0);
  bytes.set([(lba >> 16) & 0xff, (lba >> 8) & 0xff, lba & 0xff], 2);
  const wanted = field(task.cdb, MECHANISM_STATUS.fields.allocationLength);
  answer(task, bytes, MECHANISM_BYTES, wanted);
}

export const REPORT_KEY = command(
  0xa4,
  'REPORT KEY',
  12,
  {
    keyClass: u(7, 1),
    allocationLength: u(8, 2),
    keyFormat: bits(10, 5, 0),
  },
  TELLS_OF_DRIVE,
);

const RPC_STATE = 0x08;
/** No region is set: four resets by the vendor and five changes by users are left; regions matter (RPC scheme 1). */
const NO_REGION = Uint8Array.of(0x00, 0x06, 0x00, 0x00, 0x25, 0xff, 0x01, 0x00);

/** Nothing is copy protected: there are no keys, only the state of a drive whose region nobody has set. */
export function reportKey(task: Task): void {
  const { fields } = REPORT_KEY;
  if (field(task.cdb, fields.keyClass) !== 0) {
    refuseField(task, cdbBytePointer(fields.keyClass.byte));
  } else if (field(task.cdb, fields.keyFormat) !== RPC_STATE) {
    refuseField(task, cdbPointer(fields.keyFormat.byte, 5));
  } else {
    answer(task, NO_REGION, NO_REGION.length, field(task.cdb, fields.allocationLength));
  }
}

const MOVES = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: TOUCHES_NOTHING,
  burn: 'reads',
  clause: 'MMC-6',
} as const;

export const SEEK_10 = command(0x2b, 'SEEK(10)', 10, { lba: u(2, 4) }, MOVES);

/** The head goes there, and audio is not played any more. */
export function seek(task: Task): void {
  const lba = field(task.cdb, SEEK_10.fields.lba) | 0;
  const { blocks, profile } = discOf(task);
  const first = familyOf(profile) === 'cd' ? FIRST_ADDRESS : 0;
  if (lba < first || lba >= blocks) {
    refuse(task, LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE);
    return;
  }
  opticalOf(task).audio.moveTo(lba);
  unitOf(task).finish(task);
}

export const SET_READ_AHEAD = command(
  0xa7,
  'SET READ AHEAD',
  12,
  { lba: u(2, 4), readAhead: u(6, 4) },
  MOVES,
);

/** A hint, for a drive that waits for its disc: everything here is as near as the page cache. */
export function setReadAhead(task: Task): void {
  const { fields } = SET_READ_AHEAD;
  const { blocks } = discOf(task);
  const outside = [fields.lba, fields.readAhead].some((each) => field(task.cdb, each) >= blocks);
  if (outside) refuse(task, LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE);
  else unitOf(task).finish(task);
}
