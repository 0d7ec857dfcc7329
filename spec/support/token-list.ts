/** CDBs and parameter lists of third-party copies by token, spelled from SBC-3 5.7, 5.46 and SPC-4 6.3, 6.26. */
import { Buffer } from 'node:buffer';

export type Range = readonly [lba: number, blocks: number];

function ranges(list: readonly Range[]): Buffer {
  return Buffer.concat(
    list.map(([lba, blocks]) => {
      const bytes = Buffer.alloc(16);
      bytes.writeBigUInt64BE(BigInt(lba), 0);
      bytes.writeUInt32BE(blocks, 8);
      return bytes;
    }),
  );
}

/** A list whose lengths are right: its own at byte 0, that of the ranges at the end of the header. */
function whole(header: Buffer, list: readonly Range[]): Buffer {
  const bytes = Buffer.concat([header, ranges(list)]);
  bytes.writeUInt16BE(bytes.length - 2, 0);
  bytes.writeUInt16BE(list.length * 16, header.length - 2);
  return bytes;
}

export interface PopulateOptions {
  readonly immediate?: boolean;
  readonly timeout?: number;
  readonly type?: number;
}

export function populateList(list: readonly Range[], options: PopulateOptions = {}): Buffer {
  const header = Buffer.alloc(16);
  header[2] = (options.immediate === true ? 0x01 : 0) | (options.type === undefined ? 0 : 0x02);
  header.writeUInt32BE(options.timeout ?? 0, 4);
  header.writeUInt32BE(options.type ?? 0, 8);
  return whole(header, list);
}

export interface WriteOptions {
  readonly immediate?: boolean;
  readonly deletes?: boolean;
  readonly offset?: number;
}

export function writeList(
  token: Uint8Array,
  list: readonly Range[],
  options: WriteOptions = {},
): Buffer {
  const header = Buffer.alloc(536);
  header[2] = (options.immediate === true ? 0x01 : 0) | (options.deletes === true ? 0x02 : 0);
  header.writeBigUInt64BE(BigInt(options.offset ?? 0), 8);
  header.set(token, 16);
  return whole(header, list);
}

function out(action: number, listIdentifier: number, lengthBytes: number): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x83;
  cdb[1] = action;
  cdb.writeUInt32BE(listIdentifier, 6);
  cdb.writeUInt32BE(lengthBytes, 10);
  return cdb;
}

export const populateCdb = (lengthBytes: number, listIdentifier = 1): Buffer =>
  out(0x10, listIdentifier, lengthBytes);
export const writeCdb = (lengthBytes: number, listIdentifier = 2): Buffer =>
  out(0x11, listIdentifier, lengthBytes);

export function abortCdb(listIdentifier: number): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x83;
  cdb[1] = 0x1c;
  cdb.writeUInt32BE(listIdentifier, 2);
  return cdb;
}

export function informationCdb(listIdentifier: number, allocationLength = 4096): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x84;
  cdb[1] = 0x07;
  cdb.writeUInt32BE(listIdentifier, 2);
  cdb.writeUInt32BE(allocationLength, 10);
  return cdb;
}

/** The block device zero ROD token (SBC-3 4.28.4). */
export function zeroToken(): Buffer {
  const token = Buffer.alloc(512);
  token.writeUInt32BE(0xffff0001, 0);
  token.writeUInt16BE(0x01f8, 6);
  return token;
}

/** Parameter data of RECEIVE ROD TOKEN INFORMATION. */
export interface Information {
  readonly serviceAction: number;
  readonly status: number;
  readonly completionStatus: number;
  readonly transferCount: number;
  readonly sense: Buffer;
  /** Empty without one. */
  readonly token: Buffer;
}

export function readInformation(dataIn: Uint8Array): Information {
  const data = Buffer.from(dataIn);
  const tokenAt = 32 + data.readUInt8(13);
  const descriptors = data.readUInt32BE(tokenAt);
  return {
    serviceAction: data.readUInt8(4),
    status: data.readUInt8(5),
    completionStatus: data.readUInt8(12),
    transferCount: Number(data.readBigUInt64BE(16)),
    sense: data.subarray(32, 32 + data.readUInt8(14)),
    token: data.subarray(tokenAt + 6, tokenAt + 4 + descriptors),
  };
}
