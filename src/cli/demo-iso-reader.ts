/** Reads the files of an ISO 9660 disc block by block, as a guest that mounts it does (ECMA-119). */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { ISO_BLOCK_BYTES, ISO_VOLUME_DESCRIPTOR } from './demo-iso.ts';

const ROOT_RECORD = 156;
const DIRECTORY_FLAG = 2;
const FIRST_IDENTIFIER = 33;

/** Blocks of a disc. */
export type ReadBlocks = (lba: number, blocks: number) => Promise<Uint8Array>;

export interface DiscFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface DiscContents {
  readonly label: string;
  /** Size of the volume. */
  readonly blocks: number;
  readonly files: readonly DiscFile[];
}

interface Entry {
  readonly name: string;
  readonly lba: number;
  readonly bytes: number;
  readonly isDirectory: boolean;
}

export const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

function entryAt(data: Buffer, at: number): Entry {
  const nameBytes = data[at + FIRST_IDENTIFIER - 1] ?? 0;
  const nameAt = at + FIRST_IDENTIFIER;
  return {
    name: data.toString('latin1', nameAt, nameAt + nameBytes).replace(/;1$/, ''),
    lba: data.readUInt32LE(at + 2),
    bytes: data.readUInt32LE(at + 10),
    isDirectory: ((data[at + 25] ?? 0) & DIRECTORY_FLAG) !== 0,
  };
}

async function readExtent(read: ReadBlocks, { lba, bytes }: Entry): Promise<Buffer> {
  const data = await read(lba, Math.ceil(bytes / ISO_BLOCK_BYTES));
  return Buffer.from(data.subarray(0, bytes));
}

/** Entries of a directory but itself and its parent. Records do not cross blocks: a length of 0 ends a block. */
function entriesOf(data: Buffer): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  while (at < data.length) {
    const length = data[at] ?? 0;
    if (length !== 0) entries.push(entryAt(data, at));
    at = length === 0 ? (Math.floor(at / ISO_BLOCK_BYTES) + 1) * ISO_BLOCK_BYTES : at + length;
  }
  return entries.filter(({ name }) => name !== '\0' && name !== '\x01');
}

async function filesBelow(read: ReadBlocks, directory: Entry, path: string): Promise<DiscFile[]> {
  const entries = entriesOf(await readExtent(read, directory));
  const files = await Promise.all(
    entries.map(async (entry) => {
      const here = path + entry.name;
      if (entry.isDirectory) return await filesBelow(read, entry, `${here}/`);
      const data = await readExtent(read, entry);
      return [{ path: here, bytes: data.length, sha256: sha256(data) }];
    }),
  );
  return files.flat();
}

/** What is on the disc; every file is read. */
export async function readDisc(read: ReadBlocks): Promise<DiscContents> {
  const descriptor = Buffer.from(await read(ISO_VOLUME_DESCRIPTOR, 1));
  if (descriptor.toString('latin1', 1, 6) !== 'CD001') throw new Error('no ISO 9660 disc');
  return {
    label: descriptor.toString('latin1', 40, 72).trim(),
    blocks: descriptor.readUInt32LE(80),
    files: await filesBelow(read, entryAt(descriptor, ROOT_RECORD), ''),
  };
}
