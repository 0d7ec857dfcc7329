/** `ringscsi inject`: makes a disk or an optical drive of a running daemon fail or wait, to see what its guests do. */
import { parseLun } from '../daemon/config.ts';
import { checkKeys } from '../daemon/known-keys.ts';
import type { InjectRule } from '../daemon/reactor-messages.ts';
import { readRule } from '../daemon/verbs.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { DONE, readAction, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi inject set --lun N --rule RULE [--rule RULE]...   replace the rules of a disk or drive
ringscsi inject clear --lun N                              end them

RULE is OPERATION[,fault=FAULT][,delay=MS[,held]][,lba=FIRST[-LAST]][,count=N], for example
  read,fault=medium,lba=100-199     write,fault=full,count=3     flush,delay=2000
OPERATION is read, write, flush, discard or any; FAULT is medium, full, gone or read-only.
On an optical drive LBAs are those of the disc, and go with fault=medium alone; the laser of a burner fails, or the end of a session:
  calibration,fault=medium,count=1  close,fault=medium,count=1
An abort ends a delay at once, unless it is held: then it lasts, as work of a device would, and the abort waits for it.

${CONTROL_HELP}
  --json           one object`;

const ACTIONS = ['clear', 'set'] as const;
const KEYS = ['fault', 'delay', 'held', 'lba', 'count'] as const;

function number(rule: string, key: string, text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  throw new UsageError(`in rule "${rule}" ${key} is "${text}", a number is needed`);
}

/** Reads `read,fault=medium,lba=100-199`. Throws UsageError or ConfigError. */
export function parseRule(rule: string): InjectRule {
  const [operation = '', ...options] = rule.split(',');
  const raw: Record<string, unknown> = { operation };
  for (const option of options) {
    const [key = '', value = ''] = option.split('=', 2);
    checkKeys(`Cannot read rule "${rule}"`, { [key]: value }, KEYS);
    if (key === 'fault') raw['fault'] = value;
    else if (key === 'delay') raw['delayMs'] = number(rule, key, value);
    else if (key === 'held' && option === 'held') raw['held'] = true;
    else if (key === 'count') raw['count'] = number(rule, key, value);
    else {
      const [first = '', last = first] = value.split('-', 2);
      raw['firstLba'] = number(rule, key, first);
      raw['lastLba'] = number(rule, key, last);
    }
  }
  return readRule(raw);
}

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    lun: { type: 'string' },
    rule: { type: 'string', multiple: true },
  },
  async run(args, output) {
    const action = readAction(args, ACTIONS);
    args.operands(1);
    const lun = parseLun('Cannot inject faults', args.needed('lun'));
    if (action === 'clear') {
      await withDaemon(args, (daemon) => daemon.call('inject.clear', { lun }));
      output.result({ lun, rules: [] }, `LUN ${lun}: no rules`);
      return DONE;
    }
    const rules = args.texts('rule').map(parseRule);
    if (rules.length === 0) throw new UsageError('--rule is missing');
    await withDaemon(args, (daemon) => daemon.call('inject.set', { lun, rules }));
    const plural = rules.length === 1 ? 'rule' : 'rules';
    output.result({ lun, rules }, `LUN ${lun}: ${rules.length} ${plural}`);
    return DONE;
  },
};
