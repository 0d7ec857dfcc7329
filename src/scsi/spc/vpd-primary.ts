/** Vital product data pages about what the device server does: 85h, 86h, 87h, 8Ah (SPC-4 7.8.9, 7.8.7, 7.8.8, 7.8.11). */
import { extendedTestMinutes } from '../log/self-test.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { MAX_SENSE_BYTES } from '../sense.ts';
import { putText } from './text.ts';

const EXTENDED_INQUIRY_BYTES = 60;
const MOST_MINUTES = 0xffff;
/** The task attributes that are obeyed. Command priorities are carried and nothing is ordered by them: PRIOR_SUP = 0. */
const HEADSUP = 0x04;
const ORDSUP = 0x02;
const SIMPSUP = 0x01;
const GRD_CHK = 0x04;
const APP_CHK = 0x02;
const REF_CHK = 0x01;
/** SPT (the type of protection that can be, and is) and what of it is checked, by type (decision 12). */
const PROTECTION: Readonly<Record<number, number>> = {
  1: GRD_CHK | REF_CHK,
  2: (0b010 << 3) | GRD_CHK | APP_CHK | REF_CHK,
  3: (0b100 << 3) | GRD_CHK,
};

/** A volatile cache. */
const V_SUP = 0x01;
/** REPORT LUNS clears REPORTED LUNS DATA HAS CHANGED at every logical unit. */
const LUICLR = 0x01;

/** Extended INQUIRY Data. Offsets are those of the page less its header. */
export function extendedInquiry(unit: LogicalUnit): Uint8Array {
  const body = new Uint8Array(EXTENDED_INQUIRY_BYTES);
  body[0] = PROTECTION[unit.block?.protectionType ?? 0] ?? 0;
  body[1] = HEADSUP | ORDSUP | SIMPSUP;
  body[2] = unit.block?.store.volatileCache === true ? V_SUP : 0;
  body[3] = LUICLR;
  const minutes = Math.min(MOST_MINUTES, extendedTestMinutes(unit.block?.store.bytes ?? 0));
  new DataView(body.buffer).setUint16(6, minutes);
  body[9] = MAX_SENSE_BYTES;
  return body;
}

const DESCRIPTOR_HEADER_BYTES = 4;

/** Management Network Addresses: each a text that ends with zeros, in whole words. */
export function managementAddresses({ target }: LogicalUnit): Uint8Array {
  const bytes = target.managementAddresses.flatMap(({ service, url }) => {
    const text = new Uint8Array(4 * (Math.floor(url.length / 4) + 1));
    putText(text, 0, url.length, url);
    const header = new Uint8Array(DESCRIPTOR_HEADER_BYTES);
    header[0] = service;
    new DataView(header.buffer).setUint16(2, text.length);
    return [...header, ...text];
  });
  return Uint8Array.from(bytes);
}

/** standby_y and standby_z; idle_a, idle_b and idle_c. */
const STANDBY_CONDITIONS = 0x03;
const IDLE_CONDITIONS = 0x07;

const ALL_PAGES = 0x3f;
const ALL_SUBPAGES = 0xff;
const SHARED = 0x00;

/** Mode Page Policy: there is one set of mode pages, which every initiator shares. */
export function modePagePolicy(): Uint8Array {
  return Uint8Array.of(ALL_PAGES, ALL_SUBPAGES, SHARED, 0);
}

/** Power Condition: every one exists, and no time is needed to leave it. */
export function powerCondition(): Uint8Array {
  const body = new Uint8Array(14);
  body[0] = STANDBY_CONDITIONS;
  body[1] = IDLE_CONDITIONS;
  return body;
}
