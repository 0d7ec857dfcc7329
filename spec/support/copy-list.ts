/** Parameter lists of EXTENDED COPY, spelled from SPC-4 6.4.2, 6.4.5, 6.4.6 and 6.5, and the CDBs that ask what became of them. */
import { Buffer } from 'node:buffer';

export interface CopySegment {
  readonly source?: number;
  readonly destination?: number;
  readonly from: number;
  readonly to: number;
  readonly blocks: number;
  /** DC: blocks of the destination are counted. */
  readonly countsDestination?: boolean;
  readonly type?: number;
}

/** Identification descriptor CSCD descriptor: NAA designator of VPD page 83h. */
export function cscd(naa: Uint8Array, type = 0xe4): Buffer {
  const bytes = Buffer.alloc(32);
  bytes[0] = type;
  bytes[4] = 0x01;
  bytes[5] = 0x03;
  bytes[7] = naa.length;
  bytes.set(naa, 8);
  bytes.writeUIntBE(512, 29, 3);
  return bytes;
}

export function segment(options: CopySegment): Buffer {
  const { source = 0, destination = 0, from, to, blocks, type = 0x02 } = options;
  const bytes = Buffer.alloc(28);
  bytes[0] = type;
  bytes[1] = options.countsDestination === true ? 0x02 : 0;
  bytes.writeUInt16BE(24, 2);
  bytes.writeUInt16BE(source, 4);
  bytes.writeUInt16BE(destination, 6);
  bytes.writeUInt16BE(blocks, 10);
  bytes.writeBigUInt64BE(BigInt(from), 12);
  bytes.writeBigUInt64BE(BigInt(to), 20);
  return bytes;
}

export function copyList(
  cscds: readonly Uint8Array[],
  segments: readonly Uint8Array[],
  { listIdentifier = 1, usage = 0 } = {},
): Buffer {
  const header = Buffer.alloc(16);
  const targets = Buffer.concat(cscds);
  const ways = Buffer.concat(segments);
  header[0] = listIdentifier;
  header[1] = usage << 3;
  header.writeUInt16BE(targets.length, 2);
  header.writeUInt32BE(ways.length, 8);
  return Buffer.concat([header, targets, ways]);
}

/** The list of EXTENDED COPY(LID4) (table 126): its first CSCD descriptor has ID 1. */
export function copyListLid4(
  cscds: readonly Uint8Array[],
  segments: readonly Uint8Array[],
  { listIdentifier = 1, usage = 0, immediate = false } = {},
): Buffer {
  const header = Buffer.alloc(48);
  const targets = Buffer.concat(cscds);
  const ways = Buffer.concat(segments);
  header[0] = 0x01;
  header[1] = usage << 3;
  header.writeUInt16BE(0x0020, 2);
  header[15] = immediate ? 0x01 : 0;
  header[16] = 0xff;
  header.writeUInt32BE(listIdentifier, 20);
  header.writeUInt16BE(targets.length, 42);
  header.writeUInt16BE(ways.length, 44);
  return Buffer.concat([header, targets, ways]);
}

/** Service actions of THIRD-PARTY COPY IN with a LIST IDENTIFIER of four bytes. */
function receiveCdb(action: number, listIdentifier: number): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x84;
  cdb[1] = action;
  cdb.writeUInt32BE(listIdentifier, 2);
  cdb.writeUInt32BE(1024, 10);
  return cdb;
}

export const copyStatusCdb = (listIdentifier: number): Buffer => receiveCdb(0x05, listIdentifier);
export const copyDataCdb = (listIdentifier: number): Buffer => receiveCdb(0x06, listIdentifier);

export function copyCdb(lengthBytes: number, action: 0 | 1 = 0): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x83;
  cdb[1] = action;
  cdb.writeUInt32BE(lengthBytes, 10);
  return cdb;
}
