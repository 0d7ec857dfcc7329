/** Vital product data pages every device has, and the table of pages of a logical unit (SPC-4 7.8). */
import { THIRD_PARTY_COPY } from '../copy/third-party-page.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { NO_LUN } from '../lun.ts';
import { scsiPorts, targetPortDesignators } from './target-port-groups.ts';
import { putText } from './text.ts';
import { BLOCK_PAGES } from './vpd-block.ts';
import {
  extendedInquiry,
  managementAddresses,
  modePagePolicy,
  powerCondition,
} from './vpd-primary.ts';

/** One page: its code and what follows the four bytes of header. */
export interface VpdPage {
  readonly code: number;
  readonly name: string;
  readonly body: (unit: LogicalUnit) => Uint8Array;
}

const HEADER_BYTES = 4;

const CODE_SET_BINARY = 0x01;
const CODE_SET_ASCII = 0x02;
/** ASSOCIATION 00b (logical unit) with DESIGNATOR TYPE. */
const TYPE_T10_VENDOR = 0x01;
const TYPE_NAA = 0x03;
const VENDOR_BYTES = 8;

const SUPPORTED_PAGES: VpdPage = {
  code: 0x00,
  name: 'Supported VPD pages',
  body: (unit) => Uint8Array.from(pagesOf(unit), (page) => page.code),
};

const UNIT_SERIAL_NUMBER: VpdPage = {
  code: 0x80,
  name: 'Unit serial number',
  body: (unit) => {
    const { serial } = unit.identity;
    const body = new Uint8Array(serial.length);
    putText(body, 0, serial.length, serial);
    return body;
  },
};

function designator(codeSet: number, type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + value.length);
  bytes[0] = codeSet;
  bytes[1] = type;
  bytes[3] = value.length;
  bytes.set(value, HEADER_BYTES);
  return bytes;
}

function t10VendorId(unit: LogicalUnit): Uint8Array {
  const { vendor, serial } = unit.identity;
  const value = new Uint8Array(VENDOR_BYTES + serial.length);
  putText(value, 0, VENDOR_BYTES, vendor);
  putText(value, VENDOR_BYTES, serial.length, serial);
  return value;
}

/** A well-known logical unit has no designator of its own (SPC-4 7.8.6.2.3): its list is empty. */
function deviceIdentification(unit: LogicalUnit): Uint8Array {
  if (unit.lun < 0) return new Uint8Array(0);
  const naa = designator(CODE_SET_BINARY, TYPE_NAA, unit.identity.naa);
  const vendor = designator(CODE_SET_ASCII, TYPE_T10_VENDOR, t10VendorId(unit));
  return Uint8Array.from([...naa, ...vendor, ...targetPortDesignators()]);
}

const DEVICE_IDENTIFICATION: VpdPage = {
  code: 0x83,
  name: 'Device identification',
  body: deviceIdentification,
};

const WELL_KNOWN_PAGES: readonly VpdPage[] = [SUPPORTED_PAGES, DEVICE_IDENTIFICATION];
const MANAGEMENT_NETWORK_ADDRESSES: VpdPage = {
  code: 0x85,
  name: 'Management network addresses',
  body: managementAddresses,
};

const MODE_PAGE_POLICY: VpdPage = { code: 0x87, name: 'Mode page policy', body: modePagePolicy };
const SCSI_PORTS: VpdPage = { code: 0x88, name: 'SCSI ports', body: scsiPorts };

const DISK_PAGES: readonly VpdPage[] = [
  SUPPORTED_PAGES,
  UNIT_SERIAL_NUMBER,
  DEVICE_IDENTIFICATION,
  MANAGEMENT_NETWORK_ADDRESSES,
  { code: 0x86, name: 'Extended INQUIRY data', body: extendedInquiry },
  MODE_PAGE_POLICY,
  SCSI_PORTS,
  { code: 0x8a, name: 'Power condition', body: powerCondition },
  THIRD_PARTY_COPY,
  ...BLOCK_PAGES,
];

/** What an optical drive is asked for is in GET CONFIGURATION and mode page 2Ah: these say who it is. */
const OPTICAL_PAGES: readonly VpdPage[] = [
  SUPPORTED_PAGES,
  UNIT_SERIAL_NUMBER,
  DEVICE_IDENTIFICATION,
  MANAGEMENT_NETWORK_ADDRESSES,
  MODE_PAGE_POLICY,
  SCSI_PORTS,
];

/** The pages of a logical unit in ascending order; what is not here is refused and not listed in page 00h. */
export function pagesOf(unit: LogicalUnit): readonly VpdPage[] {
  if (unit.lun === NO_LUN) return [];
  if (unit.block === null) return WELL_KNOWN_PAGES;
  // An empty list of addresses says nothing.
  const managed = unit.target.managementAddresses.length > 0;
  const pages = unit.optical === null ? DISK_PAGES : OPTICAL_PAGES;
  return managed ? pages : pages.filter((page) => page !== MANAGEMENT_NETWORK_ADDRESSES);
}

/** A whole page with its header, or null when the logical unit does not have it. */
export function vpdPage(unit: LogicalUnit, code: number): Uint8Array | null {
  const page = pagesOf(unit).find((candidate) => candidate.code === code);
  if (page === undefined) return null;
  const body = page.body(unit);
  const data = new Uint8Array(HEADER_BYTES + body.length);
  data[0] = unit.deviceType.peripheralType;
  data[1] = code;
  new DataView(data.buffer).setUint16(2, body.length);
  data.set(body, HEADER_BYTES);
  return data;
}
