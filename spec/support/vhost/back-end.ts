/** The back end in this process, pumped by hand: one target with memory disks and a clock that the spec sets, any number of front ends. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrontEnd, type FrontEndOptions } from '../../../src/initiator/vhost/front-end.ts';
import {
  type DriverAnswer,
  type DriverRequest,
  lunField,
} from '../../../src/initiator/vhost/scsi-driver.ts';
import { acceptUnix, close, listenUnix } from '../../../src/libc.ts';
import { Inventory } from '../../../src/luns/inventory.ts';
import { Timers } from '../../../src/reactor/timers.ts';
import { Target } from '../../../src/scsi/target.ts';
import { VhostConnection } from '../../../src/transport/vhost/connection.ts';
import { performNow } from './perform-now.ts';

const SOCK_STREAM = 1;
const BUDGET = 32;
const ROUNDS = 64;
const DISK_BYTES = 4 * 2 ** 20;
export const GUEST_NAME = 'hostile-guest';

/** Open descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Mappings of guests' memory files in this process, those of the guests themselves included. */
export function guestMappings(): number {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  return maps.split('\n').filter((line) => line.includes(`memfd:${GUEST_NAME}`)).length;
}

export class BackEnd {
  readonly timers: Timers;
  readonly target: Target;
  readonly inventory: Inventory;
  readonly internalErrors: unknown[] = [];
  readonly path: string;
  nowMs = 0;
  readonly #directory = mkdtempSync(join(tmpdir(), 'ringscsi-hostile-'));
  readonly #listener: number;

  constructor(disks = 2) {
    this.timers = new Timers(() => this.nowMs);
    this.target = new Target({ name: 'hostile-vhost', timers: this.timers });
    this.target.onInternalError = (error) => this.internalErrors.push(error);
    this.inventory = new Inventory({ target: this.target, timers: this.timers, parameters: null });
    this.path = join(this.#directory, 'v.sock');
    this.#listener = listenUnix(this.path, 16, SOCK_STREAM);
    for (let lun = 0; lun < disks; lun += 1) this.#addDisk(lun);
  }

  /** Lets time pass, for stores that were told to be slow. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.timers.run();
    this.inventory.turn();
  }

  /** The next front end that connected. */
  accept(): number {
    const fd = acceptUnix(this.#listener);
    assert.ok(fd >= 0, 'a front end connected');
    return fd;
  }

  end(): void {
    close(this.#listener);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #addDisk(lun: number): void {
    this.inventory.add({
      lun,
      backing: { kind: 'memory', bytes: DISK_BYTES },
      readOnly: false,
      blockBytes: 512,
      physicalBlockBytes: 4096,
      thin: true,
      writeCache: true,
      serial: `HOSTILE${lun}`,
      naa: new Uint8Array([0x30, 1, 2, 3, 4, 5, 6, lun]),
      savedPages: null,
      savable: false,
    });
  }
}

/** One accepted connection, with what the daemon does for it. */
export class ServedFrontEnd {
  readonly connection: VhostConnection;
  /** Reasons it was broken off for: at most one. */
  readonly broken: string[] = [];
  readonly logged: string[] = [];
  readonly #backEnd: BackEnd;
  readonly #rings = new Set<number>();
  #suspended = false;
  #detached = false;
  #closed = false;

  constructor(backEnd: BackEnd, identity = 'vhost:spec') {
    this.#backEnd = backEnd;
    this.connection = new VhostConnection({
      fd: backEnd.accept(),
      target: backEnd.target,
      identity,
      name: 'spec',
      log: (text, level) => {
        if (level === 'warn') this.logged.push(text);
      },
      ringStarted: (index) => this.#rings.add(index),
      ringStopped: (index) => this.#rings.delete(index),
      suspended: (on) => {
        this.#suspended = on;
      },
      broken: (reason) => this.broken.push(reason),
    });
  }

  /** Turns of the reactor until nothing happens any more. */
  pump(): void {
    let done = 1;
    for (let round = 0; round < ROUNDS && done > 0; round += 1) done = this.turn();
  }

  /** One turn. Returns the requests that were taken. */
  turn(): number {
    if (this.#detached) return 0;
    let done = 0;
    const { connection } = this;
    if (!this.#suspended) connection.receive();
    if (connection.isSuspended) connection.tidy();
    for (const index of [...this.#rings]) {
      const taken = connection.device.poll(index, BUDGET);
      assert.ok(taken <= BUDGET, 'a poll keeps to its budget');
      done += taken;
      connection.device.flush(index);
      if (!connection.device.arm(index)) done += 1;
    }
    if (this.broken.length > 0) this.detach();
    return done;
  }

  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.connection.detach();
  }

  /** The front end hung up: the back end sees it, and lets go when its last task has ended. */
  end(): void {
    if (this.#closed) return;
    this.pump();
    this.detach();
    for (let i = 0; i < 100 && !this.connection.device.idle(); i += 1) this.#backEnd.advance(1000);
    assert.ok(this.connection.device.idle(), 'every task has ended');
    this.connection.close();
    this.#closed = true;
  }
}

/** A front end and its back end in one. */
export class Pair {
  readonly backEnd: BackEnd;
  readonly frontEnd: FrontEnd;
  readonly served: ServedFrontEnd;

  constructor(backEnd: BackEnd, options: FrontEndOptions = {}) {
    this.backEnd = backEnd;
    this.frontEnd = new FrontEnd(backEnd.path, {
      name: GUEST_NAME,
      ramBytes: 2 * 2 ** 20,
      queueSize: 32,
      ...options,
    });
    this.served = new ServedFrontEnd(backEnd);
  }

  /** Up to DRIVER_OK, unit attentions eaten. */
  attach(): this {
    const pump = (): void => this.served.pump();
    performNow(this.frontEnd, this.frontEnd.realize(), pump);
    performNow(this.frontEnd, this.frontEnd.reset(), pump);
    performNow(this.frontEnd, this.frontEnd.start(), pump);
    this.frontEnd.driver.postEvents();
    for (const lun of [0, 1]) {
      for (
        let i = 0;
        i < 8 && this.run({ lun: lunField(lun), cdb: TEST_UNIT_READY }).status !== 0;
        i += 1
      );
    }
    return this;
  }

  /** Sends a command that ends at once. */
  run(request: DriverRequest): DriverAnswer {
    const answers: DriverAnswer[] = [];
    this.frontEnd.driver.submit(request, (answer) => answers.push(answer));
    this.turn();
    assert.equal(answers.length, 1, `one answer${this.served.broken.join()}`);
    return answers[0] as DriverAnswer;
  }

  /** Both ends get a turn. */
  turn(): void {
    this.frontEnd.kick();
    this.served.pump();
    this.frontEnd.serveInterrupts();
  }

  /** A task management function that is answered at once. */
  manage(subtype: number, lun: readonly number[], tag = 0n): number {
    const answers: number[] = [];
    this.frontEnd.driver.manage(subtype, lun, tag, (response) => answers.push(response));
    this.turn();
    assert.equal(answers.length, 1, 'one answer');
    return answers[0] as number;
  }

  /** Whether this guest is served as it should be: writes a block, reads it back. */
  smoke(lun = 1): void {
    const at = { lun: lunField(lun) };
    const dataOut = new Uint8Array(512).fill(0x5a);
    let wrote = this.run({ ...at, cdb: WRITE_9, dataOut });
    for (let i = 0; i < 8 && wrote.sense[2] === 6; i += 1)
      wrote = this.run({ ...at, cdb: WRITE_9, dataOut });
    assert.deepEqual([wrote.response, wrote.status], [0, 0], `WRITE(10): ${wrote.sense}`);
    const read = this.run({ ...at, cdb: READ_9, dataInBytes: 512 });
    assert.deepEqual([read.response, read.status], [0, 0]);
    assert.deepEqual(read.dataIn, dataOut);
    assert.deepEqual(this.backEnd.internalErrors, []);
  }

  /** Expects that the device was broken off for one reason that says what it names. */
  expectBroken(reason: RegExp): void {
    this.served.pump();
    assert.equal(
      this.served.broken.length,
      1,
      `broken off once: ${this.served.broken.join(' | ')}`,
    );
    assert.match(this.served.broken[0] as string, reason);
  }

  end(): void {
    this.frontEnd.end();
    this.served.end();
  }
}

export const TEST_UNIT_READY: Uint8Array = new Uint8Array(6);
const WRITE_9 = new Uint8Array([0x2a, 0, 0, 0, 0, 9, 0, 0, 1, 0]);
const READ_9 = new Uint8Array([0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0]);

/** A healthy guest beside hostile ones, and a count of what the process holds. */
export class HostileBench {
  readonly backEnd = new BackEnd();
  readonly healthy: Pair;
  readonly #descriptors: number;
  readonly #mappings: number;

  constructor() {
    this.healthy = new Pair(this.backEnd).attach();
    this.healthy.smoke();
    this.#descriptors = openDescriptors();
    this.#mappings = guestMappings();
  }

  /** Lets `attack` have a guest of its own, expects this end for it, and that nobody else notices. */
  expectBroken(reason: RegExp, attack: (pair: Pair) => void, options: FrontEndOptions = {}): void {
    const pair = new Pair(this.backEnd, options);
    try {
      attack(pair);
      pair.expectBroken(reason);
    } finally {
      pair.end();
    }
    this.check();
  }

  /** The healthy guest works, and nothing of a hostile one stayed. */
  check(): void {
    this.healthy.smoke();
    assert.equal(openDescriptors(), this.#descriptors, 'descriptors are back');
    assert.equal(guestMappings(), this.#mappings, 'mappings are back');
  }

  end(): void {
    this.healthy.end();
    this.backEnd.end();
  }
}
