/** MODE SENSE(6) and MODE SENSE(10) (SPC-4 6.13, 6.14). */
import { bits, type CdbField, field, u } from '../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { type ModePages, SAVED_VALUES } from '../mode-page.ts';
import { answer, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../sense.ts';
import { INVALID_COMMAND_OPERATION_CODE, SAVING_PARAMETERS_NOT_SUPPORTED } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  blockDescriptor,
  deviceSpecificParameter,
  HEADER_6,
  HEADER_10,
} from './mode-parameters.ts';

function policy(clause: string): CommandPolicy {
  return {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause,
  };
}

const PAGE_FIELDS = {
  dbd: bits(1, 3, 3),
  pageControl: bits(2, 7, 6),
  pageCode: bits(2, 5, 0),
  subpageCode: u(3, 1),
} as const;

export const MODE_SENSE_6 = command(
  0x1a,
  'MODE SENSE(6)',
  6,
  { ...PAGE_FIELDS, allocationLength: u(4, 1) },
  policy('SPC-4 6.13'),
);

export const MODE_SENSE_10 = command(
  0x5a,
  'MODE SENSE(10)',
  10,
  { ...PAGE_FIELDS, llbaa: bits(1, 4, 4), allocationLength: u(7, 2) },
  policy('SPC-4 6.14'),
);

const ALL_PAGES = 0x3f;
const ALL_SUBPAGES = 0xff;

/** The asked pages one after the other, or null with the task ended. */
function senseRequestedPages(task: Task, pages: ModePages): Uint8Array | null {
  const code = field(task.cdb, PAGE_FIELDS.pageCode);
  const subpage = field(task.cdb, PAGE_FIELDS.subpageCode);
  const control = field(task.cdb, PAGE_FIELDS.pageControl);
  if (control === SAVED_VALUES && pages.parameters === null) {
    refuse(task, SAVING_PARAMETERS_NOT_SUPPORTED);
    return null;
  }
  if (code !== ALL_PAGES && !pages.has(code)) {
    refuseField(task, cdbPointer(PAGE_FIELDS.pageCode.byte, 5));
    return null;
  }
  if (subpage !== 0 && subpage !== ALL_SUBPAGES) {
    refuseField(task, cdbBytePointer(PAGE_FIELDS.subpageCode.byte));
    return null;
  }
  const codes = code === ALL_PAGES ? pages.codes : [code];
  return Uint8Array.from(codes.flatMap((each) => [...pages.sense(each, control)]));
}

function concatenateParameters(
  header: Uint8Array,
  descriptor: Uint8Array,
  pages: Uint8Array,
): Uint8Array {
  const data = new Uint8Array(header.length + descriptor.length + pages.length);
  data.set(header, 0);
  data.set(descriptor, header.length);
  data.set(pages, header.length + descriptor.length);
  return data;
}

function descriptorFor(task: Task, unit: LogicalUnit, long: boolean): Uint8Array {
  // Optical drives send none (MMC-6): pages are looked for right behind the header.
  const none = field(task.cdb, PAGE_FIELDS.dbd) === 1 || unit.optical !== null;
  return none ? new Uint8Array(0) : blockDescriptor(unit, long);
}

/** The mode pages of the unit, or null with the task ended: a device without any has no MODE SENSE. */
function modePagesOf(task: Task, unit: LogicalUnit): ModePages | null {
  if (unit.modePages === null) refuse(task, INVALID_COMMAND_OPERATION_CODE);
  return unit.modePages;
}

function answerMode(task: Task, data: Uint8Array, allocationLength: CdbField): void {
  answer(task, data, data.length, field(task.cdb, allocationLength));
}

export function modeSense6(task: Task): void {
  const unit = unitOf(task);
  const modePages = modePagesOf(task, unit);
  const pages = modePages === null ? null : senseRequestedPages(task, modePages);
  if (pages === null) return;
  const descriptor = descriptorFor(task, unit, false);
  const { at } = HEADER_6;
  const data = concatenateParameters(new Uint8Array(HEADER_6.size), descriptor, pages);
  data[at.modeDataLength] = data.length - 1;
  data[at.deviceSpecific] = deviceSpecificParameter(unit);
  data[at.blockDescriptorLength] = descriptor.length;
  answerMode(task, data, MODE_SENSE_6.fields.allocationLength);
}

export function modeSense10(task: Task): void {
  const unit = unitOf(task);
  const modePages = modePagesOf(task, unit);
  const pages = modePages === null ? null : senseRequestedPages(task, modePages);
  if (pages === null) return;
  const long = field(task.cdb, MODE_SENSE_10.fields.llbaa) === 1;
  const descriptor = descriptorFor(task, unit, long);
  const { at } = HEADER_10;
  const data = concatenateParameters(new Uint8Array(HEADER_10.size), descriptor, pages);
  const view = new DataView(data.buffer);
  view.setUint16(at.modeDataLength, data.length - 2);
  view.setUint8(at.deviceSpecific, deviceSpecificParameter(unit));
  view.setUint8(at.longLba, long && descriptor.length > 0 ? 1 : 0);
  view.setUint16(at.blockDescriptorLength, descriptor.length);
  answerMode(task, data, MODE_SENSE_10.fields.allocationLength);
}
