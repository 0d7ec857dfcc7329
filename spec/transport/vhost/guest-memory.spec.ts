/** Guest memory: what is mapped, what is refused and why, and `translate` against a model that counts in BigInt. */
import { strict as assert } from 'node:assert';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addSeals,
  close,
  createMemoryFile,
  F_SEAL_SHRINK,
  mapShared,
  unmap,
} from '../../../src/libc.ts';
import { Segments } from '../../../src/scsi/segments.ts';
import {
  MAX_MEMORY_REGIONS,
  type MemoryWindow,
  type RegionRequest,
  VhostMemory,
  WINDOW_BYTES,
  WINDOW_STRIDE,
} from '../../../src/transport/vhost/guest-memory.ts';
import { Seeded } from '../control/seeded.ts';
import { GUEST_BASE, Guest, USER_BASE } from './guest.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const request = (part: Partial<RegionRequest> = {}): RegionRequest => ({
  guestAddress: 0,
  bytes: MIB,
  userAddress: USER_BASE,
  mmapOffset: 0,
  ...part,
});

function sealed(bytes: number): number {
  const fd = createMemoryFile('spec', bytes);
  addSeals(fd, F_SEAL_SHRINK);
  return fd;
}

function list(capacity = 64): Segments {
  return new Segments({ words: new Uint32Array(capacity * 4), address: 0 });
}

/** [address, length] of every piece, by the window it lies in. */
function pieces(segments: Segments): [number, number][] {
  return Array.from({ length: segments.count }, (_, i) => {
    const window = segments.memory[i] as MemoryWindow;
    return [window.guestAddress + (segments.offset[i] as number), segments.length[i] as number];
  });
}

const halves = (address: bigint): [number, number] => [
  Number((address >> 32n) & 0xffff_ffffn) | 0,
  Number(address & 0xffff_ffffn) | 0,
];

describe('guest memory', () => {
  const memory = new VhostMemory();
  const fds: number[] = [];
  afterEach(() => {
    memory.clear();
    for (const fd of fds.splice(0)) close(fd);
  });
  const file = (bytes: number): number => {
    const fd = sealed(bytes);
    fds.push(fd);
    return fd;
  };
  const refused = (part: Partial<RegionRequest>, fd: number, pattern: RegExp): void => {
    const before = [memory.regionCount, memory.bytes];
    assert.throws(
      () => memory.add(request(part), fd),
      (error: Error) => {
        assert.equal((error as Error & { code: string }).code, 'ERR_VHOST_MEMORY');
        assert.match(error.message, pattern);
        return true;
      },
    );
    assert.deepEqual([memory.regionCount, memory.bytes], before);
  };

  it('a guest byte is found where the front end put it', () => {
    const guest = new Guest(MIB);
    guest.view[0x1234] = 0x5a;
    const segments = list();
    assert.equal(guest.memory.translate(1, 0x1234, 1, segments), true);
    const window = segments.memory[0] as MemoryWindow;
    assert.equal(window.view[segments.offset[0] as number], 0x5a);
    assert.equal(guest.base, GUEST_BASE);
    guest.end();
  });

  it('a region starts where its file offset says', () => {
    const fd = file(MIB);
    const own = mapShared(fd, MIB);
    new Uint8Array(own.buffer)[0x3000 + 5] = 0x77;
    memory.add(request({ mmapOffset: 0x3000, bytes: 0x1000 }), fd);
    const segments = list();
    assert.equal(memory.translate(0, 5, 1, segments), true);
    assert.equal((segments.memory[0] as MemoryWindow).view[segments.offset[0] as number], 0x77);
    unmap(own);
  });

  it('memory that is not shared or can shrink is refused, with what to do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    const path = join(folder, 'ram');
    writeFileSync(path, '');
    truncateSync(path, MIB);
    const plain = openSync(path, 'r+');
    refused({}, plain, /region fd is no memory file.*memory-backend-memfd.*share=on/);
    closeSync(plain);
    rmSync(folder, { recursive: true });
    const open = createMemoryFile('spec', MIB);
    refused({}, open, /region fd is not sealed against shrinking.*memory-backend-memfd/);
    addSeals(open, F_SEAL_SHRINK | 8);
    refused({}, open, /region fd is sealed against writing/);
    close(open);
    refused({ bytes: 2 * MIB }, file(MIB), /region fd ends at byte 1048576, before byte 2097152/);
    refused({ mmapOffset: 4096 }, file(MIB), /ends at byte/);
  });

  it('fields that cannot be are named', () => {
    const fd = file(MIB);
    refused({ bytes: 0 }, fd, /size is 0/);
    refused({ guestAddress: 2 ** 53 }, fd, /guestAddress is 9007199254740992/);
    refused({ guestAddress: 2 ** 53 - 4096 }, fd, /guestAddress plus size/);
    refused({ userAddress: 2 ** 53 - 4096 }, fd, /userAddress plus size/);
    refused({ mmapOffset: 2 ** 53 - 4096 }, fd, /mmapOffset plus size/);
    refused({ mmapOffset: 512 }, fd, /mmapOffset is 0x200/);
    refused({ guestAddress: -4096 }, fd, /guestAddress is -4096/);
    refused({ guestAddress: Number.NaN }, fd, /guestAddress is NaN/);
    memory.add(request(), fd);
    refused({ guestAddress: MIB - 4096, bytes: 8192 }, fd, /overlaps the region at 0x0/);
    refused({}, fd, /overlaps/);
  });

  it('a region past the last slot is refused', () => {
    const fd = file(MIB);
    for (let i = 0; i < MAX_MEMORY_REGIONS; i += 1) {
      memory.add(request({ guestAddress: i * MIB, bytes: 4096 }), fd);
    }
    refused({ guestAddress: 2 ** 40 }, fd, /regions are 64 already/);
  });

  it('windows of 2 GiB overlap by 1 MiB; a ring lies whole in one, a buffer may cross', () => {
    const bytes = 5 * GIB;
    const fd = file(bytes);
    memory.add(request({ bytes, guestAddress: 4 * GIB }), fd);
    assert.equal(memory.bytes, bytes);
    for (const start of [WINDOW_STRIDE, WINDOW_BYTES, 2 * WINDOW_STRIDE, 2 * WINDOW_BYTES]) {
      for (const before of [1, 256 * 1024, 512 * 1024 - 1, 512 * 1024]) {
        const place = memory.ring(USER_BASE + start - before, 512 * 1024);
        assert.ok(place, `${start} - ${before}`);
        assert.equal(place.guestAddress, 4 * GIB + start - before);
        assert.equal(place.window.guestAddress + place.offset, place.guestAddress);
        assert.ok(place.offset + 512 * 1024 <= place.window.bytes);
      }
    }
    const segments = list();
    const from = BigInt(4 * GIB + WINDOW_BYTES - 100);
    assert.equal(memory.translate(...halves(from), 300, segments), true);
    assert.equal(segments.bytes, 300);
    // Both windows show the same page of the file.
    const own = mapShared(fd, 4096, WINDOW_BYTES - 4096);
    new Uint8Array(own.buffer).fill(0x33);
    const copy = new Uint8Array(100);
    segments.get(0, copy, 0, 100);
    assert.deepEqual(copy, new Uint8Array(100).fill(0x33));
    unmap(own);
    assert.equal(memory.ring(USER_BASE + bytes - 16, 17), null);
    assert.equal(memory.ring(USER_BASE - 1, 17), null);
  });

  it('a region that was removed is not found, and stays mapped for those who use it', () => {
    const fd = file(MIB);
    memory.add(request(), fd);
    const segments = list();
    assert.equal(memory.translate(0, 0, 16, segments), true);
    const place = memory.ring(USER_BASE, 16);
    assert.equal(memory.remove(request({ userAddress: 0 })), false);
    assert.equal(memory.remove(request()), true);
    assert.equal(memory.remove(request()), false);
    assert.equal(memory.retiring, true);
    assert.equal(place?.window.retired, true);
    assert.equal(memory.translate(0, 0, 16, list()), false);
    assert.equal(memory.ring(USER_BASE, 16), null);
    segments.put(0, new Uint8Array(16).fill(9), 0, 16);
    const own = mapShared(fd, MIB);
    assert.equal(new Uint8Array(own.buffer)[15], 9);
    unmap(own);
    segments.clear();
    memory.unmapRetired();
    assert.equal(memory.retiring, false);
  });

  it('translate agrees with a model over random regions, addresses and lengths', function () {
    this.timeout(20_000);
    const seeded = new Seeded();
    const fd = file(4 * GIB + 8 * MIB);
    for (let round = 0; round < 40; round += 1) {
      const regions: RegionRequest[] = [];
      let at = BigInt(seeded.below(4)) * 0x8000_0000n;
      const count = 1 + seeded.below(6);
      for (let i = 0; i < count; i += 1) {
        const pages =
          seeded.below(8) === 0 ? 786_432 + seeded.below(262_144) : 1 + seeded.below(64);
        const bytes = pages * 4096;
        regions.push(
          request({ guestAddress: Number(at), bytes, userAddress: USER_BASE + Number(at) }),
        );
        at += BigInt(bytes) + (seeded.below(2) === 0 ? 0n : BigInt(1 + seeded.below(1000)) * 4096n);
      }
      for (const region of regions) memory.add(region, fd);
      for (let i = 0; i < 1500; i += 1) checkOne(memory, regions, seeded);
      memory.clear();
    }
  });
});

/** One random buffer near an edge of a region or a window. */
function checkOne(memory: VhostMemory, regions: readonly RegionRequest[], seeded: Seeded): void {
  const region = regions[seeded.below(regions.length)] as RegionRequest;
  const edges = [0, region.bytes, WINDOW_STRIDE, WINDOW_BYTES, seeded.below(region.bytes)];
  const edge = BigInt(region.guestAddress + (edges[seeded.below(edges.length)] as number));
  let start = edge + BigInt(seeded.below(9000) - 4500);
  if (seeded.below(50) === 0) start |= BigInt(seeded.below(2 ** 31)) << 33n;
  start &= (1n << 64n) - 1n;
  const lengths = [0, 1, seeded.below(64), seeded.below(10_000), seeded.below(2 ** 31 - 1)];
  const length = lengths[seeded.below(lengths.length)] as number;
  const note = `seed ${seeded.seed}: ${start.toString(16)} + ${length}`;
  const segments = list();
  const found = memory.translate(...halves(start), length, segments);
  assert.equal(found, covered(regions, start, BigInt(length)), note);
  if (!found) return;
  let next = start;
  for (const [address, bytes] of pieces(segments)) {
    assert.equal(BigInt(address), next, note);
    next += BigInt(bytes);
  }
  assert.equal(next, start + BigInt(length), note);
  for (let i = 0; i < segments.count; i += 1) {
    const window = segments.memory[i] as MemoryWindow;
    assert.ok(
      (segments.offset[i] as number) + (segments.length[i] as number) <= window.bytes,
      note,
    );
  }
}

/** Whether every byte lies in some region. */
function covered(regions: readonly RegionRequest[], start: bigint, length: bigint): boolean {
  let at = start;
  const end = start + length;
  while (at < end) {
    const home = regions.find(
      ({ guestAddress, bytes }) =>
        at >= BigInt(guestAddress) && at < BigInt(guestAddress) + BigInt(bytes),
    );
    if (home === undefined) return false;
    at = BigInt(home.guestAddress) + BigInt(home.bytes);
  }
  return true;
}
