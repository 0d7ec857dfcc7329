/** What travels over a QMP socket: the commands and events used here, typed as QEMU's QAPI schema has them (7.2 on). */

/** `query-status`. */
export interface RunState {
  readonly running: boolean;
  readonly status: string;
}

/** An image as the block layer sees it (`ImageInfo`), the fields used here. */
export interface ImageInfo {
  readonly filename: string;
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'backing-image'?: ImageInfo;
}

/** One node of the block graph (`BlockDeviceInfo`), the fields used here. */
export interface BlockNode {
  readonly file: string;
  readonly 'node-name'?: string;
  readonly ro: boolean;
  readonly drv: string;
  readonly image: ImageInfo;
  readonly cache: {
    readonly writeback: boolean;
    readonly direct: boolean;
    readonly 'no-flush': boolean;
  };
}

/** One block backend (`BlockInfo`), the fields used here. */
export interface BlockBackend {
  /** Name of the backend; empty when it was made for `-device …,drive=NODE`. */
  readonly device: string;
  /** Path or id of the device that uses it. */
  readonly qdev?: string;
  readonly inserted?: BlockNode;
}

/** One property of an object (`ObjectPropertyInfo`). */
export interface ObjectProperty {
  readonly name: string;
  readonly type: string;
}

/** One property a device can be given (`ObjectPropertyInfo` of `device-list-properties`). */
export interface DeviceProperty extends ObjectProperty {
  readonly 'default-value'?: unknown;
}

/** One block job (`BlockJobInfo`), the fields used here. */
export interface BlockJob {
  readonly type: string;
  readonly device: string;
}

type Nothing = Readonly<Record<string, never>>;

/** Arguments and value of the commands used here. */
export interface QmpCommands {
  readonly qmp_capabilities: { arguments: Nothing; value: Nothing };
  readonly 'query-status': { arguments: Nothing; value: RunState };
  readonly 'query-block': { arguments: Nothing; value: readonly BlockBackend[] };
  readonly 'query-block-jobs': { arguments: Nothing; value: readonly BlockJob[] };
  readonly 'query-named-block-nodes': {
    arguments: { readonly flat?: boolean };
    value: readonly BlockNode[];
  };
  readonly 'query-block-exports': {
    arguments: Nothing;
    value: readonly { readonly id: string; readonly 'node-name': string }[];
  };
  readonly 'device-list-properties': {
    arguments: { readonly typename: string };
    value: readonly DeviceProperty[];
  };
  readonly 'qom-list': {
    arguments: { readonly path: string };
    value: readonly ObjectProperty[];
  };
  readonly 'qom-get': {
    arguments: { readonly path: string; readonly property: string };
    value: unknown;
  };
  readonly stop: { arguments: Nothing; value: Nothing };
  readonly cont: { arguments: Nothing; value: Nothing };
  readonly quit: { arguments: Nothing; value: Nothing };
  readonly device_del: { arguments: { readonly id: string }; value: Nothing };
  readonly device_add: {
    arguments: { readonly driver: string; readonly id?: string; readonly [key: string]: unknown };
    value: Nothing;
  };
  readonly 'blockdev-add': {
    arguments: { readonly driver: string; readonly [key: string]: unknown };
    value: Nothing;
  };
  readonly 'blockdev-del': { arguments: { readonly 'node-name': string }; value: Nothing };
  readonly 'human-monitor-command': {
    arguments: { readonly 'command-line': string };
    value: string;
  };
}

export type QmpCommand = keyof QmpCommands;

/** The version in the greeting. */
export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
  /** What the distribution added, for example ` (Debian 1:7.2+dfsg-7)`. */
  readonly package: string;
}

/** Something QEMU tells unasked. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When it happened, in milliseconds since 1970. */
  readonly timestampMs: number;
}

export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: QemuVersion }
  | { readonly kind: 'event'; readonly event: QmpEvent }
  | { readonly kind: 'return'; readonly id: number | null; readonly value: unknown }
  | {
      readonly kind: 'error';
      readonly id: number | null;
      readonly errorClass: string;
      readonly text: string;
    };

type Fields = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf(message: Fields): number | null {
  const id = message['id'];
  return typeof id === 'number' ? id : null;
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function readVersion(greeting: unknown): QemuVersion {
  const version = isMap(greeting) && isMap(greeting['version']) ? greeting['version'] : {};
  const qemu = isMap(version['qemu']) ? version['qemu'] : {};
  const suffix = version['package'];
  return {
    major: count(qemu['major']),
    minor: count(qemu['minor']),
    micro: count(qemu['micro']),
    package: typeof suffix === 'string' ? suffix.trim() : '',
  };
}

function readEvent(name: string, message: Fields): QmpEvent {
  const { data, timestamp } = message;
  const time = isMap(timestamp) ? timestamp : {};
  return {
    event: name,
    data: isMap(data) ? data : {},
    timestampMs: count(time['seconds']) * 1000 + Math.floor(count(time['microseconds']) / 1000),
  };
}

/**
 * Strings of a JSON text, its whole numbers that a double may not hold, and what QEMU's `%.17g` prints for doubles that
 * JSON has no word for. The digits after a point are no whole number.
 */
const SPECIAL = /"(?:[^"\\]|\\.)*"|(?<![\w.+-])-?(?:\d{16,}(?![\d.eE])|inf\b|nan\b)/g;
/** Stands in front of the digits of such a number; QEMU sends no control characters in strings. */
const MARK = '\u0001';

/** JSON with 64-bit numbers (WWNs, offsets) exact: those a double cannot hold become bigints. A rate without a value is null. */
function parseExact(text: string): unknown {
  const marked = text.replace(SPECIAL, (match) => {
    if (match.startsWith('"')) return match;
    if (/[a-z]/.test(match)) return 'null';
    return Number.isSafeInteger(Number(match)) ? match : `"\\u0001${match}"`;
  });
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(1)) : value,
  );
}

/** One line of JSON; bigints are written as the numbers they are. */
export function encodeCommand(command: string, args: Fields, id: number): string {
  const text = JSON.stringify({ execute: command, arguments: args, id }, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${MARK}${value}` : value,
  );
  return `${text.replace(/"\\u0001(-?\d+)"/g, '$1')}\n`;
}

/** Reads one line of a QMP socket; null when it is no message of QEMU. */
export function readQmpMessage(line: string): QmpMessage | null {
  let message: unknown;
  try {
    message = parseExact(line);
  } catch {
    return null;
  }
  if (!isMap(message)) return null;
  const { QMP: greeting, event, error } = message;
  if (greeting !== undefined) return { kind: 'greeting', version: readVersion(greeting) };
  if (typeof event === 'string') return { kind: 'event', event: readEvent(event, message) };
  if ('return' in message) return { kind: 'return', id: idOf(message), value: message['return'] };
  if (!isMap(error)) return null;
  const { class: errorClass, desc } = error;
  if (typeof errorClass !== 'string' || typeof desc !== 'string') return null;
  return { kind: 'error', id: idOf(message), errorClass, text: desc };
}
