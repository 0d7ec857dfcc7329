/** POPULATE TOKEN: a ROD token that stands for blocks as they are now (SBC-3 5.7). */
import { bits, field, u } from '../cdb.ts';
import { command, READS_UNIT } from '../command-table.ts';
import { parameterList, refuse, unitOf } from '../parameter-data.ts';
import { blockDeviceOf } from '../sbc/access.ts';
import { PARAMETER_LIST_LENGTH_ERROR } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { OPCODE_COPY_OUT, POPULATE } from './limits.ts';
import { blocksIn } from './ranges.ts';
import { beginCopy } from './run-copy.ts';
import { type ListRefusal, MAX_TOKEN_LIST_BYTES, readPopulateList } from './token-lists.ts';

/** Of POPULATE TOKEN and WRITE USING TOKEN. */
export const TOKEN_FIELDS = {
  listIdentifier: u(6, 4),
  parameterListLength: u(10, 4),
  group: bits(14, 4, 0),
} as const;

export const POPULATE_TOKEN = command(
  OPCODE_COPY_OUT,
  'POPULATE TOKEN',
  16,
  TOKEN_FIELDS,
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'reads',
    // Writes that came before it are over: what they write is what the token stands for.
    extent: READS_UNIT,
    clause: 'SBC-3 5.7',
  },
  POPULATE,
);

/** The parameter list of either command; null, with the task ended, when there is none (GOOD) or it is not all there. */
export function tokenList(task: Task): Uint8Array | null {
  const lengthBytes = field(task.cdb, TOKEN_FIELDS.parameterListLength);
  if (lengthBytes === 0) unitOf(task).finish(task);
  else if (lengthBytes > MAX_TOKEN_LIST_BYTES) refuse(task, PARAMETER_LIST_LENGTH_ERROR);
  else return parameterList(task, lengthBytes);
  return null;
}

export function refuseList(task: Task, { sense, pointer, information }: ListRefusal): void {
  task.check(sense, information, pointer);
  unitOf(task).finish(task);
}

/** Runs POPULATE TOKEN. Nothing is copied, so there is nothing for IMMED to hurry: the token is there when it ends. */
export function populateToken(task: Task): void {
  const bytes = tokenList(task);
  if (bytes === null) return;
  const unit = unitOf(task);
  const list = readPopulateList(bytes, blockDeviceOf(task));
  if ('sense' in list) {
    refuseList(task, list);
    return;
  }
  const record = beginCopy(task, {
    serviceAction: POPULATE,
    listIdentifier: field(task.cdb, TOKEN_FIELDS.listIdentifier),
    foreground: !list.immediate,
  });
  if (record === null) return;
  const token = unit.target.rodTokens.create(unit, list.ranges, list.timeoutS);
  record.token = token.bytes;
  record.blocks = blocksIn(list.ranges);
  // OPERATION COUNTER: commands, or what is equivalent.
  record.commands = 1;
  record.end('completed', null);
  unit.finish(task);
}
