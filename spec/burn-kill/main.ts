/**
 * `npm run test:burn-kill [-- --seed N] [--kills N] [--only KIND]`: a daemon is killed (SIGKILL) at a random point of a burn, again and again,
 * on every kind of medium: the disc is legal, every session whose end was answered and every block that was synchronized is there,
 * and the daemon comes back with it. Exits 1 on a loss.
 */
import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { createBurnStore, openBurnStore, SECTORS_AT } from '../../src/luns/disc/burn-store.ts';
import {
  factsOf,
  isMediumKind,
  MEDIUM_KINDS,
  type MediumKind,
} from '../../src/scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import { SECTOR, SYNCHRONIZE_CACHE, select, write } from '../support/burn-commands.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';
import { Seeded } from '../transport/control/seeded.ts';

const CLOSE_TRACK = '5b 00 01 00 00 ff 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
const FORMATS: Partial<Record<MediumKind, string>> = {
  'dvd+rw': '0000000800230540 98000000',
  'bd-re': '0000000800b48000 00000800',
};
const LATEST_KILL_MS = 60;
const BLOCKS_AT_ONCE = 32;

/** What the daemon has promised: sessions, and of a run of blocks the number of the write that was synchronized last. */
interface Promised {
  sessions: number;
  readonly blocks: Map<number, number>;
}

function dataOf(serial: number): Uint8Array {
  const data = new Uint8Array(BLOCKS_AT_ONCE * SECTOR);
  for (let at = 0; at < data.length; at += SECTOR) {
    data.fill(serial & 0xff, at, at + SECTOR);
    new DataView(data.buffer).setUint32(at, serial);
  }
  return data;
}

/** Ends the burn when a command does not end well: the daemon is gone. */
function need(what: string, answer: string): void {
  if (answer !== '') throw new Error(`${what}: ${answer}`);
}

async function nextWritable(a: TestInitiator): Promise<number> {
  const result = await a.run('52 01 00 00 00 ff 00 00 24 00', { dataInBytes: 36 });
  need('READ TRACK INFORMATION', sense(result));
  return Buffer.from(result.dataIn).readUInt32BE(12);
}

/** Burns session after session. */
async function burnSessions(a: TestInitiator, kind: MediumKind, promised: Promised): Promise<void> {
  need('MODE SELECT', await select(a, factsOf(kind).family === 'cd' ? '41c408' : '40c408'));
  for (let serial = 1; ; serial += 1) {
    const first = await nextWritable(a);
    need('WRITE', await write(a, first, dataOf(serial)));
    for (const cdb of [SYNCHRONIZE_CACHE, CLOSE_TRACK, CLOSE_SESSION]) {
      need(cdb, sense(await a.run(cdb)));
    }
    promised.sessions += 1;
    promised.blocks.set(first, serial);
  }
}

/** Writes here and there. */
async function overwrite(
  a: TestInitiator,
  kind: MediumKind,
  promised: Promised,
  random: Seeded,
): Promise<void> {
  const format = FORMATS[kind];
  if (format !== undefined) {
    const dataOut = Buffer.from(format.replaceAll(' ', ''), 'hex');
    need('FORMAT UNIT', sense(await a.run('04 11 00 00 00 00', { dataOut })));
  }
  for (let serial = 1; ; serial += 1) {
    const first = random.below(8) * BLOCKS_AT_ONCE;
    need('WRITE', await write(a, first, dataOf(serial)));
    need('SYNCHRONIZE CACHE', sense(await a.run(SYNCHRONIZE_CACHE)));
    promised.blocks.set(first, serial);
  }
}

/** What is wrong with the disc, or null. */
function lossOf(path: string, promised: Promised): string | null {
  const { state } = openBurnStore(path);
  if (state.sessions.length < promised.sessions) {
    return `${state.sessions.length} of ${promised.sessions} sessions are there`;
  }
  const disc = new RecordableDisc(state, SECTORS_AT);
  const fd = openSync(path, 'r');
  try {
    for (const [first, serial] of promised.blocks) {
      for (let i = 0; i < BLOCKS_AT_ONCE; i += 1) {
        const found = Buffer.alloc(SECTOR);
        readSync(fd, found, 0, SECTOR, disc.positionOf(first + i));
        const wrote = found.readUInt32BE(0);
        // What was written later may be there, too.
        if (wrote < serial || found[SECTOR - 1] !== (wrote & 0xff) || disc.runAt(first) === null) {
          return `block ${first + i} has write ${wrote}, not ${serial}`;
        }
      }
    }
    return null;
  } finally {
    closeSync(fd);
  }
}

let discs = 0;

/** Kills the daemon in the middle of one burn; returns what is lost, or null. */
async function killOnce(
  daemon: DaemonProcess,
  kind: MediumKind,
  random: Seeded,
  sum: Promised,
): Promise<string | null> {
  discs += 1;
  const path = daemon.path(`disc-${discs}`);
  createBurnStore(path, kind);
  await daemon.call('media.load', { lun: 0, path, force: true });
  const initiator = await openInitiator({
    connect: daemon.connect,
    name: 'burn-kill',
    reconnect: false,
  });
  const a = new TestInitiator(initiator, 0);
  await a.attentions();
  const promised: Promised = { sessions: 0, blocks: new Map() };
  const isFree = factsOf(kind).overwrite === 'formatted';
  const burn = isFree ? overwrite(a, kind, promised, random) : burnSessions(a, kind, promised);
  const ended = burn.then(
    () => null,
    (error: unknown) => String(error),
  );
  await new Promise((resolve) => setTimeout(resolve, random.below(LATEST_KILL_MS)));
  await daemon.kill();
  const why = (await ended) ?? '';
  await initiator.close().catch(() => undefined);
  const loss = lossOf(path, promised);
  await daemon.restart();
  if (/^Error: .*: [0-9a-f]\//.test(why)) return `the burn was refused before the kill: ${why}`;
  sum.sessions += promised.sessions + promised.blocks.size;
  const [drive] = (await daemon.call('media.list')) as MediaStatus[];
  rmSync(daemon.path(`disc-${discs - 1}`), { force: true });
  if (drive?.path !== path || drive.disc?.kind !== kind) return 'the daemon came back without it';
  return loss;
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
  for (const kind of kinds) {
    const sum: Promised = { sessions: 0, blocks: new Map() };
    let lost = 0;
    for (let kill = 0; kill < Number(values.kills); kill += 1) {
      const loss = await killOnce(daemon, kind, random, sum);
      if (loss === null) continue;
      lost += 1;
      process.stdout.write(`${kind}, kill ${kill}: ${loss}\n`);
    }
    process.stdout.write(
      `${kind}: ${values.kills} kills, ${sum.sessions} promises kept, ${lost} losses\n`,
    );
    losses += lost;
  }
  await daemon.end();
  return losses === 0 ? 0 : 1;
}

process.exitCode = await main();
