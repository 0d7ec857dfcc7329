/** Where a benchmark ran: what has to stand beside every number. */
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
};

export interface Environment {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  /** Load average of the last minute when the run began: other work makes every number worse, ratios included. */
  readonly load: string;
}

/** `directory` holds the benchmark's file. */
export function environment(directory: string): Environment {
  const { type } = statfsSync(directory);
  return {
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model ?? 'unknown',
    kernel: release(),
    node: process.version,
    fileSystem: FILE_SYSTEMS[type] ?? `type ${type.toString(16)}h`,
    load: readFileSync('/proc/loadavg', 'latin1').split(' ')[0] ?? '',
  };
}
