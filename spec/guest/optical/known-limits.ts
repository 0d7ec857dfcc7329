/** Rows that are known to fail for a reason that is a tool's, not ours; each with its reason and the commands that show it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/places.ts';
import type { RowResult } from './result.ts';
import type { Peer } from './runner.ts';

interface Limit {
  /** Why it cannot be otherwise. */
  readonly reason: string;
  /** What of the trace or of the tool's output shows it. */
  readonly trace: readonly string[];
}

const LIMITS = JSON.parse(
  readFileSync(join(ROOT, 'spec', 'guest', 'optical', 'known-limits.json'), 'utf8'),
) as Readonly<Record<Peer, Readonly<Record<string, Limit>>>>;

const nameOf = ({ medium, tool, mode }: RowResult): string => `${medium} ${tool} ${mode}`;

/** A known limit is no failure; one that is none any more is. */
export function judged(peer: Peer, result: RowResult): RowResult {
  const limit = LIMITS[peer][nameOf(result)];
  if (limit === undefined || result.verdict === 'skipped') return result;
  if (result.verdict === 'failed') return { ...result, verdict: 'limit', reason: limit.reason };
  const reason = 'it passes: take it off known-limits.json';
  return { ...result, verdict: 'failed', reason };
}

/** What is wrong with the list: rows that are not there, limits without a reason or a trace. */
export function limitFaults(peer: Peer, names: readonly string[]): string[] {
  return Object.entries(LIMITS[peer]).flatMap(([name, { reason, trace }]) => {
    if (!names.includes(name)) return [`known-limits.json: there is no row "${name}"`];
    return reason.length > 10 && trace.length > 0
      ? []
      : [`known-limits.json: "${name}" is not justified`];
  });
}
