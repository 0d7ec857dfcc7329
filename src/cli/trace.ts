/** `ringscsi trace`: the commands a running daemon ends, as they end, to the terminal or to a file. */

import type { TraceEntry } from '../daemon/reactor-messages.ts';
import { cdbName } from '../initiator/command-name.ts';
import { statusName } from '../scsi/sam.ts';
import { ascOf, ascqOf, senseKeyOf } from '../scsi/sense.ts';
import { senseText } from '../scsi/sense-text.ts';
import type { ControlClient } from '../transport/control/client.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { untilInterrupted } from './interruption.ts';
import { hexBytes } from './table.ts';
import { readEntry, readTrace, TraceWriter } from './trace-file.ts';
import { type Arguments, DONE, FAILED, type Output, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi trace --follow           print commands as they end, until interrupted
ringscsi trace --save FILE        write them to a file instead, until interrupted
ringscsi trace --show FILE        print a file

  --count N        end after N commands
${CONTROL_HELP}
  --json           one object per command`;

/** CDB length by the group code, the first three bits of the opcode (SPC-4 4.2.5.1); 0: the group does not say. */
const GROUP_BYTES = [6, 10, 10, 0, 16, 12, 0, 0] as const;
const VARIABLE_LENGTH = 0x7f;
const VARIABLE_HEADER_BYTES = 8;

/** The CDB without the padding its information unit carried it in. */
function hexOf({ cdb }: TraceEntry): string {
  const opcode = cdb[0] ?? 0;
  let length = GROUP_BYTES[opcode >> 5] ?? 0;
  if (opcode === VARIABLE_LENGTH) length = VARIABLE_HEADER_BYTES + (cdb[7] ?? 0);
  return hexBytes(length === 0 ? cdb : cdb.subarray(0, length));
}

/** `   12.345678  guest 1  lun 0  READ(10) [28 00 …]  GOOD  in 4096  17 us`. */
export function entryText(entry: TraceEntry): string {
  const seconds = (entry.atUs / 1e6).toFixed(6).padStart(13);
  const words = [
    seconds,
    `guest ${entry.guest}`,
    `lun ${entry.lun}`,
    `${cdbName(entry.cdb, entry.peripheralType)} [${hexOf(entry)}]`,
    statusName(entry.status),
  ];
  const { sense } = entry;
  if (sense !== 0) words.push(senseText(senseKeyOf(sense), ascOf(sense), ascqOf(sense)));
  if (entry.bytesIn > 0) words.push(`in ${entry.bytesIn}`);
  if (entry.bytesOut > 0) words.push(`out ${entry.bytesOut}`);
  words.push(`${Math.round(entry.durationUs)} us`);
  return words.join('  ');
}

function show(entry: TraceEntry, output: Output): void {
  const cdb = hexOf(entry);
  output.result(
    { ...entry, name: cdbName(entry.cdb, entry.peripheralType), cdb },
    entryText(entry),
  );
}

/** Takes entries until it has `left` of them. */
class Collector {
  readonly #take: (entry: TraceEntry) => void;
  readonly #note: (text: string) => void;
  #left: number;
  #finish: () => void = () => undefined;
  /** Resolves when enough have come. */
  readonly enough: Promise<void>;
  taken = 0;

  constructor(left: number, take: (entry: TraceEntry) => void, note: (text: string) => void) {
    this.#left = left;
    this.#take = take;
    this.#note = note;
    this.enough = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  onEvent(event: string, value: unknown): void {
    if (event === 'dropped') this.#note('some commands are missing: this end was too slow');
    if (event !== 'traced' || !Array.isArray(value)) return;
    for (const item of value) {
      const entry = readEntry(item);
      if (entry === null || this.#left === 0) continue;
      this.#left -= 1;
      this.taken += 1;
      this.#take(entry);
    }
    if (this.#left === 0) this.#finish();
  }
}

/** Resolves true when the daemon went away, false at the first SIGINT or SIGTERM, or when there is enough. */
function untilEnd(daemon: ControlClient, collector: Collector): Promise<boolean> {
  const lost = daemon.closed.then(() => true);
  const enough = collector.enough.then(() => false);
  return untilInterrupted((interrupted) =>
    Promise.race([lost, interrupted.then(() => false), enough]),
  );
}

async function record(args: Arguments, output: Output, collector: Collector): Promise<number> {
  const onEvent = (event: string, value: unknown): void => collector.onEvent(event, value);
  const gone = await withDaemon(
    args,
    async (daemon) => {
      await daemon.call('trace.start');
      return await untilEnd(daemon, collector);
    },
    onEvent,
  );
  if (gone) output.note('ringscsi: the daemon closed the connection');
  return gone ? FAILED : DONE;
}

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    follow: { type: 'boolean' },
    save: { type: 'string' },
    show: { type: 'string' },
    count: { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const save = args.text('save');
    const file = args.text('show');
    const ways = [args.flag('follow'), save !== null, file !== null].filter(Boolean);
    if (ways.length !== 1) throw new UsageError('one of --follow, --save and --show is needed');
    const left = args.number('count', 1, 1e9) ?? Number.POSITIVE_INFINITY;
    const note = (text: string): void => output.note(text);
    if (file !== null) {
      let shown = 0;
      readTrace(file, (entry) => {
        if (shown < left) show(entry, output);
        shown += 1;
      });
      return DONE;
    }
    if (save === null) {
      return await record(args, output, new Collector(left, (entry) => show(entry, output), note));
    }
    const writer = new TraceWriter(save);
    const collector = new Collector(left, (entry) => writer.write(entry), note);
    try {
      return await record(args, output, collector);
    } finally {
      writer.close();
      output.result({ file: save, commands: collector.taken }, `${collector.taken} commands saved`);
    }
  },
};
