/** CPU time of a process, all of its threads, from /proc: what it got and what it waited for. */
import { readdirSync, readFileSync } from 'node:fs';

export interface CpuTime {
  /** Microseconds of CPU that the living threads have used; exact to a scheduler tick. */
  readonly usedUs: number;
  /** Microseconds they were ready to run and others ran. */
  readonly waitedUs: number;
}

export function cpuTime(pid: number): CpuTime {
  let usedNs = 0;
  let waitedNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
    const [used, waited] = text.split(' ');
    usedNs += Number(used);
    waitedNs += Number(waited);
  }
  return { usedUs: usedNs / 1000, waitedUs: waitedNs / 1000 };
}
