/**
 * Every way an initiator reaches a target, behind one face: the loopback in this process, the ring to a daemon in another,
 * a synthetic vhost-user front end at such a daemon, and iSCSI. Behaviour suites run on each.
 *
 *   describeOnEveryPort('task attributes', (bench) => {
 *     it('…', async () => {
 *       const lun = await bench().disk();
 *       const a = await bench().initiator('a');
 *       …
 */
import { strict as assert } from 'node:assert';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import {
  type ExecuteRequest,
  type Initiator,
  type InitiatorOptions,
  openInitiator,
} from '../../src/initiator/initiator.ts';
import { IscsiInitiator } from '../../src/initiator/iscsi/initiator.ts';
import type { CommandResult } from '../../src/initiator/request.ts';
import { FrontEnd, perform } from '../../src/initiator/vhost/front-end.ts';
import { VhostInitiator } from '../../src/initiator/vhost/initiator.ts';
import { imageBytesOf } from '../../src/luns/image-size.ts';
import type { MediaChangeStyle } from '../../src/scsi/medium.ts';
import type { ProtectionType } from '../../src/scsi/sbc/protection/information.ts';
import type { ConformanceInitiator } from './conformance-initiator.ts';
import { DaemonProcess } from './daemon-process.ts';
import { LoopbackTarget } from './loopback-link.ts';

/** What happens to the requests of a disk that match; as the control verb `inject.set` has it. */
export interface Rule {
  readonly operation: 'read' | 'write' | 'flush' | 'discard' | 'any';
  readonly firstLba?: number;
  readonly lastLba?: number;
  readonly fault?: 'medium' | 'full' | 'gone' | 'read-only';
  readonly delayMs?: number;
  readonly count?: number;
}

/** What kind of disk. */
export interface Traits {
  /** Type of the protection information of its blocks. */
  readonly protection?: ProtectionType;
  readonly removable?: boolean;
  readonly mediaChangeStyle?: MediaChangeStyle;
}

interface Port<I extends ConformanceInitiator> {
  open(name: string, options: InitiatorOptions): Promise<I>;
  addDisk(lun: number, bytes: number, traits: Traits): Promise<void>;
  /** An optical drive with the disc of an image in it. */
  addDrive(lun: number, path: string): Promise<void>;
  removeDisk(lun: number): Promise<void>;
  resizeDisk(lun: number, bytes: number): Promise<void>;
  inject(lun: number, rules: readonly Rule[]): Promise<void>;
  /** The operator takes the medium out of the drive of a removable disk. */
  takeMedium(lun: number): Promise<void>;
  /** He puts an image in, or (null) what was in it last. */
  putMedium(lun: number, path: string | null): Promise<void>;
  /** How many initiators prevent the removal of the medium. */
  holders(lun: number): Promise<number>;
  /** Tasks in the task set. */
  outstanding(lun: number): Promise<number>;
  end(): Promise<void>;
  /** The process ends: whatever of it is elsewhere does, too, at once. */
  abandon(): void;
}

function loopNaa(lun: number): Uint8Array {
  const naa = new Uint8Array(16);
  naa.set([0x60, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77]);
  naa[14] = lun >> 8;
  naa[15] = lun & 0xff;
  return naa;
}

class LoopbackPort implements Port<Initiator> {
  readonly #target = new LoopbackTarget();

  open(name: string, options: InitiatorOptions): Promise<Initiator> {
    return openInitiator({
      ...options,
      name,
      openLink: () => Promise.resolve(this.#target.open(name, options.queuePairs ?? 1)),
    });
  }
  async addDrive(lun: number, path: string): Promise<void> {
    await Promise.resolve();
    this.#target.addDrive(lun, path, loopNaa(lun));
  }
  async addDisk(lun: number, bytes: number, traits: Traits): Promise<void> {
    const { protection: protectionType = 0, removable = false, mediaChangeStyle = 't10' } = traits;
    await Promise.resolve();
    this.#target.inventory.add({
      lun,
      backing: { kind: 'memory', bytes: imageBytesOf({ blockBytes: 512, protectionType }, bytes) },
      readOnly: false,
      blockBytes: 512,
      physicalBlockBytes: protectionType === 0 ? 4096 : 512,
      thin: protectionType === 0,
      protectionType,
      writeCache: true,
      serial: `LOOP${lun}`,
      naa: loopNaa(lun),
      savedPages: null,
      savable: false,
      removable,
      mediaChangeStyle,
    });
  }
  removeDisk(lun: number): Promise<void> {
    return new Promise((resolve) => this.#target.inventory.remove(lun, () => resolve()));
  }
  async resizeDisk(lun: number, bytes: number): Promise<void> {
    await Promise.resolve();
    this.#target.inventory.resize(lun, bytes);
  }
  async inject(lun: number, rules: readonly Rule[]): Promise<void> {
    await Promise.resolve();
    this.#target.inventory.inject(lun, rules);
  }
  takeMedium(lun: number): Promise<void> {
    return this.#target.takeMedium(lun);
  }
  putMedium(lun: number, path: string | null): Promise<void> {
    return this.#target.putMedium(lun, path);
  }
  async holders(lun: number): Promise<number> {
    await Promise.resolve();
    return this.#target.target.unit(lun)?.medium?.holders.length ?? 0;
  }
  async outstanding(lun: number): Promise<number> {
    await Promise.resolve();
    return this.#target.target.unit(lun)?.taskSet.count ?? 0;
  }
  end(): Promise<void> {
    return Promise.resolve();
  }
  abandon(): void {
    // It goes with this process.
  }
}

interface Stats {
  readonly reactor: {
    readonly units: readonly { readonly lun: number; readonly outstanding: number }[];
  };
}

/** A daemon in another process. */
abstract class DaemonPort {
  readonly #daemon: DaemonProcess;

  constructor(daemon: DaemonProcess) {
    this.#daemon = daemon;
  }
  async addDisk(lun: number, bytes: number, traits: Traits): Promise<void> {
    await this.#daemon.call('lun.add', { lun, type: 'disk', memory: bytes, ...traits });
  }
  async addDrive(lun: number, path: string): Promise<void> {
    await this.#daemon.call('lun.add', { lun, type: 'cdrom', path });
  }
  async removeDisk(lun: number): Promise<void> {
    await this.#daemon.call('lun.remove', { lun });
  }
  async resizeDisk(lun: number, bytes: number): Promise<void> {
    await this.#daemon.call('lun.resize', { lun, size: bytes });
  }
  async inject(lun: number, rules: readonly Rule[]): Promise<void> {
    if (rules.length === 0) await this.#daemon.call('inject.clear', { lun });
    else await this.#daemon.call('inject.set', { lun, rules });
  }
  async takeMedium(lun: number): Promise<void> {
    await this.#daemon.call('media.eject', { lun });
  }
  async putMedium(lun: number, path: string | null): Promise<void> {
    await this.#daemon.call('media.load', { lun, ...(path === null ? {} : { path }) });
  }
  async holders(lun: number): Promise<number> {
    const drives = (await this.#daemon.call('media.list')) as readonly MediaStatus[];
    return drives.find((drive) => drive.lun === lun)?.preventedBy.length ?? 0;
  }
  async outstanding(lun: number): Promise<number> {
    const stats = (await this.#daemon.call('stats')) as Stats;
    return stats.reactor.units.find((unit) => unit.lun === lun)?.outstanding ?? 0;
  }
  end(): Promise<void> {
    return this.#daemon.end();
  }
  abandon(): void {
    this.#daemon.abandon();
  }
}

class RingPort extends DaemonPort implements Port<Initiator> {
  readonly #connect: string;

  constructor(daemon: DaemonProcess) {
    super(daemon);
    this.#connect = daemon.connect;
  }
  open(name: string, options: InitiatorOptions): Promise<Initiator> {
    return openInitiator({ ...options, name, connect: this.#connect });
  }
}

/**
 * A vhost-user guest is known by the socket it came by, if it is the only one there, and anonymous otherwise. So one front
 * end stays at the socket everybody uses, and an initiator with a name of its own has a socket of its own.
 */
class VhostPort extends DaemonPort implements Port<VhostInitiator> {
  readonly #shared: string;
  readonly #own: string;
  readonly #resident: FrontEnd;

  private constructor(daemon: DaemonProcess, shared: string, own: string) {
    super(daemon);
    this.#shared = shared;
    this.#own = own;
    this.#resident = new FrontEnd(shared);
  }
  static async start(): Promise<VhostPort> {
    const daemon = await DaemonProcess.start(
      ['0:disk,memory=4M'],
      ['vhost-user:shared.sock', 'vhost-user:own.sock'],
    );
    const port = new VhostPort(daemon, daemon.path('shared.sock'), daemon.path('own.sock'));
    await perform(port.#resident, port.#resident.realize());
    return port;
  }
  open(name: string, options: InitiatorOptions): Promise<VhostInitiator> {
    const path = options.initiatorPort === undefined ? this.#shared : this.#own;
    return VhostInitiator.open(path, { name, requestQueues: options.queuePairs ?? 1 });
  }
  override async end(): Promise<void> {
    this.#resident.end();
    await super.end();
  }
}

class IscsiPort extends DaemonPort implements Port<IscsiInitiator> {
  readonly #portal: string;

  private constructor(daemon: DaemonProcess, portal: string) {
    super(daemon);
    this.#portal = portal;
  }
  static async start(): Promise<IscsiPort> {
    const daemon = await DaemonProcess.start(['0:disk,memory=4M'], ['iscsi:127.0.0.1:0']);
    const portal = /iscsi:([0-9.]+:[0-9]+)/.exec(daemon.ready)?.[1];
    assert(portal, `a portal is in "${daemon.ready}"`);
    return new IscsiPort(daemon, portal);
  }
  /** The initiator port is the name with the ISID: here the name alone tells initiators apart. */
  open(name: string, options: InitiatorOptions): Promise<IscsiInitiator> {
    const port = options.initiatorPort ?? name;
    const initiatorName = `iqn.2026-11.example.org:${typeof port === 'string' ? port : name}`;
    return IscsiInitiator.open(this.#portal, { initiatorName });
  }
}

export const FIRST_LUN = 10;
const DISK_BYTES = 4 * 2 ** 20;
const UNIT_ATTENTION = 6;

/** Bytes of a CDB written as hexadecimal pairs. */
export function cdb(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (pair) => Number.parseInt(pair, 16));
}

/** `6/29/00`, or the empty string when there is no sense data. */
export function sense(result: CommandResult): string {
  if (result.sense === null) return '';
  const byte = (value: number): string => value.toString(16).padStart(2, '0');
  return `${result.sense.key.toString(16)}/${byte(result.sense.asc)}/${byte(result.sense.ascq)}`;
}

export const TEST_UNIT_READY: Uint8Array = cdb('00 00 00 00 00 00');

/** READ(10) or WRITE(10) of `blocks` blocks. */
export function transfer10(opcode: 0x28 | 0x2a, lba: number, blocks: number): Uint8Array {
  const bytes = new Uint8Array(10);
  bytes[0] = opcode;
  new DataView(bytes.buffer).setUint32(2, lba);
  bytes[8] = blocks;
  return bytes;
}

/** One initiator of a test, with shorthands. */
export class TestInitiator<I extends ConformanceInitiator = ConformanceInitiator> {
  readonly initiator: I;
  readonly lun: number;

  constructor(initiator: I, lun: number) {
    this.initiator = initiator;
    this.lun = lun;
  }

  run(text: string, options: Partial<ExecuteRequest> = {}): Promise<CommandResult> {
    return this.initiator.execute({ lun: this.lun, ...options, cdb: cdb(text) });
  }

  /** Sense of a TEST UNIT READY, empty when it is GOOD. */
  async ready(options: Partial<ExecuteRequest> = {}): Promise<string> {
    return sense(await this.run('00 00 00 00 00 00', options));
  }

  read(lba: number, blocks = 1, options: Partial<ExecuteRequest> = {}): Promise<CommandResult> {
    const command = transfer10(0x28, lba, blocks);
    return this.initiator.execute({
      lun: this.lun,
      dataInBytes: blocks * 512,
      ...options,
      cdb: command,
    });
  }

  /** Writes one block filled with `value`. */
  write(lba: number, value: number, options: Partial<ExecuteRequest> = {}): Promise<CommandResult> {
    return this.initiator.execute({
      lun: this.lun,
      dataOut: new Uint8Array(512).fill(value),
      ...options,
      cdb: transfer10(0x2a, lba, 1),
    });
  }

  /** First byte of a block. */
  async byteAt(lba: number): Promise<number> {
    const result = await this.read(lba);
    assert.equal(result.status, 0, sense(result));
    return result.dataIn[0] as number;
  }

  /** The unit attentions that wait, in order. */
  async attentions(): Promise<string[]> {
    const seen: string[] = [];
    for (let i = 0; i < 16; i += 1) {
      const result = await this.run('00 00 00 00 00 00');
      if (result.sense?.key !== UNIT_ATTENTION) break;
      seen.push(sense(result));
    }
    return seen;
  }
}

let lastLun = FIRST_LUN;
let lastName = 0;

export class Bench<I extends ConformanceInitiator = ConformanceInitiator> {
  readonly #port: Port<I>;
  readonly #initiators: I[] = [];
  readonly #disks: number[] = [];

  constructor(port: Port<I>) {
    this.#port = port;
  }

  /** A new disk that only this test knows; returns its LUN. */
  async disk(bytes = DISK_BYTES, lun?: number, traits: Traits = {}): Promise<number> {
    lastLun += 1;
    const number = lun ?? lastLun;
    await this.#port.addDisk(number, bytes, traits);
    this.#disks.push(number);
    return number;
  }

  /** A new optical drive that only this test knows, with the disc of an image in it; returns its LUN. */
  async drive(path: string): Promise<number> {
    lastLun += 1;
    const lun = lastLun;
    await this.#port.addDrive(lun, path);
    this.#disks.push(lun);
    return lun;
  }

  async removeDisk(lun: number): Promise<void> {
    this.#disks.splice(this.#disks.indexOf(lun), 1);
    await this.#port.removeDisk(lun);
  }

  resizeDisk(lun: number, bytes: number): Promise<void> {
    return this.#port.resizeDisk(lun, bytes);
  }

  /** A logged in initiator, its unit attentions still waiting. */
  async fresh(lun: number, options: InitiatorOptions = {}): Promise<TestInitiator<I>> {
    lastName += 1;
    const name = options.name ?? `spec-${process.pid}-${lastName}`;
    const initiator = await this.#port.open(name, { reconnect: false, ...options });
    this.#initiators.push(initiator);
    return new TestInitiator(initiator, lun);
  }

  /** A logged in initiator without unit attentions on this LUN. */
  async initiator(lun: number, options: InitiatorOptions = {}): Promise<TestInitiator<I>> {
    const fresh = await this.fresh(lun, options);
    await fresh.attentions();
    return fresh;
  }

  inject(lun: number, ...rules: readonly Rule[]): Promise<void> {
    return this.#port.inject(lun, rules);
  }

  /** The operator takes the medium out of the drive of a removable disk. */
  takeMedium(lun: number): Promise<void> {
    return this.#port.takeMedium(lun);
  }

  /** He puts an image in, or (null) what was in it last. */
  putMedium(lun: number, path: string | null): Promise<void> {
    return this.#port.putMedium(lun, path);
  }

  /** Waits until nobody prevents the removal of the medium any more. */
  async free(lun: number): Promise<void> {
    while ((await this.#port.holders(lun)) > 0);
  }

  /** Waits until `count` tasks are in the task set. */
  async running(lun: number, count: number): Promise<void> {
    for (let i = 0; i < 400; i += 1) {
      if ((await this.#port.outstanding(lun)) === count) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.fail(`${await this.#port.outstanding(lun)} tasks instead of ${count} in the task set`);
  }

  async end(): Promise<void> {
    await Promise.all(this.#initiators.map((initiator) => initiator.close()));
    for (const lun of this.#disks) {
      await this.#port.inject(lun, []);
      await this.#port.removeDisk(lun);
    }
  }
}

/** One port for the tests of a suite, made when the first of them needs it. */
class SharedPort<I extends ConformanceInitiator> {
  readonly name: string;
  readonly #make: () => Promise<Port<I>>;
  #port: Promise<Port<I>> | null = null;

  constructor(name: string, make: () => Promise<Port<I>>) {
    this.name = name;
    this.#make = make;
  }
  get(): Promise<Port<I>> {
    this.#port ??= this.#made();
    return this.#port;
  }
  async #made(): Promise<Port<I>> {
    const port = await this.#make();
    process.once('exit', () => port.abandon());
    return port;
  }
  /**
   * The suite has ended. A process that runs one file after the other keeps the port for the next: a daemon for each file was a third
   * of what all specs together cost.
   */
  async end(): Promise<void> {
    if (process.env['MOCHA_WORKER_ID'] !== undefined) return;
    const port = this.#port;
    this.#port = null;
    if (port !== null) await (await port).end();
  }
}

const srpPorts: readonly SharedPort<Initiator>[] = [
  new SharedPort('loopback', () => Promise.resolve(new LoopbackPort())),
  new SharedPort(
    'ring between processes',
    async () => new RingPort(await DaemonProcess.start(['0:disk,memory=4M'])),
  ),
];
const vhostPort = new SharedPort<VhostInitiator>('vhost, synthetic front end', () =>
  VhostPort.start(),
);

const iscsiPort = new SharedPort<IscsiInitiator>('iSCSI', () => IscsiPort.start());

function describeOn<I extends ConformanceInitiator>(
  port: SharedPort<I>,
  title: string,
  define: (bench: () => Bench<I>) => void,
): void {
  describe(`${title} (${port.name})`, () => {
    let bench: Bench<I> | null = null;
    beforeEach(async function () {
      this.timeout(15_000);
      bench = new Bench(await port.get());
    });
    afterEach(async () => {
      await bench?.end();
      bench = null;
    });
    // Not once for all files: a hook outside of every suite belongs to the first file of a process alone.
    after(() => port.end());
    define(() => {
      assert(bench, 'a test runs');
      return bench;
    });
  });
}

/** Defines a suite once per port. `bench()` is the bench of the running test; what it made goes away with the test. */
export function describeOnEveryPort(title: string, define: (bench: () => Bench) => void): void {
  for (const port of srpPorts) describeOn(port, title, define);
  describeOn(vhostPort, title, define);
  describeOn(iscsiPort, title, define);
}

/** The same for what only SRP has, and for the initiator library, which speaks SRP. */
export function describeOnSrpPorts(
  title: string,
  define: (bench: () => Bench<Initiator>) => void,
): void {
  for (const port of srpPorts) describeOn(port, title, define);
}
