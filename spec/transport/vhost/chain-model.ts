/** What a chain of descriptors means, told again from virtio 1.2 clause 2.7.5, and chains that are mostly right to ask it about. */
import { MAX_CHAIN } from '../../../src/transport/vhost/virtqueue.ts';
import type { Seeded } from '../control/seeded.ts';
import { type Buffer, type Driver, INDIRECT, NEXT, WRITE } from './guest.ts';

/** Where `scribble` puts its indirect table. */
const TABLE = 0x8000;

function randomFlags(seeded: Seeded, late: boolean, indirect: boolean): number {
  const next = seeded.below(3) > 0 ? NEXT : 0;
  const write = late || seeded.below(3) === 0 ? WRITE : 0;
  if (!indirect) return next | write;
  return INDIRECT | write | (seeded.below(8) === 0 ? next : 0);
}

/** Descriptor `i` of a table with `entries`; every 20th is wrong. */
function randomDescriptor(seeded: Seeded, i: number, entries: number, indirect: boolean) {
  const bad = seeded.below(20) === 0;
  const table = 16 * (1 + seeded.below(6)) + (bad ? seeded.below(3) : 0);
  return {
    flags: randomFlags(seeded, i > entries / 2, indirect),
    next: bad ? seeded.below(0x10000) : (i + 1) % (entries + 1),
    length: indirect ? table : seeded.below(bad ? 2 ** 32 : 9000),
    at: indirect ? TABLE + (bad ? seeded.below(2 ** 31) : 0) : seeded.below(2 ** 31),
  };
}

/** Fills the table, and an indirect one, with descriptors that are mostly right. */
export function scribble(driver: Driver, seeded: Seeded): void {
  const { guest, size } = driver;
  const fill = (table: number, count: number, entries: number, indirectOneIn: number): void => {
    for (let i = 0; i < count; i += 1) {
      const indirect = seeded.below(indirectOneIn) === 0;
      const { at, length, flags, next } = randomDescriptor(seeded, i, entries, indirect);
      driver.describe(i, guest.base + at, length, flags, next, table);
    }
  };
  fill(driver.desc, size, size, 6);
  fill(TABLE, 8, 6, 40);
}

/** One descriptor, as 2.7.5 lays it out. */
function descriptorAt(driver: Driver, at: number) {
  const { data, base } = driver.guest;
  return {
    at: Number(data.getBigUint64(at, true)) - base,
    length: data.getUint32(at + 8, true),
    flags: data.getUint16(at + 12, true),
    next: data.getUint16(at + 14, true),
  };
}

/** Follows a chain in a table of `entries`; `refers` stands for the descriptor it ends with, null for one that may not be. */
function follow(driver: Driver, table: number, entries: number, first: number) {
  const found: Buffer[] = [];
  let index = first;
  for (let steps = 0; steps < entries; steps += 1) {
    const one = descriptorAt(driver, table + 16 * index);
    if ((one.flags & INDIRECT) !== 0) return { found, refers: one };
    found.push({ at: one.at, length: one.length, write: (one.flags & WRITE) !== 0 });
    if ((one.flags & NEXT) === 0) return { found, refers: null };
    if (one.next >= entries) return null;
    index = one.next;
  }
  return null;
}

function isTable(driver: Driver, { at, length, flags }: ReturnType<typeof descriptorAt>): boolean {
  if (driver.options.indirect === false || (flags & NEXT) !== 0) return false;
  if (length === 0 || length % 16 !== 0 || length / 16 > MAX_CHAIN) return false;
  return at >= 0 && at + length <= driver.guest.bytes;
}

/** Readable buffers first, and less than 2 GiB in either direction. */
function isBuffer(found: readonly Buffer[]): boolean {
  const firstWritable = found.findIndex(({ write }) => write);
  if (firstWritable >= 0 && found.slice(firstWritable).some(({ write }) => !write)) return false;
  const sum = (which: boolean): number =>
    found.filter(({ write }) => write === which).reduce((total, { length }) => total + length, 0);
  return sum(true) < 2 ** 31 && sum(false) < 2 ** 31;
}

/** The chain of `head` as virtio 1.2 reads it, or null. */
export function modelChain(driver: Driver, head: number): Buffer[] | null {
  if (head >= driver.size) return null;
  const direct = follow(driver, driver.desc, driver.size, head);
  if (direct === null) return null;
  let { found } = direct;
  if (direct.refers !== null) {
    if (!isTable(driver, direct.refers)) return null;
    const { at, length } = direct.refers;
    const table = follow(driver, at, length / 16, 0);
    if (table === null || table.refers !== null) return null;
    found = [...found, ...table.found];
  }
  return isBuffer(found) ? found : null;
}
