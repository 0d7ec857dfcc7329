/** How much of a disc passes the laser when a drive changes it by itself: what its time is reckoned by, of a drive that is paced. */
import type { DiscState, StoredRun } from './disc-state.ts';
import { factsOf } from './media.ts';

function sectorsOf(runs: readonly StoredRun[]): number {
  return runs.reduce((sum, { blocks }) => sum + blocks, 0);
}

/** Blocks that are recorded or erased between two states of a disc, and the lead-in and lead-out of a session that ends or is opened again. */
export function blocksBetween(before: DiscState, after: DiscState): number {
  const sectors = Math.abs(sectorsOf(after.runs) - sectorsOf(before.runs));
  const [first, later] = factsOf(before.kind).sessionGap;
  const isSession =
    before.sessions.length !== after.sessions.length || before.final !== after.final;
  const rims = before.sessions.length === 0 ? first : later;
  return sectors + (isSession ? rims : 0);
}
