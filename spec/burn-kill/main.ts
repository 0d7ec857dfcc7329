/**
 * `npm run test:burn-kill [-- --seed N] [--kills N] [--only KIND]`: a daemon is killed (SIGKILL) at a random point of what a host does with a
 * disc, again and again, on every kind of medium and in every way of writing, erasing and closing that it has: the disc is legal, every
 * session whose end was answered and every block that was synchronized is there, what was interrupted is damaged, and the daemon comes
 * back with the disc, which a host goes on with. Exits 1 on a loss, and when a way was never killed in.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { createBurnStore } from '../../src/luns/disc/burn-store.ts';
import { isMediumKind, MEDIUM_KINDS, type MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { goOn, WAYS, type Way, type World, waysBefore } from './acts.ts';
import { lossOf, Promises } from './promises.ts';

/** How long a way is thought to take before one has ended. */
const FIRST_GUESS_MS = 40;
/** Most kills more, for ways that were never killed in. */
const MOST_MORE = 30;
/** Most ways before the one that is killed in. */
const MOST_BEFORE = 2;

interface Tally {
  /** Kills in the middle of it, and behind its end. */
  within: number;
  behind: number;
  /** How long it takes. */
  ms: number;
}

const tallies = new Map<string, Tally>();

function tallyOf(kind: MediumKind, name: string): Tally {
  const key = `${kind}: ${name}`;
  const tally = tallies.get(key) ?? { within: 0, behind: 0, ms: FIRST_GUESS_MS };
  tallies.set(key, tally);
  return tally;
}

/** Some operations take less than a timer can tell. */
async function after(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
}

async function connected(daemon: DaemonProcess, world: Omit<World, 'a'>) {
  const initiator = await openInitiator({
    connect: daemon.connect,
    name: 'burn-kill',
    reconnect: false,
  });
  const a = new TestInitiator(initiator, 0);
  await a.attentions();
  return { initiator, world: { ...world, a } };
}

let discs = 0;

/** Kills the daemon in the middle of what a host does; returns what is lost, or null. */
async function killOnce(
  daemon: DaemonProcess,
  kind: MediumKind,
  name: string,
  random: Seeded,
): Promise<string | null> {
  discs += 1;
  const path = daemon.path(`disc-${discs}`);
  createBurnStore(path, kind);
  await daemon.call('media.load', { lun: 0, path, force: true });
  const promises = new Promises();
  const first = await connected(daemon, { kind, random, promises, serial: 0 });
  const before = waysBefore(kind, name);
  for (let i = random.below(MOST_BEFORE + 1); i > 0 && before.length > 0; i -= 1) {
    const { prepare, act } = before[random.below(before.length)] as Way;
    await prepare?.(first.world);
    await act(first.world);
  }
  const { prepare, act } = WAYS[kind][name] as Way;
  await prepare?.(first.world);
  const tally = tallyOf(kind, name);
  const began = performance.now();
  const ended = act(first.world).then(
    () => {
      tally.ms = (tally.ms + performance.now() - began) / 2;
      return null;
    },
    (error: unknown) => String(error),
  );
  await after((random.below(1100) / 1000) * tally.ms);
  await daemon.kill();
  const why = await ended;
  if (why === null) tally.behind += 1;
  else tally.within += 1;
  await first.initiator.close().catch(() => undefined);
  const loss = lossOf(path, promises);
  await daemon.restart();
  if (why !== null && /: [0-9a-f]\//.test(why)) return `it was refused before the kill: ${why}`;
  const [drive] = (await daemon.call('media.list')) as MediaStatus[];
  rmSync(daemon.path(`disc-${discs - 1}`), { force: true });
  if (drive?.path !== path || drive.disc?.kind !== kind) return 'the daemon came back without it';
  if (loss !== null) return loss;
  const again = await connected(daemon, first.world);
  const wrong = await goOn(again.world).catch((error: unknown) => String(error));
  await again.initiator.close().catch(() => undefined);
  return wrong;
}

/** Kills in every way of a kind of medium, in turn; returns how many losses there were. */
async function killIn(
  daemon: DaemonProcess,
  kind: MediumKind,
  kills: number,
  random: Seeded,
): Promise<number> {
  const names = Object.keys(WAYS[kind]);
  let losses = 0;
  let done = 0;
  const kill = async (name: string): Promise<void> => {
    const loss = await killOnce(daemon, kind, name, random);
    if (loss !== null) {
      losses += 1;
      process.stdout.write(`${kind}, kill ${done}, ${name}: ${loss}\n`);
    }
    done += 1;
  };
  // With few kills it is not always the same ways.
  const first = random.below(names.length);
  for (let i = 0; i < kills; i += 1) await kill(names[(first + i) % names.length] as string);
  const untouched = (): string[] => names.filter((name) => tallyOf(kind, name).within === 0);
  // Some ways take so little time that a kill mostly comes behind them: with many kills each has one in its middle.
  const most = kills >= 5 * names.length ? kills + MOST_MORE : kills;
  for (let [name] = untouched(); name !== undefined && done < most; [name] = untouched()) {
    await kill(name);
  }
  const ways = names.map((name) => {
    const { within, behind } = tallyOf(kind, name);
    return `${name} ${within}/${within + behind}`;
  });
  process.stdout.write(
    `${kind}: ${done} kills, ${losses} losses; in the middle of: ${ways.join(', ')}\n`,
  );
  if (most > kills && untouched().length > 0) {
    process.stdout.write(`${kind}: never killed in the middle of ${untouched().join(', ')}\n`);
    return losses + 1;
  }
  return losses;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      kills: { type: 'string', default: '100' },
      only: { type: 'string' },
    },
  });
  const { only } = values;
  const kinds = only !== undefined && isMediumKind(only) ? [only] : MEDIUM_KINDS;
  process.stdout.write(`seed ${values.seed}\n`);
  const random = new Seeded(Number(values.seed));
  const daemon = await DaemonProcess.start(['0:burner'], [], ['--state', 'state']);
  let losses = 0;
  for (const kind of kinds) losses += await killIn(daemon, kind, Number(values.kills), random);
  await daemon.end();
  return losses === 0 ? 0 : 1;
}

process.exitCode = await main();
