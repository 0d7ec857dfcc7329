/** What the bytes of a file take: data, extents that were allocated and never written, holes. */
import { Buffer } from 'node:buffer';
import { allocationEnd, ioctl } from '../../libc.ts';
import { type AllocationRun, DATA, HOLE, RESERVED } from '../../scsi/contracts.ts';

/** FS_IOC_FIEMAP with room for one extent: a struct fiemap and a struct fiemap_extent (linux/fiemap.h). */
const FS_IOC_FIEMAP = 0xc020660b;
const MAP_BYTES = 32;
const START = 0;
const LENGTH = 8;
const MAPPED_EXTENTS = 20;
const EXTENT_COUNT = 24;
const EXTENT_BYTES = 56;
const LOGICAL = MAP_BYTES;
const EXTENT_LENGTH = MAP_BYTES + 16;
const EXTENT_FLAGS = MAP_BYTES + 40;
const UNWRITTEN = 0x800;

const map = Buffer.alloc(MAP_BYTES + EXTENT_BYTES);

/** Asks for the first extent that reaches into [position, end): false when the file system cannot say. */
function firstExtent(fd: number, position: number, end: number): boolean {
  map.fill(0);
  map.writeBigUInt64LE(BigInt(position), START);
  map.writeBigUInt64LE(BigInt(end - position), LENGTH);
  map.writeUInt32LE(1, EXTENT_COUNT);
  return ioctl(fd, FS_IOC_FIEMAP, map) === 0;
}

/** Whether the file system tells extents that were allocated and never written from holes. */
export function tellsReservations(fd: number): boolean {
  return firstExtent(fd, 0, 1);
}

/**
 * The run that holds byte `position` of a file of `bytes` bytes. Pages that are written but not yet on the medium are data:
 * SEEK_DATA sees them, the extents do not. So an extent is looked for in what SEEK_DATA calls a hole, nowhere else.
 */
export function allocationRun(
  fd: number,
  position: number,
  bytes: number,
  reservations: boolean,
): AllocationRun {
  const run = allocationEnd(fd, position, bytes);
  if (run > 0) return { state: DATA, end: run };
  const end = -run;
  if (!reservations || !firstExtent(fd, position, end)) return { state: HOLE, end };
  if (map.readUInt32LE(MAPPED_EXTENTS) === 0) return { state: HOLE, end };
  const first = Number(map.readBigUInt64LE(LOGICAL));
  if (first > position) return { state: HOLE, end: Math.min(first, end) };
  const last = first + Number(map.readBigUInt64LE(EXTENT_LENGTH));
  const unwritten = (map.readUInt32LE(EXTENT_FLAGS) & UNWRITTEN) !== 0;
  return { state: unwritten ? RESERVED : HOLE, end: Math.min(last, end) };
}
