/** SRP_RSP: status, residuals, sense and response data written straight into the initiator's memory (SRP r16a 6.9). */
import {
  CHECK_CONDITION,
  FUNCTION_COMPLETE,
  FUNCTION_REJECTED,
  FUNCTION_SUCCEEDED,
  GOOD,
} from '../../scsi/sam.ts';
import { copyDeviceSense, encodeDescriptorSense, encodeFixedSense } from '../../scsi/sense.ts';
import type { Task } from '../../scsi/task.ts';
import {
  DIOVER,
  DIUNDER,
  DOOVER,
  DOUNDER,
  RESPONSE_DATA_BYTES,
  RSP,
  RSP_COMPLETE,
  RSP_FIELDS_INVALID,
  RSP_NOT_SUPPORTED,
  RSP_SUCCEEDED,
  RSPVALID,
  SCSOLNT,
  SNSVALID,
  SOLNT,
  SRP_RSP,
  UCSOLNT,
} from './iu.ts';

const DELTA = RSP.at.delta;
const TAG_HIGH = RSP.at.tagHigh;
const TAG_LOW = RSP.at.tagLow;
const VALID = RSP.at.valid;
const STATUS = RSP.at.status;
const DATA_OUT_RESIDUAL = RSP.at.dataOutResidual;
const DATA_IN_RESIDUAL = RSP.at.dataInResidual;
const SENSE_LENGTH = RSP.at.senseLength;
const RESPONSE_LENGTH = RSP.at.responseLength;
const RSP_BYTES = RSP.size;

/**
 * Residual of one direction: positive when described bytes were not moved, negative when the command had more than
 * was described and used all of it. Measured against the descriptors, never the CDB.
 */
export function residual(described: number, wanted: number, moved: number): number {
  return moved < described ? described - moved : Math.min(0, described - wanted);
}

/**
 * Bytes of a described buffer that count as moved. A command that ended GOOD took all it wanted of what there was, even if
 * the tail was no whole block and was not written.
 */
function movedOf(good: boolean, described: number, wanted: number, moved: number): number {
  return good ? Math.min(described, wanted) : moved;
}

/** First word: type, and SOLNT if the request asked for it with this outcome. Then the delta and the tag. */
function encodeHead(
  view: DataView,
  at: number,
  task: Task,
  delta: number,
  solicited: number,
  successful: boolean,
): void {
  const asked = (solicited & (successful ? SCSOLNT : UCSOLNT)) !== 0;
  view.setUint32(at, (SRP_RSP << 24) | (asked ? SOLNT << 16 : 0));
  view.setUint32(at + DELTA, delta);
  view.setUint32(at + TAG_HIGH, task.tagHigh);
  view.setUint32(at + TAG_LOW, task.tagLow);
}

/**
 * Writes the response to a command and returns its length (36 bytes, and the sense data if the status is CHECK CONDITION).
 * `solicited`: byte 1 of the request. `underAsOver`: report shortfalls with the OVER bits, as one known initiator reads
 * them. The view may be shared memory: it is only written.
 */
export function encodeResponse(
  view: DataView,
  at: number,
  task: Task,
  delta: number,
  solicited: number,
  underAsOver: boolean,
  descriptorSense: boolean,
): number {
  const { status } = task;
  const good = status === GOOD;
  encodeHead(view, at, task, delta, solicited, good);
  const { dataOut, dataOutWanted, dataIn, dataInWanted } = task;
  const movedOut = movedOf(good, dataOut.bytes, dataOutWanted, task.dataOutMoved);
  const movedIn = movedOf(good, dataIn.bytes, dataInWanted, task.dataInMoved);
  const out = residual(dataOut.bytes, dataOutWanted, movedOut);
  const into = residual(dataIn.bytes, dataInWanted, movedIn);
  let flags = 0;
  if (out !== 0) flags |= out > 0 && !underAsOver ? DOUNDER : DOOVER;
  if (into !== 0) flags |= into > 0 && !underAsOver ? DIUNDER : DIOVER;
  let senseLength = 0;
  if (status === CHECK_CONDITION) {
    const encode = descriptorSense ? encodeDescriptorSense : encodeFixedSense;
    const { sense, senseInformation, fieldPointer, deviceSense } = task;
    senseLength =
      deviceSense === null
        ? encode(view, at + RSP_BYTES, sense, senseInformation, fieldPointer)
        : copyDeviceSense(view, at + RSP_BYTES, deviceSense);
    flags |= SNSVALID;
  }
  view.setUint16(at + VALID - 2, 0);
  view.setUint8(at + VALID, flags);
  view.setUint8(at + STATUS, status);
  view.setUint32(at + DATA_OUT_RESIDUAL, Math.abs(out));
  view.setUint32(at + DATA_IN_RESIDUAL, Math.abs(into));
  view.setUint32(at + SENSE_LENGTH, senseLength);
  view.setUint32(at + RESPONSE_LENGTH, 0);
  return RSP_BYTES + senseLength;
}

/** RSP_CODE for the outcome of a task management function. */
export function responseCode(outcome: number): number {
  if (outcome === FUNCTION_COMPLETE) return RSP_COMPLETE;
  if (outcome === FUNCTION_SUCCEEDED) return RSP_SUCCEEDED;
  return outcome === FUNCTION_REJECTED ? RSP_NOT_SUPPORTED : RSP_FIELDS_INVALID;
}

/** Writes the response to a task management function, response data always valid, and returns its length (40 bytes). */
export function encodeManagementResponse(
  view: DataView,
  at: number,
  task: Task,
  delta: number,
  solicited: number,
): number {
  const code = responseCode(task.managementOutcome);
  const successful = code === RSP_COMPLETE || code === RSP_SUCCEEDED;
  encodeHead(view, at, task, delta, solicited, successful);
  view.setUint32(at + VALID - 2, RSPVALID << 8);
  view.setUint32(at + DATA_OUT_RESIDUAL, 0);
  view.setUint32(at + DATA_IN_RESIDUAL, 0);
  view.setUint32(at + SENSE_LENGTH, 0);
  view.setUint32(at + RESPONSE_LENGTH, RESPONSE_DATA_BYTES);
  view.setUint32(at + RSP_BYTES, task.managementInformation * 256 + code);
  return RSP_BYTES + RESPONSE_DATA_BYTES;
}
