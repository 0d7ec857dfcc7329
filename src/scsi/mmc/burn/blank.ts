/** BLANK (MMC-6 6.2) and FORMAT UNIT (MMC-6 6.5) of discs. */
import { bits, field, u } from '../../cdb.ts';
import { command, WRITES_UNIT } from '../../command-table.ts';
import { refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer, NONE, parameterBytePointer } from '../../sense.ts';
import {
  FORMAT_COMMAND_FAILED,
  INVALID_FIELD_IN_CDB,
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS,
  LOGICAL_UNIT_NOT_READY_OPERATION_IN_PROGRESS,
  PARAMETER_LIST_LENGTH_ERROR,
  WRITE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { abandonRecording, burnerOf, parametersOf, recordableOf } from './burnt.ts';
import { type DiscState, newDiscState } from './disc-state.ts';
import {
  BLANK_DISC,
  BLANK_MINIMAL,
  blank,
  type FormatDescriptor,
  type Formatting,
  format,
} from './erasing.ts';
import { blocksBetween } from './laser-work.ts';
import { factsOf } from './media.ts';
import type { Transition } from './operation.ts';

const POLICY = {
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_UNIT,
  writes: true,
} as const;

const IMMED = bits(1, 4, 4);
const BLANKING_TYPE = bits(1, 2, 0);
const START_ADDRESS = u(2, 4);

export const BLANK = command(
  0xa1,
  'BLANK',
  12,
  { immed: IMMED, blankingType: BLANKING_TYPE, startAddress: START_ADDRESS },
  { ...POLICY, data: 'none', clause: 'MMC-6 6.2' },
);

const FMTDATA = bits(1, 4, 4);
const FORMAT_CODE = bits(1, 2, 0);
/** FORMAT CODE of every medium here: a list with one format descriptor. */
const MMC_FORMAT = 1;

export const FORMAT_UNIT = command(
  0x04,
  'FORMAT UNIT',
  6,
  { formatData: FMTDATA, completeList: bits(1, 3, 3), formatCode: FORMAT_CODE },
  { ...POLICY, data: 'out', clause: 'MMC-6 6.5' },
);

/** What remains while what was recorded is given up: nothing that could still be read of it. */
function emptied(state: DiscState): DiscState {
  const fresh = newDiscState(state.kind);
  if (!factsOf(state.kind).preformatted) return fresh;
  return { ...fresh, format: state.format, runs: state.runs };
}

/** Blocks that pass the laser while a disc is blanked. */
function blocksToBlank(before: DiscState, after: DiscState, type: number): number {
  const { blocks, sessionGap } = factsOf(before.kind);
  if (type === BLANK_DISC) return blocks;
  return type === BLANK_MINIMAL ? sessionGap[0] : blocksBetween(before, after);
}

/** Blocks that pass the laser while a disc is formatted; what is formatted as it is written, or in the background, is not among them. */
function blocksToFormat(before: DiscState, { state, wipes }: Formatting): number {
  if (!wipes) return blocksBetween(before, state);
  const { growing = false, background = 'none', blocks = 0 } = state.format ?? {};
  return growing || background === 'running' ? factsOf(state.kind).sessionGap[0] : blocks;
}

export function blankDisc(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  const burner = burnerOf(task);
  const type = field(task.cdb, BLANKING_TYPE);
  const target = blank(disc.state, type, field(task.cdb, START_ADDRESS));
  if (target === INVALID_FIELD_IN_CDB) {
    const known = disc.facts.blanks.includes(type);
    refuseField(task, known ? cdbBytePointer(START_ADDRESS.byte) : cdbPointer(1, 2));
    return;
  }
  if (typeof target === 'number') {
    refuse(task, target);
    return;
  }
  const whole = type === BLANK_DISC || type === BLANK_MINIMAL;
  const transition: Transition = {
    state: target,
    interim: whole ? target : null,
    wipes: whole,
    sense: LOGICAL_UNIT_NOT_READY_OPERATION_IN_PROGRESS,
    failure: WRITE_ERROR,
    blocks: blocksToBlank(disc.state, target, type),
    changesContents: true,
    ends: true,
  };
  abandonRecording(task);
  burner.claim(task, disc);
  burner.run(task, disc, transition, field(task.cdb, IMMED) === 1);
}

const HEADER_BYTES = 4;
const DESCRIPTOR_BYTES = 8;
const LIST_BYTES = HEADER_BYTES + DESCRIPTOR_BYTES;
const LIST_IMMED = 0x02;
const TRY_OUT = 0x04;

interface FormatList {
  readonly descriptor: FormatDescriptor;
  readonly immediately: boolean;
  readonly tryOut: boolean;
}

/** Reads the parameter list (MMC-6 table 252), or sense and a pointer to what is wrong. */
function readList(list: Uint8Array): FormatList | readonly [sense: number, pointer: number] {
  if (list.length < LIST_BYTES) return [PARAMETER_LIST_LENGTH_ERROR, NONE];
  const view = new DataView(list.buffer, list.byteOffset);
  if (view.getUint16(2) !== DESCRIPTOR_BYTES) {
    return [INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(2)];
  }
  const flags = list[1] as number;
  const kind = list[8] as number;
  return {
    descriptor: {
      blocks: view.getUint32(4),
      type: kind >> 2,
      subType: kind & 3,
      parameter: view.getUint32(8) & 0xff_ffff,
    },
    immediately: (flags & LIST_IMMED) !== 0,
    tryOut: (flags & TRY_OUT) !== 0,
  };
}

/** Only the list says what to do: a FORMAT UNIT without one is refused. Hosts may send more than one descriptor long lists. */
function listOf(task: Task): FormatList | null {
  const list = new Uint8Array(Math.min(task.dataOut.bytes, LIST_BYTES));
  task.dataOut.get(0, list, 0, list.length);
  task.dataOutWanted = Math.max(list.length, LIST_BYTES);
  task.dataOutMoved = list.length;
  const read = readList(list);
  if ('descriptor' in read) return read;
  refuse(task, ...read);
  return null;
}

export function formatDisc(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  if (field(task.cdb, FMTDATA) === 0) {
    refuseField(task, cdbPointer(FMTDATA.byte, 4));
    return;
  }
  if (field(task.cdb, FORMAT_CODE) !== MMC_FORMAT) {
    refuseField(task, cdbPointer(FORMAT_CODE.byte, 2));
    return;
  }
  const list = listOf(task);
  if (list === null) return;
  const form = parametersOf(task).block.form === 'form1' ? 'form1' : 'mode1';
  const target = format(disc.state, list.descriptor, form);
  if (typeof target === 'number') {
    const inList = target === INVALID_FIELD_IN_PARAMETER_LIST;
    refuse(task, target, inList ? parameterBytePointer(HEADER_BYTES) : NONE);
    return;
  }
  if (list.tryOut) {
    unitOf(task).finish(task);
    return;
  }
  const burner = burnerOf(task);
  const transition: Transition = {
    state: target.state,
    interim: target.wipes ? emptied(disc.state) : null,
    wipes: target.wipes,
    sense: LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS,
    failure: FORMAT_COMMAND_FAILED,
    blocks: blocksToFormat(disc.state, target),
    changesContents: true,
    ends: true,
  };
  abandonRecording(task);
  burner.claim(task, disc);
  burner.run(task, disc, transition, list.immediately);
}
