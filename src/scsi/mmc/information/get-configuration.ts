/** GET CONFIGURATION: what the drive can do, and what of that with the disc in it (MMC-6 6.6). */
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import type { LogicalUnit } from '../../logical-unit.ts';
import { answer, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbPointer } from '../../sense.ts';
import type { Task } from '../../task.ts';
import { discIn, driveOf } from '../optical-drive.ts';
import { NO_PROFILE } from '../profile.ts';
import { type Feature, featuresOf, isCurrent } from './features.ts';

export const GET_CONFIGURATION = command(
  0x46,
  'GET CONFIGURATION',
  10,
  { requestType: bits(1, 1, 0), startingFeature: u(2, 2), allocationLength: u(7, 2) },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    // Neither reported nor cleared (MMC-6 6.6.1).
    attention: 'ignore',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'MMC-6 6.6',
  },
);

/** REQUESTED TYPE; 0 is all. */
const CURRENT_ONLY = 1;
const ONE = 2;

const HEADER_BYTES = 8;
const DESCRIPTOR_HEADER_BYTES = 4;
const LENGTH_FIELD_BYTES = 4;
const PERSISTENT = 0x02;
const CURRENT = 0x01;

function descriptor(feature: Feature, unit: LogicalUnit): Uint8Array {
  const disc = discIn(unit);
  const data = feature.data(unit, disc);
  const bytes = new Uint8Array(DESCRIPTOR_HEADER_BYTES + data.length);
  const flags = (feature.persistent ? PERSISTENT : 0) | (isCurrent(feature, disc) ? CURRENT : 0);
  bytes.set([feature.code >> 8, feature.code & 0xff, (feature.version << 2) | flags, data.length]);
  bytes.set(data, DESCRIPTOR_HEADER_BYTES);
  return bytes;
}

export function getConfiguration(task: Task): void {
  const { fields } = GET_CONFIGURATION;
  const unit = unitOf(task);
  const type = field(task.cdb, fields.requestType);
  const starting = field(task.cdb, fields.startingFeature);
  if (type > ONE) {
    refuseField(task, cdbPointer(fields.requestType.byte, 1));
    return;
  }
  const disc = discIn(unit);
  const wanted = ({ code }: Feature): boolean =>
    type === ONE ? code === starting : code >= starting;
  const descriptors = featuresOf(driveOf(unit).writes)
    .filter((feature) => wanted(feature) && (type !== CURRENT_ONLY || isCurrent(feature, disc)))
    .flatMap((feature) => [...descriptor(feature, unit)]);
  const bytes = Uint8Array.from([...new Uint8Array(HEADER_BYTES), ...descriptors]);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - LENGTH_FIELD_BYTES);
  view.setUint16(6, disc?.profile ?? NO_PROFILE);
  answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
