/** What the operator is told of the disc in an optical drive: what it is, how far it is, and who burns it. Plain data. */
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import type { Burner } from '../scsi/mmc/burn/burner.ts';
import type { DiscState } from '../scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../scsi/mmc/burn/recordable-disc.ts';
import { openTracks } from '../scsi/mmc/burn/transitions.ts';
import type { DiscStatus } from '../scsi/mmc/disc.ts';
import { discIn } from '../scsi/mmc/optical-drive.ts';
import { familyOf } from '../scsi/mmc/profile.ts';
import {
  LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  LOGICAL_UNIT_NOT_READY_OPERATION_IN_PROGRESS,
} from '../scsi/sense-codes.ts';
import { opticalBytes } from './optical.ts';

export interface BurnReport {
  /** Name of the initiator. */
  readonly by: string;
  /** Of the session that is open. */
  readonly writtenBlocks: number;
  /** As many it has reserved, or described by a cue sheet; null: it has not said how many come. */
  readonly expectedBlocks: number | null;
}

/** What a drive does by itself, without data of the host. */
export interface WorkReport {
  readonly what: 'blanking' | 'formatting' | 'closing';
  /** From 0 to 1; null: nobody can say. */
  readonly done: number | null;
}

export interface DiscReport {
  readonly kind: MediumKind | 'cd-rom' | 'dvd-rom' | 'bd-rom';
  readonly status: DiscStatus;
  readonly sessions: number;
  /** User data that can be read. */
  readonly bytes: number;
  /** Null: nobody is burning. */
  readonly burning: BurnReport | null;
  /** Null: the drive does nothing by itself. */
  readonly work: WorkReport | null;
}

/** How far the session is that is open. */
export function burnProgress(state: DiscState): Omit<BurnReport, 'by'> {
  const tracks = openTracks(state);
  const isKnown = tracks.every(
    ({ state: life, method }) => life !== 'open' || method === 'planned',
  );
  const sum = (of: (track: (typeof tracks)[number]) => number): number =>
    tracks.reduce((total, track) => total + of(track), 0);
  const writtenBlocks = sum(({ start, next }) => next - start);
  const expectedBlocks = sum(({ start, end }) => end - start);
  return { writtenBlocks, expectedBlocks: isKnown && tracks.length > 0 ? expectedBlocks : null };
}

/** Operations by the sense that tells others of them. */
const WORK: ReadonlyMap<number, WorkReport['what']> = new Map([
  [LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS, 'formatting'],
  [LOGICAL_UNIT_NOT_READY_OPERATION_IN_PROGRESS, 'blanking'],
  [LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS, 'closing'],
]);

function workOf(burner: Burner | null, { format }: DiscState): WorkReport | null {
  const { sense = 0, done = null } = burner?.underWay ?? {};
  const what = WORK.get(sense);
  // What flushes and keeps the state between two writes is a part of the burn, not its end.
  if (what !== undefined && (what !== 'closing' || done !== null)) return { what, done };
  return format?.background === 'running' ? { what: 'formatting', done: null } : null;
}

/** Of the disc that is in the drive of a unit; null: there is none, or the unit has no discs. */
export function discReport(unit: LogicalUnit): DiscReport | null {
  const { optical } = unit;
  if (optical === null) return null;
  const disc = discIn(unit);
  if (disc === null) return null;
  const bytes = opticalBytes(optical);
  const sessions = disc.sessions.filter(({ leadOut }) => leadOut !== null).length;
  const { status, profile } = disc;
  if (!(disc instanceof RecordableDisc)) {
    return { kind: `${familyOf(profile)}-rom`, status, sessions, bytes, burning: null, work: null };
  }
  const { burner } = optical;
  const owner = burner?.owner ?? null;
  const burning =
    owner === null ? null : { by: owner.name || owner.port, ...burnProgress(disc.state) };
  const work = workOf(burner, disc.state);
  return { kind: disc.state.kind, status, sessions, bytes, burning, work };
}
