/** One step of a demo: what it does, what it shows, and how it says that something is not so. */

/** Numbers and words of a step, for people and for scripts. */
export interface Shown {
  /** One line for the terminal. */
  readonly text: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Step<Stage> {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<Shown>;
}

/** Something the demo shows is not so. */
export class DemoError extends Error {
  readonly code = 'ERR_DEMO';
}

export function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new DemoError(otherwise);
}
