/** What the demo shows, step by step; every step checks what it says. */
import type { TargetIdentity } from '../initiator/initiator.ts';
import { senseText } from '../scsi/sense-text.ts';
import type { Cast } from './demo-cast.ts';
import { DISC_STEPS } from './demo-disc-steps.ts';
import type { OrderedOutcome, UnitDescription } from './demo-guest.ts';
import type { Stage } from './demo-stage.ts';
import { check, type Shown, type Step } from './demo-step.ts';

const MIB = 2 ** 20;
const DISK_BYTES = 256 * MIB;
const MEMORY_BYTES = 64 * MIB;
const HOT_BYTES = 16 * MIB;
const DATA_BYTES = 64 * MIB;
const DEPTH = 32;
/** Where the steps after the big one work: in the first disk, beyond the data. */
const ORDERED_LBA = DATA_BYTES / 512 + 2048;
const ABORT_LBA = 4096;
const SLOW_MS = 300;
const HANG_MS = 20_000;
const RUNNING_MS = 5000;
const LOOK_MS = 5;

interface Stats {
  readonly reactor: {
    readonly commands: number;
    readonly units: readonly {
      readonly lun: number;
      readonly commands: number;
      readonly bytesRead: number;
      readonly bytesWritten: number;
      readonly checkConditions: number;
      readonly outstanding: number;
    }[];
    readonly guests: readonly { readonly name: string }[];
  };
}

const mib = (bytes: number): string => `${bytes / MIB} MiB`;

async function daemon({ cast }: Stage): Promise<Shown> {
  await cast.startDaemon([
    `0:disk,path=disk.img,size=${DISK_BYTES}`,
    `1:disk,memory=${MEMORY_BYTES}`,
  ]);
  const luns = await cast.control<{ lun: number; bytes: number }[]>('lun.list');
  check(luns.length === 2, `the daemon has ${luns.length} LUNs instead of 2`);
  const processId = cast.daemonProcessId;
  return {
    text: `process ${processId} serves LUN 0 (file, ${mib(DISK_BYTES)}) and LUN 1 (memory, ${mib(MEMORY_BYTES)})`,
    facts: { processId, luns: luns.map(({ lun, bytes }) => ({ lun, bytes })) },
  };
}

async function login({ cast, first }: Stage): Promise<Shown> {
  await first.call({ kind: 'login', connect: cast.connect, name: first.name });
  const guests = await cast.control<{ name: string; processId: number }[]>('guest.list');
  const [there] = guests;
  check(guests.length === 1 && there?.name === first.name, 'the daemon does not see the guest');
  check(there.processId === first.processId, 'the daemon sees another process');
  return {
    text: `${first.name} (process ${first.processId}) shares its memory and logs in over SRP`,
    facts: { guest: first.name, processId: first.processId },
  };
}

async function adapterInfo({ first }: Stage): Promise<Shown> {
  const target = await first.call<TargetIdentity | null>({ kind: 'identify' });
  check(target !== null && target.srpVersion === '16.a', 'the target does not say who it is');
  check(target.partitionName === 'demo', `the target calls itself "${target.partitionName}"`);
  const { partitionName, srpVersion, maxTransferBytes } = target;
  return {
    text: `"${partitionName}" speaks SRP ${srpVersion}, at most ${mib(maxTransferBytes)} a command`,
    facts: { partitionName, srpVersion, maxTransferBytes },
  };
}

async function inventory({ first }: Stage): Promise<Shown> {
  const units = await first.call<UnitDescription[]>({ kind: 'inventory' });
  const [disk, memory] = units;
  check(units.length === 2 && disk !== undefined && memory !== undefined, 'not two LUNs');
  check(disk.blocks * disk.blockBytes === DISK_BYTES, `LUN 0 has ${disk.blocks} blocks`);
  check(memory.blocks * memory.blockBytes === MEMORY_BYTES, `LUN 1 has ${memory.blocks} blocks`);
  const line = (unit: UnitDescription): string =>
    `LUN ${unit.lun} ${unit.vendor} ${unit.product}, ${unit.blocks} blocks of ${unit.blockBytes}`;
  return { text: units.map(line).join('; '), facts: { units } };
}

async function fillAndCompare({ first }: Stage): Promise<Shown> {
  const work = { lun: 0, bytes: DATA_BYTES, depth: DEPTH } as const;
  const writeMs = await first.call<number>({ kind: 'fill', ...work });
  const readMs = await first.call<number>({ kind: 'compare', ...work });
  const speed = (ms: number): number => Math.round(DATA_BYTES / MIB / (ms / 1000));
  const facts = {
    bytes: DATA_BYTES,
    depth: DEPTH,
    writeMibPerSecond: speed(writeMs),
    readMibPerSecond: speed(readMs),
  };
  return {
    text: `${mib(DATA_BYTES)} written and flushed at ${facts.writeMibPerSecond} MiB/s, read back at ${facts.readMibPerSecond} MiB/s, depth ${DEPTH}: every block where it belongs`,
    facts,
  };
}

async function ordered({ cast, first }: Stage): Promise<Shown> {
  const slow = { operation: 'write', firstLba: ORDERED_LBA, lastLba: ORDERED_LBA };
  await cast.control('inject.set', { lun: 0, rules: [{ ...slow, delayMs: SLOW_MS }] });
  const { order } = await first.call<OrderedOutcome>({
    kind: 'ordered',
    lun: 0,
    slowLba: ORDERED_LBA,
  });
  await cast.control('inject.clear', { lun: 0 });
  const at = (name: string): number => order.indexOf(name);
  check(order.length === 10, `${order.length} of 10 writes ended`);
  check(at('simple') < at('slow simple'), 'the quick SIMPLE writes waited for the slow one');
  check(at('ordered') === 8, 'the ORDERED write did not wait for every older one');
  check(at('younger simple') === 9, 'a younger SIMPLE write overtook the ORDERED one');
  return {
    text: '7 SIMPLE writes passed a slow one; the ORDERED write waited for all, the younger one for it',
    facts: { order },
  };
}

/** Waits until `count` commands are in the task set of a LUN. */
async function running(cast: Cast, lun: number, count: number, untilMs: number): Promise<void> {
  const { reactor } = await cast.control<Stats>('stats');
  if (reactor.units.find((unit) => unit.lun === lun)?.outstanding === count) return;
  check(performance.now() < untilMs, `no command runs on LUN ${lun}`);
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await running(cast, lun, count, untilMs);
}

async function abort({ cast, first }: Stage): Promise<Shown> {
  const rule = { operation: 'write', firstLba: ABORT_LBA, lastLba: ABORT_LBA, delayMs: HANG_MS };
  await cast.control('inject.set', { lun: 0, rules: [rule] });
  await first.call({ kind: 'hang', lun: 0, lba: ABORT_LBA });
  await running(cast, 0, 1, performance.now() + RUNNING_MS);
  const { ms, message } = await first.call<{ ms: number; message: string }>({
    kind: 'abort',
    lun: 0,
    lba: ABORT_LBA,
  });
  await cast.control('inject.clear', { lun: 0 });
  check(message === 'WRITE(10) was aborted by task management', message);
  check(ms < HANG_MS / 2, `the abort took ${ms} ms`);
  await running(cast, 0, 0, performance.now() + RUNNING_MS);
  return {
    text: `a WRITE(10) that would have run ${HANG_MS / 1000} s ended in ${ms.toFixed(1)} ms and wrote nothing`,
    facts: { abortMs: ms, message },
  };
}

async function outOfRange({ first }: Stage): Promise<Shown> {
  const failure = await first.call<{
    message: string;
    key: number;
    asc: number;
    ascq: number;
    blocks: number;
  }>({ kind: 'outOfRange', lun: 0 });
  const { key, asc, ascq, message, blocks } = failure;
  check(key === 5 && asc === 0x21 && ascq === 0, `wrong sense: ${message}`);
  check(message.includes('LOGICAL BLOCK ADDRESS OUT OF RANGE'), `no words: ${message}`);
  check(message.endsWith(`at LBA ${blocks}`), `no LBA: ${message}`);
  return { text: message, facts: failure };
}

async function reset({ cast, first, second }: Stage): Promise<Shown> {
  await second.call({ kind: 'login', connect: cast.connect, name: second.name });
  const atLogin = await second.call<string[]>({ kind: 'attentions', lun: 0 });
  await first.call({ kind: 'reset', lun: 0 });
  const after = await second.call<string[]>({ kind: 'attentions', lun: 0 });
  const expected = senseText(6, 0x29, 0x03);
  check(after.length === 1 && after[0] === expected, `${second.name} saw ${after.join(', ')}`);
  const own = await first.call<string[]>({ kind: 'attentions', lun: 0 });
  check(own.includes(expected), `${first.name} saw ${own.join(', ')}`);
  return {
    text: `${first.name} resets LUN 0, ${second.name} (process ${second.processId}) sees ${expected}`,
    facts: { atLogin, after },
  };
}

async function hotAdd({ cast, first, second }: Stage): Promise<Shown> {
  await cast.control('lun.add', { lun: 2, type: 'disk', memory: HOT_BYTES });
  const expected = senseText(6, 0x3f, 0x0e);
  const seen = await first.call<string[]>({ kind: 'attentions', lun: 0 });
  check(seen.length === 1 && seen[0] === expected, `${first.name} saw ${seen.join(', ')}`);
  const luns = await second.call<number[]>({ kind: 'luns' });
  check(luns.join() === '0,1,2', `${second.name} sees LUNs ${luns.join()}`);
  const units = await first.call<UnitDescription[]>({ kind: 'inventory' });
  const added = units.find(({ lun }) => lun === 2);
  check(added !== undefined, `${first.name} does not see LUN 2`);
  check(added.blocks * added.blockBytes === HOT_BYTES, `LUN 2 has ${added.blocks} blocks`);
  return { text: `LUN 2 added: ${expected}; both guests list 0, 1, 2`, facts: { seen, luns } };
}

async function statistics({ cast }: Stage): Promise<Shown> {
  const { reactor } = await cast.control<Stats>('stats');
  const disk = reactor.units.find(({ lun }) => lun === 0);
  check(disk !== undefined, 'no statistics of LUN 0');
  check(disk.bytesWritten >= DATA_BYTES, `${disk.bytesWritten} bytes written`);
  check(disk.bytesRead >= DATA_BYTES, `${disk.bytesRead} bytes read`);
  check(disk.outstanding === 0, `${disk.outstanding} commands are still there`);
  check(reactor.guests.length === 2, `${reactor.guests.length} guests`);
  const { commands, bytesRead, bytesWritten, checkConditions } = disk;
  return {
    text: `LUN 0 did ${commands} commands, ${(bytesRead / MIB).toFixed(1)} MiB read, ${(bytesWritten / MIB).toFixed(1)} MiB written, ${checkConditions} CHECK CONDITIONs`,
    facts: { commands: reactor.commands, units: reactor.units },
  };
}

async function stop({ cast, first, second }: Stage): Promise<Shown> {
  await Promise.all([first, second].map((guest) => guest.call({ kind: 'logout' })));
  const exitCode = await cast.stopDaemon();
  check(exitCode === 0, `the daemon ended with exit code ${exitCode}`);
  return {
    text: 'both guests log out, the daemon flushes and ends with exit code 0',
    facts: { exitCode },
  };
}

export const STEPS: readonly Step<Stage>[] = [
  { name: 'daemon', run: daemon },
  { name: 'login', run: login },
  { name: 'adapter info', run: adapterInfo },
  { name: 'inventory', run: inventory },
  { name: 'write and compare', run: fillAndCompare },
  { name: 'ordered write', run: ordered },
  { name: 'abort', run: abort },
  { name: 'out of range', run: outOfRange },
  { name: 'reset', run: reset },
  { name: 'hot add', run: hotAdd },
  ...DISC_STEPS,
  { name: 'statistics', run: statistics },
  { name: 'stop', run: stop },
];
