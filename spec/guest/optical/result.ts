/** What became of each row, and the table made of it. */

export type Verdict = 'passed' | 'failed' | 'skipped' | 'limit';

export interface RowResult {
  readonly medium: string;
  readonly tool: string;
  readonly mode: string;
  readonly verdict: Verdict;
  readonly seconds: number;
  /** One line for the table; empty when it passed. */
  readonly reason: string;
  /** What the tool and the drive said, for people who look why. */
  readonly detail: string;
}

export function count(results: readonly RowResult[], verdict: Verdict): number {
  return results.filter((result) => result.verdict === verdict).length;
}

export function rowText({ medium, tool, mode, verdict, seconds, reason }: RowResult): string {
  const words = [medium.padEnd(8), tool.padEnd(20), mode.padEnd(33), verdict.padEnd(7)];
  return `${words.join('  ')}  ${seconds.toFixed(1).padStart(6)}  ${reason}`.trimEnd();
}

export function tableText(results: readonly RowResult[]): string {
  const words = ['medium'.padEnd(8), 'tool'.padEnd(20), 'mode'.padEnd(33), 'result '];
  return [`${words.join('  ')}  seconds  reason`, ...results.map(rowText)].join('\n');
}
