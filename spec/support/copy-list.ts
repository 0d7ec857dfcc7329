/** Parameter lists of EXTENDED COPY(LID1), spelled from SPC-4 6.3.4, 6.3.5.2 and 6.3.6. */
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

export function copyCdb(lengthBytes: number): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x83;
  cdb.writeUInt32BE(lengthBytes, 10);
  return cdb;
}
