/** A command as the model sees it: what arrived, and what has been seen of it since. */
import type { Outcome } from '../support/direct-port.ts';
import { type Command, isWriter, type Range, rangesOf } from './command.ts';
import { must } from './violation.ts';

export interface ModelTask {
  readonly id: number;
  readonly command: Command;
  readonly nexus: number;
  readonly attribute: number;
  readonly tag: number;
  readonly arrivedAt: number;
  /** Bytes of data-out that came. */
  readonly outBytes: number;
  /** How many media had come when it arrived. */
  readonly arrivals: number;
  /** When the rules first let it run; -1 before that. */
  couldRunAt: number;
  /** It reached the store. */
  started: boolean;
  startedAt: number;
  /** When the store last said DONE to it; -1 before that. */
  storeDoneAt: number;
  /** Requests of it that the store holds. */
  requests: number;
  /** An ACA condition held it when its last request ended: it may have done its work and wait to say so. */
  heldBack: boolean;
  ended: boolean;
  /** How it has to end because somebody aborted it. */
  aborted: 'silence' | 'status' | null;
  /** How it has to be refused on arrival: a status, or sense data. */
  refusal: string;
  /** Sense data of the fault that the store reported. */
  fault: string;
  faultInformation: number;
  /** What COMPARE AND WRITE found possible when it started. */
  mayMatch: boolean;
  mayDiffer: boolean;
  /** The blocks that were, when it started, what it says: by their place in its range. */
  readonly same: Set<number>;
  /** START STOP UNIT: it has sent the tray out. */
  moved: boolean;
  /** A write whose data was promised to be stable when it started. */
  durable: boolean;
  /** Changes of the write cache before it started. */
  cacheChanges: number;
}

export function modelTask(
  id: number,
  command: Command,
  where: {
    readonly nexus: number;
    readonly attribute: number;
    readonly tag: number;
    readonly outBytes: number;
    readonly arrivals: number;
  },
  now: number,
): ModelTask {
  return {
    id,
    command,
    ...where,
    arrivedAt: now,
    couldRunAt: -1,
    started: false,
    startedAt: -1,
    storeDoneAt: -1,
    requests: 0,
    heldBack: false,
    ended: false,
    aborted: null,
    refusal: '',
    fault: '',
    faultInformation: -1,
    mayMatch: true,
    mayDiffer: true,
    same: new Set(),
    moved: false,
    durable: false,
    cacheChanges: 0,
  };
}

/**
 * Whether two commands touch a block that one of them writes. `whole`: UNMAP and START STOP UNIT
 * count as writing every block, and no blocks as a place between two.
 */
export function conflict(a: ModelTask, b: ModelTask, whole: boolean): boolean {
  if (!writes(a, whole) && !writes(b, whole)) return false;
  const [mine, its] = [extents(a, whole), extents(b, whole)];
  return mine.some((x) =>
    its.some(
      (y) =>
        (whole || (x.blocks > 0 && y.blocks > 0)) &&
        x.lba < y.lba + y.blocks &&
        y.lba < x.lba + x.blocks,
    ),
  );
}

const EVERYTHING: readonly Range[] = [{ lba: 0, blocks: Number.MAX_SAFE_INTEGER }];

function extents(task: ModelTask, whole: boolean): readonly Range[] {
  if (task.refusal.includes('/')) return [];
  const { kind } = task.command;
  return whole && (kind === 'unmap' || kind === 'start-stop') ? EVERYTHING : rangesOf(task.command);
}

function writes(task: ModelTask, whole: boolean): boolean {
  return isWriter(task.command) || (whole && task.command.kind === 'start-stop');
}

/** Whether a command reads or writes blocks of the medium, or moves them all away. */
export function looksAtBlocks({ kind }: Command): boolean {
  return kind === 'read' || kind === 'start-stop' || isWriter({ kind });
}

/** START STOP UNIT that ejects or loads. */
export function movesMedium({ kind, loej }: Command): boolean {
  return kind === 'start-stop' && loej;
}

/** What became of a command, in the words of the rules: a status, or sense data. */
export function endOf(outcome: Outcome): string {
  if (outcome.dropped) return 'silence';
  if (outcome.sense !== '')
    return isDeferred(outcome.senseBytes) ? `deferred ${outcome.sense}` : outcome.sense;
  return outcome.status.toString(16).padStart(2, '0');
}

/** Whether sense data is about an earlier command (SPC-4 4.5: response codes 71h and 73h). */
export function isDeferred(sense: Uint8Array): boolean {
  return ((sense[0] as number) & 0x7d) === 0x71;
}

/** The sense data that REQUEST SENSE returns, in the words of `endOf`. */
export function parameterSense({ id, command }: ModelTask, { dataIn }: Outcome): string {
  const fixed = ((dataIn[0] as number) & 0x7e) === 0x70;
  must(fixed === !command.flag, `#${id} returns the other format`);
  const at = fixed ? [2, 12, 13] : [1, 2, 3];
  const [key, asc, ascq] = at.map((i) => dataIn[i] as number) as [number, number, number];
  const digits = (value: number): string => value.toString(16).padStart(2, '0');
  const code = `${(key & 0xf).toString(16)}/${digits(asc)}/${digits(ascq)}`;
  return isDeferred(dataIn) ? `deferred ${code}` : code;
}
