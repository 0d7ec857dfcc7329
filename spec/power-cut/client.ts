/**
 * A small journal of our own on a disk, and what it promises: records with checksums, barriers (SYNCHRONIZE CACHE or FUA), a
 * checkpoint area with two superblocks, a counter kept by COMPARE AND WRITE, and two areas that are written atomically.
 * After a cut `recover` reads the disk as a program that starts up would, and says what is lost or torn.
 */
import { strict as assert } from 'node:assert';
import { crc32 } from 'node:zlib';
import type { Seeded } from '../transport/control/seeded.ts';
import { BLOCK_BYTES, type Machine } from './machine.ts';

const SUPERBLOCK_LBAS = [0, 8] as const;
const COUNTER_LBA = 16;
const ATOMIC_LBAS = [64, 200] as const;
const ATOMIC_BLOCKS = [3, 64] as const;
const HOME_LBA = 512;
const KEYS = 48;
const VALUE_BLOCKS = 2;
const NOISE_LBA = 800;
const NOISE_BLOCKS = 64;
const JOURNAL_LBA = 1024;
const RECORD_BLOCKS = 1 + VALUE_BLOCKS;
const JOURNAL_RECORDS = 24;
export const DISK_BYTES = 2048 * BLOCK_BYTES;

const RECORD_MAGIC = 0x4a52_4543;
const SUPER_MAGIC = 0x5355_5052;
const ZERO_EVERY = 5;

/** Things with versions: what was begun (and may be there) and what was acknowledged as durable (and must be), by event index. */
class Promises {
  readonly #begun = new Map<string, number[]>();
  readonly #kept = new Map<string, number[]>();

  begin(name: string, at: number): number {
    const list = this.#begun.get(name) ?? [];
    this.#begun.set(name, list);
    return list.push(at);
  }

  /** `version` and all before it are durable when `at` events have ended. */
  keep(name: string, version: number, at: number): void {
    const list = this.#kept.get(name) ?? [];
    this.#kept.set(name, list);
    while (list.length < version) list.push(at);
  }

  /** Oldest and newest version that may be there after a cut at `at`; 0: nothing was written. */
  range(name: string, at: number): { readonly oldest: number; readonly newest: number } {
    return {
      oldest: (this.#kept.get(name) ?? []).filter((kept) => kept <= at).length,
      newest: (this.#begun.get(name) ?? []).filter((begun) => begun <= at).length,
    };
  }
}

/** Bytes of a version of something: zeros for version 0, and for keys now and then. */
function contentOf(name: string, version: number, blocks: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(blocks * BLOCK_BYTES);
  const zero = version === 0 || (name.startsWith('key') && version % ZERO_EVERY === 0);
  if (!zero) fill(bytes, crc32(`${name}/${version}`));
  return bytes;
}

/** Words of xorshift: quick, for the contents themselves. */
function fill(bytes: Uint8Array<ArrayBuffer>, seed: number): void {
  const words = new Uint32Array(bytes.buffer);
  let x = seed | 1;
  for (let i = 0; i < words.length; i += 1) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
}

const keyName = (key: number): string => `key${key}`;
const areaName = (area: number): string => `area${area}`;

interface Record {
  readonly sequence: number;
  readonly key: number;
  readonly value: Uint8Array;
}

function encodeRecord({ sequence, key, value }: Record): Uint8Array {
  const bytes = new Uint8Array(RECORD_BLOCKS * BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, RECORD_MAGIC);
  view.setUint32(4, sequence);
  view.setUint32(8, key);
  bytes.set(value, BLOCK_BYTES);
  view.setUint32(12, crc32(bytes));
  return bytes;
}

function decodeRecord(bytes: Uint8Array, sequence: number): Record | null {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const sum = view.getUint32(12);
  view.setUint32(12, 0);
  if (view.getUint32(0) !== RECORD_MAGIC || view.getUint32(4) !== sequence) return null;
  if (crc32(copy) !== sum) return null;
  return { sequence, key: view.getUint32(8), value: copy.subarray(BLOCK_BYTES) };
}

interface Superblock {
  readonly generation: number;
  readonly firstSequence: number;
}

function encodeSuperblock({ generation, firstSequence }: Superblock): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SUPER_MAGIC);
  view.setUint32(4, generation);
  view.setUint32(8, firstSequence);
  view.setUint32(12, crc32(bytes.subarray(0, 12)));
  return bytes;
}

function decodeSuperblock(bytes: Uint8Array): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const good =
    view.getUint32(0) === SUPER_MAGIC && view.getUint32(12) === crc32(bytes.subarray(0, 12));
  if (!good) return { generation: 0, firstSequence: 1 };
  return { generation: view.getUint32(4), firstSequence: view.getUint32(8) };
}

const homeLba = (key: number): number => HOME_LBA + key * VALUE_BLOCKS;

export class Client {
  readonly #machine: Machine;
  readonly #random: Seeded;
  /** Events that have ended. */
  readonly #now: () => number;
  readonly #cached: boolean;
  readonly promises = new Promises();
  readonly #latest = new Map<number, Uint8Array>();
  #dirty = new Set<number>();
  /** Records that no barrier covers yet: key and version. */
  #open: (readonly [name: string, version: number])[] = [];
  #generation = 0;
  #sequence = 1;
  #records = 0;

  constructor(machine: Machine, random: Seeded, now: () => number, cached: boolean) {
    this.#machine = machine;
    this.#random = random;
    this.#now = now;
    this.#cached = cached;
  }

  /** One operation, whichever the seed says. */
  step(): void {
    const n = this.#random.below(16);
    if (n < 8) this.#set();
    else if (n < 10) this.#barrier();
    else if (n < 12) this.#count();
    else if (n < 14) this.#area();
    else this.#noise();
  }

  #set(): void {
    if (this.#records === JOURNAL_RECORDS) this.#checkpoint();
    const key = this.#random.below(KEYS);
    const version = this.promises.begin(keyName(key), this.#now());
    const value = contentOf(keyName(key), version, VALUE_BLOCKS);
    const record = encodeRecord({ sequence: this.#sequence, key, value });
    const lba = JOURNAL_LBA + this.#records * RECORD_BLOCKS;
    // FUA speaks of this record only: those before it need a barrier first, or it is unreachable behind them.
    const forced = this.#open.length === 0 && this.#random.below(2) === 0;
    this.#machine.write(lba, record, forced);
    this.#sequence += 1;
    this.#records += 1;
    this.#latest.set(key, value);
    this.#dirty.add(key);
    this.#open.push([keyName(key), version]);
    if (forced || !this.#cached) this.#settled();
  }

  #barrier(): void {
    this.#machine.synchronize(this.#random.below(2) === 0);
    this.#settled();
  }

  #settled(): void {
    for (const [name, version] of this.#open) this.promises.keep(name, version, this.#now());
    this.#open = [];
  }

  /** Every changed value goes home; then a superblock says from where the journal counts now. */
  #checkpoint(): void {
    // First the records: a value that is half home is whole in the journal.
    if (this.#open.length > 0) this.#barrier();
    for (const key of this.#dirty) {
      const value = this.#latest.get(key);
      assert(value);
      if (value.some((byte) => byte !== 0)) this.#machine.write(homeLba(key), value, false);
      else if (this.#random.below(2) === 0) this.#machine.writeZeroes(homeLba(key), VALUE_BLOCKS);
      else this.#machine.unmap(homeLba(key), VALUE_BLOCKS);
    }
    this.#barrier();
    this.#dirty = new Set();
    this.#generation += 1;
    const superblock = { generation: this.#generation, firstSequence: this.#sequence };
    const forced = this.#random.below(2) === 0;
    const lba = SUPERBLOCK_LBAS[this.#generation % 2] ?? 0;
    this.#machine.write(lba, encodeSuperblock(superblock), forced);
    if (!forced) this.#barrier();
    this.#records = 0;
  }

  #count(): void {
    const version = this.promises.begin('counter', this.#now());
    const then = contentOf('counter', version - 1, 1);
    const forced = this.#random.below(2) === 0;
    this.#machine.compareAndWrite(COUNTER_LBA, then, contentOf('counter', version, 1), forced);
    if (forced || !this.#cached) this.promises.keep('counter', version, this.#now());
    else this.#open.push(['counter', version]);
  }

  #area(): void {
    const area = this.#random.below(ATOMIC_LBAS.length);
    const name = areaName(area);
    const version = this.promises.begin(name, this.#now());
    const bytes = contentOf(name, version, ATOMIC_BLOCKS[area] ?? 1);
    this.#machine.writeAtomic(ATOMIC_LBAS[area] ?? 0, bytes);
    this.promises.keep(name, version, this.#now());
  }

  /** Writes nobody waits for. */
  #noise(): void {
    const blocks = 1 + this.#random.below(8);
    const lba = NOISE_LBA + this.#random.below(NOISE_BLOCKS - blocks);
    this.#machine.write(lba, this.#random.bytes(blocks * BLOCK_BYTES), false);
  }
}

/** What is there after a cut, read through the disk: the names of things that are lost, torn or invented. */
export function recover(machine: Machine, promises: Promises, at: number): string[] {
  const losses: string[] = [];
  const check = (name: string, bytes: Uint8Array): void => {
    const { oldest, newest } = promises.range(name, at);
    for (let version = oldest; version <= newest; version += 1) {
      const wanted = contentOf(name, version, bytes.length / BLOCK_BYTES);
      if (Buffer.compare(wanted, bytes) === 0) return;
    }
    losses.push(`${name}: none of the versions ${oldest} to ${newest}`);
  };
  for (const [key, value] of readKeys(machine).entries()) check(keyName(key), value);
  check('counter', machine.read(COUNTER_LBA, 1));
  for (const [area, lba] of ATOMIC_LBAS.entries()) {
    check(areaName(area), machine.read(lba, ATOMIC_BLOCKS[area] ?? 1));
  }
  return losses;
}

function readKeys(machine: Machine): Uint8Array[] {
  const blockBytes = VALUE_BLOCKS * BLOCK_BYTES;
  const home = machine.read(HOME_LBA, KEYS * VALUE_BLOCKS);
  const keys: Uint8Array[] = Array.from({ length: KEYS }, (_, key) =>
    home.slice(key * blockBytes, (key + 1) * blockBytes),
  );
  const [a, b] = SUPERBLOCK_LBAS.map((lba) => decodeSuperblock(machine.read(lba, 1)));
  assert(a && b);
  let { firstSequence } = a.generation > b.generation ? a : b;
  for (let i = 0; i < JOURNAL_RECORDS; i += 1) {
    const bytes = machine.read(JOURNAL_LBA + i * RECORD_BLOCKS, RECORD_BLOCKS);
    const record = decodeRecord(bytes, firstSequence);
    if (record === null) break;
    keys[record.key] = record.value;
    firstSequence += 1;
  }
  return keys;
}
