/** Runs rows on one guest with one drive, one after the other. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Guest, type ScriptOutcome } from '../support/guest.ts';
import { CACHE } from '../support/places.ts';
import { caseName, isBlank, type Medium, type OpticalCase, type Step } from './case.ts';
import { checksOf } from './checks.ts';
import { type Drive, OurDrive, QemuDrive } from './drive.ts';
import { OPTICAL_FUNCTIONS, POLL, UNPACK } from './functions.ts';
import { hostSide } from './host-side.ts';
import { PassthroughDrive } from './passthrough-drive.ts';
import type { RowResult, Verdict } from './result.ts';
import type { Sources } from './sources.ts';

export type Peer = 'ringscsi' | 'qemu';

/** What rows need to run on one guest: the same medium, in a drive that is reached the same way. */
export type OpticalPlace = Pick<OpticalCase, 'medium' | 'through'>;

/** Traces of rows that failed. */
export const TRACES = join(CACHE, '..', 'optical');

const STEP_SECONDS = 150;
/** What a killed line ends with. */
const KILLED = 137;
/** The trace comes by message: what a command that has just ended left may still be on its way. */
const TRACE_MS = 300;
const OUTPUT_LINES = 25;
const COMMAND_LINES = 40;

/** Runs the line in a process group of its own, which ends in time. */
function script(line: string, node: string, seconds: number): string {
  return `cat > /tmp/line.sh <<'END OF THE LINE'
. /etc/functions
${OPTICAL_FUNCTIONS}
D=${node}
${line}
END OF THE LINE
setsid sh /tmp/line.sh &
line=$!
( sleep ${seconds}; kill -KILL -$line ) > /dev/null 2>&1 &
guard=$!
wait $line
code=$?
kill $guard
exit $code`;
}

/** Why a step failed; null when it did not. */
function complaint(step: Step, { code, output }: ScriptOutcome): string | null {
  const { line, exit = 0, says, never, seconds = STEP_SECONDS, name = line } = step;
  if (code === KILLED && exit !== KILLED) return `${name}: not done in ${seconds} s`;
  if (code !== exit) return `${name}: ends with ${code}, not ${exit}`;
  if (says !== undefined && !says.test(output)) return `${name}: does not say ${says}`;
  if (never?.test(output)) return `${name}: says ${never}`;
  return null;
}

const lastLines = (text: string, lines: number): string =>
  text
    .trimEnd()
    .split(/[\r\n]+/)
    .slice(-lines)
    .join('\n');

interface Trouble {
  readonly reason: string;
  readonly detail: string;
}

export class Station {
  readonly drive: Drive;
  readonly #sources: Sources;
  readonly #medium: Medium;
  readonly #tell: (text: string) => void;
  #guest: Guest | null = null;
  /** A row has begun to use the disc in the drive. */
  #used = false;
  #failedLast = false;

  private constructor(
    medium: Medium,
    drive: Drive,
    sources: Sources,
    tell: (text: string) => void,
  ) {
    this.#tell = tell;
    this.#medium = medium;
    this.drive = drive;
    this.#sources = sources;
  }

  /** Starts the drive and boots a guest. `tell` hears what every line says. */
  static async start(
    peer: Peer,
    { medium, through }: OpticalPlace,
    sources: Sources,
    tell: (text: string) => void,
  ): Promise<Station> {
    const Ours = through === true ? PassthroughDrive : OurDrive;
    const ours = peer === 'ringscsi';
    const drive = ours ? await Ours.start(medium, sources) : new QemuDrive(medium, sources);
    const station = new Station(medium, drive, sources, tell);
    try {
      await station.#boot();
    } catch (error) {
      await station.end();
      throw error;
    }
    return station;
  }

  async #boot(): Promise<Guest> {
    // The sources are the first disk of the guest.
    const options = [...this.#sources.disk(), ...this.drive.adapter()];
    const guest = await Guest.boot({ ...this.drive.boot, options });
    this.#guest = guest;
    await guest.sh(UNPACK + POLL);
    await this.drive.attached(guest);
    return guest;
  }

  async run(row: OpticalCase): Promise<RowResult> {
    const begin = performance.now();
    const trouble = await this.#attempt(row);
    this.#failedLast = trouble !== null;
    if (trouble !== null) this.drive.commands?.save(traceFile(row));
    const verdict: Verdict = trouble === null ? 'passed' : 'failed';
    const { medium, tool, mode } = row;
    const seconds = (performance.now() - begin) / 1000;
    const { reason, detail } = trouble ?? { reason: '', detail: '' };
    return { medium, tool, mode, verdict, seconds, reason, detail };
  }

  async #attempt(row: OpticalCase): Promise<Trouble | null> {
    try {
      const guest = this.#guest ?? (await this.#boot());
      await this.#prepare(guest);
      this.drive.commands?.clear();
      for (const step of row.steps) {
        const trouble = await this.#step(guest, step);
        if (trouble !== null) return trouble;
      }
      const found: Trouble[] = [];
      for (const check of checksOf(row)) {
        const trouble = await this.#step(guest, check);
        if (trouble !== null) found.push(trouble);
      }
      const host = hostSide(this.drive, row, this.#sources);
      if (host !== null) found.push({ reason: `host: ${host}`, detail: '' });
      return found.length === 0 ? null : together(found);
    } catch (error) {
      // The guest does not answer any more, or the operator could not change the disc: the next row gets a new guest.
      await this.#guest?.kill();
      this.#guest = null;
      const detail = error instanceof Error ? error.message : String(error);
      return { reason: detail.split('\n')[0] ?? '', detail: `${detail}\n${this.#lastCommands()}` };
    }
  }

  /** A row begins with nothing mounted and, in a burner, with a blank that nobody has touched. */
  async #prepare(guest: Guest): Promise<void> {
    if (this.#failedLast) await guest.run('umount /m 2> /dev/null');
    if (this.#used && (isBlank(this.#medium) || this.#failedLast)) {
      await this.drive.renew(this.#failedLast);
    }
    this.#used = true;
  }

  async #step(guest: Guest, step: Step): Promise<Trouble | null> {
    const { line, seconds = STEP_SECONDS } = step;
    const outcome = await guest.run(script(line, this.drive.node, seconds), (seconds + 60) * 1000);
    const reason = complaint(step, outcome);
    this.#tell(`$ ${line}\n${outcome.output.trimEnd()}`);
    if (reason === null) return null;
    await sleep(TRACE_MS);
    const kernel = await guest.run('dmesg | tail -4');
    const detail = [
      `$ ${line}`,
      lastLines(outcome.output, OUTPUT_LINES),
      `exit code ${outcome.code}; last words of the kernel:`,
      kernel.output.trimEnd(),
      this.#lastCommands(),
    ];
    return { reason, detail: detail.join('\n') };
  }

  #lastCommands(): string {
    const commands = this.drive.commands?.tail(COMMAND_LINES);
    return commands === undefined ? '' : ['last commands:', ...commands].join('\n');
  }

  async end(): Promise<void> {
    await this.#guest?.kill();
    await this.drive.end();
  }
}

function together(found: readonly Trouble[]): Trouble {
  return {
    reason: found.map(({ reason }) => reason).join('; '),
    detail: found.map(({ detail }) => detail).join('\n\n'),
  };
}

export function traceFile(row: OpticalCase): string {
  mkdirSync(TRACES, { recursive: true });
  return join(TRACES, `${caseName(row).replaceAll(/[^\w+=-]+/g, '-')}.trace`);
}
