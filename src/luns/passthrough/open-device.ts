/** Opening a real SCSI device in the main thread: finds its nodes, keeps others away, and asks it who it is. */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { close, createEventFd, errorName, sgIo } from '../../libc.ts';
import { GOOD } from '../../scsi/sam.ts';
import { FROM_DEVICE } from './device.ts';
import type { DeviceThreadData } from './device-thread.ts';
import { movedBytes } from './line.ts';
import { outcomeOf } from './outcome.ts';
import { type DeviceConnection, newSharedWords, RequestMemory } from './sg-link.ts';
import { type DeviceInquiry, FILTERS } from './unit.ts';

export class DeviceError extends Error {
  readonly code = 'ERR_DEVICE';
}

/** Longest transfer that is tried; longer ones go in parts. */
const MAX_LIMIT_BYTES = 512 * 1024;
const MIN_LIMIT_BYTES = 32 * 1024;
const PAGE_BYTES = 4096;
const KIB = 1024;
const SECTOR_BYTES = 512;
const INQUIRY_MS = 10_000;
const INQUIRY_BYTES = 0xff;
const SHORT_INQUIRY_BYTES = 36;
const VITAL_BYTES = 0x0fff;
const TYPE_MASK = 0x1f;
const QUALIFIER_MASK = 0xe0;
const SERIAL_PAGE = 0x80;
const FIRST_PAGE = 0x00;
const PAGE_HEADER_BYTES = 4;

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function readAttribute(...path: readonly string[]): string | null {
  try {
    return readFileSync(join(...path), 'latin1').trim();
  } catch {
    return null;
  }
}

function namesIn(...path: readonly string[]): string[] {
  try {
    return readdirSync(join(...path));
  } catch {
    return [];
  }
}

/** A SCSI device in sysfs, under whichever of its nodes it was named. */
export interface DeviceNodes {
  /** Its directory in sysfs. */
  readonly device: string;
  /** What it is called as sr, sd or st … of the block layer, if it is. */
  readonly block: string | null;
}

function major(device: number): number {
  return ((device >> 8) & 0xfff) | 0;
}
function minor(device: number): number {
  return (device & 0xff) | ((device >> 12) & 0xfff00);
}

/** Throws DeviceError. */
function nodesOf(action: string, path: string, sysfs: string): DeviceNodes {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    throw new DeviceError(
      `${action} cannot be opened: ${errnoOf(error)}; give a node such as /dev/sg1`,
    );
  }
  if (!stats.isBlockDevice() && !stats.isCharacterDevice()) {
    throw new DeviceError(
      `${action} is no device node; give one such as /dev/sg1 or /dev/sr0, an image file belongs into path= of another type`,
    );
  }
  const kind = stats.isBlockDevice() ? 'block' : 'char';
  const numbers = `${major(stats.rdev)}:${minor(stats.rdev)}`;
  let device: string;
  try {
    device = realpathSync(join(sysfs, 'dev', kind, numbers, 'device'));
  } catch {
    throw new DeviceError(
      `${action} is no SCSI device: the kernel knows none of ${kind} ${numbers}`,
    );
  }
  // Every SCSI device has its peripheral device type and its level there.
  if (readAttribute(device, 'type') === null || readAttribute(device, 'scsi_level') === null) {
    throw new DeviceError(`${action} is no SCSI device, but one of another kind`);
  }
  return { device, block: namesIn(device, 'block')[0] ?? null };
}

/** Segments of one transfer by the adapter above a device, that is the host of HOST/TARGET/DEVICE; 0: it does not say. */
function adapterSegments(device: string): number {
  const host = join(device, '..', '..');
  return Number(readAttribute(host, 'scsi_host', basename(host), 'sg_tablesize') ?? 0);
}

/** Longest transfer that the host takes: of its adapter, and of buffers that lie in single pages. */
export function limitOf({ device, block }: DeviceNodes): number {
  const queue = join(device, 'block', block ?? '', 'queue');
  const number = (name: string): number =>
    block === null ? 0 : Number(readAttribute(queue, name) ?? 0);
  // USB devices have a limit of their own, in sectors.
  const sectors = Number(readAttribute(device, 'max_sectors') ?? 0);
  const adapter = number('max_hw_sectors_kb') * KIB || sectors * SECTOR_BYTES || MAX_LIMIT_BYTES;
  const pages = (number('max_segments') || adapterSegments(device)) * PAGE_BYTES || MIN_LIMIT_BYTES;
  const limit = Math.min(MAX_LIMIT_BYTES, adapter, pages);
  return limit - (limit % PAGE_BYTES);
}

const REMEDIES: Readonly<Record<string, string>> = {
  EBUSY: 'is mounted or otherwise in use; unmount it, or end the program that has it',
  EACCES:
    'may not be opened for reading and writing; run the daemon as root, or as a user of the group of the node',
  EPERM: 'may not be opened here; containers need to be given the device',
  EROFS: 'can only be read; passthrough needs it for writing',
  ENXIO: 'has nothing behind it; was it unplugged?',
  ENODEV: 'has nothing behind it; was it unplugged?',
};

function openNode(action: string, path: string): number {
  // O_NONBLOCK: without a disc too, and the tray stays where it is. O_EXCL: not when it is mounted.
  const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_EXCL;
  try {
    return openSync(path, flags);
  } catch (error) {
    const errno = errnoOf(error);
    throw new DeviceError(`${action} ${REMEDIES[errno] ?? `cannot be opened: ${errno}`}`);
  }
}

interface Asker {
  readonly fd: number;
  readonly memory: RequestMemory;
}

/** INQUIRY, at once; null when the device refuses it. Throws DeviceError when SG_IO does not work. */
function ask(
  action: string,
  { fd, memory }: Asker,
  page: number | null,
  bytes: number,
): Uint8Array | null {
  const isVital = page === null ? 0 : 1;
  const cdb = Uint8Array.of(0x12, isVital, page ?? 0, bytes >> 8, bytes & 0xff, 0);
  memory.write({ cdb, direction: FROM_DEVICE, length: bytes, timeoutMs: INQUIRY_MS });
  const errno = -sgIo(fd, memory.address);
  if (errno !== 0) {
    throw new DeviceError(`${action} takes no SCSI commands (SG_IO: ${errorName(errno)})`);
  }
  const reply = memory.read(0);
  if (outcomeOf(reply).status !== GOOD) return null;
  return memory.data.slice(0, movedBytes(bytes, reply));
}

function askPages(action: string, asker: Asker): ReadonlyMap<number, Uint8Array> {
  const vital = new Map<number, Uint8Array>();
  const list = ask(action, asker, FIRST_PAGE, INQUIRY_BYTES);
  // A device without them answers with its standard data, or with nothing.
  if (list === null || list.length < PAGE_HEADER_BYTES || list[1] !== FIRST_PAGE) return vital;
  const listed = ((list[2] as number) << 8) | (list[3] as number);
  for (const page of list.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + listed)) {
    const bytes = page === FIRST_PAGE ? list : ask(action, asker, page, VITAL_BYTES);
    if (bytes === null || bytes.length < PAGE_HEADER_BYTES || bytes[1] !== page) continue;
    const length = PAGE_HEADER_BYTES + (((bytes[2] as number) << 8) | (bytes[3] as number));
    vital.set(page, bytes.slice(0, length));
  }
  return vital;
}

function askInquiry(action: string, fd: number): DeviceInquiry {
  const memory = new RequestMemory(PAGE_BYTES);
  try {
    const asker = { fd, memory };
    const standard =
      ask(action, asker, null, INQUIRY_BYTES) ?? ask(action, asker, null, SHORT_INQUIRY_BYTES);
    if (standard === null || standard.length < SHORT_INQUIRY_BYTES) {
      throw new DeviceError(`${action} does not say what it is (INQUIRY)`);
    }
    const first = standard[0] as number;
    const type = first & TYPE_MASK;
    if ((first & QUALIFIER_MASK) !== 0)
      throw new DeviceError(`${action} has no logical unit behind it`);
    if (!FILTERS.has(type)) {
      const known = 'disks, tape drives, CD/DVD drives and medium changers are passed through';
      throw new DeviceError(
        `${action} is of peripheral device type ${type.toString(16)}h; ${known}`,
      );
    }
    const bytes = Math.min(standard.length, (standard[4] as number) + 5);
    return { standard: standard.slice(0, bytes), vital: askPages(action, asker) };
  } finally {
    memory.free();
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, ' ')
    .trim();

/** Unit serial number of VPD page 80h; empty: the device has none. */
export function serialOfDevice({ vital }: DeviceInquiry): string {
  return latin1(vital.get(SERIAL_PAGE)?.subarray(PAGE_HEADER_BYTES) ?? new Uint8Array(0));
}

/** Vendor, product and revision, as the standard data has them. */
export function namesOfDevice({ standard }: DeviceInquiry): {
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
} {
  return {
    vendor: latin1(standard.subarray(8, 16)),
    product: latin1(standard.subarray(16, 32)),
    revision: latin1(standard.subarray(32, 36)),
  };
}

export interface OpenDeviceOptions {
  readonly lun: number;
  readonly path: string;
  /** Told of what could be better. */
  readonly warn: (text: string) => void;
  readonly sysfs?: string;
}

export class OpenedDevice {
  readonly inquiry: DeviceInquiry;
  readonly connection: DeviceConnection;
  readonly #fds: readonly number[];
  readonly #thread: Worker;
  readonly #restorePolling: () => void;

  private constructor(parts: {
    readonly inquiry: DeviceInquiry;
    readonly limitBytes: number;
    readonly fds: readonly number[];
    readonly restorePolling: () => void;
  }) {
    this.inquiry = parts.inquiry;
    this.#fds = parts.fds;
    this.#restorePolling = parts.restorePolling;
    const doneFd = createEventFd();
    const shared = newSharedWords();
    this.connection = { shared, doneFd, limitBytes: parts.limitBytes };
    const workerData: DeviceThreadData = { shared, fd: parts.fds[0] as number, doneFd };
    this.#thread = new Worker(new URL('./device-thread.js', import.meta.url), { workerData });
    this.#thread.on('error', () => undefined);
  }

  /** Opens it for as long as the unit lives. Throws DeviceError; nothing is open then. */
  static open({ lun, path, warn, sysfs = '/sys' }: OpenDeviceOptions): OpenedDevice {
    const action = `Cannot attach LUN ${lun}: "${path}"`;
    const nodes = nodesOf(action, path, sysfs);
    const fds = [openNode(action, path)];
    try {
      const { block } = nodes;
      // Named by its sg node: its block node is held as well, which keeps mounts away.
      if (block !== null && block !== basename(realpathSync(path))) {
        const other = join('/dev', block);
        if (statSync(other, { throwIfNoEntry: false })?.isBlockDevice() === true) {
          fds.push(openNode(`Cannot attach LUN ${lun}: "${path}", which is ${other},`, other));
        }
      }
      const inquiry = askInquiry(action, fds[0] as number);
      const restorePolling = stopPolling(nodes, warn);
      return new OpenedDevice({ inquiry, limitBytes: limitOf(nodes), fds, restorePolling });
    } catch (error) {
      for (const fd of fds) closeSync(fd);
      throw error;
    }
  }

  /** The reactor has let go of it (`SgLink.close`), or never had it: ends the thread, closes everything. */
  async close(): Promise<void> {
    await this.#thread.terminate();
    close(this.connection.doneFd);
    this.#restorePolling();
    for (const fd of this.#fds) closeSync(fd);
  }
}

/** The kernel polls drives whose medium can be removed, and takes their events: not while they are ours. */
function stopPolling({ device, block }: DeviceNodes, warn: (text: string) => void): () => void {
  if (block === null) return () => undefined;
  const path = join(device, 'block', block, 'events_poll_msecs');
  const before = readAttribute(path);
  if (before === null || before === '0') return () => undefined;
  try {
    writeFileSync(path, '0');
  } catch (error) {
    warn(
      `the kernel goes on polling ${block} (${errnoOf(error)}): it may take events of the drive`,
    );
    return () => undefined;
  }
  return () => {
    try {
      writeFileSync(path, before);
    } catch (error) {
      // The device may be gone by now.
      warn(`the kernel does not poll ${block} again (${errnoOf(error)})`);
    }
  };
}
