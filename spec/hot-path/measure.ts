/**
 * What 200 000 commands through ring or virtqueue, port, core and store leave on the heap, as one line of JSON. A program of its own:
 * in a process that has run other specs the engine has seen more classes than any daemon has, and boxes numbers that it otherwise
 * would not.
 */
import { strict as assert } from 'node:assert';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { close, createEventFd, createMemoryFile, mapShared, unmap } from '../../src/libc.ts';
import { Inventory } from '../../src/luns/inventory.ts';
import { Timers } from '../../src/reactor/timers.ts';
import { Target } from '../../src/scsi/target.ts';
import { GuestMemory, MemoryRegion } from '../../src/transport/memory.ts';
import { QueuePair } from '../../src/transport/ring/queue-pair.ts';
import { emptyElement } from '../../src/transport/srp/crq-element.ts';
import { SrpSession } from '../../src/transport/srp/session.ts';
import { SrpTargetPort } from '../../src/transport/srp/target-port.ts';
import { VirtioScsiDevice } from '../../src/transport/vhost/scsi-device.ts';
import { commandBytes } from '../hostile/raw-initiator.ts';
import { Driver, Guest } from '../transport/vhost/guest.ts';

const READS = 200_000;
/** Two bytes for each command: the smallest thing there is to allocate takes 12. */
const NOISE_BYTES = 2 * READS;
const BLOCK_BYTES = 512;
const TRANSFER_BYTES = 4096;
const REGION_BYTES = 1024 * 1024;
const IU_AT = 0x10000;
const DATA_AT = 0x20000;
const PLACE = {
  commandOffset: 0,
  commandEntries: 256,
  responseOffset: 0x1000,
  responseEntries: 256,
  controlOffset: 0x2000,
};

/** A target with a memory disk at LUN 0. */
function memoryDisk(): Target {
  const target = new Target({ name: 'hot-path' });
  const timers = new Timers(() => 0);
  const inventory = new Inventory({ target, timers, parameters: null });
  inventory.add({
    lun: 0,
    backing: { kind: 'memory', bytes: 4 * 1024 * 1024 },
    readOnly: false,
    blockBytes: BLOCK_BYTES,
    physicalBlockBytes: 4096,
    thin: true,
    writeCache: true,
    serial: 'HOT0',
    naa: new Uint8Array([0x30, 0, 0, 0, 0, 0, 0, 1]),
    savedPages: null,
    savable: false,
  });
  return target;
}

/** Both ends of a real ring in one process, logged in, over a memory disk. */
class Rig {
  readonly fd = createMemoryFile('hot-path', REGION_BYTES);
  readonly mapping = mapShared(this.fd, REGION_BYTES);
  readonly bell = createEventFd();
  readonly region = new MemoryRegion(0, this.mapping);
  readonly initiator: QueuePair;
  readonly port: SrpTargetPort;
  readonly pair: QueuePair;
  readonly element = emptyElement();
  readonly target = memoryDisk();

  constructor() {
    const memory = new GuestMemory([this.region]);
    this.initiator = new QueuePair(memory, PLACE, 'initiator', this.bell);
    this.pair = new QueuePair(memory, PLACE, 'target', this.bell);
    const session = new SrpSession({
      name: 'hot',
      memory,
      lunPresentation: 'native',
      target: this.target,
    });
    this.port = new SrpTargetPort({
      channel: this.pair,
      target: this.target,
      session,
      log: () => undefined,
      broken: (reason) => assert.fail(reason),
    });
    this.initiator.send(0xc0, 1, 0, 0, 0, 0, 0);
    this.turn();
    const login = new Uint8Array(64);
    login.set([0, 0, 0x20, 0], 16);
    login.set([0, 6], 24);
    this.region.view.set(login, IU_AT);
    this.initiator.send(0x80, 1, 0, 0, 64, 0, IU_AT);
    this.turn();
    assert.equal(this.region.view[IU_AT], 0xc0, 'logged in');
  }

  /** One round of the target, one element back. */
  turn(): void {
    this.initiator.flush();
    this.port.poll(32);
    this.pair.flush();
    assert.equal(this.initiator.take(this.element), true);
  }

  /** Sends the IU in `template` `count` times, one after the other, moving over the disk. */
  repeat(template: Int32Array, count: number): number {
    const { words, data, view } = this.region;
    const from = IU_AT / 4;
    let good = 0;
    for (let i = 0; i < count; i += 1) {
      for (let w = 0; w < template.length; w += 1) words[from + w] = template[w] as number;
      data.setUint32(IU_AT + 32 + 2, (i % 1000) * (TRANSFER_BYTES / BLOCK_BYTES));
      this.initiator.send(0x80, 1, 0, 0, template.length * 4, 0, IU_AT);
      this.turn();
      if (view[IU_AT + 19] === 0) good += 1;
    }
    return good;
  }

  end(): void {
    this.port.detach();
    this.port.close();
    this.pair.detach();
    this.initiator.detach();
    unmap(this.mapping);
    close(this.fd);
    close(this.bell);
  }
}

const REQUESTS = 2;
const HEADER_AT = 0x8000;
const TABLE_AT = 0x8100;
const RESPONSE_AT = 0x8200;

/** A virtio-scsi device and the guest it serves in one process; indirect chains and event index, as stock guests use them. */
class VhostRig {
  readonly guest = new Guest(REGION_BYTES, 0x1_9000_0000);
  readonly driver = new Driver(this.guest, { size: 128, eventIndex: true });
  readonly device: VirtioScsiDevice;
  /** The operation code, and the data buffer of the one chain that is offered again and again. */
  constructor(opcode: number, writes: boolean) {
    this.device = new VirtioScsiDevice({
      target: memoryDisk(),
      identity: 'hot',
      name: 'hot',
      memory: this.guest.memory,
      log: () => undefined,
      broken: (reason) => assert.fail(reason),
    });
    this.device.start(REQUESTS, this.driver.device());
    const header = new Uint8Array(51);
    header.set([1, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0x80, 0x88, 0xff, 0xff]);
    header.set([opcode, 0, 0, 0, 0, 0, 0, 0, TRANSFER_BYTES / BLOCK_BYTES, 0], 19);
    this.guest.view.set(header, HEADER_AT);
    const response = { at: RESPONSE_AT, length: 108, write: true };
    const request = { at: HEADER_AT, length: 51 };
    const data = { at: DATA_AT, length: TRANSFER_BYTES, write: !writes };
    this.driver.indirectChain(
      writes ? [request, data, response] : [request, response, data],
      TABLE_AT,
    );
    this.repeat(1);
  }

  /** Offers the chain `count` times, one after the other, moving over the disk; half of them after a sleep. */
  repeat(count: number): number {
    const { guest, driver, device } = this;
    let good = 0;
    for (let i = 0; i < count; i += 1) {
      guest.data.setUint32(HEADER_AT + 21, (i % 1000) * (TRANSFER_BYTES / BLOCK_BYTES));
      driver.usedEvent = driver.next;
      if ((i & 1) === 0) device.arm(REQUESTS);
      else device.disarm(REQUESTS);
      driver.offer(0);
      device.poll(REQUESTS, 32);
      device.flush(REQUESTS);
      if (driver.usedIndex === driver.next && guest.view[RESPONSE_AT + 10] === 0) good += 1;
    }
    return good;
  }

  end(): void {
    this.device.detach();
    this.device.close();
    this.guest.end();
  }
}

/**
 * Runs until the code is optimized, and leaves no garbage behind. Twice: a collection takes what earlier specs left, and with
 * it optimized code that knew of it.
 */
async function warmUp(run: () => void): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    run();
    globalThis.gc?.();
    await sleep(50);
  }
}

/** Garbage collections in a run, by how much the heap grew, and how many commands were GOOD. */
export interface Garbage {
  readonly collections: number;
  readonly bytes: number;
  readonly good: number;
}

/** The best of three runs: what one command leaves behind shows in every run, what others in this process leave does not. */
async function leastGarbage(run: () => number): Promise<Garbage> {
  const worst = Number.POSITIVE_INFINITY;
  let least: Garbage = { collections: worst, bytes: worst, good: 0 };
  for (
    let attempt = 0;
    attempt < 3 && (least.collections > 0 || least.bytes > NOISE_BYTES);
    attempt += 1
  ) {
    globalThis.gc?.();
    let bytes = 0;
    let good = 0;
    const collections = await collectionsDuring(() => {
      const before = process.memoryUsage().heapUsed;
      good = run();
      bytes = process.memoryUsage().heapUsed - before;
    });
    if (collections < least.collections || bytes < least.bytes)
      least = { collections, bytes, good };
  }
  return least;
}

async function collectionsDuring(run: () => void): Promise<number> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  observer.observe({ entryTypes: ['gc'] });
  run();
  await sleep(20);
  observer.disconnect();
  return collections;
}

const blocks = TRANSFER_BYTES / BLOCK_BYTES;
const buffer = { address: DATA_AT, length: TRANSFER_BYTES };

async function ofRing(opcode: number, writes: boolean): Promise<Garbage> {
  const cdb = [opcode, 0, 0, 0, 0, 0, 0, 0, blocks, 0];
  const bytes = commandBytes(writes ? { cdb, dataOut: buffer } : { cdb, dataIn: buffer });
  const rig = new Rig();
  const template = new Int32Array(bytes.buffer, 0, bytes.length / 4);
  await warmUp(() => rig.repeat(template, 20_000));
  const garbage = await leastGarbage(() => rig.repeat(template, READS));
  rig.end();
  return garbage;
}

async function ofVhost(opcode: number, writes: boolean): Promise<Garbage> {
  const rig = new VhostRig(opcode, writes);
  await warmUp(() => rig.repeat(20_000));
  const garbage = await leastGarbage(() => rig.repeat(READS));
  rig.end();
  return garbage;
}

/** What a command would leave that allocated the smallest thing there is. */
async function ofGarbage(): Promise<Garbage> {
  const kept: { value: number }[] = [{ value: 0 }];
  return await leastGarbage(() => {
    for (let i = 0; i < READS; i += 1) kept[0] = { value: i };
    return READS;
  });
}

const found: Record<string, Garbage> = {
  'READ(10) by ring': await ofRing(0x28, false),
  'WRITE(10) by ring': await ofRing(0x2a, true),
  'READ(10) by vhost': await ofVhost(0x28, false),
  'WRITE(10) by vhost': await ofVhost(0x2a, true),
  garbage: await ofGarbage(),
};
process.stdout.write(`${JSON.stringify({ commands: READS, noiseBytes: NOISE_BYTES, found })}\n`);
