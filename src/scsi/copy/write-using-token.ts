/** WRITE USING TOKEN: blocks become what a ROD token stands for, or zeros (SBC-3 5.46). */
import { field } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { refuse, unitOf } from '../parameter-data.ts';
import { blockDeviceOf } from '../sbc/access.ts';
import { NONE, parameterBytePointer } from '../sense.ts';
import {
  COPY_TARGET_DEVICE_DATA_UNDERRUN,
  INVALID_FIELD_IN_PARAMETER_LIST,
  INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH,
  UNEXPECTED_INEXACT_SEGMENT,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import type { Way } from './copy-operation.ts';
import { BLOCK_DEVICE_ZERO, OPCODE_COPY_OUT, WRITE_USING } from './limits.ts';
import { refuseList, TOKEN_FIELDS, tokenList } from './populate-token.ts';
import { bytesIn, locate, overlaps, type Range } from './ranges.ts';
import { hasTokenLength, type RodToken, typeOfToken } from './rod-token.ts';
import { beginCopy, runCopy } from './run-copy.ts';
import { OFFSET_AT, readWriteList, TOKEN_AT, type WriteList, writeRangeAt } from './token-lists.ts';

export const WRITE_USING_TOKEN = command(
  OPCODE_COPY_OUT,
  'WRITE USING TOKEN',
  16,
  TOKEN_FIELDS,
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    // The commands it sends have their own places in the order.
    extent: TOUCHES_NOTHING,
    writes: true,
    clause: 'SBC-3 5.46',
  },
  WRITE_USING,
);

interface Refusal {
  readonly sense: number;
  readonly byte: number;
}

/** Runs WRITE USING TOKEN: nothing is written before list, token and ranges have been found good. */
export function writeUsingToken(task: Task): void {
  const bytes = tokenList(task);
  if (bytes === null) return;
  const unit = unitOf(task);
  const list = readWriteList(bytes, blockDeviceOf(task));
  if ('sense' in list) {
    refuseList(task, list);
    return;
  }
  const token = tokenOf(unit, list);
  const ways = token !== null && 'sense' in token ? token : waysOf(unit, list, token);
  if ('sense' in ways) {
    refuse(task, ways.sense, ways.byte === NONE ? NONE : parameterBytePointer(ways.byte));
    return;
  }
  start(task, list, token as RodToken | null, ways);
}

function start(task: Task, list: WriteList, token: RodToken | null, ways: readonly Way[]): void {
  const record = beginCopy(task, {
    serviceAction: WRITE_USING,
    listIdentifier: field(task.cdb, TOKEN_FIELDS.listIdentifier),
    foreground: !list.immediate,
  });
  if (record === null) return;
  const { rodTokens } = unitOf(task).target;
  if (token !== null) rodTokens.use(token);
  const left = ways.values();
  const plan = {
    next: (): Way | null => left.next().value ?? null,
    spoilt: (): number => token?.invalid ?? 0,
  };
  runCopy(task, record, plan, () => {
    if (token === null) return;
    rodTokens.used(token, list.deletesToken && record.state === 'completed');
  });
}

/** The token that the list has, null for the one that stands for zeros, or why it is no good. */
function tokenOf(unit: LogicalUnit, { token }: WriteList): RodToken | null | Refusal {
  if (typeOfToken(token) === BLOCK_DEVICE_ZERO) {
    return hasTokenLength(token)
      ? null
      : { sense: INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH, byte: TOKEN_AT };
  }
  const found = unit.target.rodTokens.find(token);
  return typeof found === 'number' ? { sense: found, byte: TOKEN_AT } : found;
}

/** The ways from the blocks of the token to the ranges of the list, or why there are none. */
function waysOf(
  unit: LogicalUnit,
  list: WriteList,
  token: RodToken | null,
): readonly Way[] | Refusal {
  const blockBytes = unit.block?.blockBytes ?? 1;
  if (token === null) return list.ranges.map((range) => zeros(unit, range, blockBytes));
  const offset = list.offsetBlocks * blockBytes;
  const represented = bytesIn(token.ranges, token.blockBytes);
  if (offset > represented) return { sense: INVALID_FIELD_IN_PARAMETER_LIST, byte: OFFSET_AT };
  if (bytesIn(list.ranges, blockBytes) > represented - offset) {
    return { sense: COPY_TARGET_DEVICE_DATA_UNDERRUN, byte: NONE };
  }
  const own = list.ranges.findIndex(
    ({ lba, blocks }) => token.unit === unit && overlaps(token.ranges, lba, lba + blocks),
  );
  // The first of these writes would revoke the token, in the middle of the copy.
  if (own >= 0) return { sense: INVALID_FIELD_IN_PARAMETER_LIST, byte: writeRangeAt(own) };
  const ways = between(unit, list.ranges, blockBytes, token, offset);
  const isWhole = ways.every(
    ({ from, bytes, to }) =>
      from % token.blockBytes === 0 &&
      to % blockBytes === 0 &&
      bytes % token.blockBytes === 0 &&
      bytes % blockBytes === 0,
  );
  return isWhole ? ways : { sense: UNEXPECTED_INEXACT_SEGMENT, byte: NONE };
}

const UNNAMED = { backwards: false, sourcePointer: NONE, destinationPointer: NONE } as const;

function zeros(destination: LogicalUnit, { lba, blocks }: Range, blockBytes: number): Way {
  const way = { from: 0, to: lba * blockBytes, bytes: blocks * blockBytes };
  return { source: null, destination, ...way, ...UNNAMED };
}

/** Both lists of ranges cut into pieces that lie together on both sides. */
function between(
  destination: LogicalUnit,
  ranges: readonly Range[],
  blockBytes: number,
  token: RodToken,
  offset: number,
): Way[] {
  const ways: Way[] = [];
  let taken = offset;
  for (const { lba, blocks } of ranges) {
    let to = lba * blockBytes;
    let left = blocks * blockBytes;
    while (left > 0) {
      const at = locate(token.ranges, token.blockBytes, taken);
      if (at === null) return ways;
      const bytes = Math.min(left, at.bytes);
      ways.push({ source: token.unit, destination, from: at.position, to, bytes, ...UNNAMED });
      to += bytes;
      taken += bytes;
      left -= bytes;
    }
  }
  return ways;
}
