/** CDBs and parameter lists of PERSISTENT RESERVE OUT, spelled from SPC-4 6.16. */
import { Buffer } from 'node:buffer';

export const REGISTER = 0;
export const RESERVE = 1;
export const RELEASE = 2;
export const CLEAR = 3;
export const PREEMPT = 4;
export const PREEMPT_AND_ABORT = 5;
export const REGISTER_AND_IGNORE = 6;
export const REGISTER_AND_MOVE = 7;

export interface OutOptions {
  readonly key?: number;
  readonly actionKey?: number;
  readonly type?: number;
  readonly scope?: number;
  /** Byte 20: SPEC_I_PT 08h, ALL_TG_PT 04h, APTPL 01h. */
  readonly flags?: number;
  /** TransportIDs after the list (SPEC_I_PT). */
  readonly transportIds?: readonly Uint8Array[];
  /** PARAMETER LIST LENGTH when it is to be wrong. */
  readonly length?: number;
}

export function reserveOut(
  action: number,
  options: OutOptions = {},
): { cdb: Buffer; list: Uint8Array } {
  const { key = 0, actionKey = 0, type = 0, scope = 0, flags = 0, transportIds } = options;
  const ids = Buffer.concat(transportIds ?? []);
  const list = Buffer.alloc(transportIds === undefined ? 24 : 28 + ids.length);
  list.writeBigUInt64BE(BigInt(key), 0);
  list.writeBigUInt64BE(BigInt(actionKey), 8);
  list[20] = flags;
  if (transportIds !== undefined) {
    list.writeUInt32BE(ids.length, 24);
    ids.copy(list, 28);
  }
  return { cdb: outCdb(action, (scope << 4) | type, options.length ?? list.length), list };
}

export function moveOut(options: {
  readonly key: number;
  readonly actionKey: number;
  /** Byte 17: UNREG 02h, APTPL 01h. */
  readonly flags?: number;
  readonly port?: number;
  readonly transportId: Uint8Array;
}): { cdb: Buffer; list: Uint8Array } {
  const { key, actionKey, flags = 0, port = 1, transportId } = options;
  const list = Buffer.alloc(24 + transportId.length);
  list.writeBigUInt64BE(BigInt(key), 0);
  list.writeBigUInt64BE(BigInt(actionKey), 8);
  list[17] = flags;
  list.writeUInt16BE(port, 18);
  list.writeUInt32BE(transportId.length, 20);
  list.set(transportId, 24);
  return { cdb: outCdb(REGISTER_AND_MOVE, 0, list.length), list };
}

function outCdb(action: number, scopeAndType: number, length: number): Buffer {
  const cdb = Buffer.from([0x5f, action, scopeAndType, 0, 0, 0, 0, 0, 0, 0]);
  cdb.writeUInt32BE(length, 5);
  return cdb;
}

/** SRP TransportID of an initiator port (SPC-4 7.6.4.5). */
export function srpTransportId(port: string): Buffer {
  return Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(port, 'hex')]);
}
