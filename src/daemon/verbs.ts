/** What can be asked over the control socket: each verb checks its arguments and calls the daemon. */

import { isAbsolute } from 'node:path';
import type { Request } from '../transport/control/protocol.ts';
import type { ControlSession } from '../transport/control/server.ts';
import { parseLun, parseSize, readAnyLun } from './config.ts';
import type { Daemon } from './daemon.ts';
import { ConfigError, checkKeys, parseFlag, unknownWord } from './known-keys.ts';
import type { InjectRule } from './reactor-messages.ts';
import type { PortAccess } from './unplug-house.ts';

type Args = Readonly<Record<string, unknown>>;
type Verb = (daemon: Daemon, args: Args, session: ControlSession) => unknown;

const OPERATIONS = ['read', 'write', 'flush', 'discard', 'any', 'calibration', 'close'] as const;
const FAULTS = ['medium', 'full', 'gone', 'read-only'] as const;
const RULE_KEYS = [
  'operation',
  'firstLba',
  'lastLba',
  'fault',
  'delayMs',
  'held',
  'count',
] as const;
const DIRECTIONS = ['read', 'write'] as const;
const WINDOWS = ['fixed', 'legacy'] as const;
const WIDTHS = ['b', 'w', 'l'] as const;
const ACCESS_KEYS = ['direction', 'window', 'port', 'width', 'value'] as const;
const MAX_ACCESSES = 8192;
const MAX_RULES = 64;
const MAX_DELAY_MS = 600_000;

function only(action: string, args: Args, ...known: readonly string[]): Args {
  checkKeys(action, args, known);
  return args;
}

function whole(action: string, key: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw new ConfigError(
    `${action}: ${key} is ${JSON.stringify(value)}, a number from ${least} to ${most} is needed`,
  );
}

function word<const W extends string>(
  action: string,
  key: string,
  value: unknown,
  known: readonly W[],
): W {
  const found = known.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new ConfigError(`${action}: ${unknownWord(key, String(value), known)}`);
}

/** Checks one fault-injection rule that came from outside. Throws ConfigError. */
export function readRule(value: unknown): InjectRule {
  const action = 'Cannot inject faults';
  if (typeof value !== 'object' || value === null) {
    throw new ConfigError(`${action}: ${JSON.stringify(value)} is no rule`);
  }
  const raw: Args = { ...value };
  checkKeys(action, raw, RULE_KEYS);
  const last = Number.MAX_SAFE_INTEGER;
  const { firstLba, lastLba, fault, delayMs, held, count } = raw;
  const rule = {
    operation: word(action, 'operation', raw['operation'], OPERATIONS),
    ...(firstLba == null ? {} : { firstLba: whole(action, 'firstLba', firstLba, 0, last) }),
    ...(lastLba == null ? {} : { lastLba: whole(action, 'lastLba', lastLba, 0, last) }),
    ...(fault == null ? {} : { fault: word(action, 'fault', fault, FAULTS) }),
    ...(delayMs == null ? {} : { delayMs: whole(action, 'delayMs', delayMs, 0, MAX_DELAY_MS) }),
    ...(held === true ? { held } : {}),
    ...(count == null ? {} : { count: whole(action, 'count', count, 1, last) }),
  };
  if (rule.fault === undefined && rule.delayMs === undefined) {
    throw new ConfigError(`${action}: a rule needs a fault, a delay, or both`);
  }
  if (held != null && (held !== true || rule.delayMs === undefined)) {
    throw new ConfigError(`${action}: "held" is true and goes with a delay, it is ${held}`);
  }
  if ((rule.firstLba ?? 0) > (rule.lastLba ?? last)) {
    throw new ConfigError(
      `${action}: first block ${rule.firstLba} lies behind last block ${rule.lastLba}`,
    );
  }
  return rule;
}

function readRules(value: unknown): InjectRule[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_RULES) {
    throw new ConfigError(`Cannot inject faults: a list of 1 to ${MAX_RULES} rules is needed`);
  }
  return value.map(readRule);
}

function addLun(daemon: Daemon, args: Args): unknown {
  const path = args['path'] ?? args['device'];
  if (typeof path === 'string' && !isAbsolute(path)) {
    throw new ConfigError(
      `Cannot attach "${path}": over the control socket a path must be absolute, as the daemon may run elsewhere`,
    );
  }
  return daemon.addLun(readAnyLun(args, '/'));
}

function resizeLun(daemon: Daemon, args: Args): unknown {
  const action = 'Cannot resize a LUN';
  const { lun, size } = only(action, args, 'lun', 'size');
  return daemon.resizeLun(parseLun(action, lun), parseSize(action, 'size', size));
}

function absolutePath(action: string, value: unknown): string {
  const path = text(action, 'path', value);
  if (isAbsolute(path)) return path;
  throw new ConfigError(
    `${action}: "${path}" must be an absolute path over the control socket, as the daemon may run elsewhere`,
  );
}

function addToLibrary({ library }: Daemon, args: Args): unknown {
  const action = 'Cannot add to the library';
  const { path, name, ro } = only(action, args, 'path', 'name', 'ro');
  return library.add({
    path: absolutePath(action, path),
    name: name == null ? null : text(action, 'name', name),
    readOnly: ro == null ? false : parseFlag(action, 'ro', ro),
  });
}

function removeFromLibrary({ library }: Daemon, args: Args): unknown {
  const action = 'Cannot remove from the library';
  return library.remove(text(action, 'name', only(action, args, 'name')['name']));
}

function loadMedium(daemon: Daemon, args: Args): unknown {
  const action = 'Cannot load a medium';
  const known = ['lun', 'path', 'name', 'ro', 'force'];
  const { lun, path, name, ro, force } = only(action, args, ...known);
  if (path != null && name != null) {
    throw new ConfigError(`${action}: path is an image, name one of the library; give one of them`);
  }
  return daemon.media.load({
    lun: parseLun(action, lun),
    path: path == null ? null : absolutePath(action, path),
    name: name == null ? null : text(action, 'name', name),
    readOnly: ro == null ? null : parseFlag(action, 'ro', ro),
    force: force == null ? false : parseFlag(action, 'force', force),
  });
}

function ejectMedium(daemon: Daemon, args: Args): unknown {
  const action = 'Cannot eject a medium';
  const { lun, force, request } = only(action, args, 'lun', 'force', 'request');
  const forced = force == null ? false : parseFlag(action, 'force', force);
  const asks = request == null ? false : parseFlag(action, 'request', request);
  if (forced && asks) {
    throw new ConfigError(`${action}: force takes the medium, request only asks for it`);
  }
  return daemon.media.eject({ lun: parseLun(action, lun), force: forced, request: asks });
}

function setRules(daemon: Daemon, args: Args): unknown {
  const action = 'Cannot inject faults';
  const { lun, rules } = only(action, args, 'lun', 'rules');
  return daemon.inject(parseLun(action, lun), readRules(rules));
}

function readGuestName(what: string, args: Args): string {
  const action = `Cannot ${what}`;
  return text(action, 'guest', only(action, args, 'guest')['guest']);
}

function text(action: string, key: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new ConfigError(`${action}: ${key} is ${JSON.stringify(value)}, a text is needed`);
}

/** Checks one port access that came from outside. Throws ConfigError. */
function readAccess(raw: unknown): PortAccess {
  const action = 'Cannot access a port';
  if (typeof raw !== 'object' || raw === null) {
    throw new ConfigError(`${action}: ${JSON.stringify(raw)} is no access`);
  }
  const access: Args = { ...raw };
  checkKeys(action, access, ACCESS_KEYS);
  const { window = 'fixed', value = 0 } = access;
  return {
    direction: word(action, 'direction', access['direction'], DIRECTIONS),
    window: word(action, 'window', window, WINDOWS),
    port: whole(action, 'port', access['port'], 0, 0xffff),
    width: word(action, 'width', access['width'], WIDTHS),
    value: whole(action, 'value', value, 0, 0xffffffff),
  };
}

function accessPorts(daemon: Daemon, args: Args): unknown {
  const action = 'Cannot access a port';
  const { guest, accesses } = only(action, args, 'guest', 'accesses');
  if (!Array.isArray(accesses) || accesses.length > MAX_ACCESSES) {
    throw new ConfigError(`${action}: a list of at most ${MAX_ACCESSES} accesses is needed`);
  }
  return daemon.unplug.access(text(action, 'guest', guest), accesses.map(readAccess));
}

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['daemon.info', (daemon, args) => only('Cannot tell', args) && daemon.info()],
  [
    'daemon.stop',
    (daemon) => {
      // The answer goes out first.
      setImmediate(() => void daemon.stop());
      return null;
    },
  ],
  ['guest.kick', (daemon, args) => daemon.kickGuest(readGuest(args))],
  ['guest.list', (daemon) => daemon.guests()],
  ['inject.clear', (daemon, args) => daemon.inject(readOnlyLun('clear faults', args), [])],
  ['inject.set', setRules],
  ['library.add', addToLibrary],
  ['library.list', (daemon, args) => only('Cannot list media', args) && daemon.library.list()],
  ['library.remove', removeFromLibrary],
  ['lun.activate', (daemon, args) => daemon.activateLun(readOnlyLun('activate a LUN', args))],
  ['lun.add', addLun],
  ['lun.list', (daemon) => daemon.luns()],
  ['lun.remove', (daemon, args) => daemon.removeLun(readOnlyLun('remove a LUN', args))],
  ['lun.resize', resizeLun],
  ['lun.standby', (daemon, args) => daemon.standByLun(readOnlyLun('put a LUN into standby', args))],
  ['media.eject', ejectMedium],
  ['media.list', (daemon, args) => only('Cannot list media', args) && daemon.media.list()],
  ['media.load', loadMedium],
  ['media.lock', (daemon, args) => daemon.media.lock(readOnlyLun('lock a medium', args), true)],
  [
    'media.unlock',
    (daemon, args) => daemon.media.lock(readOnlyLun('unlock a medium', args), false),
  ],
  ['stats', (daemon) => daemon.stats()],
  ['trace.start', (daemon, _args, session) => daemon.startTrace(session)],
  ['unplug.access', accessPorts],
  ['unplug.list', (daemon) => daemon.unplug.status()],
  ['unplug.reset', (daemon, args) => daemon.unplug.reset(readGuestName('reset a guest', args))],
  [
    'unplug.restart',
    (daemon, args) => daemon.unplug.restart(readGuestName('restart a guest', args)),
  ],
  [
    'unplug.settled',
    (daemon, args) => daemon.unplug.settled(readGuestName('wait for a guest', args)),
  ],
  ['trace.stop', (daemon, _args, session) => daemon.stopTrace(session)],
]);

function readGuest(args: Args): number {
  const action = 'Cannot detach a guest';
  return whole(action, 'id', only(action, args, 'id')['id'], 0, 2 ** 32 - 1);
}

function readOnlyLun(what: string, args: Args): number {
  const action = `Cannot ${what}`;
  return parseLun(action, only(action, args, 'lun')['lun']);
}

/** Carries out one request. Rejects with ConfigError (arguments, unknown verb) or what the daemon throws. */
export async function executeVerb(
  daemon: Daemon,
  request: Request,
  session: ControlSession,
): Promise<unknown> {
  const verb = VERBS.get(request.verb);
  if (verb === undefined) {
    const known = unknownWord('verb', request.verb, [...VERBS.keys()]);
    throw new ConfigError(`Cannot do what was asked: ${known}`);
  }
  return await verb(daemon, request.args, session);
}
