/** Rows that have guests and drives of their own: several guests on one drive, another transport. */
import type { CommandLog } from './command-log.ts';
import type { RowResult } from './result.ts';
import type { Sources } from './sources.ts';

const COMMAND_LINES = 40;

export interface Suite {
  readonly medium: string;
  readonly tool: string;
  /** Rows by what they are called; true: it is in the run that CI does. */
  readonly modes: ReadonlyMap<string, boolean>;
  /** Why QEMU's own drive cannot have them. */
  readonly notOnQemu: string;
  /** Boots what these rows need and runs them. */
  run(
    modes: readonly string[],
    sources: Sources,
    report: (result: RowResult) => void,
  ): Promise<void>;
}

/** As the list of known limits and `test:optical NAME` have them. */
export function suiteNames({ medium, tool, modes }: Suite): string[] {
  return [...modes.keys()].map((mode) => `${medium} ${tool} ${mode}`);
}

/** Runs one row; what became of it. `log`: the commands of a daemon that lives as long as the row, else null. */
export async function attempt(
  { medium, tool }: Suite,
  mode: string,
  log: CommandLog | null,
  work: () => Promise<void>,
): Promise<RowResult> {
  const begin = performance.now();
  const done = (verdict: 'passed' | 'failed', reason: string, detail: string): RowResult => {
    const seconds = (performance.now() - begin) / 1000;
    return { medium, tool, mode, verdict, seconds, reason, detail };
  };
  try {
    log?.clear();
    await work();
    return done('passed', '', '');
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    const commands = log === null ? [] : ['last commands:', ...log.tail(COMMAND_LINES)];
    const detail = [text, stack, ...commands].join('\n');
    return done('failed', text.split('\n')[0] ?? '', detail);
  }
}
