/** Guests whose drivers unplug emulated devices: a responder for each, and the path map that says which LUN takes over from what. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { QmpClient } from '../qmp/client.ts';
import { type LunSwitch, takeOver } from '../takeover/takeover.ts';
import { unplugDevice } from '../takeover/unplug-device.ts';
import type { PortWindow, Width } from '../unplug/ports.ts';
import { UnplugResponder } from '../unplug/responder.ts';
import { type Place, takes } from '../unplug/selection.ts';
import type { EmulatedConfig } from './config.ts';
import type { Log } from './log.ts';

const UNPLUG_MS = 15_000;

/** No such guest. */
export class UnplugError extends Error {
  readonly code = 'ERR_UNPLUG';
}

export interface PortAccess {
  readonly direction: 'read' | 'write';
  readonly window: PortWindow;
  readonly port: number;
  readonly width: Width;
  /** What is written; 0 for a read. */
  readonly value: number;
}

export interface AccessAnswer {
  /** What each read returned, in order. */
  readonly values: readonly number[];
  /** For how long the guest has to be held up, in milliseconds. */
  readonly holdMs: number;
  /** Devices are being unplugged: `settled` tells when that is over. */
  readonly unplugging: boolean;
}

export interface EmulatedStatus {
  readonly guest: string;
  readonly device: string;
  readonly at: Place;
  readonly lun: number | null;
  /** `fallback`: it was to go, and stays (`why`): the guest goes on with the emulated device. */
  readonly state: 'emulated' | 'unplugging' | 'gone' | 'fallback';
  readonly why: string | null;
}

interface Device {
  readonly config: EmulatedConfig;
  state: EmulatedStatus['state'];
  why: string | null;
}

interface Guest {
  readonly name: string;
  readonly devices: readonly Device[];
  responder: UnplugResponder;
  /** Ends when no device of the guest is being unplugged. */
  busy: Promise<void>;
}

/** The daemon's LUNs, as far as they change hands. */
export interface UnplugLuns extends LunSwitch {
  standBy(lun: number): Promise<void>;
}

export interface UnplugHouseOptions {
  readonly emulated: readonly EmulatedConfig[];
  readonly blacklist: string | null;
  readonly luns: UnplugLuns;
  /** Whether a guest of this name may log in at our HBA: not with a blacklisted driver. */
  readonly admit: (guest: string, admitted: boolean) => void;
  readonly log: Log;
  readonly unplugMs?: number;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

export class UnplugHouse {
  readonly #options: UnplugHouseOptions;
  readonly #guests = new Map<string, Guest>();

  constructor(options: UnplugHouseOptions) {
    this.#options = options;
    for (const name of new Set(options.emulated.map(({ guest }) => guest))) {
      const own = options.emulated.filter(({ guest }) => guest === name);
      const devices = own.map((config): Device => ({ config, state: 'emulated', why: null }));
      const responder = this.#responder(name);
      this.#guests.set(name, { name, devices, responder, busy: Promise.resolve() });
    }
  }

  status(): EmulatedStatus[] {
    return [...this.#guests.values()].flatMap(({ devices }) =>
      devices.map(({ config, state, why }) => {
        const { guest, device, at, lun } = config;
        return { guest, device, at, lun, state, why };
      }),
    );
  }

  /** Carries out port accesses of a guest. Throws UnplugError. */
  access(name: string, accesses: readonly PortAccess[]): AccessAnswer {
    const { responder } = this.#guest(name);
    const values: number[] = [];
    let holdMs = 0;
    let unplugging = false;
    for (const { direction, window, port, width, value } of accesses) {
      if (direction === 'read') {
        values.push(responder.read(window, port, width));
        continue;
      }
      const outcome = responder.write(window, port, width, value);
      holdMs += outcome.holdMs;
      unplugging ||= outcome.unplugging;
    }
    return { values, holdMs, unplugging };
  }

  /** Resolves when nothing of the guest is being unplugged. Throws UnplugError. */
  async settled(name: string): Promise<readonly EmulatedStatus[]> {
    await this.#guest(name).busy;
    return this.status().filter(({ guest }) => guest === name);
  }

  /** The reset line of the guest: what was unplugged stays away. Throws UnplugError. */
  reset(name: string): void {
    this.#guest(name).responder.reset();
  }

  /**
   * The guest is to be started anew, with a new QEMU: everything is as at first, and the LUNs that had taken over go to standby, so
   * that QEMU can have their images. Rejects with UnplugError, or when a LUN cannot be flushed.
   */
  async restart(name: string): Promise<void> {
    const guest = this.#guest(name);
    await guest.busy;
    const gone = guest.devices.filter(({ state }) => state === 'gone');
    await Promise.all(
      gone.map(({ config: { lun } }) => (lun === null ? null : this.#options.luns.standBy(lun))),
    );
    guest.responder = this.#responder(name);
    this.#options.admit(name, true);
    for (const device of guest.devices) Object.assign(device, { state: 'emulated', why: null });
  }

  #guest(name: string): Guest {
    const guest = this.#guests.get(name);
    if (guest !== undefined) return guest;
    const known = [...this.#guests.keys()].join(', ') || 'none';
    throw new UnplugError(
      `Cannot find guest "${name}" in the path map; known are ${known} (serve --emulated)`,
    );
  }

  #responder(name: string): UnplugResponder {
    const { log, blacklist } = this.#options;
    return new UnplugResponder({
      host: {
        blacklisted: (product, build) =>
          blacklist !== null && isReadable(join(blacklist, product, build)),
        refused: () => this.#options.admit(name, false),
        unplug: (mask) => this.#unplug(name, mask),
        guestLine: (line) => log.write('info', `guest "${name}" says: ${line}`),
        note: (text) => log.write('info', `guest "${name}": ${text}`),
        nowMs: () => performance.now(),
      },
    });
  }

  #unplug(name: string, mask: number): void {
    const guest = this.#guests.get(name);
    if (guest === undefined) return;
    const going = guest.devices.filter(
      ({ config, state }) => state !== 'gone' && state !== 'unplugging' && takes(mask, config.at),
    );
    const { log } = this.#options;
    if (going.length === 0) {
      log.write(
        'warn',
        `guest "${name}" unplugs with mask ${mask}, and the path map has nothing for it`,
      );
    }
    for (const device of going) {
      device.state = 'unplugging';
      // One after the other: each pauses the guest, and its monitor takes one client.
      guest.busy = guest.busy.then(() => this.#takeAway(device));
    }
  }

  /** Never rejects: what fails is a fallback, and said so. */
  async #takeAway(device: Device): Promise<void> {
    const { guest, device: id, lun } = device.config;
    const { log } = this.#options;
    try {
      await (lun === null ? this.#remove(device.config) : this.#takeOver(device.config, lun));
      device.state = 'gone';
      const by = lun === null ? '' : `, LUN ${lun} has taken over`;
      log.write('info', `guest "${guest}": ${id} unplugged${by}`);
    } catch (error) {
      device.state = 'fallback';
      device.why = error instanceof Error ? error.message : String(error);
      log.write('warn', `guest "${guest}" stays with the emulated ${id}: ${device.why}`);
    }
  }

  async #takeOver({ qmp, device }: EmulatedConfig, lun: number): Promise<void> {
    await takeOver({
      connect: () => QmpClient.connect({ path: qmp }),
      socket: qmp,
      device,
      lun,
      luns: this.#options.luns,
      unplugMs: this.#options.unplugMs ?? UNPLUG_MS,
    });
  }

  async #remove({ qmp, device }: EmulatedConfig): Promise<void> {
    const client = await QmpClient.connect({ path: qmp });
    try {
      await unplugDevice(client, device, this.#options.unplugMs ?? UNPLUG_MS);
    } finally {
      client.close();
    }
  }
}
