/** `ringscsi stats`: what a running daemon has done, once or again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStats } from '../daemon/daemon-status.ts';
import type { UnitStatus } from '../daemon/reactor-messages.ts';
import type { ControlClient } from '../transport/control/client.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { guestTable } from './guest.ts';
import { durationText, sizeText, table } from './table.ts';
import { DONE, type Output, type Verb } from './verb.ts';

const HELP = `ringscsi stats                    counters of the daemon, its LUNs and guests
ringscsi stats --watch            again every second, with rates, until interrupted

  --interval SECONDS  time between two lines of --watch (1)
  --count N           end --watch after N times
${CONTROL_HELP}
  --json           one object (with --watch: one per line)`;

const COLUMNS = [
  { title: 'LUN', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'COMMANDS', align: 'right' },
  { title: 'READS', align: 'right' },
  { title: 'READ', align: 'right' },
  { title: 'WRITES', align: 'right' },
  { title: 'WRITTEN', align: 'right' },
  { title: 'CHECKS', align: 'right' },
  { title: 'BUSY', align: 'right' },
] as const;

function unitTable(units: readonly UnitStatus[]): string {
  if (units.length === 0) return 'no LUNs';
  const rows = units.map((unit) => [
    String(unit.lun),
    sizeText(unit.bytes),
    String(unit.commands),
    String(unit.reads),
    sizeText(unit.bytesRead),
    String(unit.writes),
    sizeText(unit.bytesWritten),
    String(unit.checkConditions),
    String(unit.outstanding),
  ]);
  return table(COLUMNS, rows);
}

function statsText(stats: DaemonStats): string {
  const { reactor } = stats;
  const cpuSeconds = ((stats.userUs + stats.systemUs) / 1e6).toFixed(1);
  return [
    `process ${stats.processId}, up ${durationText(stats.uptimeMs)}, ${cpuSeconds} s of CPU, ${sizeText(stats.residentBytes)} resident`,
    `reactor: ${reactor.commands} commands, ${reactor.loops} loops, ${reactor.sleeps} sleeps, ${reactor.doorbells} doorbells`,
    '',
    unitTable(reactor.units),
    '',
    guestTable(reactor.guests),
  ].join('\n');
}

function sum(units: readonly UnitStatus[], key: 'bytesRead' | 'bytesWritten'): number {
  return units.reduce((total, unit) => total + unit[key], 0);
}

/** One line of --watch: what happened between two looks. */
function rateText(before: DaemonStats, now: DaemonStats): string {
  const ms = Math.max(1, now.uptimeMs - before.uptimeMs);
  const perSecond = (a: number, b: number): number => Math.round(((b - a) * 1000) / ms);
  const bytes = (key: 'bytesRead' | 'bytesWritten'): string =>
    `${sizeText(perSecond(sum(before.reactor.units, key), sum(now.reactor.units, key)))}/s`;
  const cpuUs = now.userUs + now.systemUs - before.userUs - before.systemUs;
  const iops = perSecond(before.reactor.commands, now.reactor.commands);
  const cpu = (cpuUs / (ms * 10)).toFixed(0);
  return [
    `${String(iops).padStart(9)} commands/s`,
    `read ${bytes('bytesRead').padStart(12)}`,
    `write ${bytes('bytesWritten').padStart(12)}`,
    `CPU ${cpu.padStart(3)} %`,
    `${now.reactor.guests.length} guests`,
  ].join('  ');
}

async function look(daemon: ControlClient): Promise<DaemonStats> {
  return (await daemon.call('stats')) as DaemonStats;
}

interface Watch {
  readonly intervalMs: number;
  /** Lines still to print. */
  readonly left: number;
}

async function watch(daemon: ControlClient, output: Output, plan: Watch): Promise<void> {
  let before = await look(daemon);
  for (let left = plan.left; left > 0; left -= 1) {
    // biome-ignore lint/performance/noAwaitInLoops: looks follow each other in time
    await sleep(plan.intervalMs);
    const now = await look(daemon);
    output.result(now, rateText(before, now));
    before = now;
  }
}

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    watch: { type: 'boolean' },
    interval: { type: 'string' },
    count: { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const intervalMs = (args.number('interval', 1, 86_400) ?? 1) * 1000;
    const left = args.number('count', 1, 1e9) ?? Number.POSITIVE_INFINITY;
    await withDaemon(args, async (daemon) => {
      if (args.flag('watch')) return await watch(daemon, output, { intervalMs, left });
      const stats = await look(daemon);
      return output.result(stats, statsText(stats));
    });
    return DONE;
  },
};
