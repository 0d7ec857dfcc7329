/** `ringscsi conformance`: checks a target by the standards and prints what it saw, clause by clause. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { CheckedInitiator } from '../conformance/check.ts';
import { type CheckResult, junit, runChecks } from '../conformance/run.ts';
import { parseLun } from '../daemon/config.ts';
import { openInitiator } from '../initiator/initiator.ts';
import { IscsiInitiator } from '../initiator/iscsi/initiator.ts';
import { VhostInitiator } from '../initiator/vhost/initiator.ts';
import { table } from './table.ts';
import { DONE, FAILED, type Output, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi conformance [--connect TARGET] [--destructive] [--junit FILE]

Checks a target by SAM-5, SPC-4 and SBC-3 and prints a table: command, clause, check, result, what was seen.
Exit code 0 when no check failed, else 1; a check about targets of another kind (protection information) is "not
applicable". Without --connect it starts a daemon of its own and checks that.

  --connect TARGET   srp:SOCK[,lun=N], vhost-user:SOCK[,lun=N] (any back end of a virtio SCSI host), or
                     iscsi://HOST:PORT/TARGET/LUN (any vendor's, without authentication)
  --destructive      checks that write to the first blocks or reset the logical unit as well; always with a
                     daemon of its own
  --junit FILE       the results as JUnit XML, too
  --json             one object`;

const NAME = 'ringscsi-conformance';
const INITIATOR_NAME = 'iqn.2026-11.net.ringscsi:conformance';
const START_MS = 10_000;

interface Opened {
  readonly initiator: CheckedInitiator;
  readonly lun: number;
  close(): Promise<void>;
}

async function openIscsi(text: string): Promise<Opened> {
  const parts = /^iscsi:\/\/([^/]+:\d+)\/([^/]+)\/(\d+)$/.exec(text);
  const [, portal, targetName, lunText] = parts ?? [];
  if (portal === undefined || targetName === undefined || lunText === undefined) {
    throw new UsageError(`--connect is "${text}", iscsi://HOST:PORT/TARGET/LUN is needed`);
  }
  const lun = parseLun('Cannot check a target', lunText);
  const initiator = await IscsiInitiator.open(portal, {
    initiatorName: INITIATOR_NAME,
    targetName,
  });
  return { initiator, lun, close: () => initiator.close() };
}

/** srp:SOCK or vhost-user:SOCK. */
async function openSocket(text: string): Promise<Opened> {
  const parts = /^(srp|vhost-user):(.+?)(?:,lun=(\d+))?$/.exec(text);
  const path = parts?.[2];
  if (path === undefined) {
    throw new UsageError(
      `--connect is "${text}", srp:SOCK, vhost-user:SOCK or iscsi://HOST:PORT/TARGET/LUN is needed`,
    );
  }
  const lun = parseLun('Cannot check a target', parts?.[3] ?? '0');
  const initiator =
    parts?.[1] === 'srp'
      ? await openInitiator({ connect: `srp:${path}`, name: NAME })
      : await VhostInitiator.open(path, { name: NAME });
  return { initiator, lun, close: () => initiator.close() };
}

function openTarget(text: string): Promise<Opened> {
  return text.startsWith('iscsi:') ? openIscsi(text) : openSocket(text);
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** A daemon with a memory disk, for as long as it is needed. */
async function openOwn(): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-conformance-'));
  const socket = join(directory, 'a.sock');
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const words = ['serve', '--lun', '0:disk,memory=16M', '--listen', `srp:${socket}`];
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const clean = async (): Promise<void> => {
    await endProcess(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('the daemon ended')));
    ended.catch(() => undefined);
    await Promise.race([once(lines, 'line', { signal: AbortSignal.timeout(START_MS) }), ended]);
    const opened = await openSocket(`srp:${socket}`);
    const close = async (): Promise<void> => {
      await opened.close();
      await clean();
    };
    return { ...opened, close };
  } catch (error) {
    await clean();
    throw error;
  }
}

function print(results: readonly CheckResult[], output: Output): number {
  const count = (verdict: string): number => results.filter((r) => r.result === verdict).length;
  const totals = {
    pass: count('pass'),
    fail: count('fail'),
    notSupported: count('not supported'),
    notApplicable: count('not applicable'),
  };
  const columns = ['command', 'clause', 'check', 'result', 'seen'].map((title) => ({ title }));
  const rows = results.map((r) => [r.command, r.clause, r.check, r.result, r.seen]);
  const counts = [`${totals.pass} pass`, `${totals.fail} fail`];
  counts.push(`${totals.notSupported} not supported`, `${totals.notApplicable} not applicable`);
  const summary = counts.join(', ');
  output.result({ ...totals, results }, `${table(columns, rows)}\n${summary}`);
  return totals.fail === 0 ? DONE : FAILED;
}

export const verb: Verb = {
  help: HELP,
  options: {
    connect: { type: 'string' },
    destructive: { type: 'boolean' },
    junit: { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const connect = args.text('connect');
    const opened = connect === null ? await openOwn() : await openTarget(connect);
    try {
      const destructive = connect === null || args.flag('destructive');
      const results = await runChecks(opened.initiator, opened.lun, destructive);
      const file = args.text('junit');
      if (file !== null) writeFileSync(file, junit(results));
      return print(results, output);
    } finally {
      await opened.close();
    }
  },
};
