/** The rings of a front end: what it has said about each, and which of them are served (vhost-user, "Ring states"). */
import { readlinkSync } from 'node:fs';
import { close } from '../../libc.ts';
import { type VhostMessage, VhostProtocolError } from './message.ts';
import type { VirtioScsiDevice } from './scsi-device.ts';
import type { Virtqueue } from './virtqueue.ts';

export class Vring {
  readonly index: number;
  /** SET_VRING_NUM; 0: not said. */
  size = 0;
  /** Next entry of the available ring to take, while the ring is stopped. */
  base = 0;
  /** SET_VRING_ADDR, in the front end's virtual addresses. */
  descAddress = 0;
  usedAddress = 0;
  availAddress = 0;
  addressed = false;
  /** Guest address under which the used ring is marked while pages are logged, null: it is not. */
  logAddress: number | null = null;
  enabled = false;
  /** Descriptors of this ring, owned by it; -1: none. */
  kickFd = -1;
  callFd = -1;
  /** While it is served. */
  queue: Virtqueue | null = null;

  constructor(index: number) {
    this.index = index;
  }

  /** Whether everything is there that serving it takes. `always`: rings need not be enabled. */
  startable(always: boolean): boolean {
    return (
      this.queue === null &&
      this.kickFd >= 0 &&
      this.addressed &&
      this.size > 0 &&
      (this.enabled || always)
    );
  }

  /** Takes over a descriptor that replaces the present one. */
  setKick(fd: number): void {
    if (this.kickFd >= 0) close(this.kickFd);
    this.kickFd = fd;
  }

  setCall(fd: number): void {
    const old = this.callFd;
    this.callFd = fd;
    this.queue?.setCall(fd);
    if (old >= 0) close(old);
  }

  /** Closes its descriptors. It is not served any more. */
  close(): void {
    this.setKick(-1);
    this.setCall(-1);
  }
}

/** Control queue, event queue, and 64 request queues. */
export const MAX_VRINGS = 66;
const VRING_INDEX_MASK = 0xffn;
const VRING_NO_FD = 0x100n;

function isEventFd(fd: number): boolean {
  return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]';
}

export class VringSet {
  /** By index, as far as the front end has named them. */
  readonly all: Vring[] = [];
  readonly #device: VirtioScsiDevice;
  readonly #stoppedPolling: (index: number) => void;

  /** `stoppedPolling` is told of each ring that is served no more, while its descriptors are still open. */
  constructor(device: VirtioScsiDevice, stoppedPolling: (index: number) => void) {
    this.#device = device;
    this.#stoppedPolling = stoppedPolling;
  }

  /** The ring a message names by its index. */
  named(message: VhostMessage, index: number): Vring {
    if (index >= MAX_VRINGS) {
      throw new VhostProtocolError(
        `${message.name}: index ${index}, rings 0 to ${MAX_VRINGS - 1} are served`,
      );
    }
    let vring = this.all[index];
    while (vring === undefined) {
      this.all.push(new Vring(this.all.length));
      vring = this.all[index];
    }
    return vring;
  }

  /** The ring a message names, which must not be served now. */
  stopped(message: VhostMessage): Vring {
    const vring = this.named(message, message.payload.readUInt32LE(0));
    if (vring.queue === null) return vring;
    throw new VhostProtocolError(`${message.name}: ring ${vring.index} is being served`);
  }

  /** The ring named in a message that brings a descriptor; without one there is none to bring. */
  ofDescriptor(message: VhostMessage): Vring {
    const value = message.payload.readBigUInt64LE(0);
    const vring = this.named(message, Number(value & VRING_INDEX_MASK));
    const without = (value & VRING_NO_FD) !== 0n;
    if (without === message.descriptors.length > 0) {
      throw new VhostProtocolError(
        `${message.name}: the no-descriptor bit is ${without ? 'set' : 'clear'} and ${message.descriptors.length} descriptors came`,
      );
    }
    const [fd] = message.descriptors;
    if (fd !== undefined && !isEventFd(fd)) {
      throw new VhostProtocolError(
        `${message.name}: the descriptor of ring ${vring.index} is no eventfd`,
      );
    }
    return vring;
  }

  /** Calls `then` when all that was taken from the rings is answered. */
  stop(vrings: readonly Vring[], then: () => void): void {
    const serving = vrings.filter(({ queue }) => queue !== null);
    let left = serving.length;
    if (left === 0) then();
    for (const vring of serving) {
      this.#stoppedPolling(vring.index);
      vring.queue = null;
      this.#device.stop(vring.index, (base) => {
        vring.base = base;
        left -= 1;
        if (left === 0) then();
      });
    }
  }

  /** The device let go of the ring by itself (reset, end). */
  letGo(vring: Vring): void {
    if (vring.queue === null) return;
    this.#stoppedPolling(vring.index);
    vring.base = vring.queue.base;
    vring.queue = null;
  }
}
