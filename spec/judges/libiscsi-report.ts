/** What iscsi-test-cu printed, classified: CUnit counts skipped tests as passed, this does not. */

export type Verdict = 'pass' | 'skip' | 'fail';

export interface Outcome {
  readonly test: string;
  readonly verdict: Verdict;
  /** The first complaint of the tool, or why it skipped. */
  readonly detail: string;
}

/** The part of the output that belongs to the test itself: set-up and clean-up complain about what they do not need. */
function ownLines(output: string): { lines: string[]; ended: 'passed' | 'FAILED' | null } {
  const lines: string[] = [];
  let inside = false;
  for (const line of output.split('\n')) {
    if (/^ {2}Test: /.test(line)) inside = true;
    else if (inside && /^(passed|FAILED)/.test(line)) {
      return { lines, ended: line.startsWith('passed') ? 'passed' : 'FAILED' };
    } else if (inside) lines.push(line.trim());
  }
  return { lines, ended: null };
}

/** Classifies the output of one test in a process of its own. */
export function classify(test: string, output: string, exitCode: number | null): Outcome {
  const { lines, ended } = ownLines(output);
  const complaint = lines.find((line) => line.startsWith('[FAILED]'));
  if (ended === 'FAILED' || ended === null || (exitCode !== 0 && exitCode !== null)) {
    const tail = output.trim().split('\n').at(-1) ?? '';
    const assertion = /^ +1\. (.*)$/m.exec(output)?.[1];
    const detail = complaint ?? assertion ?? (ended === null ? `did not finish: ${tail}` : '');
    return { test, verdict: 'fail', detail };
  }
  const skipped = lines.find((line) => line.startsWith('[SKIPPED]'));
  return skipped === undefined
    ? { test, verdict: 'pass', detail: '' }
    : { test, verdict: 'skip', detail: skipped };
}

/** One verdict for a test that ran on several disks: a failure anywhere counts, then a pass anywhere (fact sheets' rule). */
export function union(outcomes: readonly Outcome[]): Verdict {
  if (outcomes.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return outcomes.some(({ verdict }) => verdict === 'pass') ? 'pass' : 'skip';
}

/** Whether a test name (SUITE.TEST) matches a pattern (SUITE.TEST, SUITE.*). */
export function matches(pattern: string, test: string): boolean {
  return pattern.endsWith('.*') ? test.startsWith(pattern.slice(0, -1)) : pattern === test;
}

export interface Expectation {
  /** Tests, by name or SUITE.*. */
  readonly tests: readonly string[];
  readonly verdict: 'skip' | 'fail';
  readonly reason: string;
}

export interface Judgement {
  /** Worse than expected: failures that nothing explains, skips that nothing explains. */
  readonly unexpected: readonly string[];
  /** Expected to skip or fail, and passed: the expectation can go. */
  readonly better: readonly string[];
}

/** Compares verdicts with what is expected. */
export function judge(
  verdicts: ReadonlyMap<string, Verdict>,
  expectations: readonly Expectation[],
): Judgement {
  const unexpected: string[] = [];
  const better: string[] = [];
  for (const [test, verdict] of verdicts) {
    const expected = expectations.find(({ tests }) => tests.some((one) => matches(one, test)));
    if (verdict === 'pass') {
      if (expected !== undefined) better.push(test);
    } else if (expected?.verdict !== verdict) unexpected.push(test);
  }
  return { unexpected, better };
}
