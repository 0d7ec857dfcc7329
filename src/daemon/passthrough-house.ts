/** Real devices of the host that are LUNs: opened here, served by the reactor. */
import { naaOf, serialOf } from '../luns/identity.ts';
import { namesOfDevice, OpenedDevice, serialOfDevice } from '../luns/passthrough/open-device.ts';
import { LunError, type LunStatus } from './attached-disk.ts';
import type { Log } from './log.ts';
import type { PassthroughConfig } from './passthrough-config.ts';
import type { ReactorRequest } from './reactor-messages.ts';

export interface PassthroughHouseOptions {
  readonly log: Log;
  readonly ask: (request: ReactorRequest) => Promise<unknown>;
  /** Remembers the inventory. */
  readonly save: () => void;
  /** Something else has this LUN. */
  readonly isTaken: (lun: number) => boolean;
}

interface Attached {
  readonly config: PassthroughConfig;
  /** Null: it was there in an earlier run, and cannot be opened now; `why` says so. */
  readonly device: OpenedDevice | null;
  readonly why: string | null;
  readonly serial: string;
}

const MAX_SERIAL = 32;

export class PassthroughHouse {
  readonly #options: PassthroughHouseOptions;
  readonly #attached = new Map<number, Attached>();

  constructor(options: PassthroughHouseOptions) {
    this.#options = options;
  }

  has(lun: number): boolean {
    return this.#attached.has(lun);
  }

  /** LUNs that are served. */
  luns(): number[] {
    return [...this.#attached.values()].flatMap(({ config, device }) =>
      device === null ? [] : [config.lun],
    );
  }

  /** What is to be there after a restart. */
  configs(): PassthroughConfig[] {
    return [...this.#attached.values()].map(({ config }) => config);
  }

  /** Opens a device. Throws DeviceError, SystemError. */
  open(config: PassthroughConfig, installation: string): void {
    const { lun, device: path } = config;
    const { log, isTaken } = this.#options;
    const old = this.#attached.get(lun);
    if (old?.device != null || isTaken(lun)) {
      throw new LunError(
        `Cannot attach LUN ${lun}: there is a LUN of this number, choose another or remove it first`,
      );
    }
    const warn = (text: string): void => log.write('warn', `LUN ${lun}: ${text}`);
    const device = OpenedDevice.open({ lun, path, warn });
    const known = serialOfDevice(device.inquiry).replaceAll(' ', '').slice(0, MAX_SERIAL);
    const serial = known === '' ? serialOf({ installation, lun, path }) : known;
    this.#attached.set(lun, { config, device, why: null, serial });
  }

  /** Opens those of the last run that nothing else has the LUN of. */
  openRemembered(configs: readonly PassthroughConfig[], installation: string): void {
    for (const config of configs) {
      const { lun } = config;
      if (!this.has(lun) && !this.#options.isTaken(lun)) this.#reopen(config, installation);
    }
  }

  /** That one cannot be had must not keep the others from being served. */
  #reopen(config: PassthroughConfig, installation: string): void {
    try {
      this.open(config, installation);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#attached.set(config.lun, { config, device: null, why, serial: '' });
      this.#options.log.write('error', `LUN ${config.lun} of the last run is not served: ${why}`);
    }
  }

  /** Opens a device and has it served. Throws what either throws; it is not there then. */
  async add(config: PassthroughConfig, installation: string): Promise<LunStatus> {
    const { lun, device } = config;
    const { log, save } = this.#options;
    const before = this.#attached.get(lun);
    this.open(config, installation);
    try {
      // Remembered first: what a guest has seen must be there after a restart.
      save();
      await this.serve(lun);
    } catch (error) {
      await this.forget(lun);
      if (before !== undefined) this.#attached.set(lun, before);
      save();
      throw error;
    }
    log.write('info', `LUN ${lun} attached, ${device}`);
    return this.status(lun);
  }

  /** Takes one away when its last command has ended. */
  async remove(lun: number): Promise<void> {
    if (this.#attached.get(lun)?.device != null) {
      await this.#options.ask({ kind: 'removeUnit', lun });
    }
    await this.forget(lun);
  }

  /** The reactor begins to serve it. */
  async serve(lun: number): Promise<void> {
    const attached = this.#attached.get(lun);
    if (attached?.device == null) return;
    const { device, config, serial } = attached;
    const identity = { ...namesOfDevice(device.inquiry), serial, naa: naaOf(serial) };
    const { inquiry, connection } = device;
    await this.#options.ask({
      kind: 'addDevice',
      device: { lun, connection, inquiry, identity, allow: config.allow },
    });
  }

  async serveAll(): Promise<void> {
    await Promise.all(this.luns().map((lun) => this.serve(lun)));
  }

  /** The reactor has let go of it, or refused it. */
  async forget(lun: number): Promise<void> {
    const attached = this.#attached.get(lun);
    this.#attached.delete(lun);
    await attached?.device?.close();
  }

  /** The reactor has ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#attached.keys()].map((lun) => this.forget(lun)));
  }

  status(lun: number): LunStatus {
    const attached = this.#attached.get(lun);
    if (attached === undefined) throw new LunError(`There is no device at LUN ${lun}`);
    const { config, device, why, serial } = attached;
    const names = device === null ? null : namesOfDevice(device.inquiry);
    return {
      lun,
      type: 'passthrough',
      state: device === null ? 'unavailable' : 'attached',
      backing: device === null ? null : 'device',
      path: config.device,
      bytes: 0,
      blockBytes: 0,
      readOnly: false,
      thin: false,
      protectionType: 0,
      removable: ((device?.inquiry.standard[1] ?? 0) & 0x80) !== 0,
      encrypted: false,
      cache: 'writethrough',
      serial,
      naa: serial === '' ? '' : Buffer.from(naaOf(serial)).toString('hex'),
      why,
      ...(names === null ? {} : { device: `${names.vendor} ${names.product} ${names.revision}` }),
    };
  }

  statuses(): LunStatus[] {
    return [...this.#attached.keys()].map((lun) => this.status(lun));
  }
}
