/** SEND CUE SHEET, SEND OPC INFORMATION, SEND DISC STRUCTURE and READ BUFFER CAPACITY (MMC-6 6.33, 6.36, 6.34, 6.16). */
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING, WRITES_UNIT } from '../../command-table.ts';
import { answer, parameterList, refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, parameterBytePointer } from '../../sense.ts';
import {
  CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT,
  COMMAND_SEQUENCE_ERROR,
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  PARAMETER_LIST_LENGTH_ERROR,
  POWER_CALIBRATION_AREA_ERROR,
  WRITE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { BLOCK_BYTES, opticalOf } from '../optical-drive.ts';
import { BUFFER_BYTES } from '../pace.ts';
import { burnerOf, parametersOf, recordableOf, seenState } from './burnt.ts';
import { CueRecording } from './cue-recording.ts';
import { CueSheetFault, readCueSheet } from './cue-sheet.ts';
import { factsOf } from './media.ts';
import { nextTrack, openTracks } from './transitions.ts';
import { SESSION_AT_ONCE } from './write-parameters.ts';

const OUT = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_UNIT,
} as const;

const CUE_SHEET_SIZE = u(6, 3);

export const SEND_CUE_SHEET = command(
  0x5d,
  'SEND CUE SHEET',
  10,
  { cueSheetSize: CUE_SHEET_SIZE },
  { ...OUT, writes: true, clause: 'MMC-6 6.33' },
);

/** Entries for 99 tracks with all their indexes are fewer. */
const MOST_CUE_SHEET_BYTES = 99 * 102 * 8;

/** Plans a session at once. It needs write type 2, a CD, and a session without a track. */
export function sendCueSheet(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  const burner = burnerOf(task);
  const parameters = parametersOf(task);
  const state = seenState(burner, disc, parameters);
  const next = nextTrack(state);
  const leadIn = disc.nextLeadIn;
  const wrong = parameters.type !== SESSION_AT_ONCE || disc.facts.family !== 'cd';
  const begun = burner.recording?.begun === true || openTracks(state).length > 0;
  if (state.final) {
    refuse(task, CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT);
    return;
  }
  if (wrong || begun || next === null || leadIn === null) {
    refuse(task, COMMAND_SEQUENCE_ERROR);
    return;
  }
  const lengthBytes = field(task.cdb, CUE_SHEET_SIZE);
  if (lengthBytes > MOST_CUE_SHEET_BYTES) {
    refuseField(task, cdbBytePointer(CUE_SHEET_SIZE.byte));
    return;
  }
  const sheet = parameterList(task, lengthBytes);
  if (sheet === null) return;
  const room = { firstTrack: next.number, start: next.start, end: factsOf(state.kind).blocks };
  const cue = readCueSheet(sheet, room);
  if (cue instanceof CueSheetFault) {
    refuse(task, INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(Math.max(0, cue.at)));
    return;
  }
  burner.claim(task, disc);
  burner.recording = new CueRecording(cue, leadIn, parameters);
  unitOf(task).finish(task);
}

const LIST_LENGTH = u(7, 2);
const DO_OPC = bits(1, 0, 0);

export const SEND_OPC_INFORMATION = command(
  0x54,
  'SEND OPC INFORMATION',
  10,
  {
    exclude0: bits(1, 2, 2),
    exclude1: bits(1, 1, 1),
    doOpc: DO_OPC,
    parameterListLength: LIST_LENGTH,
  },
  { ...OUT, burn: 'changes', clause: 'MMC-6 6.36' },
);

/** The laser of this drive needs no calibration: what can be wrong is the list, or the medium, on purpose or not. */
export function sendOpcInformation(task: Task): void {
  if (recordableOf(task) === null) return;
  const lengthBytes = field(task.cdb, LIST_LENGTH);
  if (lengthBytes % 8 !== 0) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  if (parameterList(task, lengthBytes) === null) return;
  const calibrates = field(task.cdb, DO_OPC) === 1;
  if (calibrates && opticalOf(task).faults.fails('calibration')) {
    refuse(task, POWER_CALIBRATION_AREA_ERROR);
    return;
  }
  unitOf(task).finish(task);
}

const FORMAT_CODE = u(7, 1);
const STRUCTURE_LENGTH = u(8, 2);
const LAYER_BOUNDARY = 0x20;
const BOUNDARY_BYTES = 12;

export const SEND_DISC_STRUCTURE = command(
  0xbf,
  'SEND DVD STRUCTURE',
  12,
  { mediaType: bits(1, 3, 0), format: FORMAT_CODE, structureLength: STRUCTURE_LENGTH },
  { ...OUT, writes: true, clause: 'MMC-6 6.34' },
);

/** The layer boundary of a dual layer DVD that is blank; nothing else can be sent. */
export function sendDiscStructure(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  if (field(task.cdb, FORMAT_CODE) !== LAYER_BOUNDARY || disc.facts.layers !== 2) {
    refuseField(task, cdbBytePointer(FORMAT_CODE.byte));
    return;
  }
  const lengthBytes = field(task.cdb, STRUCTURE_LENGTH);
  if (lengthBytes < BOUNDARY_BYTES) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  if (disc.status !== 'blank') {
    refuse(task, COMMAND_SEQUENCE_ERROR);
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const layerBreak = new DataView(list.buffer).getUint32(8);
  const { blocks, writeBlocks } = disc.facts;
  if (layerBreak === 0 || layerBreak > blocks / 2 || layerBreak % writeBlocks !== 0) {
    refuse(task, INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(8));
    return;
  }
  const transition = {
    state: { ...disc.state, layerBreak },
    interim: null,
    wipes: false,
    sense: LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
    failure: WRITE_ERROR,
    blocks: 0,
    changesContents: false,
    ends: false,
  };
  burnerOf(task).run(task, disc, transition, false);
}

const BLOCK = bits(1, 0, 0);
const ALLOCATION_LENGTH = u(7, 2);

export const READ_BUFFER_CAPACITY = command(
  0x5c,
  'READ BUFFER CAPACITY',
  10,
  { block: BLOCK, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'required',
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'MMC-6 6.16',
  },
);

const REPLY_BYTES = 12;

/** What was answered with GOOD waits in no buffer, but for that of a drive that is paced. */
export function readBufferCapacity(task: Task): void {
  const inBlocks = field(task.cdb, BLOCK) === 1;
  const unit = inBlocks ? BLOCK_BYTES : 1;
  const { pace, speeds, disc } = opticalOf(task);
  const waiting = pace?.buffered(speeds.write(disc)) ?? 0;
  const data = new DataView(new ArrayBuffer(REPLY_BYTES));
  data.setUint16(0, REPLY_BYTES - 2);
  data.setUint8(3, inBlocks ? 1 : 0);
  data.setUint32(4, BUFFER_BYTES / unit);
  data.setUint32(8, Math.floor((BUFFER_BYTES - waiting) / unit));
  answer(task, new Uint8Array(data.buffer), REPLY_BYTES, field(task.cdb, ALLOCATION_LENGTH));
}
