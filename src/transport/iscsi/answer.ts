/** Answers a command: Data-In sequences, residuals, status with the last data or in a SCSI response of its own (RFC 7143 11.4, 11.7). */
import { Buffer } from 'node:buffer';
import { CHECK_CONDITION, GOOD } from '../../scsi/sam.ts';
import { encodeFixedSense, FIXED_SENSE_BYTES, NONE, UNIT_ATTENTION } from '../../scsi/sense.ts';
import type { MemoryRegion } from '../memory.ts';
import type { SrpCommand } from '../srp/initiator-command.ts';
import type { Parameters } from './negotiation.ts';
import {
  BHS,
  BIDI_OVERFLOW,
  BIDI_UNDERFLOW,
  DATA,
  DATA_IN,
  FINAL,
  NO_TAG,
  OVERFLOW,
  RESPONSE,
  SCSI_RESPONSE,
  STATUS_PRESENT,
  UNDERFLOW,
} from './pdu.ts';
import { newHeader } from './pdu-writer.ts';
import type { IscsiTask } from './task.ts';

/** Response codes from here on are of the descriptor format. */
const DESCRIPTOR_FORMAT = 0x72;
/** Additional sense codes of unit attentions that end tasks. */
const POWER_ON_OR_RESET = 0x29;
const COMMANDS_CLEARED = 0x2f;

/** What an answer is sent through. `statused`: the PDU takes a status number of its own. */
export interface AnswerSink {
  sendPdu(header: Buffer, data: Uint8Array | null, statused: boolean): void;
}

/** Bytes that did not move of what the initiator expected; negative: so many more than it expected. */
function residualOf(expected: number, buffered: number, residual: number): number {
  return expected - (buffered - residual);
}

/** Residual of the command's one direction. A command without data is told what it would have moved. */
function residuals(task: IscsiTask): { plain: number; bidi: number } {
  const { command, isRead, isWrite } = task;
  const into = residualOf(task.expectedIn, task.inBytes, command.residualIn);
  const out = residualOf(task.expectedOut, task.outBytes, command.residualOut);
  if (isWrite) return { plain: out, bidi: isRead ? into : 0 };
  return { plain: isRead || out === 0 ? into : out, bidi: 0 };
}

function flagOf(residual: number): number {
  if (residual === 0) return 0;
  return residual > 0 ? UNDERFLOW : OVERFLOW;
}

function bidiFlagOf(residual: number): number {
  if (residual === 0) return 0;
  return residual > 0 ? BIDI_UNDERFLOW : BIDI_OVERFLOW;
}

/** Sends the data that came in; the last PDU carries the status when `statused`. Returns how many PDUs it were. */
function sendData(
  task: IscsiTask,
  region: MemoryRegion,
  moved: number,
  statused: boolean,
  parameters: Parameters,
  sink: AnswerSink,
): number {
  const { maxSendBytes, maxBurstBytes } = parameters;
  const plain = residuals(task).plain;
  let offset = 0;
  let dataSN = 0;
  let burstEnd = Math.min(moved, maxBurstBytes);
  while (offset < moved) {
    const bytes = Math.min(maxSendBytes, burstEnd - offset);
    const end = offset + bytes;
    const last = end === moved;
    const header = newHeader(DATA_IN, task.itt);
    header[BHS.at.flags] = end === burstEnd ? FINAL : 0;
    header.writeUInt32BE(NO_TAG, DATA.at.ttt);
    header.writeUInt32BE(dataSN, DATA.at.dataSN);
    header.writeUInt32BE(offset, DATA.at.offset);
    if (last && statused) {
      header[BHS.at.flags] = FINAL | STATUS_PRESENT | flagOf(plain);
      header[DATA.at.status] = task.command.status;
      header.writeUInt32BE(Math.abs(plain), DATA.at.length);
    }
    const from = task.inOffset + offset;
    sink.sendPdu(header, region.view.subarray(from, from + bytes), last && statused);
    dataSN += 1;
    offset = end;
    if (end === burstEnd) burstEnd = Math.min(moved, end + maxBurstBytes);
  }
  return dataSN;
}

/** Whether the answer is a unit attention after which no older task of the nexus is left: a reset, or commands cleared. */
export function saysCleared({ status, sense, senseBytes }: SrpCommand): boolean {
  if (status !== CHECK_CONDITION) return false;
  // Descriptor format has both right behind the response code, fixed format has not (SPC-4 4.5.2, 4.5.3).
  const descriptors = ((sense[0] as number) & 0x7f) >= DESCRIPTOR_FORMAT;
  const keyAt = descriptors ? 1 : 2;
  const ascAt = descriptors ? 2 : 12;
  if (senseBytes <= ascAt || ((sense[keyAt] as number) & 0x0f) !== UNIT_ATTENTION) return false;
  const asc = sense[ascAt] as number;
  return asc === POWER_ON_OR_RESET || asc === COMMANDS_CLEARED;
}

/** Answers a command the target has answered. */
export function answerCommand(
  task: IscsiTask,
  region: MemoryRegion,
  parameters: Parameters,
  sink: AnswerSink,
): void {
  const { command } = task;
  const moved = Math.max(0, Math.min(task.inBytes, task.inBytes - command.residualIn));
  const joined = moved > 0 && command.status === GOOD && command.senseBytes === 0 && !task.isWrite;
  const dataPdus = sendData(task, region, moved, joined, parameters, sink);
  if (joined) return;
  const { plain, bidi } = residuals(task);
  const header = newHeader(SCSI_RESPONSE, task.itt);
  header[BHS.at.flags] = FINAL | flagOf(plain) | bidiFlagOf(bidi);
  header[RESPONSE.at.status] = command.status;
  header.writeUInt32BE(dataPdus + task.transfer.r2tCount, RESPONSE.at.expDataSN);
  header.writeUInt32BE(Math.abs(bidi), RESPONSE.at.bidiResidual);
  header.writeUInt32BE(Math.abs(plain), RESPONSE.at.residual);
  sink.sendPdu(header, senseSegment(command.sense, command.senseBytes), true);
}

/** SenseLength and sense data (11.4.7). */
function senseSegment(sense: Uint8Array, bytes: number): Buffer | null {
  if (bytes === 0) return null;
  const segment = Buffer.alloc(2 + bytes);
  segment.writeUInt16BE(bytes);
  segment.set(sense.subarray(0, bytes), 2);
  return segment;
}

/** Answers a command that never reached the target, with the packed sense of the mistake in its transport. */
export function answerFailure(task: IscsiTask, sense: number, sink: AnswerSink): void {
  const bytes = new Uint8Array(FIXED_SENSE_BYTES);
  encodeFixedSense(new DataView(bytes.buffer), 0, sense, NONE, NONE);
  const header = newHeader(SCSI_RESPONSE, task.itt);
  header[BHS.at.flags] =
    FINAL | flagOf(task.expectedOut) | (task.isRead ? bidiFlagOf(task.expectedIn) : 0);
  header[RESPONSE.at.status] = CHECK_CONDITION;
  header.writeUInt32BE(task.transfer.r2tCount, RESPONSE.at.expDataSN);
  header.writeUInt32BE(task.expectedIn, RESPONSE.at.bidiResidual);
  header.writeUInt32BE(task.expectedOut, RESPONSE.at.residual);
  sink.sendPdu(header, senseSegment(bytes, bytes.length), true);
}
