/** What a process that runs one file of guest tests tells the one that started it, and the table made of it. */

export interface TestResult {
  readonly test: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** With the time of hooks before it, such as booting a guest. */
  readonly milliseconds: number;
  /** Why it failed. */
  readonly error: string | null;
}

/** Something a test found out that people want to read. */
export interface Note {
  readonly note: string;
}

export type Report = TestResult | Note;

export function count(results: readonly TestResult[], wanted: TestResult['result']): number {
  return results.filter(({ result }) => result === wanted).length;
}

export function resultTable(results: readonly TestResult[]): string {
  const width = Math.max(4, ...results.map(({ test }) => test.length));
  const row = (test: string, result: string, seconds: string): string =>
    `${test.padEnd(width)}  ${result.padEnd(7)}  ${seconds.padStart(7)}`;
  return [
    row('test', 'result', 'seconds'),
    ...results.map(({ test, result, milliseconds }) =>
      row(test, result, (milliseconds / 1000).toFixed(1)),
    ),
  ].join('\n');
}

/** Sends a line to whoever started this process; to standard output when a person did. */
export function note(text: string): void {
  if (process.send === undefined) process.stdout.write(`${text}\n`);
  else process.send({ note: text } satisfies Note);
}
