/** The commands a daemon ends while a case runs, as its trace feature tells them: why a tool failed. */
import { entryText } from '../../../src/cli/trace.ts';
import { readEntry, TraceWriter } from '../../../src/cli/trace-file.ts';
import type { TraceEntry } from '../../../src/daemon/reactor-messages.ts';
import { ControlClient } from '../../../src/transport/control/client.ts';

/** More than a case sends; the oldest go. */
const KEPT = 100_000;
/** A longer run of the same command that succeeds is told by its ends. */
const FOLDED = 3;

export class CommandLog {
  #entries: TraceEntry[] = [];
  #client: ControlClient | null = null;

  /** Follows the daemon behind a control socket. */
  static async follow(path: string): Promise<CommandLog> {
    const log = new CommandLog();
    const onEvent = (event: string, value: unknown): void => log.#take(event, value);
    log.#client = await ControlClient.connect({ path, onEvent });
    await log.#client.call('trace.start');
    return log;
  }

  #take(event: string, value: unknown): void {
    if (event !== 'traced' || !Array.isArray(value)) return;
    for (const item of value) {
      const entry = readEntry(item);
      if (entry !== null) this.#entries.push(entry);
    }
    if (this.#entries.length > KEPT) this.#entries = this.#entries.slice(-KEPT);
  }

  clear(): void {
    this.#entries = [];
  }

  /** The last commands as text, runs folded. */
  tail(lines: number): string[] {
    const told: string[] = [];
    const entries = this.#entries;
    for (let begin = 0; begin < entries.length; ) {
      const first = entries[begin] as TraceEntry;
      let end = begin + 1;
      while (end < entries.length && repeats(first, entries[end] as TraceEntry)) end += 1;
      const run = entries.slice(begin, end);
      const last = run.at(-1) as TraceEntry;
      if (run.length <= FOLDED) told.push(...run.map(entryText));
      else told.push(entryText(first), `  … ${run.length - 2} more …`, entryText(last));
      begin = end;
    }
    return told.slice(-lines);
  }

  /** For `ringscsi trace --show`. */
  save(path: string): void {
    const writer = new TraceWriter(path);
    for (const entry of this.#entries) writer.write(entry);
    writer.close();
  }

  end(): void {
    this.#client?.close();
  }
}

function repeats(first: TraceEntry, next: TraceEntry): boolean {
  return first.cdb[0] === next.cdb[0] && first.status === 0 && next.status === 0;
}
