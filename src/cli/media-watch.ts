/** `ringscsi media list --watch`: how far each drive is that burns, blanks, formats or closes; bars on a terminal, else lines. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaStatus } from '../daemon/media-house.ts';
import type { ControlClient } from '../transport/control/client.ts';
import { untilInterrupted } from './interruption.ts';
import { durationText } from './table.ts';
import { DONE, FAILED, type Output } from './verb.ts';

/** What is told of a drive at one look. */
export interface DriveProgress {
  readonly lun: number;
  readonly kind: string;
  /** `ended`: it was under way at the last look, and is no more. */
  readonly doing: 'burning' | 'blanking' | 'formatting' | 'closing' | 'ended';
  /** Name of the initiator that burns; null: nobody does. */
  readonly by: string | null;
  /** Of the session that is open; null: no data is written. */
  readonly writtenBlocks: number | null;
  readonly expectedBlocks: number | null;
  /** From 0 to 1; null: nobody can say. */
  readonly done: number | null;
  /** Over the last looks; null: nothing was written between them. */
  readonly blocksPerSecond: number | null;
  readonly secondsLeft: number | null;
  /** Of the disc: blank, appendable, complete; null: it has left the drive. */
  readonly status: string | null;
}

interface Sample {
  readonly atMs: number;
  readonly writtenBlocks: number;
}

/** What was seen of a drive while it did the same thing. */
interface Run {
  readonly key: string;
  readonly samples: Sample[];
  readonly last: DriveProgress;
}

/** Rates are over this many looks: one alone jumps with the cache of whoever burns. */
const SAMPLES = 8;

/** Remembers the last looks. */
export class BurnWatch {
  #runs = new Map<number, Run>();

  /** One look, at a time in milliseconds; what is told of each drive, in ascending LUN order. */
  see(drives: readonly MediaStatus[], atMs: number): DriveProgress[] {
    const runs = new Map<number, Run>();
    const told: DriveProgress[] = [];
    for (const drive of drives) {
      const before = this.#runs.get(drive.lun);
      const run = runOf(drive, before, atMs);
      if (run !== null) runs.set(drive.lun, run);
      if (run !== null) told.push(run.last);
      else if (before !== undefined) told.push(ended(before.last, drive.disc?.status ?? null));
    }
    const gone = [...this.#runs].filter(([lun]) => drives.every((drive) => drive.lun !== lun));
    told.push(...gone.map(([, { last }]) => ended(last, null)));
    this.#runs = runs;
    return told.sort((a, b) => a.lun - b.lun);
  }
}

function ended(last: DriveProgress, status: string | null): DriveProgress {
  return { ...last, doing: 'ended', done: null, blocksPerSecond: null, secondsLeft: null, status };
}

/** What the drive does now; null: nothing. */
function runOf(drive: MediaStatus, before: Run | undefined, atMs: number): Run | null {
  const { lun, disc, generation } = drive;
  if (disc === null) return null;
  const { kind, status, work, burning } = disc;
  const by = burning?.by ?? null;
  if (work !== null) {
    const { what: doing, done } = work;
    const idle = { writtenBlocks: null, expectedBlocks: null, blocksPerSecond: null };
    const last = { ...idle, lun, kind, status, by, doing, done, secondsLeft: null };
    return { key: doing, samples: [], last };
  }
  if (burning === null) return null;
  const { writtenBlocks, expectedBlocks } = burning;
  const key = `${generation} ${disc.sessions} ${by}`;
  const isSame =
    before?.key === key && (before.samples.at(-1)?.writtenBlocks ?? 0) <= writtenBlocks;
  const samples = [...(isSame ? before.samples : []), { atMs, writtenBlocks }].slice(-SAMPLES);
  const blocksPerSecond = rateOf(samples);
  const left = expectedBlocks === null ? null : Math.max(0, expectedBlocks - writtenBlocks);
  const last = {
    ...{ lun, kind, status, by, doing: 'burning' as const, writtenBlocks, expectedBlocks },
    done: left === null || expectedBlocks === null ? null : part(writtenBlocks, expectedBlocks),
    blocksPerSecond,
    secondsLeft: left === null || blocksPerSecond === null ? null : left / blocksPerSecond,
  };
  return { key, samples, last };
}

function part(of: number, whole: number): number {
  return whole === 0 ? 1 : Math.min(1, of / whole);
}

function rateOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return null;
  const blocks = last.writtenBlocks - first.writtenBlocks;
  const ms = last.atMs - first.atMs;
  return blocks > 0 && ms > 0 ? (blocks * 1000) / ms : null;
}

/** Columns of a bar between its brackets. */
const BAR = 24;

/** `[######..................]`; `~` where nobody can say how much is to come. */
function bar(done: number | null): string {
  if (done === null) return `[${'~'.repeat(BAR)}]`;
  const full = Math.floor(done * BAR);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}]`;
}

function blocksText({ writtenBlocks, expectedBlocks }: DriveProgress): string[] {
  if (writtenBlocks === null) return [];
  return [`${writtenBlocks}${expectedBlocks === null ? '' : ` of ${expectedBlocks}`} blocks`];
}

/** `LUN 0  cd-r  burning  [#####…]  52 %  1024 of 2048 blocks  340 blocks/s  3 s left  by guest-1`. */
export function progressText(progress: DriveProgress, withBar: boolean): string {
  const { lun, kind, doing, by, done, blocksPerSecond, secondsLeft, status } = progress;
  const head = [`LUN ${lun}`, kind.padEnd(8), doing.padEnd(10)];
  if (doing === 'ended') {
    return [...head, ...blocksText(progress), status ?? 'the disc has left'].join('  ');
  }
  const words = [
    ...head,
    ...(withBar ? [bar(done)] : []),
    ...(done === null ? [] : [`${String(Math.floor(done * 100)).padStart(3)} %`]),
    ...blocksText(progress),
    ...(blocksPerSecond === null ? [] : [`${Math.round(blocksPerSecond)} blocks/s`]),
    ...(secondsLeft === null ? [] : [`${durationText(Math.ceil(secondsLeft) * 1000)} left`]),
    ...(by === null ? [] : [`by ${by}`]),
  ];
  return words.join('  ');
}

const NOTHING = 'no drive burns, blanks, formats or closes a disc';
/** Cursor to the beginning of a line that many lines above, and nothing from there on (ECMA-48 CPL, ED). */
const rewind = (lines: number): string => (lines === 0 ? '' : `\x1b[${lines}F\x1b[J`);

/** What is printed at each look; it knows what the last one has left on the terminal. */
export class WatchScreen {
  /** Lines at the bottom of the terminal that change. */
  #live = 0;
  /** What was told last, without a terminal. */
  #said = '';

  /** Text for a terminal of that width (null: there is none); null: nothing new. */
  show(told: readonly DriveProgress[], columns: number | null): string | null {
    if (columns !== null) return this.#bars(told, columns);
    const text = told.map((each) => progressText(each, false)).join('\n') || NOTHING;
    if (text === this.#said) return null;
    this.#said = text;
    return text;
  }

  /** Drives that have ended stay above, the others are painted over at the next look. */
  #bars(told: readonly DriveProgress[], columns: number): string {
    const isOver = ({ doing }: DriveProgress): boolean => doing === 'ended';
    const over = told.filter(isOver).map((each) => progressText(each, true));
    const going = told.filter((each) => !isOver(each)).map((each) => progressText(each, true));
    const live = going.length === 0 ? [NOTHING] : going;
    // A line that wraps would be two, and one of them would stay.
    const lines = [...over, ...live].map((line) => line.slice(0, Math.max(1, columns - 1)));
    const text = rewind(this.#live) + lines.join('\n');
    this.#live = live.length;
    return text;
  }
}

export interface WatchPlan {
  readonly intervalMs: number;
  /** Looks still to take. */
  readonly left: number;
}

/** Looks again and again, until it was interrupted, or has looked often enough; the exit code. */
export function watchMedia(
  daemon: ControlClient,
  output: Output,
  { intervalMs, left }: WatchPlan,
): Promise<number> {
  const watch = new BurnWatch();
  const screen = new WatchScreen();
  return untilInterrupted(async (interrupted) => {
    const over = Promise.race([interrupted.then(() => DONE), daemon.closed.then(() => FAILED)]);
    for (let looks = left; looks > 0; looks -= 1) {
      // biome-ignore lint/performance/noAwaitInLoops: looks follow each other in time
      const drives = (await daemon.call('media.list')) as MediaStatus[];
      const told = watch.see(drives, performance.now());
      const text = output.json ? '' : screen.show(told, output.columns());
      if (text !== null) output.result(told, text);
      if (looks === 1) break;
      // The connection keeps the process alive, a wait that is given up must not.
      const wait = sleep(intervalMs, null, { ref: false });
      const code = await Promise.race([over, wait]);
      if (code === FAILED) output.note('ringscsi: the daemon closed the connection');
      if (code !== null) return code;
    }
    return DONE;
  });
}
