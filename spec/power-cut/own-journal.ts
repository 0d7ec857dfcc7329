/** Power cuts under a small journal of our own: a workload per seed, several cuts of each, some of them cut again at start-up. */
import { replayAtomic } from '../../src/luns/store/atomic-journal.ts';
import { systemCalls } from '../../src/luns/store/io-engine.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { Client, DISK_BYTES, recover } from './client.ts';
import { Files, JOURNAL_BYTES, Machine } from './machine.ts';
import { Medium } from './medium.ts';
import { type Mutation, RecordingEngine } from './recording-engine.ts';

const STEPS = 90;
const CUTS_PER_WORKLOAD = 20;

export interface CutReport {
  cuts: number;
  /** Cuts after which an atomic write had to be finished. */
  replays: number;
  /** Each with what replays it: seed and event. */
  readonly losses: string[];
}

/** Runs `cuts` power cuts. */
export function cutOwnJournal(seed: number, cuts: number, mutation: Mutation): CutReport {
  const report: CutReport = { cuts: 0, replays: 0, losses: [] };
  const files = new Files(DISK_BYTES);
  try {
    for (let i = 0; report.cuts < cuts; i += 1) {
      const wanted = Math.min(CUTS_PER_WORKLOAD, cuts - report.cuts);
      cutOneWorkload(files, seed + i, wanted, mutation, report);
    }
  } finally {
    files.close();
  }
  return report;
}

function cutOneWorkload(
  files: Files,
  seed: number,
  cuts: number,
  mutation: Mutation,
  report: CutReport,
): void {
  const random = new Seeded(seed);
  const blank = [new Uint8Array(DISK_BYTES), new Uint8Array(JOURNAL_BYTES)];
  files.load(blank);
  const medium = new Medium(blank);
  const engine = new RecordingEngine(medium, files.all, mutation);
  const writeCache = random.below(4) > 0;
  const options = { files, imageBytes: DISK_BYTES, writeCache };
  const machine = new Machine({ ...options, engine });
  const client = new Client(machine, random, () => medium.events.length, writeCache);
  for (let i = 0; i < STEPS; i += 1) client.step();
  for (let i = 0; i < cuts; i += 1) {
    const at = random.below(medium.events.length + 1);
    const left = medium.cut(at, random);
    files.load(mutation === 'no-replay' ? left : cutAgain(files, left, random));
    if (mutation === 'no-replay') files.load([new Uint8Array(0), blank[1] as Uint8Array]);
    const after = new Machine({ ...options, engine: systemCalls });
    if (after.replayed === 'applied') report.replays += 1;
    for (const loss of recover(after, client.promises, at)) {
      report.losses.push(`seed ${seed}, cut at event ${at}: ${loss}`);
    }
    report.cuts += 1;
  }
}

/** Every third time the power goes again, while the image is opened and an atomic write finished. */
function cutAgain(files: Files, contents: Uint8Array[], random: Seeded): Uint8Array[] {
  if (random.below(3) > 0) return contents;
  files.load(contents);
  const medium = new Medium(contents);
  replayAtomic(files.journal, files.image, new RecordingEngine(medium, files.all, 'none'));
  return medium.cut(random.below(medium.events.length + 1), random);
}
