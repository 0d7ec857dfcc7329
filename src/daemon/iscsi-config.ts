/** What the configuration says about iSCSI: portals, the target's name, who may log in and how they prove who they are. */
import {
  type ChapConfig,
  type ChapCredentials,
  MAX_SECRET_BYTES,
  MIN_SECRET_BYTES,
} from '../transport/iscsi/chap.ts';
import { isInitiatorName, isTargetName } from '../transport/iscsi/names.ts';
import { ConfigError, checkKeys } from './known-keys.ts';

export interface IscsiListenConfig {
  readonly kind: 'iscsi';
  /** HOST:PORT as written. */
  readonly path: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface IscsiConfig {
  /** Name of the target; null: made from the name of the daemon. */
  readonly target: string | null;
  /** Names of initiators that may log in; null: all. */
  readonly initiators: readonly string[] | null;
  readonly chap: ChapConfig | null;
}

export const ISCSI_KEYS = ['target', 'initiators', 'chap', 'mutualChap'] as const;
const CHAP_KEYS = ['name', 'secret'] as const;
const ACTION = 'Cannot configure iSCSI';

/** Reads `HOST:PORT`; an IPv6 address stands in brackets. Throws ConfigError. */
export function parsePortal(action: string, text: string): IscsiListenConfig {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? Number.NaN);
  if (host !== undefined && port <= 65535) return { kind: 'iscsi', path: text, host, port };
  throw new ConfigError(
    `${action}: "${text}" is no HOST:PORT, for example iscsi:127.0.0.1:3260 or iscsi:[::1]:3260`,
  );
}

function object(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ConfigError(`${ACTION}: ${what} is no object`);
}

/** Messages never show a secret, nor what stands in its place. */
function readCredentials(key: string, value: unknown): ChapCredentials {
  const raw = object(key, value);
  checkKeys(`${ACTION}: ${key}`, raw, CHAP_KEYS);
  const { name, secret } = raw;
  if (typeof name !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(name)) {
    throw new ConfigError(`${ACTION}: ${key}.name is not 1 to 255 printable ASCII characters`);
  }
  const bytes = typeof secret === 'string' ? Buffer.byteLength(secret) : 0;
  if (typeof secret !== 'string' || bytes < MIN_SECRET_BYTES || bytes > MAX_SECRET_BYTES) {
    throw new ConfigError(
      `${ACTION}: ${key}.secret is not a text of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`,
    );
  }
  return { name, secret };
}

function readChap(raw: Readonly<Record<string, unknown>>): ChapConfig | null {
  const { chap, mutualChap } = raw;
  if (chap === undefined) {
    if (mutualChap === undefined) return null;
    throw new ConfigError(`${ACTION}: mutualChap needs chap, too`);
  }
  const incoming = readCredentials('chap', chap);
  const outgoing = mutualChap === undefined ? null : readCredentials('mutualChap', mutualChap);
  if (outgoing?.secret === incoming.secret) {
    throw new ConfigError(
      `${ACTION}: chap and mutualChap need different secrets (RFC 7143 12.1.3)`,
    );
  }
  return { incoming, outgoing };
}

function readInitiators(value: unknown): readonly string[] | null {
  if (value === undefined) return null;
  const names: unknown[] = Array.isArray(value) ? value : [null];
  return names.map((name) => {
    if (typeof name === 'string' && isInitiatorName(name)) return name;
    throw new ConfigError(`${ACTION}: initiators is no list of initiator names`);
  });
}

/** Reads the `iscsi` object of the configuration file. Throws ConfigError. */
export function readIscsi(value: unknown): IscsiConfig {
  const raw = object('iscsi', value);
  checkKeys(ACTION, raw, ISCSI_KEYS);
  const { target, initiators } = raw;
  if (target !== undefined && (typeof target !== 'string' || !isTargetName(target))) {
    throw new ConfigError(
      `${ACTION}: target is ${JSON.stringify(target)}, a name such as iqn.2026-11.example.org:disks is needed`,
    );
  }
  return {
    target: target ?? null,
    initiators: readInitiators(initiators),
    chap: readChap(raw),
  };
}
