/** Runs of sectors of a recordable disc: put in, joined, cut. */
import type { StoredRun } from './disc-state.ts';

const endOf = ({ first, blocks }: StoredRun): number => first + blocks;

function joins(a: StoredRun, b: StoredRun): boolean {
  return endOf(a) === b.first && a.form === b.form && a.stored === b.stored && a.sub === b.sub;
}

/** The runs with `run` among them, which is over none of them. */
export function withRun(runs: readonly StoredRun[], run: StoredRun): readonly StoredRun[] {
  if (run.blocks <= 0) return runs;
  const last = runs.at(-1);
  if (last !== undefined && joins(last, run)) {
    return [...runs.slice(0, -1), { ...last, blocks: last.blocks + run.blocks }];
  }
  const at = runs.findIndex(({ first }) => first > run.first);
  const all = runs.toSpliced(at < 0 ? runs.length : at, 0, run);
  const joined: StoredRun[] = [];
  for (const each of all) {
    const before = joined.at(-1);
    if (before !== undefined && joins(before, each)) {
      joined[joined.length - 1] = { ...before, blocks: before.blocks + each.blocks };
    } else {
      joined.push(each);
    }
  }
  return joined;
}

/** What is left when [first, end) has nothing recorded any more. */
export function withoutRange(
  runs: readonly StoredRun[],
  first: number,
  end: number,
): readonly StoredRun[] {
  return runs.flatMap((run) => {
    const head = { ...run, blocks: Math.min(endOf(run), first) - run.first };
    const from = Math.max(run.first, end);
    const tail = { ...run, first: from, blocks: endOf(run) - from };
    return [head, tail].filter(({ blocks }) => blocks > 0);
  });
}
