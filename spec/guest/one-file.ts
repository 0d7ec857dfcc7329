/** Runs one file of guest tests with mocha and reports every test to the parent process (`main.ts`) as it ends. */
import Mocha from 'mocha';
import type { TestResult } from './support/report.ts';

const TEST_MS = 300_000;
const { EVENT_HOOK_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } =
  Mocha.Runner.constants;

/** Mocha insists on a reporter that prints; the parent does that. */
class SilentReporter extends Mocha.reporters.Base {
  override epilogue(): void {
    // The table at the end says it all.
  }
}

function report(result: TestResult): void {
  process.send?.(result);
}

async function run(file: string): Promise<void> {
  const mocha = new Mocha({ reporter: SilentReporter, timeout: TEST_MS, forbidOnly: true });
  mocha.addFile(file);
  await mocha.loadFilesAsync();
  const runner = mocha.run((failures) => {
    // Not by letting the process run out: a machine that a failed test left behind would keep it alive. What was
    // reported has to be on its way first.
    const code = failures === 0 ? 0 : 1;
    process.once('disconnect', () => process.exit(code));
    process.disconnect();
  });
  /** Time of hooks that ended since the last test. */
  let hookMs = 0;
  runner.on(EVENT_HOOK_END, (hook) => {
    hookMs += hook.duration ?? 0;
  });
  const ended = (
    test: Mocha.Runnable,
    result: TestResult['result'],
    error: string | null,
  ): void => {
    const milliseconds = hookMs + (test.duration ?? 0);
    hookMs = 0;
    report({ test: test.fullTitle(), result, milliseconds, error });
  };
  runner.on(EVENT_TEST_PASS, (test) => ended(test, 'passed', null));
  runner.on(EVENT_TEST_PENDING, (test) => ended(test, 'skipped', null));
  runner.on(EVENT_TEST_FAIL, (test, error: Error) => {
    ended(test, 'failed', error.stack ?? error.message);
  });
}

// An orderly exit ends the machines and daemons of the tests.
process.on('SIGTERM', () => process.exit(1));
process.on('SIGINT', () => process.exit(1));

await run(process.argv[2] ?? '');
