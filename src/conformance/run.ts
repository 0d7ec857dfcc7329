/** Runs the checks against one logical unit; results as rows and as JUnit XML. */
import { CAPACITY_CHECKS } from './capacity.ts';
import {
  type Check,
  type CheckedInitiator,
  CheckedUnit,
  Deviation,
  NotApplicable,
  NotSupported,
} from './check.ts';
import { INQUIRY_CHECKS } from './inquiry.ts';
import { MEDIUM_CHECKS } from './medium.ts';
import { PARAMETER_CHECKS } from './parameters.ts';
import { PROTECTION_CHECKS } from './protection.ts';
import { TASK_CHECKS } from './tasks.ts';

export const CHECKS: readonly Check[] = [
  ...INQUIRY_CHECKS,
  ...CAPACITY_CHECKS,
  ...PARAMETER_CHECKS,
  ...MEDIUM_CHECKS,
  ...PROTECTION_CHECKS,
  ...TASK_CHECKS,
];

export type Verdict = 'pass' | 'fail' | 'not supported' | 'not applicable';

export interface CheckResult {
  readonly command: string;
  readonly clause: string;
  readonly check: string;
  readonly result: Verdict;
  readonly seen: string;
}

async function judge(check: Check, unit: CheckedUnit): Promise<readonly [Verdict, string]> {
  try {
    await unit.attentions();
    return ['pass', await check.run(unit)];
  } catch (error) {
    if (error instanceof NotSupported) return ['not supported', error.message];
    if (error instanceof NotApplicable) return ['not applicable', error.message];
    if (error instanceof Deviation) return ['fail', error.message];
    // A connection that broke or a function that was refused says something about the target, too.
    return ['fail', error instanceof Error ? error.message : String(error)];
  }
}

/** Runs every check, those that write or reset only when `destructive`. */
export async function runChecks(
  initiator: CheckedInitiator,
  lun: number,
  destructive: boolean,
): Promise<CheckResult[]> {
  const unit = new CheckedUnit(initiator, lun);
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    if (check.destructive === true && !destructive) continue;
    // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
    const [result, seen] = await judge(check, unit);
    const { command, clause } = check;
    results.push({ command, clause, check: check.check, result, seen });
  }
  return results;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ESCAPES[sign] ?? sign).replace(/[^\x20-\x7e]/g, '?');
}

export function junit(results: readonly CheckResult[]): string {
  const count = (verdict: Verdict): number => results.filter((r) => r.result === verdict).length;
  const cases = results.map(({ command, clause, check, result, seen }) => {
    const name = escaped(`${check} (${clause})`);
    const open = `  <testcase classname="${escaped(command)}" name="${name}"`;
    if (result === 'pass') return `${open}/>`;
    const element = result === 'fail' ? 'failure' : 'skipped';
    return `${open}><${element} message="${escaped(seen)}"/></testcase>`;
  });
  const skipped = count('not supported') + count('not applicable');
  const totals = `tests="${results.length}" failures="${count('fail')}" skipped="${skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="ringscsi conformance" ${totals}>`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
}
