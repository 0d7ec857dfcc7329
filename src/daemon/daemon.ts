/** The daemon: opens the disks, starts the reactor that serves them, and carries out what is asked while it runs. */

import { randomUUID } from 'node:crypto';
import { Mutex } from 'async-mutex';
import { hostId } from '../luns/identity.ts';
import { messageOf } from '../message-of.ts';
import type { ManagementAddress } from '../scsi/management-address.ts';
import { ControlServer, type ControlSession } from '../transport/control/server.ts';
import { type AttachedDisk, LunError, type LunStatus, unavailableStatus } from './attached-disk.ts';
import type { DaemonConfig, DiskConfig, LunConfig } from './config.ts';
import type { DaemonInfo, DaemonStats } from './daemon-status.ts';
import { IscsiGateway } from './iscsi-gateway.ts';
import { Library } from './library.ts';
import type { Log } from './log.ts';
import { MediaHouse } from './media-house.ts';
import { openDisk } from './open-disk.ts';
import { PassthroughHouse } from './passthrough-house.ts';
import type {
  GuestStatus,
  InjectRule,
  ReactorEvent,
  ReactorHandle,
  ReactorReply,
  ReactorRequest,
  ReactorStatus,
  SaveEvent,
} from './reactor-messages.ts';
import { type Inventory, type InventoryEntry, NOTHING_SAVED, StateDirectory } from './state.ts';
import { TraceFeed } from './trace-feed.ts';
import { UnplugHouse } from './unplug-house.ts';
import { executeVerb } from './verbs.ts';
import { VERSION } from './version.ts';

const DEFAULT_NAME = 'ringscsi';
const DEFAULT_GRACE_MS = 5000;
/** What the reactor may take beyond its grace time to flush and end. */
const SHUTDOWN_SLACK_MS = 10_000;

/** The reactor refused a request; `code` is the one it gave. */
export class ReactorRefusedError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface DaemonOptions {
  readonly config: DaemonConfig;
  readonly startReactor: (options: {
    readonly onEvent: (event: ReactorEvent) => void;
    readonly name: string;
    readonly managementAddresses: readonly ManagementAddress[];
  }) => Promise<ReactorHandle>;
  readonly log: Log;
  /** What initiators are told is at this end. */
  readonly name?: string;
  /** How long running commands may take when the daemon stops; they are aborted then. */
  readonly graceMs?: number;
}

/** A remembered LUN that could not be opened. It stays in the inventory until it is removed or attached anew. */
interface Unavailable {
  readonly entry: InventoryEntry;
  readonly why: string;
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #log: Log;
  readonly #name: string;
  /** One change of the LUN map at a time, and none while the daemon stops. */
  readonly #choreography = new Mutex();
  readonly #disks = new Map<number, AttachedDisk>();
  readonly #devices: PassthroughHouse;
  readonly #unavailable = new Map<number, Unavailable>();
  readonly #trace = new TraceFeed((on) => this.#ask({ kind: 'trace', on }));
  readonly #startedMs = performance.now();
  #state: StateDirectory | null = null;
  #installation = '';
  #reactor: ReactorHandle | null = null;
  #control: ControlServer | null = null;
  #iscsi: IscsiGateway | null = null;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<number> | null = null;
  /** The reactor ended without being asked to. */
  #failed = false;
  #end: (exitCode: number) => void = () => undefined;
  /** Resolves when the daemon has stopped, with the exit code of its process. */
  readonly ended: Promise<number>;
  /** Guests that unplug emulated devices. */
  readonly unplug: UnplugHouse;
  /** Media of removable disks. */
  readonly media: MediaHouse;
  /** Media that have names. */
  readonly library: Library;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log;
    const { emulated, driverBlacklist } = options.config;
    this.unplug = new UnplugHouse({
      emulated: emulated ?? [],
      blacklist: driverBlacklist ?? null,
      log: options.log,
      admit: (name, admitted) => void this.#admit(name, admitted),
      luns: {
        luns: () => Promise.resolve(this.luns()),
        activate: async (lun) => void (await this.activateLun(lun)),
        standBy: async (lun) => void (await this.standByLun(lun)),
      },
    });
    this.library = new Library(this.#disks, options.log);
    this.media = new MediaHouse({
      disks: this.#disks,
      library: this.library,
      change: (work) => this.#change(work),
      ask: (request) => this.#ask(request),
      save: () => this.#saveInventory(),
      log: options.log,
    });
    this.#devices = new PassthroughHouse({
      log: options.log,
      ask: (request) => this.#ask(request),
      save: () => this.#saveInventory(),
      isTaken: (lun) => this.#disks.has(lun) || this.#unavailable.has(lun),
    });
    this.#name = options.name ?? DEFAULT_NAME;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Opens everything the configuration names and serves it. Throws the first error; nothing is left open then. */
  async start(): Promise<void> {
    this.#starting = this.#open();
    try {
      await this.#starting;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Stops taking commands, lets those that run finish (or aborts them after the grace time), flushes, logs guests out.
   * Resolves with the exit code: 0, or 1 when something could not be ended orderly. Called again it waits for the same end.
   */
  stop(): Promise<number> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  info(): DaemonInfo {
    const { config } = this.#options;
    return {
      name: this.#name,
      version: VERSION,
      processId: process.pid,
      uptimeMs: Math.round(performance.now() - this.#startedMs),
      listen: [
        ...config.listen
          .filter(({ kind }) => kind !== 'iscsi')
          .map((port) => `${port.kind}:${port.path}`),
        ...(this.#iscsi?.portals() ?? []),
      ],
      control: config.control,
      state: config.state,
      luns: this.#disks.size + this.#devices.luns().length,
    };
  }

  /** Attached and unavailable LUNs in ascending order. */
  luns(): LunStatus[] {
    const gone = [...this.#unavailable.values()].map(unavailableStatus);
    const attached = [...this.#disks.values()].map((disk) => disk.status());
    return [...attached, ...gone, ...this.#devices.statuses()].sort((a, b) => a.lun - b.lun);
  }

  /** Attaches a LUN; every guest is told that the inventory changed. Throws LunError, DiskFileError, DeviceError, ReactorRefusedError. */
  addLun(config: LunConfig): Promise<LunStatus> {
    if (config.type === 'passthrough')
      return this.#change(() => this.#devices.add(config, this.#installation));
    return this.#change(async () => {
      const disk = this.#openDisk(config, this.#unavailable.get(config.lun)?.entry);
      const unavailable = this.#unavailable.get(config.lun);
      this.#disks.set(config.lun, disk);
      this.#unavailable.delete(config.lun);
      try {
        // Remembered first: what a guest has seen must be there after a restart.
        this.#saveInventory();
        await this.#addToReactor(disk);
      } catch (error) {
        this.#disks.delete(config.lun);
        if (unavailable !== undefined) this.#unavailable.set(config.lun, unavailable);
        disk.close();
        this.#saveInventory();
        throw error;
      }
      this.#log.write('info', `LUN ${config.lun} attached, ${disk.bytes} bytes`);
      return disk.status();
    });
  }

  /** Detaches a disk once its last command has ended, and forgets it. Throws LunError. */
  removeLun(lun: number): Promise<void> {
    return this.#change(async () => {
      const disk = this.#disks.get(lun);
      if (this.#devices.has(lun)) await this.#devices.remove(lun);
      else if (disk === undefined && !this.#unavailable.delete(lun)) this.#noLun('remove', lun);
      if (disk !== undefined) {
        await this.#ask({ kind: 'removeUnit', lun });
        // A load that a guest asked for has ended by that, and gives its image back.
        await this.media.settled(lun);
        this.#disks.delete(lun);
        disk.close();
      }
      this.#state?.removeUnit(lun);
      this.#saveInventory();
      this.#log.write('info', `LUN ${lun} removed`);
    });
  }

  /** Grows a disk to `bytes`; guests are told 2A/09. Throws LunError, DiskFileError. */
  resizeLun(lun: number, bytes: number): Promise<LunStatus> {
    return this.#change(async () => {
      const disk = this.#disks.get(lun) ?? this.#noLun('resize', lun);
      disk.grow(bytes);
      this.#saveInventory();
      await this.#ask({ kind: 'resizeUnit', lun, bytes });
      this.#log.write('info', `LUN ${lun} resized to ${bytes} bytes`);
      return disk.status();
    });
  }

  /**
   * Takes a disk out of standby: locks its image and lets commands at it; guests are told 2A/06. A disk that is not in standby
   * stays as it is. Throws LunError, DiskFileError: somebody else still has the image.
   */
  activateLun(lun: number): Promise<LunStatus> {
    return this.#change(async () => {
      const disk = this.#disks.get(lun) ?? this.#noLun('activate', lun);
      if (!disk.standby) return disk.status();
      disk.activate();
      try {
        // Remembered first: after a restart the image is ours as well.
        this.#saveInventory();
        await this.#ask({ kind: 'activateUnit', lun, bytes: disk.bytes });
      } catch (error) {
        disk.release();
        this.#saveInventory();
        throw error;
      }
      this.#log.write('info', `LUN ${lun} active, ${disk.bytes} bytes`);
      return disk.status();
    });
  }

  /**
   * Puts a disk into standby: when no command touches its image any more and it is flushed, its lock is given back. Throws
   * LunError, ReactorRefusedError (the flush failed; the lock is kept).
   */
  standByLun(lun: number): Promise<LunStatus> {
    return this.#change(async () => {
      const disk = this.#disks.get(lun) ?? this.#noLun('put into standby', lun);
      if (disk.medium !== null) {
        throw new LunError(
          `Cannot put LUN ${lun} into standby: it is removable, media eject gives its image back`,
        );
      }
      if (disk.config.path === null) {
        throw new LunError(
          `Cannot put LUN ${lun} into standby: it is in memory, nobody else can have it`,
        );
      }
      if (disk.standby) return disk.status();
      await this.#ask({ kind: 'standbyUnit', lun });
      disk.release();
      this.#saveInventory();
      this.#log.write('info', `LUN ${lun} in standby, its image is free`);
      return disk.status();
    });
  }

  async guests(): Promise<readonly GuestStatus[]> {
    const value = await this.#ask({ kind: 'guests' });
    return value as readonly GuestStatus[];
  }

  /** Ends the attachment of a guest; its shared memory is let go. */
  async kickGuest(id: number): Promise<void> {
    await this.#ask({ kind: 'kickGuest', id });
  }

  async stats(): Promise<DaemonStats> {
    const reactor = (await this.#ask({ kind: 'stats' })) as ReactorStatus;
    const { user, system } = process.cpuUsage();
    return {
      processId: process.pid,
      uptimeMs: Math.round(performance.now() - this.#startedMs),
      residentBytes: process.memoryUsage.rss(),
      userUs: user,
      systemUs: system,
      controlClients: this.#control?.clients ?? 0,
      reactor,
    };
  }

  /** Replaces the fault-injection rules of a disk; an empty list ends them. */
  async inject(lun: number, rules: readonly InjectRule[]): Promise<void> {
    if (!this.#disks.has(lun)) this.#noLun('inject faults into', lun);
    await this.#ask({ kind: 'inject', lun, rules });
  }

  startTrace(session: ControlSession): Promise<void> {
    return this.#trace.start(session);
  }

  stopTrace(session: ControlSession): Promise<void> {
    return this.#trace.stop(session);
  }

  async #admit(name: string, admitted: boolean): Promise<void> {
    try {
      await this.#ask({ kind: 'admitGuest', name, admitted });
    } catch (error) {
      this.#log.write('warn', `guest "${name}" at the door: ${messageOf(error)}`);
    }
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#choreography.runExclusive(async () => {
      if (this.#stopping !== null) throw new LunError('Cannot change LUNs: the daemon is stopping');
      try {
        return await work();
      } finally {
        this.library.follow();
      }
    });
  }

  #noLun(verb: string, lun: number): never {
    const known = [...this.#disks.keys(), ...this.#devices.luns()].sort((a, b) => a - b).join(', ');
    throw new LunError(
      `Cannot ${verb} LUN ${lun}: there is none; attached are ${known === '' ? 'none' : known}`,
    );
  }

  async #open(): Promise<void> {
    this.#openDisks();
    await this.#startReactor();
    await this.#openPortals();
    await this.#openControl();
  }

  #openDisks(): void {
    const { config } = this.#options;
    const addresses = [...config.listen.map((port) => port.path), config.control].join(' ');
    this.#installation = `${hostId()} ${addresses}`;
    let inventory: Inventory | null = null;
    if (config.state !== null) {
      this.#state = StateDirectory.open(config.state);
      inventory = this.#state.readInventory();
      this.library.open(this.#state);
      this.#installation = inventory?.installation ?? randomUUID();
    }
    const remembered = inventory?.luns ?? [];
    const find = (lun: number) => remembered.find(({ disk }) => disk.lun === lun);
    for (const lun of config.luns) {
      if (lun.type === 'passthrough') this.#devices.open(lun, this.#installation);
      else this.#disks.set(lun.lun, this.#openDisk(lun, find(lun.lun)));
    }
    for (const entry of remembered) {
      const { lun } = entry.disk;
      if (!this.#disks.has(lun) && !this.#devices.has(lun)) this.#openRemembered(entry);
    }
    this.#devices.openRemembered(inventory?.devices ?? [], this.#installation);
    this.#saveInventory();
    this.library.follow();
  }

  /** A LUN that was added at run time must not keep the others from being served. */
  #openRemembered(entry: InventoryEntry): void {
    const { lun } = entry.disk;
    try {
      this.#disks.set(lun, this.#openDisk(entry.disk, entry));
    } catch (error) {
      const why = messageOf(error);
      this.#unavailable.set(lun, { entry, why });
      this.#log.write('error', `LUN ${lun} of the last run is not served: ${why}`);
    }
  }

  #openDisk(config: DiskConfig, remembered: InventoryEntry | undefined): AttachedDisk {
    const { lun } = config;
    if (this.#disks.has(lun) || this.#devices.has(lun)) {
      throw new LunError(
        `Cannot attach LUN ${lun}: there is a LUN of this number, choose another or remove it first`,
      );
    }
    return openDisk({
      config,
      remembered,
      installation: this.#installation,
      others: this.#disks.values(),
      log: this.#log,
    });
  }

  #saveInventory(): void {
    if (this.#state === null) return;
    const attached = [...this.#disks.values()].map(
      (disk): InventoryEntry => ({
        disk: disk.config,
        resizedBytes: disk.resizedBytes,
        serial: disk.identity.serial,
        naa: disk.identity.naa,
        active: disk.config.standby && !disk.standby,
        medium: disk.savedMedium(),
      }),
    );
    const gone = [...this.#unavailable.values()].map(({ entry }) => entry);
    this.#state.writeInventory({
      installation: this.#installation,
      luns: [...attached, ...gone],
      devices: this.#devices.configs(),
    });
  }

  async #startReactor(): Promise<void> {
    const reactor = await this.#options.startReactor({
      name: this.#name,
      managementAddresses: this.#options.config.managementAddresses ?? [],
      onEvent: (event) => this.#onEvent(event),
    });
    this.#reactor = reactor;
    reactor.ended.then((code) => this.#reactorEnded(code)).catch(() => this.#reactorEnded(1));
    await Promise.all([...this.#disks.values()].map((disk) => this.#addToReactor(disk)));
    await this.#devices.serveAll();
    const { listen } = this.#options.config;
    const sockets = listen.filter((port) => port.kind !== 'iscsi');
    await Promise.all(sockets.map((port) => this.#ask({ kind: 'listen', listen: port })));
  }

  async #openPortals(): Promise<void> {
    const { listen, iscsi } = this.#options.config;
    const portals = listen.filter((port) => port.kind === 'iscsi');
    if (portals.length === 0) return;
    this.#iscsi = await IscsiGateway.open({
      listen: portals,
      config: iscsi ?? null,
      name: this.#name,
      listenAt: async (path) => {
        await this.#ask({ kind: 'listen', listen: { kind: 'srp', path } });
      },
      namePort: async (port, transportId) => {
        await this.#ask({ kind: 'namePort', port, transportId });
      },
      luns: () => [...this.#disks.keys(), ...this.#devices.luns()],
      log: (text, level) => this.#log.write(level, text),
    });
  }

  #reactorEnded(code: number): void {
    this.#reactor = null;
    if (this.#stopping !== null) return;
    this.#log.write('error', `the reactor ended by itself with code ${code}: the daemon stops`);
    this.#failed = true;
    void this.stop();
  }

  async #addToReactor(disk: AttachedDisk): Promise<void> {
    const saved = this.#state?.readUnit(disk.config.lun, disk.identity.serial) ?? NOTHING_SAVED;
    await this.#ask({ kind: 'addDisk', disk: disk.spec(saved, this.#state !== null) });
  }

  async #openControl(): Promise<void> {
    const { control } = this.#options.config;
    if (control === null) return;
    const server = new ControlServer({
      path: control,
      handle: (request, session) => executeVerb(this, request, session),
      log: (level, text) => this.#log.write(level, text),
    });
    await server.listen();
    this.#control = server;
  }

  /** Sends a request to the reactor. Throws ReactorRefusedError when it says no. */
  async #ask(request: ReactorRequest): Promise<Extract<ReactorReply, { ok: true }>['value']> {
    if (this.#reactor === null) {
      throw new ReactorRefusedError(
        'ERR_STOPPED',
        `Cannot ask for ${request.kind}: the daemon is stopping`,
      );
    }
    const reply = await this.#reactor.call(request);
    if (!reply.ok) throw new ReactorRefusedError(reply.code, reply.message);
    return reply.value;
  }

  #onEvent(event: ReactorEvent): void {
    switch (event.kind) {
      case 'log':
        this.#log.write(event.level, event.text);
        break;
      case 'guestAttached':
        this.#log.write('info', `guest ${event.guest.id} "${event.guest.name}" attached`);
        break;
      case 'guestLost':
        this.#log.write('info', `guest ${event.id} "${event.name}" left: ${event.why}`);
        break;
      case 'save':
        this.#save(event);
        break;
      case 'mediumEjected':
        this.media.ejected(event.lun, event.generation);
        break;
      case 'mediumWanted':
        this.media.wanted(event.lun);
        break;
      case 'traced':
        this.#trace.publish(event.entries);
        break;
    }
  }

  #save({ ticket, lun, what, bytes }: SaveEvent): void {
    const disk = this.#disks.get(lun);
    const name = `${what === 'pages' ? 'mode pages' : what} of LUN ${lun}`;
    let ok = false;
    if (this.#state !== null && disk !== undefined) {
      try {
        this.#state.writeUnit(lun, disk.identity.serial, what, bytes);
        ok = true;
      } catch (error) {
        this.#log.write('error', `${name} not saved: ${messageOf(error)}`);
      }
    }
    this.#ask({ kind: 'saved', ticket, ok }).catch((error: unknown) => {
      this.#log.write('warn', `${name}: ${messageOf(error)}`);
    });
  }

  async #stop(): Promise<number> {
    // Half of a start cannot be undone: it ends first, well or not.
    await this.#starting.catch(() => undefined);
    const ended = await this.#choreography.runExclusive(async () => {
      await this.#iscsi?.stop(this.#options.graceMs ?? DEFAULT_GRACE_MS);
      const code = await this.#shutDownReactor();
      for (const disk of this.#disks.values()) disk.close();
      await this.#devices.close();
      this.#disks.clear();
      this.library.close();
      this.#state?.close();
      this.#state = null;
      return code;
    });
    await this.#control?.close();
    const exitCode = this.#failed ? 1 : ended;
    this.#end(exitCode);
    return exitCode;
  }

  async #shutDownReactor(): Promise<number> {
    const reactor = this.#reactor;
    if (reactor === null) return 0;
    const graceMs = this.#options.graceMs ?? DEFAULT_GRACE_MS;
    const refused = reactor.call({ kind: 'shutdown', graceMs }).then(
      (reply) => {
        if (!reply.ok) this.#log.write('error', `shutdown: ${reply.message}`);
        return !reply.ok;
      },
      // It ended before it answered: its exit code says how.
      () => false,
    );
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<number>((resolve) => {
      timer = setTimeout(() => resolve(-1), graceMs + SHUTDOWN_SLACK_MS);
    });
    const code = await Promise.race([reactor.ended, tooLong]);
    clearTimeout(timer);
    if (code === -1) {
      this.#log.write('error', 'the reactor did not end in time');
      return 1;
    }
    return code !== 0 || (await refused) ? 1 : 0;
  }
}
