/** Traces of tools that burn, read and poll (spec/vectors/mmc-traces.txt), and their replay against a burner. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isOverwritable } from '../../src/scsi/mmc/burn/disc-state.ts';
import { isMediumKind, type MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import type { RecordableDisc } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import { bytesOfPlan } from '../../src/scsi/mmc/burn/write-plan.ts';
import type { BurnerBed } from './burner.ts';
import { partsOf } from './mmc-answer-parts.ts';
import { RawSession } from './raw-session.ts';
import { TraceOperator } from './trace-operator.ts';

/** dist/spec/support/mmc-traces.js → the project. */
const FILE = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  '..',
  'spec',
  'vectors',
  'mmc-traces.txt',
);

export interface TraceRecord {
  /** What the tool was called with, where one begins. */
  readonly tool: string | null;
  /** What the operator did, where that is. */
  readonly operator: string | null;
  /** WRITEs were folded here: as many as there are blocks between their neighbours. */
  readonly folded: boolean;
  readonly cdb: Uint8Array;
  readonly outBytes: number;
  readonly out: Uint8Array;
  readonly inBytes: number;
  readonly in: string;
  readonly sense: string;
}

export interface Trace {
  readonly name: string;
  /** The blank disc that it begins with; null: the drive is empty. */
  readonly kind: MediumKind | null;
  readonly records: readonly TraceRecord[];
}

const NOTHING = {
  tool: null,
  operator: null,
  folded: false,
  cdb: new Uint8Array(0),
  outBytes: 0,
  out: new Uint8Array(0),
  inBytes: 0,
  in: '',
  sense: '',
} as const;

const unhex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits, 'hex'));

function recordOf(line: string): TraceRecord {
  if (line.startsWith('=')) return { ...NOTHING, tool: line.slice(1) };
  if (line.startsWith('%')) return { ...NOTHING, operator: line.slice(1) };
  if (line === '~') return { ...NOTHING, folded: true };
  const text = line.replace(/_(\d+)_/g, (_, zeros: string) => '0'.repeat(Number(zeros)));
  const parts =
    /^([0-9a-f]+)(?:>(\d+)(?::([0-9a-f]+))?)?(?:<(\d+)(?::([0-9a-f]+))?)?(?:!(\S+))?$/.exec(text);
  assert(parts, `a record: ${line}`);
  const [, cdb = '', outBytes = '0', out = '', inBytes = '0', data = '', sense = ''] = parts;
  return {
    ...NOTHING,
    cdb: unhex(cdb),
    outBytes: Number(outBytes),
    out: unhex(out),
    inBytes: Number(inBytes),
    in: data,
    sense: sense.toLowerCase(),
  };
}

/** All traces that were kept. */
export function readTraces(): Trace[] {
  const records: TraceRecord[] = [];
  const traces: (Trace & { readonly records: TraceRecord[] })[] = [];
  for (const line of readFileSync(FILE, 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const last = traces.at(-1);
    if (line.startsWith('@')) {
      const [name = '', kind = ''] = line.slice(1).split(' ');
      assert(isMediumKind(kind) || kind === 'none', `a medium: ${kind}`);
      traces.push({ name, kind: isMediumKind(kind) ? kind : null, records: [] });
    } else if (last === undefined) {
      records.push(recordOf(line));
    } else {
      for (const part of line.split(' ')) {
        const [index = '', times = '1'] = part.split('*');
        const record = records[Number.parseInt(index, 36)];
        assert(record, `a record of number ${index}`);
        for (let i = 0; i < Number(times); i += 1) last.records.push(record);
      }
    }
  }
  return traces;
}

/** A CDB that was answered in another way than in the trace. */
export interface Difference {
  readonly trace: string;
  readonly tool: string;
  readonly cdb: string;
  /** Field of the answers; empty: one of them, or both, are sense. */
  readonly part: string;
  /** Opcodes of what was sent since an event was told last. */
  readonly since: string;
  readonly recorded: string;
  readonly ours: string;
}

export interface Replay {
  /** The disc that was in the drive last. */
  readonly disc: RecordableDisc;
  readonly differences: readonly Difference[];
  /** By opcode: CDBs of commands that the unit does not have. */
  readonly skipped: ReadonlyMap<number, number>;
  readonly compared: number;
}

const WRITE_10 = 0x2a;
const WRITE_12 = 0xaa;
const READ_10 = 0x28;
const MODE_SENSE_10 = 0x5a;
const GET_CONFIGURATION = 0x46;
const GET_EVENT_STATUS = 0x4a;
const isWrite = ({ cdb }: TraceRecord): boolean => cdb[0] === WRITE_10 || cdb[0] === WRITE_12;
/** Commands whose data another room answers for, or that say who somebody is. */
const IDENTITY = new Set([0x12, 0x5a, 0x1a, 0x03]);
/** Longest cue sheet that a trace has whole. */
const KEPT_OUT = 64;
const MOST_BLOCKS = 512;
/** WRITEs of a fold that are sent as one. */
const FOLDED_TOGETHER = 8;

const view = (cdb: Uint8Array): DataView => new DataView(cdb.buffer, cdb.byteOffset);
const lbaOf = (cdb: Uint8Array): number => view(cdb).getInt32(2);
const blocksOf = (cdb: Uint8Array): number =>
  cdb[0] === WRITE_10 ? view(cdb).getUint16(7) : view(cdb).getUint32(6);

/** What is written is made here, and moved before the next is. */
let scratch = new Uint8Array(0);

export class Replayer {
  readonly #trace: Trace;
  readonly #completions: Readonly<Record<string, string>>;
  readonly #operator: TraceOperator;
  readonly #bed: BurnerBed;
  readonly #differences: Difference[] = [];
  readonly #skipped = new Map<number, number>();
  readonly #raw: RawSession;
  readonly #passed: (record: TraceRecord, bed: BurnerBed) => void;
  readonly #since = new Set<string>();
  #compared = 0;
  #tool = '';
  /** Ours is further on than theirs by this many blocks: run-outs, clusters. */
  #shift = 0;

  /** `passed` is called for each CDB that the unit does not know. */
  constructor(
    trace: Trace,
    completions: Readonly<Record<string, string>>,
    passed: (record: TraceRecord, bed: BurnerBed) => void = () => undefined,
  ) {
    this.#passed = passed;
    this.#trace = trace;
    this.#completions = completions;
    this.#operator = new TraceOperator(trace.kind);
    this.#bed = this.#operator.bed;
    const last = trace.records.findLast(isWrite);
    const end = last === undefined ? 0 : lbaOf(last.cdb) + blocksOf(last.cdb);
    this.#raw = new RawSession(end);
  }

  run(): Replay {
    const { records } = this.#trace;
    for (const [i, record] of records.entries()) {
      if (record.tool !== null) this.#tool = record.tool;
      else if (record.operator !== null) this.#operator.act(record.operator);
      else if (record.folded) this.#unfold(i);
      else this.#send(record);
    }
    return {
      disc: this.#operator.disc,
      differences: this.#differences,
      skipped: this.#skipped,
      compared: this.#compared,
    };
  }

  #send(record: TraceRecord): void {
    const opcode = record.cdb[0] as number;
    if (this.#bed.unit.deviceType.opcodes[opcode] === null) {
      const { sense } = record;
      this.#passed(record, this.#bed);
      if (sense !== '5/20/00') this.#skipped.set(opcode, (this.#skipped.get(opcode) ?? 0) + 1);
      return;
    }
    if (isWrite(record)) this.#follow(record);
    const cdb = record.cdb.slice();
    if (isWrite(record) || opcode === READ_10) view(cdb).setInt32(2, lbaOf(cdb) + this.#shift);
    this.#since.add(opcode.toString(16).padStart(2, '0'));
    const { sense, dataIn } = this.#operator.nexus.run(cdb, {
      in: opcode === READ_10 ? view(cdb).getUint16(7) * 2048 : record.inBytes,
      out: this.#dataOf(record, cdb),
    });
    this.#compare(record, sense, Buffer.from(dataIn).toString('hex'));
    if (opcode === GET_EVENT_STATUS && dataIn[4] !== 0) this.#since.clear();
  }

  #compare(record: TraceRecord, sense: string, data: string): void {
    const opcode = record.cdb[0] as number;
    const isPage = opcode === MODE_SENSE_10 && ((record.cdb[2] as number) & 0x3f) === 0x05;
    if (IDENTITY.has(opcode) && !isPage) return;
    this.#compared += 1;
    const [recorded, ours] = [record.sense, sense];
    if (isPage) {
      this.#comparePage(record, sense, data);
      return;
    }
    if (recorded === '' && ours === '' && record.in !== '' && opcode !== READ_10) {
      this.#compareParts(record, data);
      return;
    }
    this.#note(record, '', recorded, ours);
  }

  /** Answers may have been cut in the trace, and are of one length then. */
  #compareParts(record: TraceRecord, data: string): void {
    const length = Math.min(record.in.length, data.length);
    const isConfiguration = record.cdb[0] === GET_CONFIGURATION;
    const theirs = partsOf(record.cdb, isConfiguration ? record.in : record.in.slice(0, length));
    const mine = partsOf(record.cdb, isConfiguration ? data : data.slice(0, length));
    const isWhole =
      record.in.length === record.inBytes * 2 &&
      Number.parseInt(data.slice(0, 8), 16) * 2 + 8 === data.length;
    for (const part of new Set([...theirs.keys(), ...mine.keys()])) {
      const [recorded, ours] = [theirs.get(part), mine.get(part)];
      if (isConfiguration && !isWhole && (recorded === undefined || ours === undefined)) continue;
      if (recorded !== ours) this.#note(record, part, recorded ?? 'absent', ours ?? 'absent');
    }
  }

  /** The page alone: the header and the block descriptor are another room's. */
  #comparePage(record: TraceRecord, sense: string, data: string): void {
    const theirs = record.in.slice(16);
    const descriptor = Number.parseInt(data.slice(12, 16) || '0', 16);
    const mine = data.slice(16 + descriptor * 2);
    const length = Math.min(theirs.length, mine.length);
    this.#note(record, '', record.sense || theirs.slice(0, length), sense || mine.slice(0, length));
  }

  #note(record: TraceRecord, part: string, recorded: string, ours: string): void {
    if (recorded === ours) return;
    const cdb = Buffer.from(record.cdb).toString('hex');
    this.#differences.push({
      trace: this.#trace.name,
      tool: this.#tool,
      cdb,
      part,
      since: [...this.#since].join(' '),
      recorded: recorded || 'good',
      ours: ours || 'good',
    });
  }

  /** A tool goes on where its burner said; ours said something else, which a tool would have followed. */
  #follow({ cdb, sense }: TraceRecord): void {
    const { burner: own } = this.#bed;
    const { disc } = this.#operator;
    if (sense !== '' || own.recording !== null || isOverwritable(disc.state)) return;
    const lba = lbaOf(cdb);
    const places = disc.tracks.map(({ nextWritable }) => nextWritable);
    if (own.shadow !== null || places.includes(lba + this.#shift) || places.includes(lba)) {
      if (own.shadow === null && !places.includes(lba + this.#shift)) this.#shift = 0;
      return;
    }
    const near = places.find((place) => place !== null && Math.abs(place - lba) <= 64);
    if (near !== undefined && near !== null) this.#shift = near - lba;
  }

  #dataOf(record: TraceRecord, cdb: Uint8Array): Uint8Array {
    if (isWrite(record)) return this.#sectors(lbaOf(cdb), blocksOf(cdb), record.outBytes);
    if (record.outBytes <= KEPT_OUT) return record.out;
    const more = this.#completions[Buffer.from(record.out).toString('hex')];
    assert(more !== undefined, 'a parameter list that the trace has cut is completed');
    const out = new Uint8Array([...record.out, ...unhex(more)]);
    assert.equal(out.length, record.outBytes);
    return out;
  }

  /** Sectors whose bytes say where they are; raw ones have sub-channels. */
  #sectors(lba: number, blocks: number, bytes: number): Uint8Array {
    if (bytes > scratch.length) scratch = new Uint8Array(bytes);
    const all = scratch.subarray(0, bytes);
    const one = bytes / blocks;
    if (!Number.isInteger(one)) return all.fill(0);
    for (let i = 0; i < blocks; i += 1) {
      if (one > 2352) all.set(this.#raw.sector(lba + i, one), i * one);
      else all.fill((lba + i + 1) & 0xff, i * one, (i + 1) * one);
    }
    return all;
  }

  /** Writes what lies between the writes before and behind a fold. */
  #unfold(at: number): void {
    const { records } = this.#trace;
    const before = records.slice(0, at).findLast(isWrite);
    const behind = records.slice(at).find(isWrite);
    if (before === undefined || behind === undefined) return;
    const step = Math.max(1, blocksOf(before.cdb)) * FOLDED_TOGETHER;
    let lba = lbaOf(before.cdb) + blocksOf(before.cdb);
    const end = lbaOf(behind.cdb);
    while (lba < end) {
      const blocks = Math.min(step, MOST_BLOCKS, end - lba);
      const cdb = before.cdb.slice();
      view(cdb).setInt32(2, lba);
      if (cdb[0] === WRITE_10) view(cdb).setUint16(7, blocks);
      else view(cdb).setUint32(6, blocks);
      const plan = this.#bed.burner.recording?.plan(this.#operator.disc.state, lba, blocks);
      const each = before.outBytes / blocksOf(before.cdb);
      const outBytes =
        plan === undefined || typeof plan === 'number' ? each * blocks : bytesOfPlan(plan);
      this.#send({ ...before, cdb, outBytes, out: new Uint8Array(0) });
      lba += blocks;
    }
  }
}
