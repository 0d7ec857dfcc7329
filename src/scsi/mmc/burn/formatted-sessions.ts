/** Sessions of a disc that is formatted in more than one (MMC-6 6.5, FORMAT TYPEs 11h to 14h). */
import type { DiscState, FormattedSession } from './disc-state.ts';
import { factsOf, type MediumFacts } from './media.ts';

/** Where a session begins that is formatted behind those that are there, or the last of them (`earlier` alone) began. */
export function formattedSessionStart(
  { sessionGap: [first, later] }: MediumFacts,
  earlier: readonly FormattedSession[],
): number {
  const before = earlier.at(-1);
  if (before === undefined) return 0;
  return before.end + (earlier.length === 1 ? first : later);
}

/** Formatted sessions, ascending; the last may be empty while it grows. */
export function formattedSessions({ kind, format }: DiscState): readonly FormattedSession[] {
  if (format === null) return [];
  const { earlier = [], blocks } = format;
  return [...earlier, { first: formattedSessionStart(factsOf(kind), earlier), end: blocks }];
}
