/** iSCSI names, the TransportID of an initiator port, and the SRP port identifiers that stand for iSCSI ports in the core. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { PORT_IDENTIFIER_BYTES } from '../srp/port-identifier.ts';

export const ISID_BYTES = 6;
/** Longest iSCSI name (RFC 7143 4.2.7.1). */
export const MAX_NAME_BYTES = 223;
/** TPGT of the only portal group. */
export const PORTAL_GROUP_TAG = 1;

/** TransportID: format 01b (name and ISID), protocol identifier 5h (SPC-4 7.6.4.6). */
const NAME_AND_ISID = 0x45;
const TRANSPORT_ID_HEADER_BYTES = 4;
const SEPARATOR = ',i,0x';

const NAME =
  /^(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.:_-]+|eui\.[0-9a-f]{16}|naa\.[0-9a-f]{16}([0-9a-f]{16})?)$/;
/** What initiators are seen to call themselves, beyond the rules of RFC 3722. */
const LOOSE_NAME = /^[!-+\--~]+$/;

/** Whether it may name a target of ours. */
export function isTargetName(name: string): boolean {
  return name.length <= MAX_NAME_BYTES && NAME.test(name);
}

/** Whether an initiator may log in under it: printable ASCII without spaces and commas. */
export function isInitiatorName(name: string): boolean {
  return name.length <= MAX_NAME_BYTES && LOOSE_NAME.test(name);
}

/** TransportID of an iSCSI initiator port: `name,i,0x` and the ISID, zero-filled to words. */
export function encodeIscsiTransportId(name: string, isid: Uint8Array): Buffer {
  const text = `${name}${SEPARATOR}${Buffer.from(isid).toString('hex')}`;
  // One zero byte at least; 20 bytes of text at least (SPC-4 table 507).
  const bytes = Math.max(20, (text.length + 4) & ~3);
  const id = Buffer.alloc(TRANSPORT_ID_HEADER_BYTES + bytes);
  id[0] = NAME_AND_ISID;
  id.writeUInt16BE(bytes, 2);
  id.write(text, TRANSPORT_ID_HEADER_BYTES, 'latin1');
  return id;
}

function identifier(of: Buffer): Buffer {
  return createHash('sha256').update(of).digest().subarray(0, PORT_IDENTIFIER_BYTES);
}

/**
 * The SRP port identifier of an iSCSI initiator port. It depends on the TransportID alone, so the I_T nexus is the same one
 * after every reconnect and every restart.
 */
export function initiatorPortIdentifier(name: string, isid: Uint8Array): Buffer {
  return identifier(encodeIscsiTransportId(name, isid));
}

/** The SRP port identifier of the target port: target name and portal group. */
export function targetPortIdentifier(targetName: string): Buffer {
  const group = PORTAL_GROUP_TAG.toString(16).padStart(4, '0');
  return identifier(Buffer.from(`${targetName},t,0x${group}`, 'latin1'));
}

/** The initiator port, as hexadecimal digits, that an iSCSI TransportID with name and ISID stands for; null for others. */
export function portOfTransportId(transportId: Uint8Array): string | null {
  if (transportId[0] !== NAME_AND_ISID) return null;
  const text = Buffer.from(transportId.subarray(TRANSPORT_ID_HEADER_BYTES)).toString('latin1');
  const [, name, isid] = /^([^\0]+),i,0x([0-9a-f]{12})\0+$/i.exec(text) ?? [];
  if (name === undefined || isid === undefined || !isInitiatorName(name)) return null;
  return initiatorPortIdentifier(name, Buffer.from(isid, 'hex')).toString('hex');
}
