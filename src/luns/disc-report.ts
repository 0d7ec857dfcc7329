/** What the operator is told of the disc in an optical drive: what it is, how far it is, and who burns it. Plain data. */
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import type { DiscState } from '../scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../scsi/mmc/burn/recordable-disc.ts';
import { openTracks } from '../scsi/mmc/burn/transitions.ts';
import type { DiscStatus } from '../scsi/mmc/disc.ts';
import { discIn } from '../scsi/mmc/optical-drive.ts';
import { familyOf } from '../scsi/mmc/profile.ts';
import { opticalBytes } from './optical.ts';

export interface BurnReport {
  /** Name of the initiator. */
  readonly by: string;
  /** Of the session that is open. */
  readonly writtenBlocks: number;
  /** As many it has reserved, or described by a cue sheet; null: it has not said how many come. */
  readonly expectedBlocks: number | null;
}

export interface DiscReport {
  readonly kind: MediumKind | 'cd-rom' | 'dvd-rom' | 'bd-rom';
  readonly status: DiscStatus;
  readonly sessions: number;
  /** User data that can be read. */
  readonly bytes: number;
  /** Null: nobody is burning. */
  readonly burning: BurnReport | null;
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
    return { kind: `${familyOf(profile)}-rom`, status, sessions, bytes, burning: null };
  }
  const owner = optical.burner?.owner ?? null;
  const burning =
    owner === null ? null : { by: owner.name || owner.port, ...burnProgress(disc.state) };
  return { kind: disc.state.kind, status, sessions, bytes, burning };
}
