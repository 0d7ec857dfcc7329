/** REQUEST SENSE: the pending unit attention or the present condition, as parameter data (SPC-4 6.39). */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { NO_LUN } from '../lun.ts';
import { audioSense } from '../mmc/audio/audio-sense.ts';
import { answer, nexusIndexOf, unitOf } from '../parameter-data.ts';
import { encodeDescriptorSense, encodeFixedSense, MAX_SENSE_BYTES, NONE } from '../sense.ts';
import {
  LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE,
  LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED,
  LOGICAL_UNIT_NOT_SUPPORTED,
  NO_ADDITIONAL_SENSE_INFORMATION,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';

export const REQUEST_SENSE = command(
  0x03,
  'REQUEST SENSE',
  6,
  { desc: bits(1, 0, 0), allocationLength: u(4, 1) },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'clear',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.39',
  },
);

function present(unit: LogicalUnit, nexusIndex: number): number {
  if (unit.lun === NO_LUN) return LOGICAL_UNIT_NOT_SUPPORTED;
  const attention = unit.attention.take(nexusIndex);
  if (attention !== 0) return attention;
  if (unit.operation !== null) return unit.operation.sense;
  const burning = unit.optical?.burner?.sense ?? 0;
  if (burning !== 0) return burning;
  if (unit.standby) return LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE;
  const absence = unit.medium?.absence ?? 0;
  if (absence !== 0) return absence;
  if (unit.block?.stopped === true) return LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED;
  return (
    unit.selfTest.sense ||
    audioSense(unit) ||
    unit.power.sense ||
    unit.exceptions.sense ||
    NO_ADDITIONAL_SENSE_INFORMATION
  );
}

/** The progress of what `sense` says is under way, or NONE. */
function progressOf({ operation, selfTest, optical }: LogicalUnit, sense: number): number {
  if (operation !== null && sense === operation.sense) return operation.pointer;
  const burner = optical?.burner ?? null;
  if (burner !== null && sense !== 0 && sense === burner.sense) return burner.pointer;
  return selfTest.running && sense === selfTest.sense ? selfTest.pointer : NONE;
}

/** DESC alone chooses the format here; D_SENSE of the Control mode page rules autosense only. */
export function requestSense(task: Task): void {
  const { fields } = REQUEST_SENSE;
  const unit = unitOf(task);
  const sense = present(unit, nexusIndexOf(task));
  const pointer = progressOf(unit, sense);
  const data = new Uint8Array(MAX_SENSE_BYTES);
  const encode = field(task.cdb, fields.desc) === 1 ? encodeDescriptorSense : encodeFixedSense;
  const lengthBytes = encode(new DataView(data.buffer), 0, sense, NONE, pointer);
  answer(task, data, lengthBytes, field(task.cdb, fields.allocationLength));
}
