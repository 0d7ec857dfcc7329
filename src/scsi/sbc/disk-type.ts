/** The device types of direct access block devices: fully provisioned and thin (SPC-4 6.4.2 type 00h, SBC-3 4.7). */
import { type DeviceType, deviceType } from '../command-table.ts';
import { informationCommands, spcCommands } from '../spc/commands.ts';
import {
  atomicCommands,
  removableCommands,
  sanitizeCommands,
  sanitizeEncryptedCommands,
  sanitizeThinCommands,
  sbcAnchorCommands,
  sbcCommands,
  sbcThinCommands,
} from './commands.ts';
import {
  protectedAtomicCommands,
  protectedCommands,
  protectedCommands32,
  protectedSanitizeCommands,
} from './protection/commands.ts';
import type { ProtectionType } from './protection/information.ts';

export const DIRECT_ACCESS_BLOCK = 0x00;

/** What a disk can do besides what every disk can. */
export interface DiskFeatures {
  /** It can unmap. */
  readonly thin?: boolean;
  /** Thin, it can keep space for unmapped blocks. */
  readonly anchor?: boolean;
  /** Its medium can be held fast. */
  readonly removable?: boolean;
  /** Its store can keep the promise of atomic writes. */
  readonly atomic?: boolean;
  /** A sanitize operation goes on after a restart. */
  readonly sanitize?: boolean;
  /** Its store has a key that can be erased. */
  readonly encrypted?: boolean;
  /** Identifying information has a place where it stays. */
  readonly information?: boolean;
  /** Its blocks have protection information; such a disk is neither thin nor encrypted. */
  readonly protection?: ProtectionType;
}

function composeProtected(features: DiskFeatures): DeviceType {
  const { removable, atomic, sanitize, information, protection } = features;
  return deviceType(DIRECT_ACCESS_BLOCK, [
    ...spcCommands,
    ...(information === true ? informationCommands : []),
    ...protectedCommands,
    ...(protection === 2 ? protectedCommands32 : []),
    ...(removable === true ? removableCommands : []),
    ...(atomic === true ? protectedAtomicCommands : []),
    ...(sanitize === true ? protectedSanitizeCommands : []),
  ]);
}

function provisioningCommands({ thin, anchor }: DiskFeatures): typeof sbcCommands {
  if (thin !== true) return sbcCommands;
  return anchor === true ? sbcAnchorCommands : sbcThinCommands;
}

function compose(features: DiskFeatures): DeviceType {
  const { thin, removable, atomic, sanitize, encrypted, information, protection = 0 } = features;
  if (protection !== 0) return composeProtected(features);
  return deviceType(DIRECT_ACCESS_BLOCK, [
    ...spcCommands,
    ...(information === true ? informationCommands : []),
    ...provisioningCommands(features),
    ...(removable === true ? removableCommands : []),
    ...(atomic === true ? atomicCommands : []),
    ...(sanitize === true ? sanitizeCommands : []),
    ...(sanitize === true && thin === true ? sanitizeThinCommands : []),
    ...(sanitize === true && encrypted === true ? sanitizeEncryptedCommands : []),
  ]);
}

export const thickDisk = compose({});
export const thinDisk = compose({ thin: true });
/** The table with every command a disk may have. */
export const fullDisk = compose({
  thin: true,
  anchor: true,
  removable: true,
  atomic: true,
  sanitize: true,
  encrypted: true,
  information: true,
});
/** The same with protection information; type 2 is the one with commands of its own. */
export const fullProtectedDisk = compose({
  removable: true,
  atomic: true,
  sanitize: true,
  protection: 2,
});

const composed = new Map<string, DeviceType>();

/** The command table that fits a block device. */
export function diskType(features: DiskFeatures): DeviceType {
  const { thin, anchor, removable, atomic, sanitize, encrypted, information } = features;
  const { protection = 0 } = features;
  const plain = ![anchor, removable, atomic, sanitize, information].includes(true);
  if (plain && protection === 0) return thin === true ? thinDisk : thickDisk;
  const key = `${thin} ${anchor} ${removable} ${atomic} ${sanitize} ${encrypted} ${information} ${protection}`;
  const type = composed.get(key) ?? compose(features);
  composed.set(key, type);
  return type;
}
