/** Who a disk is: serial number and NAA designator that stay the same over restarts (SPC-4 7.8.6, 7.8.15). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { UnitIdentity } from '../scsi/logical-unit.ts';

const VENDOR = 'RINGSCSI';
const DISK_PRODUCT = 'Virtual disk';
const OPTICAL_PRODUCT = 'CD/DVD drive';
const REVISION_CHARACTERS = 4;
const DERIVED_SERIAL_DIGITS = 20;
const NAA_BYTES = 8;
const NAA_LOCALLY_ASSIGNED = 0x30;

export interface IdentitySource {
  /** What tells this daemon's disks from those of others: the id kept in the state directory, or `hostId()`. */
  readonly installation: string;
  /** Canonical path of the image; absent for a disk in memory. */
  readonly path?: string;
  readonly lun: number;
  /** Chosen by the owner: it alone decides then, so the same serial is the same disk wherever it is served. */
  readonly serial?: string;
}

/** Id of this machine, for a daemon without a state directory: /etc/machine-id (machine-id(5)), else the host name. */
export function hostId(): string {
  try {
    return readFileSync('/etc/machine-id', 'latin1').trim() || hostname();
  } catch {
    return hostname();
  }
}

function digest(...parts: readonly string[]): Buffer {
  return createHash('sha256').update(parts.join('\0')).digest();
}

/** Unit serial number: the one given, else 20 hexadecimal digits made of installation, path and LUN. */
export function serialOf(source: IdentitySource): string {
  if (source.serial !== undefined) return source.serial;
  const { installation, path, lun } = source;
  const sum = digest('ringscsi serial', installation, path ?? 'memory', String(lun));
  return sum.toString('hex').slice(0, DERIVED_SERIAL_DIGITS);
}

/**
 * NAA designator of a serial number, 8 bytes: NAA 3h, locally assigned, and 60 bits of its SHA-256 sum. The longer NAA 6h
 * and the others begin with the IEEE company id of whoever hands the numbers out; ringscsi owns none, and borrowing one
 * could make a disk equal to somebody's real one.
 */
export function naaOf(serial: string): Uint8Array {
  const naa = new Uint8Array(digest('ringscsi naa', serial).subarray(0, NAA_BYTES));
  naa[0] = NAA_LOCALLY_ASSIGNED | ((naa[0] as number) & 0x0f);
  return naa;
}

/** PRODUCT REVISION LEVEL: the version of this package, as much of it as fits. */
export function productRevision(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version.slice(0, REVISION_CHARACTERS).replace(/\.$/, '');
}

function identity(product: string, serial: string, naa: Uint8Array): UnitIdentity {
  return { vendor: VENDOR, product, revision: productRevision(), serial, naa };
}

/** What INQUIRY and the VPD pages say about a disk. */
export function diskIdentity(serial: string, naa: Uint8Array): UnitIdentity {
  return identity(DISK_PRODUCT, serial, naa);
}

/** What they say about an optical drive. */
export function opticalIdentity(serial: string, naa: Uint8Array): UnitIdentity {
  return identity(OPTICAL_PRODUCT, serial, naa);
}
