/** Writes a small ISO 9660 image, for a disc of the demo: files in the root and in directories below it, no extensions (ECMA-119). */
import { Buffer } from 'node:buffer';

export const ISO_BLOCK_BYTES = 2048;
/** Behind the system area (ECMA-119 6.2.1). */
export const ISO_VOLUME_DESCRIPTOR = 16;

const TERMINATOR = ISO_VOLUME_DESCRIPTOR + 1;
const PATH_TABLE_L = TERMINATOR + 1;
const PATH_TABLE_M = PATH_TABLE_L + 1;
const FIRST_DIRECTORY = PATH_TABLE_M + 1;
const RECORD_BYTES = 33;
const DIRECTORY_FLAG = 2;
const SELF = '\0';
const PARENT = '\x01';

export interface IsoFile {
  /** `NAME.EXT`, or `DIRECTORY/NAME.EXT`. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** A file or directory where it lies. */
interface Extent {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
  readonly isDirectory: boolean;
}

interface Directory extends Extent {
  readonly files: readonly (Extent & { readonly data: Uint8Array })[];
}

/** Interchange level 1 (ECMA-119 10.1). */
const FILE_PATH = /^(?:([A-Z0-9_]{1,8})\/)?([A-Z0-9_]{1,8}\.[A-Z0-9_]{1,3})$/;

function splitPath(path: string): readonly [directory: string, name: string] {
  const [, directory = '', name] = FILE_PATH.exec(path) ?? [];
  if (name === undefined) throw new RangeError(`Cannot write "${path}" into an ISO 9660 image`);
  return [directory, name];
}

/** Order of identifiers (ECMA-119 9.3): names, then extensions, both as if filled with spaces. */
function sortKey(name: string): string {
  const [stem = '', extension = ''] = name.split('.');
  return stem.padEnd(8) + extension.padEnd(3);
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  sortKey(a.name) < sortKey(b.name) ? -1 : 1;

const blocksOf = (bytes: number): number => Math.ceil(bytes / ISO_BLOCK_BYTES);

/** A number of 32 bits in both byte orders (ECMA-119 7.3.3). */
function both32(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value, at);
  into.writeUInt32BE(value, at + 4);
}

/** A number of 16 bits in both byte orders (ECMA-119 7.2.3). */
function both16(into: Buffer, at: number, value: number): void {
  into.writeUInt16LE(value, at);
  into.writeUInt16BE(value, at + 2);
}

/** Directory record (ECMA-119 9.1). */
function record(name: string, { start, bytes, isDirectory }: Extent, recorded: Date): Buffer {
  const identifier = name === SELF || name === PARENT || isDirectory ? name : `${name};1`;
  const length = RECORD_BYTES + identifier.length;
  const entry = Buffer.alloc(length + (length % 2));
  entry[0] = entry.length;
  both32(entry, 2, start);
  both32(entry, 10, bytes);
  entry.set(
    [
      recorded.getUTCFullYear() - 1900,
      recorded.getUTCMonth() + 1,
      recorded.getUTCDate(),
      recorded.getUTCHours(),
      recorded.getUTCMinutes(),
      recorded.getUTCSeconds(),
    ],
    18,
  );
  entry[25] = isDirectory ? DIRECTORY_FLAG : 0;
  both16(entry, 28, 1);
  entry[32] = identifier.length;
  entry.write(identifier, RECORD_BYTES, 'latin1');
  return entry;
}

/** One block of directory records. */
function directoryBlock(
  self: Extent,
  parent: Extent,
  entries: readonly Extent[],
  recorded: Date,
): Buffer {
  const records = [
    record(SELF, self, recorded),
    record(PARENT, parent, recorded),
    ...[...entries].sort(byName).map((entry) => record(entry.name, entry, recorded)),
  ];
  const block = Buffer.concat(records);
  if (block.length > ISO_BLOCK_BYTES) {
    throw new RangeError(`Cannot write an ISO 9660 image: ${entries.length} names in a directory`);
  }
  return block;
}

/** Path table (ECMA-119 9.4), of type L or M. */
function pathTable(directories: readonly Directory[], littleEndian: boolean): Buffer {
  const records = directories.map(({ name, start }) => {
    const identifier = name === '' ? SELF : name;
    const entry = Buffer.alloc(8 + identifier.length + (identifier.length % 2));
    const view = new DataView(entry.buffer, entry.byteOffset, entry.length);
    entry[0] = identifier.length;
    view.setUint32(2, start, littleEndian);
    // The root is its own parent, and that of all others.
    view.setUint16(6, 1, littleEndian);
    entry.write(identifier, 8, 'latin1');
    return entry;
  });
  return Buffer.concat(records);
}

/** Date and time in digits (ECMA-119 8.4.26.1). */
function digits(date: Date): string {
  return `${date.toISOString().replace(/\D/g, '').slice(0, 16)}\0`;
}

const UNSPECIFIED_DATE = `${'0'.repeat(16)}\0`;

/** Primary volume descriptor (ECMA-119 8.4). */
function volumeDescriptor(
  label: string,
  blocks: number,
  pathTableBytes: number,
  root: Extent,
  recorded: Date,
): Buffer {
  const block = Buffer.alloc(ISO_BLOCK_BYTES);
  block.write('\x01CD001\x01', 0, 'latin1');
  block.fill(' ', 8, 72);
  block.write(label, 40, 'latin1');
  both32(block, 80, blocks);
  both16(block, 120, 1);
  both16(block, 124, 1);
  both16(block, 128, ISO_BLOCK_BYTES);
  both32(block, 132, pathTableBytes);
  block.writeUInt32LE(PATH_TABLE_L, 140);
  block.writeUInt32BE(PATH_TABLE_M, 148);
  record(SELF, root, recorded).copy(block, 156);
  block.fill(' ', 190, 813);
  const dates = [digits(recorded), digits(recorded), UNSPECIFIED_DATE, UNSPECIFIED_DATE];
  block.write(dates.join(''), 813, 'latin1');
  block[881] = 1;
  return block;
}

/** Finds a place for everything: directories first, in the order of the path table. */
function layOut(files: readonly IsoFile[]): { directories: Directory[]; blocks: number } {
  const byDirectory = new Map<string, { name: string; data: Uint8Array }[]>([['', []]]);
  for (const { path, data } of files) {
    const [directory, name] = splitPath(path);
    const there = byDirectory.get(directory) ?? [];
    byDirectory.set(directory, [...there, { name, data }]);
  }
  const sorted = [...byDirectory].map(([name, its]) => ({ name, its })).sort(byName);
  let blocks = FIRST_DIRECTORY + sorted.length;
  const directories = sorted.map(({ name, its }, index) => ({
    name,
    start: FIRST_DIRECTORY + index,
    bytes: ISO_BLOCK_BYTES,
    isDirectory: true,
    files: its.map((file) => {
      const start = blocks;
      blocks += blocksOf(file.data.length);
      return { ...file, start, bytes: file.data.length, isDirectory: false };
    }),
  }));
  return { directories, blocks };
}

/** An image with these files. Throws RangeError: a name is none of interchange level 1, or a directory has too many. */
export function isoImage(label: string, files: readonly IsoFile[], recorded: Date): Uint8Array {
  if (!/^[A-Z0-9_]{1,32}$/.test(label)) throw new RangeError(`"${label}" is no volume identifier`);
  const { directories, blocks } = layOut(files);
  const [root, ...others] = directories;
  if (root === undefined) throw new RangeError('Cannot write an ISO 9660 image without a root');
  const image = Buffer.alloc(blocks * ISO_BLOCK_BYTES);
  const put = (lba: number, data: Uint8Array): void => image.set(data, lba * ISO_BLOCK_BYTES);
  const table = pathTable(directories, true);
  put(ISO_VOLUME_DESCRIPTOR, volumeDescriptor(label, blocks, table.length, root, recorded));
  put(TERMINATOR, Buffer.from('\xffCD001\x01', 'latin1'));
  put(PATH_TABLE_L, table);
  put(PATH_TABLE_M, pathTable(directories, false));
  for (const directory of directories) {
    const below = directory === root ? others : [];
    put(directory.start, directoryBlock(directory, root, [...below, ...directory.files], recorded));
    for (const { start, data } of directory.files) put(start, data);
  }
  return image;
}
