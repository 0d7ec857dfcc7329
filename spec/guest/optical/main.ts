/** `npm run test:optical [-- --all] [--peer qemu] [--verbose] [--list] [NAME...]`: real programs on real guests read and burn discs; a table at the end. */
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { bootFiles } from '../support/initramfs.ts';
import { missingOpticalNeeds } from '../support/needs.ts';
import { caseName, isBlank, type OpticalCase } from './case.ts';
import { CASES } from './cases/all.ts';
import { judged, limitFaults } from './known-limits.ts';
import { count, type RowResult, rowText, tableText } from './result.ts';
import { type OpticalPlace, type Peer, Station, TRACES } from './runner.ts';
import { Sources } from './sources.ts';
import { type Suite, suiteNames } from './suite.ts';
import { SUITES } from './suites.ts';

/** Rows on one guest: longer lists are cut, so that both lanes have something to do to the end. */
const ROWS_A_GUEST = 6;
/** More virtual machines at once than processors only wait for each other. */
const LANES = Math.min(2, availableParallelism());

const NAMES = [...CASES.map(caseName), ...SUITES.flatMap(suiteNames)];

interface Options {
  readonly all: boolean;
  readonly peer: Peer;
  /** Print what every line says. */
  readonly verbose: boolean;
  readonly names: readonly string[];
}

interface Job {
  readonly rows: number;
  readonly run: () => Promise<void>;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function options(): Options & { readonly list: boolean } {
  const { values, positionals } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      peer: { type: 'string', default: 'ringscsi' },
      verbose: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const { all, list, peer, verbose } = values;
  if (peer !== 'ringscsi' && peer !== 'qemu') throw new Error('--peer is ringscsi or qemu');
  return { all, list, peer, verbose, names: positionals };
}

/** Names pick rows by a part of their name; without names the quick rows run, or with --all all of them. */
function wanted(name: string, quick: boolean, { all, names }: Options): boolean {
  if (names.length > 0) return names.some((part) => name.includes(part));
  return all || quick;
}

/** Why this row cannot be run on that peer; null when it can. */
function hindrance(row: OpticalCase, peer: Peer): string | null {
  if (peer === 'ringscsi') return null;
  return isBlank(row.medium) ? 'QEMU has no burner' : (row.notOnQemu ?? null);
}

const placeName = ({ medium, through }: OpticalPlace): string => `${medium} ${through === true}`;

function cut(rows: readonly OpticalCase[]): OpticalCase[][] {
  const guests = Math.ceil(rows.length / ROWS_A_GUEST);
  const length = Math.ceil(rows.length / guests);
  return Array.from({ length: guests }, (_, i) => rows.slice(i * length, (i + 1) * length));
}

class Run {
  readonly results: RowResult[] = [];
  readonly #options: Options;
  readonly #sources: Sources;

  constructor(chosen: Options, sources: Sources) {
    this.#options = chosen;
    this.#sources = sources;
  }

  #report(result: RowResult): void {
    const told = judged(this.#options.peer, result);
    this.results.push(told);
    print(rowText(told));
  }

  /** What did not come to run. */
  #without(row: Pick<RowResult, 'medium' | 'tool' | 'mode'>, why: Error | string): void {
    const { medium, tool, mode } = row;
    const detail = typeof why === 'string' ? '' : why.message;
    const reason = typeof why === 'string' ? why : (detail.split('\n')[0] ?? '');
    const verdict = typeof why === 'string' ? 'skipped' : 'failed';
    this.#report({ medium, tool, mode, verdict, seconds: 0, reason, detail });
  }

  async #group(place: OpticalPlace, rows: readonly OpticalCase[]): Promise<void> {
    let left = [...rows];
    try {
      const { peer, verbose } = this.#options;
      const tell = verbose ? print : (): void => undefined;
      const station = await Station.start(peer, place, this.#sources, tell);
      try {
        for (const row of rows) {
          const result = await station.run(row);
          left = left.slice(1);
          this.#report(result);
        }
      } finally {
        await station.end();
      }
    } catch (error) {
      const why = error instanceof Error ? error : new Error(String(error));
      for (const row of left) this.#without(row, why);
    }
  }

  async #suite(suite: Suite, modes: readonly string[]): Promise<void> {
    const done = new Set<string>();
    try {
      await suite.run(modes, this.#sources, (result) => {
        done.add(result.mode);
        this.#report(result);
      });
    } catch (error) {
      const why = error instanceof Error ? error : new Error(String(error));
      for (const mode of modes) if (!done.has(mode)) this.#without({ ...suite, mode }, why);
    }
  }

  /** Rows with guests of their own. */
  #suiteJobs(): Job[] {
    return SUITES.flatMap((suite) => {
      const modes = [...suite.modes]
        .filter(([mode, quick]) =>
          wanted(`${suite.medium} ${suite.tool} ${mode}`, quick, this.#options),
        )
        .map(([mode]) => mode);
      if (this.#options.peer === 'qemu') {
        for (const mode of modes) this.#without({ ...suite, mode }, suite.notOnQemu);
        return [];
      }
      return modes.length === 0
        ? []
        : [{ rows: modes.length, run: () => this.#suite(suite, modes) }];
    });
  }

  /** Jobs that need guests; what cannot be run is reported at once. */
  #jobs(): Job[] {
    const { peer } = this.#options;
    const runnable: OpticalCase[] = [];
    for (const row of CASES) {
      if (!wanted(caseName(row), row.quick === true, this.#options)) continue;
      const why = hindrance(row, peer);
      if (why === null) runnable.push(row);
      else this.#without(row, why);
    }
    const jobs: Job[] = [];
    for (const name of new Set(runnable.map(placeName))) {
      for (const rows of cut(runnable.filter((row) => placeName(row) === name))) {
        const [place] = rows;
        if (place === undefined) continue;
        jobs.push({ rows: rows.length, run: () => this.#group(place, rows) });
      }
    }
    jobs.push(...this.#suiteJobs());
    return jobs.sort((a, b) => b.rows - a.rows);
  }

  async all(): Promise<void> {
    const jobs = this.#jobs();
    const lane = async (): Promise<void> => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job.run();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }
}

function conclude({ results }: Run, peer: Peer, startedAt: number): void {
  for (const result of results) {
    if (result.verdict !== 'failed') continue;
    print(
      `\n--- ${result.medium} ${result.tool} ${result.mode}: ${result.reason}\n${result.detail}`,
    );
  }
  const place = ({ medium, tool, mode }: RowResult): number =>
    NAMES.indexOf(`${medium} ${tool} ${mode}`);
  print(`\n${tableText([...results].sort((a, b) => place(a) - place(b)))}`);
  if (count(results, 'failed') > 0 && peer === 'ringscsi') {
    print(`\ntraces of failed rows, for ringscsi trace --show: ${TRACES}`);
  }
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
  print(
    `\n${count(results, 'passed')} passed, ${count(results, 'failed')} failed, ` +
      `${count(results, 'limit')} known limits, ${count(results, 'skipped')} skipped (optical guest tests, ${minutes} minutes)`,
  );
}

async function main(): Promise<number> {
  const startedAt = Date.now();
  const chosen = options();
  if (chosen.list) {
    for (const name of NAMES) print(name);
    return 0;
  }
  const missing = missingOpticalNeeds();
  if (missing !== null) {
    print(missing);
    return 1;
  }
  const faults = limitFaults(chosen.peer, NAMES);
  for (const fault of faults) print(fault);
  rmSync(TRACES, { recursive: true, force: true });
  bootFiles('burners');
  const run = new Run(chosen, new Sources());
  await run.all();
  conclude(run, chosen.peer, startedAt);
  const bad = count(run.results, 'failed') + faults.length;
  return run.results.length > 0 && bad === 0 ? 0 : 1;
}

// An orderly exit ends the machines and daemons, and removes the sources.
process.on('SIGTERM', () => process.exit(1));
process.on('SIGINT', () => process.exit(1));

process.exitCode = await main();
