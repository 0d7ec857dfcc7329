/** Generated hostile drivers: rings with requests that are mostly right, some words of them changed, judged by a model of the rings. */
import { strict as assert } from 'node:assert';
import {
  addSeals,
  close,
  createMemoryFile,
  F_SEAL_SHRINK,
  type Mapping,
  mapShared,
  unmap,
} from '../../src/libc.ts';
import { VhostMemory } from '../../src/transport/vhost/guest-memory.ts';
import { VirtioScsiDevice } from '../../src/transport/vhost/scsi-device.ts';
import { Virtqueue } from '../../src/transport/vhost/virtqueue.ts';
import type { BackEnd } from '../support/vhost/back-end.ts';
import type { Seeded } from '../transport/control/seeded.ts';
import { checkReason } from './generated-case.ts';
import { BYTES, fillRings, GUEST_BASE, RINGS, type RingPlan } from './generated-requests.ts';
import { modelRing, type RingModel } from './ring-model.ts';

const USER_BASE = 0x7fff_0000_0000;
const EVENT_RING = 1;
/** More than there are commands that could each begin an ACA condition. */
const ROUNDS = 24;
const SLOW_MS = 20;

interface Life {
  readonly device: VirtioScsiDevice;
  readonly broken: string[];
}

export class RingGenerator {
  readonly #backEnd: BackEnd;
  readonly #fd: number;
  readonly #mapping: Mapping;
  readonly #view: Uint8Array;
  readonly #data: DataView;
  readonly #before: Uint8Array = new Uint8Array(BYTES);
  readonly #memory = new VhostMemory();

  constructor(backEnd: BackEnd) {
    this.#backEnd = backEnd;
    this.#fd = createMemoryFile('generated-guest', BYTES);
    addSeals(this.#fd, F_SEAL_SHRINK);
    this.#mapping = mapShared(this.#fd, BYTES);
    this.#view = new Uint8Array(this.#mapping.buffer);
    this.#data = new DataView(this.#mapping.buffer);
    const region = {
      guestAddress: GUEST_BASE,
      bytes: BYTES,
      userAddress: USER_BASE,
      mmapOffset: 0,
    };
    this.#memory.add(region, this.#fd);
  }

  /** One device with one filling of its rings. */
  run(random: Seeded): void {
    const plan = fillRings(random, this.#view, this.#data);
    this.#before.set(this.#view);
    const models = RINGS.map((ring) => modelRing(this.#data, ring, plan.indirect));
    const life = this.#start(plan);
    this.#serve(random, life);
    const cut = random.below(8);
    if (cut === 0) life.device.reset();
    else this.#finish(life);
    if (life.broken.length === 0 && cut > 0) this.#checkUsed(models);
    life.device.detach();
    for (let i = 0; i < 4 && !life.device.idle(); i += 1) this.#backEnd.advance(SLOW_MS);
    assert.ok(life.device.idle(), 'every task ends');
    life.device.close();
    assert.ok(life.broken.length <= 1, life.broken.join(' | '));
    for (const reason of life.broken) checkReason(reason);
    this.#checkGuard(models);
  }

  end(): void {
    this.#memory.clear();
    unmap(this.#mapping);
    close(this.#fd);
  }

  #start(plan: RingPlan): Life {
    const broken: string[] = [];
    const device = new VirtioScsiDevice({
      target: this.#backEnd.target,
      identity: 'vhost:rings',
      name: 'generated',
      memory: this.#memory,
      log: () => undefined,
      broken: (reason) => broken.push(reason),
    });
    device.setFeatures(0, 6);
    for (const [index, ring] of RINGS.entries()) {
      const queue = new Virtqueue({
        memory: this.#memory,
        size: ring.size,
        descAddress: USER_BASE + ring.desc,
        availAddress: USER_BASE + ring.avail,
        usedAddress: USER_BASE + ring.used,
        usedLogGuestAddress: null,
        base: 0,
        callFd: -1,
        eventIndex: plan.eventIndex,
        indirect: plan.indirect,
        log: null,
        inflight: null,
      });
      device.start(index, queue);
    }
    return { device, broken };
  }

  /** A few turns of a reactor, in any order, with events between them. */
  #serve(random: Seeded, { device }: Life): void {
    for (let turn = 0; turn < 4; turn += 1) {
      const index = random.below(3);
      const budget = 1 + random.below(8);
      assert.ok(device.poll(index, budget) <= budget, 'a poll keeps to its budget');
      device.flush(index);
      if (random.below(4) === 0) device.unitAdded(random.below(3));
      if (random.below(4) === 0) device.capacityChanged(0);
      if (random.below(8) === 0) device.lookAgain();
      if (random.below(4) === 0) device.arm(index);
      if (random.below(6) === 0) this.#backEnd.advance(SLOW_MS);
    }
  }

  /** Everything is taken, and answered. */
  #finish({ device }: Life): void {
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const index of RINGS.keys()) {
        device.poll(index, 64);
        device.flush(index);
      }
      this.#backEnd.advance(SLOW_MS);
      // What goes on in the background (SANITIZE, FORMAT UNIT, copies) has its time, too.
      while (this.#backEnd.timers.count > 0) this.#backEnd.advance(SLOW_MS);
      // A command with NACA = 1 may have failed, and what its ACA condition held back may begin the next one.
      for (const unit of this.#backEnd.target.units()) unit.taskSet.clearAllAca();
    }
    for (const index of RINGS.keys()) device.flush(index);
  }

  /** Every chain of the control and request queues came back exactly once, and wrote no more than it had room for. */
  #checkUsed(models: readonly RingModel[]): void {
    for (const [index, ring] of RINGS.entries()) {
      const model = models[index] as RingModel;
      // Data over rings and tables: the driver asked for chaos, and nothing can be told from what is left.
      if (models.some(({ overlaps }) => overlaps)) return;
      const used = this.#data.getUint16(ring.used + 2, true);
      const heads: number[] = [];
      for (let i = 0; i < used; i += 1) {
        const at = ring.used + 4 + 8 * (i % ring.size);
        const head = this.#data.getUint32(at, true);
        heads.push(head);
        const writable = model.writableBytes.get(head);
        assert.ok(writable !== undefined, `ring ${index}: used element ${head} was offered`);
        assert.ok(this.#data.getUint32(at + 4, true) <= writable, 'no more than the chain holds');
      }
      // Event buffers are taken in order, as events come; of the others all are used. A head may be offered again.
      const offered = index === EVENT_RING ? model.heads.slice(0, heads.length) : model.heads;
      assert.deepEqual(heads.sort(), [...offered].sort(), `ring ${index}: each offer once`);
    }
  }

  /** Bytes that no chain gave to the device are as they were. */
  #checkGuard(models: readonly RingModel[]): void {
    if (models.some(({ overlaps }) => overlaps)) return;
    const expected = this.#before;
    for (const { writes } of models) {
      for (const [at, bytes] of writes) {
        expected.set(this.#view.subarray(at, at + bytes), at);
      }
    }
    for (const { used, size } of RINGS) {
      expected.set(this.#view.subarray(used, used + 6 + 8 * size), used);
    }
    if (Buffer.compare(expected, this.#view) === 0) return;
    const at = expected.findIndex((byte, i) => byte !== this.#view[i]);
    assert.fail(`byte 0x${at.toString(16)} was written, which no chain offers`);
  }
}
