/** Login without authentication: a discovery session that finds the target when none is named, then a normal session (RFC 7143 clause 6). */
import { Buffer } from 'node:buffer';
import { LoginRefusedError } from '../errors.ts';
import { Wire, type WirePdu } from './wire.ts';

/** Operational stage, transit to the full feature phase (11.12.1 to 11.12.3). */
const TRANSIT_TO_FULL = 0x87;
const RESERVED_TAG = 0xffffffff;

export interface SessionOptions {
  readonly initiatorName: string;
  /** Without it the first one the portal names. */
  readonly targetName?: string;
  /** Six bytes, hexadecimal. */
  readonly isid?: string;
  readonly digests?: boolean;
  /** Further keys, each ended by NUL. */
  readonly keys?: string;
}

export interface LoggedIn {
  readonly wire: Wire;
  readonly parameters: ReadonlyMap<string, string>;
  readonly expStatSN: number;
  readonly maxCmdSN: number;
}

export interface Portal {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:3260`. */
export function portalOf(text: string): Portal {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

function nextPdu(wire: Wire): Promise<WirePdu> {
  return new Promise((resolve, reject) => {
    wire.onPdu = resolve;
    wire.onLost = (why) => reject(new Error(why));
  });
}

function pairs(text: Buffer): Map<string, string> {
  const found = new Map<string, string>();
  for (const pair of text.toString().split('\0')) {
    const equals = pair.indexOf('=');
    if (equals > 0) found.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return found;
}

async function login(portal: Portal, text: string, isid: string): Promise<LoggedIn> {
  const wire = await Wire.connect(portal.host, portal.port);
  const header = Buffer.alloc(48);
  header[0] = 0x43;
  header[1] = TRANSIT_TO_FULL;
  Buffer.from(isid, 'hex').copy(header, 8);
  header.writeUInt32BE(1, 16);
  header.writeUInt32BE(1, 24);
  wire.send(header, Buffer.from(text));
  const { header: answer, data } = await nextPdu(wire);
  const status = answer.readUInt16BE(36);
  if (answer[0] !== 0x23 || status !== 0 || answer[1] !== TRANSIT_TO_FULL) {
    wire.end();
    const why = status === 0 ? 'it wants more than a login without authentication' : 'refused';
    throw new LoginRefusedError(
      `iscsi:${portal.host}:${portal.port}`,
      status,
      `${why} (login status ${status.toString(16).padStart(4, '0')}h)`,
    );
  }
  return {
    wire,
    parameters: pairs(data),
    expStatSN: (answer.readUInt32BE(24) + 1) >>> 0,
    maxCmdSN: answer.readUInt32BE(32),
  };
}

/** The first target SendTargets=All tells of. */
async function discover(portal: Portal, options: SessionOptions): Promise<string> {
  const keys = `InitiatorName=${options.initiatorName}\0SessionType=Discovery\0`;
  const { wire, expStatSN } = await login(portal, keys, '80000000ffff');
  const header = Buffer.alloc(48);
  header[0] = 0x04;
  header[1] = 0x80;
  header.writeUInt32BE(2, 16);
  header.writeUInt32BE(RESERVED_TAG, 20);
  header.writeUInt32BE(1, 24);
  header.writeUInt32BE(expStatSN, 28);
  wire.send(header, Buffer.from('SendTargets=All\0'));
  const { data } = await nextPdu(wire);
  wire.onLost = () => undefined;
  wire.end();
  const target = pairs(data).get('TargetName');
  if (target !== undefined) return target;
  throw new LoginRefusedError(`iscsi:${portal.host}:${portal.port}`, 0, 'it names no target');
}

export async function openSession(portal: Portal, options: SessionOptions): Promise<LoggedIn> {
  const target = options.targetName ?? (await discover(portal, options));
  const digest = options.digests === true ? 'CRC32C' : 'None';
  const text = [
    `InitiatorName=${options.initiatorName}`,
    `TargetName=${target}`,
    'SessionType=Normal',
    `HeaderDigest=${digest}`,
    `DataDigest=${digest}`,
    'MaxRecvDataSegmentLength=65536',
    'iSCSIProtocolLevel=2',
    options.keys ?? '',
  ].join('\0');
  const session = await login(portal, text, options.isid ?? '800000000001');
  session.wire.headerDigest = session.parameters.get('HeaderDigest') === 'CRC32C';
  session.wire.dataDigest = session.parameters.get('DataDigest') === 'CRC32C';
  return session;
}
