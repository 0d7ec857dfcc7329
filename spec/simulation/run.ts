/** Runs seeds and says what went wrong with the first that did. */
import { Simulation } from './simulation.ts';

export interface Failure {
  readonly seed: number;
  readonly error: Error;
  readonly trace: readonly string[];
  readonly plan: string;
}

/** Runs one seed. Null when the model found nothing. */
export function runSeed(seed: number): Failure | null {
  const simulation = new Simulation(seed);
  try {
    simulation.run();
    return null;
  } catch (error) {
    const { trace, plan } = simulation;
    const thrown = error instanceof Error ? error : new Error(String(error));
    return { seed, error: thrown, trace, plan: JSON.stringify(plan) };
  }
}

/** The last steps of a failing seed, in words. */
export function describeFailure(failure: Failure, lines = 40): string {
  const { seed, error, trace, plan } = failure;
  const skipped = Math.max(0, trace.length - lines);
  return [
    `seed ${seed}: ${error.message}`,
    `plan ${plan}`,
    ...(skipped > 0 ? [`… ${skipped} lines before (npm run sim -- --seed ${seed})`] : []),
    ...trace.slice(skipped),
    ...(error.name === 'Violation' ? [] : [String(error.stack)]),
  ].join('\n');
}
