/**
 * Runs iscsi-test-cu, one process per test, on disks of a daemon started for it, and compares with what is expected
 * (spec/judges/libiscsi-expectations.json). `npm run test:libiscsi [-- PATTERN...]`; exits 1 on an unexpected failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  classify,
  type Expectation,
  type Judgement,
  judge,
  matches,
  type Outcome,
  union,
  type Verdict,
} from './libiscsi-report.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const MAIN = join(ROOT, 'dist', 'src', 'cli', 'main.js');
const EXPECTATIONS = join(ROOT, 'spec', 'judges', 'libiscsi-expectations.json');
/** The slowest test sleeps three seconds a few times. */
const TEST_MS = 60_000;
/** It looks once a minute whether the medium is sanitized. */
const SANITIZE_RESET_MS = 150_000;
const DISK_BYTES = 200 * 2 ** 20;

interface Peer {
  readonly name: string;
  readonly pass: number;
  readonly skip: number;
  readonly fail: number;
  /** Failing tests by suite. */
  readonly failing: Readonly<Record<string, number>>;
}

interface Expectations {
  readonly tool: string;
  readonly peer: Peer;
  readonly expected: readonly Expectation[];
  /** Tests whose expectation does not hold for these disks. */
  readonly leftOut: readonly {
    readonly test: string;
    readonly on: readonly string[];
    readonly why: string;
  }[];
}

/** A disk the tests run on, and which of them. */
interface Bed {
  readonly label: string;
  readonly spec: string;
  runs(test: string): boolean;
}

/** Sanitizing takes its time, and only a thin disk can erase as well as overwrite. */
const always = (test: string): boolean => !test.startsWith('Sanitize.');
const beds: readonly Bed[] = [
  { label: 'thick', spec: '0:disk,path=./thick.img,size=200M,thin=no', runs: always },
  {
    label: 'thin',
    spec: '1:disk,path=./thin.img,size=200M,thin',
    runs: () => true,
  },
  {
    label: 'thin, 512n',
    spec: '4:disk,path=./thin-512n.img,size=200M,thin,physical=512',
    runs: (test) => test.startsWith('GetLBAStatus.'),
  },
  // Holes of an encrypted image read as noise: LBPRZ = 0. And it has a key that can be erased.
  {
    label: 'encrypted',
    spec: '5:disk,path=./encrypted.img,size=200M,thin,key=./encrypted.key',
    runs: (test) =>
      ['Sanitize.CryptoErase', 'Sanitize.Readonly', 'Sanitize.Reservations'].includes(test) ||
      /^(WriteSame1[06]|Unmap|CompareAndWrite|WriteAtomic16)\./.test(test),
  },
  // Every other suite writes.
  {
    label: 'read-only',
    spec: '2:disk,path=./read-only.img,ro',
    runs: (test) => test.startsWith('ReadOnly.'),
  },
  {
    label: 'removable',
    spec: '3:disk,path=./removable.img,size=200M,removable,physical=512',
    runs: always,
  },
];

/** Starts the daemon; resolves with its portal and how to end it. */
async function startDaemon(directory: string): Promise<{ portal: string; end(): Promise<void> }> {
  const image = join(directory, 'read-only.img');
  writeFileSync(image, '');
  truncateSync(image, DISK_BYTES);
  const luns = beds.flatMap(({ spec }) => ['--lun', spec]);
  const args = ['serve', '--listen', 'iscsi:127.0.0.1:0', '--state', 'state', ...luns, '--json'];
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-100_000);
  });
  const died = once(child, 'exit').then(() => {
    throw new Error(`the daemon ended: ${log}`);
  });
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    died,
  ])) as [string];
  died.catch(() => undefined);
  const { listen } = JSON.parse(line) as { listen: readonly string[] };
  return {
    portal: (listen[0] as string).replace(/^iscsi:/, ''),
    async end() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** SUITE.TEST of everything the tool has. */
function listTests(): string[] {
  const listed = spawnSync('iscsi-test-cu', ['-l'], { encoding: 'utf8' });
  if (listed.error !== undefined) {
    throw new Error('iscsi-test-cu is not installed: apt-get install libiscsi-bin');
  }
  return listed.stdout
    .split('\n')
    .filter((line) => /^ALL\.[^.]+\.[^.]+$/.test(line))
    .map((line) => line.slice('ALL.'.length));
}

async function runTest(test: string, urls: readonly string[]): Promise<Outcome> {
  const args = ['--dataloss', '--allow-sanitize', '-v', '-V', '-t', `ALL.${test}`, ...urls];
  const child = spawn('iscsi-test-cu', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (chunk: Buffer): void => {
    if (output.length < 4_000_000) output += chunk.toString('latin1');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const limitMs = test === 'Sanitize.Reset' ? SANITIZE_RESET_MS : TEST_MS;
  const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return classify(test, output, exitCode);
}

function urlsOf(test: string, portal: string, target: string, lun: number): string[] {
  const url = `iscsi://${portal}/${target}/${lun}`;
  return test.startsWith('MultipathIO.') ? [url, url] : [url];
}

function targetOf(portal: string): string {
  const listed = spawnSync('iscsi-ls', [`iscsi://${portal}/`], { encoding: 'utf8' });
  const target = /^Target:(\S+)/m.exec(listed.stdout)?.[1];
  if (target === undefined) throw new Error(`iscsi-ls finds no target: ${listed.stderr}`);
  return target;
}

interface Tally {
  pass: number;
  skip: number;
  fail: number;
}

function tally(verdicts: Iterable<Verdict>): Tally {
  const sum: Tally = { pass: 0, skip: 0, fail: 0 };
  for (const verdict of verdicts) sum[verdict] += 1;
  return sum;
}

function row(name: string, sum: Tally, peer: string): string {
  const cells = [sum.pass, sum.skip, sum.fail].map((count) => String(count).padStart(6));
  return `${name.padEnd(24)}${cells.join('')}   ${peer}`;
}

function printTable(verdicts: ReadonlyMap<string, Verdict>, { peer }: Expectations): void {
  console.log(`\n${'suite'.padEnd(24)}  pass  skip  fail   ${peer.name}`);
  const suites = new Map<string, Verdict[]>();
  for (const [test, verdict] of verdicts) {
    const suite = test.slice(0, test.indexOf('.'));
    suites.set(suite, [...(suites.get(suite) ?? []), verdict]);
  }
  for (const [suite, list] of suites) {
    const failing = peer.failing[suite];
    console.log(row(suite, tally(list), failing === undefined ? '' : `${failing} fail`));
  }
  const total = `${peer.pass} pass, ${peer.skip} skip, ${peer.fail} fail`;
  console.log(row('all', tally(verdicts.values()), total));
}

/** What has to be known to read the table: which test was not run where, what failed, what is not as expected. */
function printRemarks(
  verdicts: ReadonlyMap<string, Verdict>,
  seen: readonly string[],
  { leftOut, expected }: Expectations,
): Judgement {
  const { unexpected, better } = judge(verdicts, expected);
  for (const { test, on, why } of leftOut) {
    if (verdicts.has(test)) console.log(`not run on ${on.join(', ')}: ${test}: ${why}`);
  }
  for (const line of seen) console.log(`failed: ${line}`);
  for (const test of better) console.log(`better than expected: ${test} passes`);
  for (const test of unexpected) console.log(`UNEXPECTED: ${test} ${verdicts.get(test)}`);
  return { unexpected, better };
}

async function main(patterns: readonly string[]): Promise<number> {
  const expectations = JSON.parse(readFileSync(EXPECTATIONS, 'utf8')) as Expectations;
  const wanted = (test: string): boolean =>
    patterns.length === 0 || patterns.some((pattern) => matches(pattern, test));
  const tests = listTests().filter(wanted);
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-libiscsi-'));
  const daemon = await startDaemon(directory);
  const verdicts = new Map<string, Verdict>();
  const seen: string[] = [];
  try {
    const target = targetOf(daemon.portal);
    for (const test of tests) {
      const outcomes: Outcome[] = [];
      const { leftOut } = expectations;
      for (const { label, spec, runs } of beds) {
        if (!runs(test) || leftOut.some((one) => one.test === test && one.on.includes(label)))
          continue;
        const lun = Number.parseInt(spec, 10);
        const outcome = await runTest(test, urlsOf(test, daemon.portal, target, lun));
        outcomes.push(outcome);
        if (outcome.verdict === 'fail') seen.push(`${test} on ${label}: ${outcome.detail}`);
      }
      const verdict = union(outcomes);
      verdicts.set(test, verdict);
      const why = outcomes.find((one) => one.verdict === verdict)?.detail ?? '';
      console.log(`${verdict.padEnd(5)} ${test}${why === '' ? '' : `  ${why}`}`);
    }
  } finally {
    await daemon.end();
    rmSync(directory, { recursive: true, force: true });
  }
  printTable(verdicts, expectations);
  const judgement = printRemarks(verdicts, seen, expectations);
  return judgement.unexpected.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
