/** `npm run test:guest [NAME...]`: the tests with real virtual machines, two files at a time, and a table at the end. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootFiles, IMAGE_KINDS } from './support/initramfs.ts';
import { missingNeeds } from './support/needs.ts';
import { count, type Report, resultTable, type TestResult } from './support/report.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ENDING = '.guest.js';
/** A file that takes longer hangs. */
const FILE_MS = 10 * 60_000;
/** More virtual machines at once than processors only wait for each other. */
const LANES = Math.min(2, availableParallelism());

const results: TestResult[] = [];
const notes: string[] = [];

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function take(report: Report): void {
  if ('note' in report) {
    notes.push(report.note);
    return;
  }
  results.push(report);
  const seconds = (report.milliseconds / 1000).toFixed(1);
  print(`${report.result.padEnd(7)} ${seconds.padStart(6)} s  ${report.test}`);
}

async function runFile(file: string): Promise<void> {
  const before = results.length;
  const child = fork(join(HERE, 'one-file.js'), [join(HERE, file)], {
    execArgv: ['--enable-source-maps'],
  });
  child.on('message', (report) => take(report as Report));
  // SIGTERM is what makes it end its machines.
  const timer = setTimeout(() => child.kill('SIGTERM'), FILE_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const failed = results.slice(before).some(({ result }) => result === 'failed');
  if (code === 0 || failed) return;
  const error = `the process that ran it ended with ${signal ?? `exit code ${code}`}`;
  take({ test: basename(file, ENDING), result: 'failed', milliseconds: 0, error });
}

async function lane(files: string[]): Promise<void> {
  for (let file = files.shift(); file !== undefined; file = files.shift()) await runFile(file);
}

function conclude(startedAt: number): void {
  for (const { test, result, error } of results) {
    if (result === 'failed') print(`\n--- ${test}\n${error}`);
  }
  for (const text of notes) print(`\n${text}`);
  print(`\n${resultTable(results)}`);
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
  print(
    `\n${count(results, 'passed')} passed, ${count(results, 'failed')} failed, ` +
      `${count(results, 'skipped')} skipped (guest tests, ${minutes} minutes)`,
  );
}

async function main(names: readonly string[]): Promise<number> {
  const startedAt = Date.now();
  const missing = missingNeeds();
  if (missing !== null) {
    print(missing);
    return 1;
  }
  for (const kind of IMAGE_KINDS) bootFiles(kind);
  const known = readdirSync(HERE).filter((file) => file.endsWith(ENDING));
  const wanted = (file: string): boolean =>
    names.length === 0 || names.includes(basename(file, ENDING));
  const files = known.filter(wanted);
  await Promise.all(Array.from({ length: LANES }, () => lane(files)));
  conclude(startedAt);
  return results.length > 0 && count(results, 'failed') === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
