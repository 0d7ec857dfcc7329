/** `npm run bench`: the whole stack, a blkif ring and bare system calls on one file, side by side in one run. */
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { System } from './client.ts';
import { type CodecResult, codecBench } from './codec.bench.ts';
import { type Environment, environment } from './environment.ts';
import { NOTHING, PING, READ, WRITE } from './lane.ts';
import type { Measurement, Workload } from './measurement.ts';
import { Stand } from './stand.ts';
import { median, table } from './table.ts';

const MEBIBYTE = 2 ** 20;
const FILE_BYTES = 64 * MEBIBYTE;
/** A round in which a process waited for a CPU longer than this share of the time is measured again. */
const DISTURBED = 0.05;
const MAX_ATTEMPTS = 3;
const SYSTEMS: readonly System[] = ['system calls', 'srp', 'blkif'];

const WORKLOADS: readonly Workload[] = [
  { name: 'ring alone, depth 1', operation: PING, bytes: 0, depth: 1 },
  { name: 'no I/O, depth 1', operation: NOTHING, bytes: 0, depth: 1 },
  { name: 'no I/O, depth 32', operation: NOTHING, bytes: 0, depth: 32 },
  ...([READ, WRITE] as const).flatMap((operation) =>
    [4096, 65536].flatMap((bytes) =>
      [1, 32].map((depth) => ({
        name: `${operation === READ ? 'READ' : 'WRITE'} ${bytes / 1024} KiB, depth ${depth}`,
        operation,
        bytes,
        depth,
      })),
    ),
  ),
];

const NOTES = `Each row is one client process (and one server process), random positions in one file in the page cache. Every
client polls for at most 50 us and then sleeps on its doorbell; both servers run on the same reactor and the same store.
system calls  preadv / pwritev by the client itself, the same iovec and foreign call as the store's: nothing is passed on
srp           SRP initiator port, shared-memory ring, daemon: target port, task router, task set, SBC disk, store
              ring alone: PING; no I/O: TEST UNIT READY
blkif         Xen ring and requests, granted pages mapped for good, ring of two pages, no INDIRECT: 64 KiB are two requests
              ring alone, no I/O: a request that is refused after its copy
A ratio is that of the IOPS in the same round; every value is the median over the rounds. CPU of an I/O in us.
waited: share of the time that client or server was ready and another process had its CPU. Such rounds are repeated; where
it still says more than a few percent, the machine was busy and the row says little.`;

interface Options {
  readonly rounds: number;
  readonly ms: number;
  readonly json: string | undefined;
  readonly directory: string;
  readonly systems: readonly System[];
  readonly only: RegExp;
  readonly codec: boolean;
  readonly quick: boolean;
  readonly execArgv: readonly string[];
}

const USAGE = `npm run bench -- [--quick] [--json FILE] [--dir DIR] [--only TEXT] [--systems LIST] [--no-codec] [--profile DIR]
  --quick         3 rounds of 0.3 s instead of 5 of 1 s
  --json FILE     the results as JSON, too
  --dir DIR       where the 64 MiB file is made (default: the temporary directory)
  --only TEXT     only workloads whose name contains the text, such as "READ 4 KiB, depth 32"
  --systems LIST  of ${SYSTEMS.join(',')}
  --no-codec      without the codec benchmark
  --profile DIR   CPU profiles of every process
`;

export class BenchUsageError extends Error {
  readonly code = 'ERR_BENCH_USAGE';
}

function parseOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      only: { type: 'string', default: '' },
      systems: { type: 'string', default: SYSTEMS.join(',') },
      'no-codec': { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const asked = values.systems.split(',');
  const unknown = asked.find((name) => !SYSTEMS.some((system) => system === name));
  if (unknown !== undefined) {
    throw new BenchUsageError(`Cannot measure "${unknown}": the systems are ${SYSTEMS.join(', ')}`);
  }
  return {
    rounds: values.quick ? 3 : 5,
    ms: values.quick ? 300 : 1000,
    json: values.json,
    directory: values.dir,
    systems: SYSTEMS.filter((system) => asked.includes(system)),
    only: new RegExp(values.only.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i'),
    codec: !values['no-codec'],
    quick: values.quick,
    execArgv:
      values.profile === undefined
        ? []
        : ['--cpu-prof', '--cpu-prof-interval', '200', `--cpu-prof-dir=${values.profile}`],
  };
}

/** The file every system works on, written out so that no part of it is a hole. */
class BenchFile {
  readonly path: string;
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(MEBIBYTE, 0xa5);

  constructor(directory: string) {
    this.path = join(directory, 'disk.img');
    this.#fd = openSync(this.path, 'w+');
    for (let at = 0; at < FILE_BYTES; at += MEBIBYTE) writeSync(this.#fd, this.#chunk);
  }

  /** Before each round: all of it in the page cache, nothing left to write back. */
  settle(): void {
    fdatasyncSync(this.#fd);
    for (let at = 0; at < FILE_BYTES; at += MEBIBYTE) {
      readSync(this.#fd, this.#chunk, 0, MEBIBYTE, at);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

interface Row {
  readonly workload: string;
  readonly system: System;
  readonly iops: number;
  readonly medianUs: number;
  readonly p99Us: number;
  readonly ratioToSystemCalls: number | null;
  readonly ratioToBlkif: number | null;
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
  readonly waited: number;
  /** IOPS of each round, in order. */
  readonly rounds: readonly number[];
}

type Rounds = Map<System, Measurement[]>;

/** Measures until the processes had their CPUs to themselves, a few times at most, and returns the least disturbed. */
async function measureQuietly(
  workload: Workload,
  stand: Stand,
  file: BenchFile,
  ms: number,
): Promise<Measurement> {
  let best: Measurement | null = null;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    file.settle();
    // biome-ignore lint/performance/noAwaitInLoops: the next attempt depends on this one
    const measured = await stand.measure(workload, ms);
    if (best === null || measured.waited < best.waited) best = measured;
    if (best.waited < DISTURBED) return best;
  }
  if (best === null) throw new RangeError('Cannot measure in no attempts');
  return best;
}

/** Interleaved: every round measures every system, in turn forwards and backwards. */
async function compare(
  workload: Workload,
  stands: readonly Stand[],
  file: BenchFile,
  options: Options,
): Promise<Rounds> {
  const io = workload.operation === READ || workload.operation === WRITE;
  const taking = stands.filter(({ system }) => io || system !== 'system calls');
  const rounds: Rounds = new Map(taking.map(({ system }) => [system, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const stand of round % 2 === 0 ? taking : taking.toReversed()) {
      // biome-ignore lint/performance/noAwaitInLoops: one system at a time
      rounds.get(stand.system)?.push(await measureQuietly(workload, stand, file, options.ms));
    }
  }
  return rounds;
}

function ratio(rounds: Rounds, system: System, to: System): number | null {
  const ours = rounds.get(system) ?? [];
  const theirs = rounds.get(to) ?? [];
  if (system === to || theirs.length === 0) return null;
  return median(ours.map(({ iops }, i) => iops / (theirs[i]?.iops ?? Number.NaN)));
}

function rowsOf(workload: Workload, rounds: Rounds): Row[] {
  return [...rounds].map(([system, measured]) => ({
    workload: workload.name,
    system,
    iops: Math.round(median(measured.map(({ iops }) => iops))),
    medianUs: median(measured.map(({ medianUs }) => medianUs)),
    p99Us: median(measured.map(({ p99Us }) => p99Us)),
    ratioToSystemCalls: ratio(rounds, system, 'system calls'),
    ratioToBlkif: ratio(rounds, system, 'blkif'),
    clientCpuUs: median(measured.map(({ clientCpuUs }) => clientCpuUs)),
    serverCpuUs: median(measured.map(({ serverCpuUs }) => serverCpuUs)),
    waited: median(measured.map(({ waited }) => waited)),
    rounds: measured.map(({ iops }) => Math.round(iops)),
  }));
}

const HEADER = [
  'workload',
  'system',
  'IOPS',
  'p50 us',
  'p99 us',
  '/ system calls',
  '/ blkif',
  'client CPU',
  'server CPU',
  'waited',
] as const;

function cells(row: Row): string[] {
  const share = (value: number | null): string => (value === null ? '' : value.toFixed(2));
  return [
    row.workload,
    row.system,
    String(row.iops),
    row.medianUs.toFixed(2),
    row.p99Us.toFixed(1),
    share(row.ratioToSystemCalls),
    share(row.ratioToBlkif),
    row.clientCpuUs.toFixed(2),
    row.system === 'system calls' ? '' : row.serverCpuUs.toFixed(2),
    `${(row.waited * 100).toFixed(0)}%`,
  ];
}

interface Comparison {
  readonly rows: readonly Row[];
  readonly pinned: boolean;
}

async function compareAll(options: Options): Promise<Comparison> {
  const directory = mkdtempSync(join(options.directory, 'ringscsi-bench-'));
  const stands: Stand[] = [];
  const rows: Row[] = [];
  try {
    const file = new BenchFile(directory);
    for (const system of options.systems) {
      const { execArgv } = options;
      const stand = { system, file: file.path, fileBytes: FILE_BYTES, directory, execArgv };
      // biome-ignore lint/performance/noAwaitInLoops: a client needs its server first
      stands.push(await Stand.start(stand));
    }
    for (const workload of WORKLOADS.filter(({ name }) => options.only.test(name))) {
      process.stderr.write(`${workload.name} ...\n`);
      // biome-ignore lint/performance/noAwaitInLoops: one workload at a time
      rows.push(...rowsOf(workload, await compare(workload, stands, file, options)));
    }
    file.close();
  } finally {
    await Promise.all(stands.map((stand) => stand.stop()));
    rmSync(directory, { recursive: true });
  }
  return { rows, pinned: stands.every(({ pinned }) => pinned) };
}

function printCodec(results: readonly CodecResult[]): void {
  const rows = results.map(({ suite, name, nanoseconds, margin }) => [
    suite,
    name,
    nanoseconds.toFixed(1),
    `±${margin.toFixed(1)}%`,
  ]);
  process.stdout.write(`${table(['codec', 'way', 'ns', ''], rows)}\n\n`);
}

function print(where: Environment, options: Options, { rows, pinned }: Comparison): void {
  const placed = pinned ? 'clients on CPU 0, servers on CPU 1' : 'processes wherever they ran';
  process.stdout.write(
    `${where.cpus} CPUs ${where.cpuModel}, Linux ${where.kernel}, Node ${where.node}, load ${where.load}\n` +
      `file of ${FILE_BYTES / MEBIBYTE} MiB on ${where.fileSystem}, ${options.rounds} rounds of ${options.ms} ms, ${placed}\n\n` +
      `${table(HEADER, rows.map(cells))}\n\n${NOTES}\n`,
  );
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(USAGE);
    return;
  }
  const where = environment(options.directory);
  const codec = options.codec ? await codecBench(options.quick) : [];
  if (codec.length > 0) printCodec(codec);
  const comparison = await compareAll(options);
  print(where, options, comparison);
  if (options.json === undefined) return;
  const { rounds, ms } = options;
  const { rows: results, pinned } = comparison;
  const report = { environment: where, fileBytes: FILE_BYTES, rounds, ms, pinned, results, codec };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

await main();
