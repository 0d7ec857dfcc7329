/** Logical units every target has: the one that stands for LUNs without any, and REPORT LUNS (SPC-4 clause 8, SAM-5 4.7). */
import { deviceType } from '../command-table.ts';
import { LogicalUnit, type UnitIdentity } from '../logical-unit.ts';
import { NO_LUN, REPORT_LUNS_WLUN } from '../lun.ts';
import type { Target } from '../target.ts';
import { INQUIRY, inquiry } from './inquiry.ts';
import { REPORT_LUNS, reportLuns } from './report-luns.ts';
import { REQUEST_SENSE, requestSense } from './request-sense.ts';
import { TEST_UNIT_READY, testUnitReady } from './test-unit-ready.ts';

/** PERIPHERAL DEVICE TYPE of a well-known logical unit, and of no device at all. */
const WELL_KNOWN = 0x1e;
const NO_DEVICE = 0x1f;

const MISSING = deviceType(NO_DEVICE, [
  [INQUIRY, inquiry],
  [REPORT_LUNS, reportLuns],
  [REQUEST_SENSE, requestSense],
]);

const WELL_KNOWN_REPORT_LUNS = deviceType(WELL_KNOWN, [
  [INQUIRY, inquiry],
  [REPORT_LUNS, reportLuns],
  [REQUEST_SENSE, requestSense],
  [TEST_UNIT_READY, testUnitReady],
]);

function identity(product: string): UnitIdentity {
  return { vendor: 'RINGSCSI', product, revision: '', serial: '', naa: new Uint8Array(0) };
}

/** Stands for every LUN without a logical unit: the device server answers 5/25/00 to what it does not know. */
export function missingUnit(target: Target): LogicalUnit {
  return new LogicalUnit({
    target,
    lun: NO_LUN,
    deviceType: MISSING,
    identity: identity('NO LOGICAL UNIT'),
  });
}

/** The REPORT LUNS well-known logical unit, C1 01. */
export function reportLunsUnit(target: Target): LogicalUnit {
  return new LogicalUnit({
    target,
    lun: REPORT_LUNS_WLUN,
    deviceType: WELL_KNOWN_REPORT_LUNS,
    identity: identity('REPORT LUNS'),
  });
}
