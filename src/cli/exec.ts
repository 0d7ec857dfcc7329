/** `ringscsi exec`: sends one raw CDB through the SRP initiator and shows everything that comes back. */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { parseLun, parseSize } from '../daemon/config.ts';
import { type ExecuteRequest, type Initiator, openInitiator } from '../initiator/initiator.ts';
import type { CommandResult } from '../initiator/request.ts';
import type { SenseData } from '../initiator/sense-data.ts';
import { GOOD, statusName } from '../scsi/sam.ts';
import { senseText } from '../scsi/sense-text.ts';
import { hexDump } from './table.ts';
import { type Arguments, DONE, FAILED, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi exec --connect srp:SOCK --cdb HEX [--lun N] [--in BYTES] [--out FILE|HEX]

Sends one command descriptor block as it is and shows status, sense data, residuals and data.
Exit code 0 when the status is GOOD, else 1.

  --connect PORT   port of the daemon, for example srp:./a.sock
  --lun N          logical unit (0)
  --cdb HEX        for example "12 00 00 00 60 00"
  --in BYTES       room for data from the target
  --out DATA       data for the target: hexadecimal digits, or else the name of a file
                   (write ./ before a name that looks like hexadecimal)
  --attribute A    simple, ordered, head or aca (simple)
  --timeout MS     abort when there is no answer (30000)
  --name TEXT      name this initiator gives itself (ringscsi-exec)
  --json           one object`;

const ATTRIBUTES = ['simple', 'ordered', 'head', 'aca'] as const;
/** SPC-4 4.2.1: from 6 bytes to what an additional CDB can carry. */
const MIN_CDB_BYTES = 6;
const MAX_CDB_BYTES = 268;
const MAX_TIMEOUT_MS = 86_400_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const UNIT_ATTENTION = 6;
const POWER_ON_OR_RESET = 0x29;

/** Bytes of hexadecimal digits, with or without separators; null when it is something else. */
function parseHex(text: string): Uint8Array | null {
  const digits = text.replaceAll(/0x|[\s,:]/gi, '');
  if (digits.length === 0 || digits.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function readCdb(args: Arguments): Uint8Array {
  const text = args.needed('cdb');
  const cdb = parseHex(text);
  if (cdb === null)
    throw new UsageError(`--cdb is "${text}", pairs of hexadecimal digits are needed`);
  if (cdb.length < MIN_CDB_BYTES || cdb.length > MAX_CDB_BYTES) {
    throw new UsageError(
      `--cdb has ${cdb.length} bytes, ${MIN_CDB_BYTES} to ${MAX_CDB_BYTES} are possible`,
    );
  }
  return cdb;
}

function readDataOut(args: Arguments): Uint8Array | null {
  const text = args.text('out');
  return text === null ? null : (parseHex(text) ?? readFileSync(text));
}

function readDataIn(args: Arguments): number {
  const text = args.text('in');
  if (text === null || text === '0') return 0;
  return parseSize('Cannot make room for data', '--in', text);
}

function readAttribute(args: Arguments): (typeof ATTRIBUTES)[number] {
  const text = args.text('attribute') ?? 'simple';
  const attribute = ATTRIBUTES.find((candidate) => candidate === text);
  if (attribute !== undefined) return attribute;
  throw new UsageError(`--attribute is "${text}", one of ${ATTRIBUTES.join(', ')} is needed`);
}

function pointerText(pointer: SenseData['fieldPointer']): string {
  if (pointer === null) return '';
  const where = pointer.inCdb ? 'CDB' : 'parameter list';
  const bit = pointer.bit === null ? '' : ` bit ${pointer.bit}`;
  return `, field pointer: ${where} byte ${pointer.byte}${bit}`;
}

function senseWords(sense: SenseData): string {
  const information = sense.information === null ? '' : `, information ${sense.information}`;
  const deferred = sense.deferred ? ' (of an earlier command)' : '';
  const text = senseText(sense.key, sense.asc, sense.ascq);
  return `${text}${deferred}${information}${pointerText(sense.fieldPointer)}`;
}

interface Outcome {
  readonly status: number;
  readonly sense: SenseData | null;
  readonly dataIn: Uint8Array;
  readonly residualIn: number;
  readonly residualOut: number;
}

function outcomeObject(outcome: Outcome): unknown {
  const { status, sense, dataIn, residualIn, residualOut } = outcome;
  return {
    status,
    statusText: statusName(status),
    sense:
      sense === null
        ? null
        : {
            key: sense.key,
            asc: sense.asc,
            ascq: sense.ascq,
            text: senseText(sense.key, sense.asc, sense.ascq),
            information: sense.information,
            fieldPointer: sense.fieldPointer,
            deferred: sense.deferred,
          },
    dataIn: Buffer.from(dataIn).toString('hex'),
    residualIn,
    residualOut,
  };
}

function outcomeText(outcome: Outcome, dataInBytes: number, dataOutBytes: number): string {
  const { status, sense, dataIn, residualIn, residualOut } = outcome;
  const lines = [`status: ${statusName(status)}`];
  if (sense !== null) lines.push(`sense: ${senseWords(sense)}`);
  if (dataOutBytes > 0) lines.push(`data-out: ${dataOutBytes} bytes, residual ${residualOut}`);
  if (dataInBytes > 0) lines.push(`data-in: ${dataIn.length} bytes, residual ${residualIn}`);
  if (dataIn.length > 0) lines.push(hexDump(dataIn));
  return lines.join('\n');
}

/**
 * Sends the command again when all it met was the unit attention that a new login or a reset leaves behind (6/29/xx): the
 * command was not executed, and whoever types one command has no use for that news. Other unit attentions are shown.
 */
async function executeSettled(
  initiator: Initiator,
  request: ExecuteRequest,
  attempts = 8,
): Promise<CommandResult> {
  const outcome = await initiator.execute(request);
  const { sense } = outcome;
  const news = sense !== null && sense.key === UNIT_ATTENTION && sense.asc === POWER_ON_OR_RESET;
  return news && attempts > 1 ? executeSettled(initiator, request, attempts - 1) : outcome;
}

export const verb: Verb = {
  help: HELP,
  options: {
    connect: { type: 'string' },
    lun: { type: 'string' },
    cdb: { type: 'string' },
    in: { type: 'string' },
    out: { type: 'string' },
    attribute: { type: 'string' },
    timeout: { type: 'string' },
    name: { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const connect = args.needed('connect');
    const lun = parseLun('Cannot send a command', args.text('lun') ?? '0');
    const dataInBytes = readDataIn(args);
    const dataOut = readDataOut(args);
    const request = {
      lun,
      cdb: readCdb(args),
      dataInBytes,
      attribute: readAttribute(args),
      timeoutMs: args.number('timeout', 1, MAX_TIMEOUT_MS) ?? DEFAULT_TIMEOUT_MS,
      ...(dataOut === null ? {} : { dataOut }),
    };
    const initiator = await openInitiator({ connect, name: args.text('name') ?? 'ringscsi-exec' });
    try {
      const outcome = await executeSettled(initiator, request);
      const text = outcomeText(outcome, dataInBytes, dataOut?.length ?? 0);
      output.result(outcomeObject(outcome), text);
      return outcome.status === GOOD ? DONE : FAILED;
    } finally {
      await initiator.close();
    }
  },
};
