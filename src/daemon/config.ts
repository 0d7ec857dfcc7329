/** The configuration: LUN and listen specifications of the command line and the JSON file, which say the same. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MAX_LUN } from '../scsi/lun.ts';
import type { ManagementAddress } from '../scsi/management-address.ts';
import { MEDIUM_KINDS, type MediumKind } from '../scsi/mmc/burn/media.ts';
import type { ProtectionType } from '../scsi/sbc/protection/information.ts';
import { PLACES, type Place } from '../unplug/selection.ts';
import {
  type IscsiConfig,
  type IscsiListenConfig,
  parsePortal,
  readIscsi,
} from './iscsi-config.ts';
import { ConfigError, checkKeys, parseFlag, unknownWord } from './known-keys.ts';
import { readManagementAddresses } from './management-config.ts';
import { MEDIA_KEYS, type MediaConfig, mediaObject, OPTICAL, readMedia } from './media-config.ts';
import {
  BURNER_KEYS,
  CDROM_KEYS,
  type OpticalConfig,
  opticalObject,
  readOpticalKeys,
} from './optical-config.ts';
import {
  PASSTHROUGH_KEYS,
  type PassthroughConfig,
  passthroughObject,
  readPassthrough,
} from './passthrough-config.ts';

/** A LUN: what is stored in images, or a real device. */
export type LunConfig = DiskConfig | PassthroughConfig;

export type DeviceTypeName = (typeof DEVICE_TYPES)[number];

/** Bytes of a block; 2048 are those of discs. */
export type BlockBytes = 512 | 2048 | 4096;

export interface DiskConfig extends MediaConfig, OpticalConfig {
  readonly lun: number;
  /** `cdrom`: an optical drive that reads discs; `burner`: one that writes them, too. Their other properties are those of such discs (`OPTICAL`). */
  readonly type: DeviceTypeName;
  /** Image file or block device, absolute; null for a memory disk, and for a drive that begins without a medium. */
  readonly path: string | null;
  /** What the recordable disc of a burner has to be, and is made as when it is missing; absent: whatever it is. */
  readonly media?: MediumKind;
  /** Bytes of a memory disk; null for the others. */
  readonly memoryBytes: number | null;
  /** Key file of an encrypted image, absolute; null: it is not encrypted. */
  readonly keyPath: string | null;
  /** Bytes the image is created with when it does not exist; null: it must exist. */
  readonly sizeBytes: number | null;
  readonly readOnly: boolean;
  readonly blockBytes: BlockBytes;
  /** Bytes of a physical block, which the guest is told to align to; not less than a logical one. */
  readonly physicalBlockBytes: BlockBytes;
  /** Unit serial number; null: derived from the name of the target and what is behind the disk. */
  readonly serial: string | null;
  readonly cache: 'writeback' | 'writethrough';
  /** Whether space is given back; null: when the backing store can. */
  readonly thin: boolean | null;
  /** Type of the protection information that the image has with each block; 0: none. */
  readonly protectionType: ProtectionType;
  /** The medium can be removed: guests may eject, load and lock it. */
  readonly removable: boolean;
  /** Somebody else, a QEMU that emulates a disk, owns the image at first: `takeover` or `lun activate` ends that. */
  readonly standby: boolean;
}

/** Transports of guests: what they share with the daemon is a unix socket. */
export type ListenKind = 'srp' | 'vhost-user';

/** Unix socket at which guests attach; absolute. */
export interface SocketListenConfig {
  readonly kind: ListenKind;
  readonly path: string;
}

export type ListenConfig = SocketListenConfig | IscsiListenConfig;

/** One device that a QEMU emulates for a guest, and the LUN that takes over from it: a row of the path map. */
export interface EmulatedConfig {
  /** Whatever the hypervisor calls the guest. */
  readonly guest: string;
  /** Id of the device in QEMU. */
  readonly device: string;
  /** Where it sits, by which unplug masks select it. */
  readonly at: Place;
  /** Monitor of the guest's QEMU, absolute. */
  readonly qmp: string;
  /** LUN over the same image; null for a NIC or a CD drive. */
  readonly lun: number | null;
}

export interface DaemonConfig {
  /** State directory; null: nothing is kept. */
  readonly state: string | null;
  /** Control socket; null: none. */
  readonly control: string | null;
  readonly listen: readonly ListenConfig[];
  readonly luns: readonly LunConfig[];
  /** Emulated devices of guests and what takes over from them; absent: none. */
  readonly emulated?: readonly EmulatedConfig[];
  /** Directory with a file PRODUCT/BUILD for each driver that must not load, absolute; null or absent: none. */
  readonly driverBlacklist?: string | null;
  /** Where people manage the daemon, told to initiators; absent: nowhere that is told. */
  readonly managementAddresses?: readonly ManagementAddress[];
  /** The iSCSI target; absent: all defaults. */
  readonly iscsi?: IscsiConfig;
}

/** Everything a LUN specification can say. The schema in docs/config.schema.json lists the same keys. */
export const DISK_KEYS = [
  'lun',
  'type',
  'path',
  'key',
  'memory',
  'size',
  'ro',
  'block',
  'physical',
  'serial',
  'cache',
  'thin',
  'protection',
  'removable',
  'standby',
  ...MEDIA_KEYS,
] as const;
export const CONFIG_KEYS = [
  '$schema',
  'state',
  'control',
  'listen',
  'luns',
  'emulated',
  'driverBlacklist',
  'managementAddresses',
  'iscsi',
] as const;
export const EMULATED_KEYS = ['guest', 'device', 'at', 'qmp', 'lun'] as const;
const DEVICE_TYPES = ['disk', 'cdrom', 'burner'] as const;
/** What a LUN can be. */
const LUN_TYPES = [...DEVICE_TYPES, 'passthrough'] as const;
const KEYS = {
  disk: DISK_KEYS,
  cdrom: CDROM_KEYS,
  burner: BURNER_KEYS,
  passthrough: PASSTHROUGH_KEYS,
} as const;
const LISTEN_KINDS = ['srp', 'vhost-user', 'iscsi'] as const;
const CACHE_MODES = ['writeback', 'writethrough'] as const;

const UNITS: ReadonlyMap<string, number> = new Map(
  ['', 'K', 'M', 'G', 'T'].flatMap((prefix, power) => [
    [prefix, 1024 ** power],
    [`${prefix}iB`, 1024 ** power],
    [`${prefix}B`, prefix === '' ? 1 : 1000 ** power],
  ]),
);

/** Bytes: a number, or a string such as 512, 64K, 256M, 1G, 2T, 1GiB (powers of 1024) or 1GB (powers of 1000). */
export function parseSize(action: string, key: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  const match = typeof text === 'string' ? /^(\d+) ?([A-Za-z]*)$/.exec(text) : null;
  const unit = UNITS.get(match?.[2] ?? '') ?? UNITS.get((match?.[2] ?? '').toUpperCase());
  const bytes = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new ConfigError(
      `${action}: ${key} is ${JSON.stringify(value)}, a size above 0 such as 512K, 256M, 1G or 2T is needed`,
    );
  }
  return bytes;
}

function parseText(action: string, key: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw new ConfigError(`${action}: ${key} is ${JSON.stringify(value)}, a text is needed`);
}

/** One of a few words; `what` names the kind of thing in the message. */
function parseWord<const W extends string>(
  action: string,
  what: string,
  value: unknown,
  known: readonly W[],
): W {
  const found = known.find((word) => word === value);
  if (found !== undefined) return found;
  throw new ConfigError(`${action}: ${unknownWord(what, String(value), known)}`);
}

/** A LUN: 0 to 16383. */
export function parseLun(action: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  const lun = typeof text === 'string' && /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (lun >= 0 && lun <= MAX_LUN) return lun;
  throw new ConfigError(`${action}: LUN is ${JSON.stringify(value)}, 0 to ${MAX_LUN} is possible`);
}

function parseBlock(action: string, name: string, value: unknown): 512 | 4096 {
  const bytes = Number(value);
  if (bytes === 512 || bytes === 4096) return bytes;
  throw new ConfigError(`${action}: ${name} is ${JSON.stringify(value)}, 512 or 4096 is possible`);
}

function parseProtection(action: string, value: unknown): ProtectionType {
  const type = Number(value);
  if (type === 1 || type === 2 || type === 3) return type;
  throw new ConfigError(
    `${action}: protection is ${JSON.stringify(value)}, the types 1, 2 and 3 are possible`,
  );
}

/** With protection information blocks follow each other without a gap: no physical block is a multiple of them. */
function parseBlocks(
  action: string,
  raw: Readonly<Record<string, unknown>>,
): Pick<DiskConfig, 'blockBytes' | 'physicalBlockBytes' | 'protectionType'> {
  const { block, physical, protection } = raw;
  const protectionType = protection === undefined ? 0 : parseProtection(action, protection);
  const blockBytes = block === undefined ? 512 : parseBlock(action, 'block', block);
  const unsaid = protectionType === 0 ? 4096 : blockBytes;
  const physicalBlockBytes =
    physical === undefined ? unsaid : parseBlock(action, 'physical', physical);
  if (protectionType !== 0 && physicalBlockBytes !== blockBytes) {
    throw new ConfigError(
      `${action}: with protection a physical block is a block, physical=${physicalBlockBytes} does not go with block=${blockBytes}`,
    );
  }
  if (physicalBlockBytes >= blockBytes) return { blockBytes, physicalBlockBytes, protectionType };
  throw new ConfigError(
    `${action}: a physical block of ${physicalBlockBytes} bytes is smaller than the block of ${blockBytes}`,
  );
}

function parseSerial(action: string, value: unknown): string {
  const serial = typeof value === 'number' ? String(value) : value;
  if (typeof serial === 'string' && /^[\x21-\x7e]{1,32}$/.test(serial)) return serial;
  throw new ConfigError(
    `${action}: serial is ${JSON.stringify(value)}, 1 to 32 printable ASCII characters without spaces are needed`,
  );
}

function parseBacking(
  action: string,
  raw: Readonly<Record<string, unknown>>,
  directory: string,
): Pick<DiskConfig, 'path' | 'keyPath' | 'memoryBytes' | 'sizeBytes'> {
  const { path, key, memory, size } = raw;
  const empty = path === undefined && memory === undefined;
  if (empty ? raw['removable'] === undefined : path !== undefined && memory !== undefined) {
    throw new ConfigError(`${action}: a disk needs either path=FILE or memory=SIZE`);
  }
  if (empty && (size ?? key) !== undefined) {
    throw new ConfigError(`${action}: ${size === undefined ? 'key' : 'size'} goes with path=FILE`);
  }
  if (empty) return { path: null, keyPath: null, memoryBytes: null, sizeBytes: null };
  if (memory === undefined) {
    return {
      path: resolve(directory, parseText(action, 'path', path)),
      keyPath: key === undefined ? null : resolve(directory, parseText(action, 'key', key)),
      memoryBytes: null,
      sizeBytes: size === undefined ? null : parseSize(action, 'size', size),
    };
  }
  if (size !== undefined) {
    throw new ConfigError(
      `${action}: memory=SIZE is the size of a memory disk, size does not go with it`,
    );
  }
  if (key !== undefined) {
    throw new ConfigError(
      `${action}: a memory disk is gone with the daemon, there is nothing to encrypt, key does not go with it`,
    );
  }
  const memoryBytes = parseSize(action, 'memory', memory);
  return { path: null, keyPath: null, memoryBytes, sizeBytes: null };
}

/** What does not go together. Throws ConfigError. */
function checkTogether(action: string, disk: DiskConfig): void {
  if (disk.keyPath !== null && disk.protectionType !== 0) {
    throw new ConfigError(
      `${action}: a disk with protection has no key, holes of an encrypted image are no formatted blocks`,
    );
  }
  if (disk.thin === true && disk.protectionType !== 0) {
    throw new ConfigError(`${action}: a disk with protection is never thin`);
  }
  if (disk.path === null && disk.memoryBytes === null && !disk.removable) {
    throw new ConfigError(`${action}: a disk needs either path=FILE or memory=SIZE`);
  }
  if (disk.standby && disk.removable) {
    throw new ConfigError(
      `${action}: standby does not go with removable, the image of a removable disk is given back by media eject`,
    );
  }
  if (disk.standby && disk.path === null) {
    throw new ConfigError(
      `${action}: a memory disk has no image that somebody else could own, standby does not go with it`,
    );
  }
  if (disk.keyPath !== null && (disk.standby || disk.removable)) {
    const other = disk.standby ? 'standby' : 'removable';
    const why = disk.standby
      ? 'its owner could not read it'
      : 'a medium is changed, its key is not';
    throw new ConfigError(`${action}: ${other} does not go with key, ${why}`);
  }
  const bytes = disk.memoryBytes ?? disk.sizeBytes;
  if (bytes !== null && bytes % disk.blockBytes !== 0) {
    throw new ConfigError(
      `${action}: ${bytes} bytes is no multiple of the block of ${disk.blockBytes} bytes`,
    );
  }
}

function readOptical(
  action: string,
  { lun, type }: { readonly lun: number; readonly type: 'cdrom' | 'burner' },
  raw: Readonly<Record<string, unknown>>,
  directory: string,
): DiskConfig {
  const { path, serial, media } = raw;
  if (media !== undefined && path === undefined) {
    throw new ConfigError(`${action}: media goes with path=FILE, where the blank medium is kept`);
  }
  return {
    lun,
    type,
    readOnly: type === 'cdrom',
    ...(media === undefined ? {} : { media: parseWord(action, 'medium', media, MEDIUM_KINDS) }),
    path: path === undefined ? null : resolve(directory, parseText(action, 'path', path)),
    serial: serial === undefined ? null : parseSerial(action, serial),
    ...readMedia(action, raw, true),
    ...readOpticalKeys(action, raw),
    ...OPTICAL,
  };
}

/**
 * Reads the object form of a LUN: what the configuration file has and the control socket carries.
 * Relative paths start at `directory`. Throws ConfigError.
 */
export function readLun(raw: Readonly<Record<string, unknown>>, directory: string): DiskConfig {
  const lun = parseLun('Cannot configure a LUN', raw['lun']);
  const action = `Cannot configure LUN ${lun}`;
  const type = parseWord(action, 'device type', raw['type'], DEVICE_TYPES);
  checkKeys(action, raw, KEYS[type]);
  if (type !== 'disk') return readOptical(action, { lun, type }, raw, directory);
  const { ro, serial, cache, thin, removable, standby } = raw;
  const isRemovable = removable === undefined ? false : parseFlag(action, 'removable', removable);
  const disk: DiskConfig = {
    lun,
    type,
    ...parseBacking(action, raw, directory),
    readOnly: ro === undefined ? false : parseFlag(action, 'ro', ro),
    ...parseBlocks(action, raw),
    serial: serial === undefined ? null : parseSerial(action, serial),
    cache: cache === undefined ? 'writeback' : parseWord(action, 'cache mode', cache, CACHE_MODES),
    thin: thin === undefined ? null : parseFlag(action, 'thin', thin),
    removable: isRemovable,
    ...readMedia(action, raw, isRemovable),
    standby: standby === undefined ? false : parseFlag(action, 'standby', standby),
  };
  checkTogether(action, disk);
  return disk;
}

/** Reads the object form of a LUN of any type. Relative paths start at `directory`. Throws ConfigError. */
export function readAnyLun(raw: Readonly<Record<string, unknown>>, directory: string): LunConfig {
  const lun = parseLun('Cannot configure a LUN', raw['lun']);
  const type = parseWord(`Cannot configure LUN ${lun}`, 'device type', raw['type'], LUN_TYPES);
  return type === 'passthrough' ? readPassthrough(lun, raw, directory) : readLun(raw, directory);
}

/** The object form `readAnyLun` reads. */
export function anyLunObject(config: LunConfig): Record<string, unknown> {
  return config.type === 'passthrough' ? passthroughObject(config) : lunObject(config);
}

/** The object form `readLun` reads, of a LUN that was read: what goes over the control socket and into the inventory. */
export function lunObject(disk: DiskConfig): Record<string, unknown> {
  const raw: Record<string, unknown> = { lun: disk.lun, type: disk.type };
  if (disk.path !== null) raw['path'] = disk.path;
  if (disk.serial !== null) raw['serial'] = disk.serial;
  Object.assign(raw, mediaObject(disk), opticalObject(disk));
  if (disk.media !== undefined) raw['media'] = disk.media;
  if (disk.type !== 'disk') return raw;
  raw['ro'] = disk.readOnly;
  raw['block'] = disk.blockBytes;
  raw['physical'] = disk.physicalBlockBytes;
  raw['cache'] = disk.cache;
  if (disk.keyPath !== null) raw['key'] = disk.keyPath;
  if (disk.memoryBytes !== null) raw['memory'] = disk.memoryBytes;
  if (disk.sizeBytes !== null) raw['size'] = disk.sizeBytes;
  if (disk.thin !== null) raw['thin'] = disk.thin;
  if (disk.protectionType !== 0) raw['protection'] = disk.protectionType;
  if (disk.removable) raw['removable'] = true;
  if (disk.standby) raw['standby'] = true;
  return raw;
}

/** Cuts at single commas; a doubled one stands for itself (as in QEMU's options). */
function splitCommas(text: string): string[] {
  return (text.match(/(?:[^,]|,,)+/g) ?? []).map((part) => part.replaceAll(',,', ','));
}

/** The object form of `N:TYPE,key=value,flag,…`. Throws ConfigError. */
function lunObjectOf(spec: string): Record<string, unknown> {
  const action = `Cannot read LUN "${spec}"`;
  const [head = '', ...options] = splitCommas(spec);
  const colon = head.indexOf(':');
  if (colon < 0) {
    throw new ConfigError(`${action}: it begins with NUMBER:TYPE, for example 0:disk,path=./a.img`);
  }
  const type = parseWord(action, 'device type', head.slice(colon + 1), LUN_TYPES);
  const raw: Record<string, unknown> = { lun: parseLun(action, head.slice(0, colon)), type };
  const known = KEYS[type].slice(2);
  for (const option of options) {
    const equals = option.indexOf('=');
    const key = equals < 0 ? option : option.slice(0, equals);
    checkKeys(action, { [key]: true }, known);
    if (key in raw) throw new ConfigError(`${action}: ${key} is there twice`);
    raw[key] = equals < 0 ? true : option.slice(equals + 1);
  }
  return raw;
}

/** Reads `N:disk,path=FILE,size=1G,ro,…` or `N:cdrom,path=FILE`. Relative paths start at `directory`. Throws ConfigError. */
export function parseLunSpec(spec: string, directory: string): DiskConfig {
  return readLun(lunObjectOf(spec), directory);
}

/** The same for a LUN of any type, `N:passthrough,device=NODE` as well. */
export function parseAnyLunSpec(spec: string, directory: string): LunConfig {
  return readAnyLun(lunObjectOf(spec), directory);
}

/** Reads the object form of a row of the path map. Relative paths start at `directory`. Throws ConfigError. */
export function readEmulated(
  raw: Readonly<Record<string, unknown>>,
  directory: string,
): EmulatedConfig {
  const start = 'Cannot configure an emulated device';
  const guest = parseText(start, 'guest', raw['guest']);
  const device = parseText(start, 'device', raw['device']);
  const action = `${start}: "${guest}/${device}"`;
  checkKeys(action, raw, EMULATED_KEYS);
  const at = parseWord(action, 'place', raw['at'], PLACES);
  const withoutLun = at === 'nic' || at === 'cd' || at === 'scsi-cd';
  if (withoutLun !== (raw['lun'] === undefined)) {
    throw new ConfigError(
      `${action}: ${withoutLun ? `at=${at} is never taken over, lun does not go with it` : 'lun=N is missing'}`,
    );
  }
  const qmp = resolve(directory, parseText(action, 'qmp', raw['qmp']));
  return { guest, device, at, qmp, lun: withoutLun ? null : parseLun(action, raw['lun']) };
}

/** Reads `GUEST/DEVICE,at=PLACE,qmp=SOCKET,lun=N`. Relative paths start at `directory`. Throws ConfigError. */
export function parseEmulatedSpec(spec: string, directory: string): EmulatedConfig {
  const action = `Cannot read emulated device "${spec}"`;
  const [head = '', ...options] = splitCommas(spec);
  const slash = head.lastIndexOf('/');
  if (slash < 0) {
    throw new ConfigError(
      `${action}: it begins with GUEST/DEVICE, for example vm1/emu0,at=scsi,qmp=./vm1.qmp,lun=0`,
    );
  }
  const raw: Record<string, unknown> = {
    guest: head.slice(0, slash),
    device: head.slice(slash + 1),
  };
  for (const option of options) {
    const [key = '', value = ''] = option.split(/=(.*)/s, 2);
    checkKeys(action, { [key]: true }, EMULATED_KEYS.slice(2));
    if (key in raw) throw new ConfigError(`${action}: ${key} is there twice`);
    raw[key] = value;
  }
  return readEmulated(raw, directory);
}

/** Reads `srp:PATH`, `vhost-user:PATH` or `iscsi:HOST:PORT`. Relative paths start at `directory`. Throws ConfigError. */
export function parseListenSpec(spec: string, directory: string): ListenConfig {
  const action = `Cannot read port "${spec}"`;
  const colon = spec.indexOf(':');
  if (colon < 0) {
    throw new ConfigError(
      `${action}: srp:SOCKET, vhost-user:SOCKET or iscsi:HOST:PORT is needed, for example srp:./a.sock`,
    );
  }
  const kind = parseWord(action, 'port', spec.slice(0, colon), LISTEN_KINDS);
  const place = spec.slice(colon + 1);
  if (kind === 'iscsi') return parsePortal(action, place);
  return { kind, path: resolve(directory, parseText(action, 'path', place)) };
}

function list(action: string, key: string, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new ConfigError(`${action}: ${key} is ${JSON.stringify(value)}, a list is needed`);
}

function object(action: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ConfigError(`${action}: ${JSON.stringify(value)} is there, an object is needed`);
}

/** Reads the text of a configuration file; `path` is for messages and relative paths. Throws ConfigError. */
export function parseConfig(text: string, path: string): DaemonConfig {
  const action = `Cannot read configuration "${path}"`;
  const directory = dirname(resolve(path));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${action}: ${error instanceof Error ? error.message : 'no JSON'}`);
  }
  const raw = object(action, parsed);
  checkKeys(action, raw, CONFIG_KEYS);
  const place = (key: string, value: unknown): string | null =>
    value === undefined ? null : resolve(directory, parseText(action, key, value));
  return {
    state: place('state', raw['state']),
    control: place('control', raw['control']),
    listen: list(action, 'listen', raw['listen']).map((spec) =>
      parseListenSpec(parseText(action, 'listen', spec), directory),
    ),
    luns: list(action, 'luns', raw['luns']).map((lun) =>
      readAnyLun(object(action, lun), directory),
    ),
    emulated: list(action, 'emulated', raw['emulated']).map((one) =>
      readEmulated(object(action, one), directory),
    ),
    driverBlacklist: place('driverBlacklist', raw['driverBlacklist']),
    ...(raw['managementAddresses'] === undefined
      ? {}
      : { managementAddresses: readManagementAddresses(raw['managementAddresses']) }),
    ...(raw['iscsi'] === undefined ? {} : { iscsi: readIscsi(raw['iscsi']) }),
  };
}

/** Reads a configuration file. Throws ConfigError. */
export function readConfigFile(path: string): DaemonConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `Cannot read configuration "${path}": ${error instanceof Error ? error.message : 'failed'}`,
    );
  }
  return parseConfig(text, path);
}

/** The file with the options of the command line on top: lists grow, single values are replaced. Throws ConfigError. */
export function mergeConfig(file: DaemonConfig | null, options: DaemonConfig): DaemonConfig {
  const merged: DaemonConfig = {
    state: options.state ?? file?.state ?? null,
    control: options.control ?? file?.control ?? null,
    listen: [...(file?.listen ?? []), ...options.listen],
    luns: [...(file?.luns ?? []), ...options.luns],
    emulated: [...(file?.emulated ?? []), ...(options.emulated ?? [])],
    driverBlacklist: options.driverBlacklist ?? file?.driverBlacklist ?? null,
    ...(file?.managementAddresses === undefined
      ? {}
      : { managementAddresses: file.managementAddresses }),
    ...(file?.iscsi === undefined ? {} : { iscsi: file.iscsi }),
  };
  checkTwice(
    merged.luns.map((lun) => lun.lun),
    (lun) => `Cannot configure LUN ${lun}: it is there twice, give one of them another number`,
  );
  checkTwice(
    merged.listen.map((port) => port.path),
    (path) => `Cannot listen at "${path}": it is there twice`,
  );
  checkTwice(
    (merged.emulated ?? []).map(({ guest, device }) => `${guest}/${device}`),
    (device) => `Cannot configure an emulated device: "${device}" is there twice`,
  );
  return merged;
}

function checkTwice<T>(values: readonly T[], message: (value: T) => string): void {
  values.forEach((value, i) => {
    if (values.indexOf(value) !== i) throw new ConfigError(message(value));
  });
}
