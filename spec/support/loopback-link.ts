/** Initiators of the library and a target in one process: links over the loopback, pumped by the event loop. */

import { closeSync, fstatSync, openSync } from 'node:fs';
import type { Backing } from '../../src/luns/backing.ts';
import { openDisc } from '../../src/luns/disc/open-disc.ts';
import type { MediumSpec, Removed } from '../../src/luns/drive.ts';
import { Inventory } from '../../src/luns/inventory.ts';
import { DONE, GONE, type Timers } from '../../src/scsi/contracts.ts';
import { Target } from '../../src/scsi/target.ts';
import type { Link, LinkQueue } from '../../src/transport/link.ts';
import { Loopback, type LoopbackEnd } from '../../src/transport/loopback.ts';
import type { GuestMemory } from '../../src/transport/memory.ts';
import type { CrqElement } from '../../src/transport/srp/channel.ts';
import { SrpSession } from '../../src/transport/srp/session.ts';
import { SrpTargetPort } from '../../src/transport/srp/target-port.ts';

const REGION_BYTES = 16 * 2 ** 20;
const BUDGET = 64;

/** The initiator's end; what it sends makes the target look. */
class LoopbackQueue implements LinkQueue {
  readonly #end: LoopbackEnd;
  readonly #sent: () => void;
  #unflushed = false;

  constructor(end: LoopbackEnd, sent: () => void) {
    this.#end = end;
    this.#sent = sent;
  }
  get memory(): GuestMemory {
    return this.#end.memory;
  }
  send(
    valid: number,
    format: number,
    status: number,
    timeout: number,
    length: number,
    high: number,
    low: number,
  ): boolean {
    this.#unflushed = true;
    return this.#end.send(valid, format, status, timeout, length, high, low);
  }
  take(element: CrqElement): boolean {
    return this.#end.take(element);
  }
  flush(): void {
    this.#end.flush();
    if (this.#unflushed) this.#sent();
    this.#unflushed = false;
  }
  /** The target wakes this end after every turn of its own, so nothing is missed. */
  arm(): boolean {
    return true;
  }
  disarm(): void {
    // Nothing rings here.
  }
}

class LoopbackLink implements Link {
  readonly memory: GuestMemory;
  readonly arenaOffset = 0;
  readonly arenaBytes = REGION_BYTES;
  readonly queuePairs: readonly LinkQueue[];
  readonly #loopback: Loopback;
  readonly #ports: readonly SrpTargetPort[];
  readonly #left: () => void;
  #wake: () => void = () => undefined;

  constructor(
    target: Target,
    name: string,
    queuePairs: number,
    pump: () => void,
    left: () => void,
  ) {
    this.#left = left;
    this.#loopback = new Loopback({ regions: [{ handle: 0, bytes: REGION_BYTES }], queuePairs });
    this.memory = this.#loopback.memory;
    this.queuePairs = this.#loopback.pairs.map((pair) => new LoopbackQueue(pair.initiator, pump));
    const session = new SrpSession({
      name,
      memory: this.memory,
      lunPresentation: 'native',
      target,
    });
    this.#ports = this.#loopback.pairs.map(
      (pair) =>
        new SrpTargetPort({
          channel: pair.target,
          target,
          session,
          log: () => undefined,
          broken: (reason) => {
            throw new Error(`the loopback broke: ${reason}`);
          },
        }),
    );
  }

  watch(wake: () => void): void {
    this.#wake = wake;
  }

  /** The target's turn. */
  serve(): void {
    for (const port of this.#ports) port.poll(BUDGET);
    for (const port of this.#ports) port.flush();
    this.#wake();
  }

  close(): Promise<void> {
    this.#left();
    for (const port of this.#ports) port.detach();
    this.#release();
    return Promise.resolve();
  }

  /** A store may still work on a command of this initiator; its memory stays until then. */
  #release(): void {
    if (this.#ports.every((port) => port.idle())) {
      for (const port of this.#ports) port.close();
      this.#loopback.close();
    } else setTimeout(() => this.#release(), 5);
  }
}

function openDiscBacking(lun: number, path: string): Backing {
  const action = `Cannot attach LUN ${lun}`;
  const { files, layout } = openDisc({ lun, path, action, check: () => undefined });
  return { kind: 'disc', files, layout };
}

/** A target with disks whose faults and delays are those of the daemon. */
export class LoopbackTarget {
  readonly target: Target;
  readonly inventory: Inventory;
  readonly #links = new Set<LoopbackLink>();
  /** Images that are, or were last, in drives; absent: the medium in memory. */
  readonly #images = new Map<number, string>();
  /** Images of discs. */
  readonly #discs = new Map<number, string>();
  #pumping = false;

  constructor() {
    const timers: Timers = {
      after: (delayMs, callback) =>
        setTimeout(() => {
          callback();
          this.pump();
        }, delayMs),
      cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
    };
    this.target = new Target({ name: 'loopback', timers });
    this.inventory = new Inventory({
      target: this.target,
      parameters: null,
      timers,
      media: {
        ejected: (lun) => this.#soon(lun, () => this.inventory.answerMedium(lun, DONE)),
        wanted: (lun) => this.#soon(lun, () => this.#bringBack(lun)),
      },
    });
  }

  /** The operator takes the medium out of a drive. */
  takeMedium(lun: number): Promise<void> {
    return this.#moved((done) => this.inventory.ejectMedium(lun, false, done));
  }

  /** The operator puts an image into a drive, or (null) what was in it last. */
  putMedium(lun: number, path: string | null): Promise<void> {
    if (path !== null) this.#images.set(lun, path);
    return this.#moved((done) =>
      this.inventory.loadMedium(lun, this.#spec(lun), { force: false, asked: false }, done),
    );
  }

  #moved(move: (done: Removed) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      move((error) => (error === null ? resolve() : reject(error)));
      this.pump();
    });
  }

  /** Adds an optical drive with the disc of an image in it. */
  addDrive(lun: number, path: string, naa: Uint8Array): void {
    this.#discs.set(lun, path);
    this.inventory.add({
      lun,
      backing: openDiscBacking(lun, path),
      readOnly: true,
      blockBytes: 2048,
      physicalBlockBytes: 2048,
      thin: false,
      writeCache: false,
      serial: `LOOP${lun}`,
      naa,
      savedPages: null,
      savable: false,
      removable: true,
      optical: true,
    });
  }

  #spec(lun: number): MediumSpec {
    const generation = (this.target.unit(lun)?.medium?.generation ?? 0) + 1;
    const disc = this.#discs.get(lun);
    if (disc !== undefined) {
      return { backing: openDiscBacking(lun, disc), readOnly: true, generation };
    }
    const path = this.#images.get(lun);
    if (path === undefined) {
      return { backing: { kind: 'memory', bytes: 2 ** 20 }, readOnly: false, generation };
    }
    const fd = openSync(path, 'r+');
    return {
      backing: { kind: 'file', fd, bytes: fstatSync(fd).size },
      readOnly: false,
      generation,
    };
  }

  #bringBack(lun: number): void {
    if (this.target.unit(lun)?.medium?.place !== 'tray') {
      this.inventory.answerMedium(lun, GONE);
      return;
    }
    const spec = this.#spec(lun);
    this.inventory.loadMedium(lun, spec, { force: false, asked: true }, (error) => {
      if (error !== null && spec.backing.kind === 'file') closeSync(spec.backing.fd);
    });
  }

  /** After what asks has left the core, and if the LUN is still there then. */
  #soon(lun: number, answer: () => void): void {
    queueMicrotask(() => {
      if (this.target.unit(lun) !== undefined) answer();
      this.pump();
    });
  }

  open(name: string, queuePairs: number): LoopbackLink {
    const link: LoopbackLink = new LoopbackLink(
      this.target,
      name,
      queuePairs,
      () => this.pump(),
      () => this.#links.delete(link),
    );
    this.#links.add(link);
    return link;
  }

  /** Gives every link a turn soon. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.inventory.turn();
      for (const link of this.#links) link.serve();
    });
  }
}
