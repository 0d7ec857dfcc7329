/**
 * Random commands for burners, of two initiators: mostly near what would work, and what must be true of the disc after each, by the reference
 * model and by the rules of a legal state.
 */
import { strict as assert } from 'node:assert';
import {
  decodeDiscState,
  encodeDiscState,
  isOverwritable,
} from '../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { faultOf } from '../../src/scsi/mmc/burn/state-fault.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { BurnModel, type Sent, type TrackView, type View } from './burn-model.ts';
import { type BurnerBed, burner } from './burner.ts';
import { type Bytes, bytesOf, type RunOptions } from './direct-port.ts';
import type { TestNexus } from './target.ts';

/** Numbers that come back for the same seed, and choices made by them. */
class Random extends Seeded {
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const hex = (value: number, bytes: number): string =>
  (value >>> 0).toString(16).padStart(bytes * 2, '0');

const TRACK_INFORMATION_BYTES = 36;

/** A burner, two initiators, and the model that looks at what comes of their commands. */
export class BurnTable {
  readonly bed: BurnerBed;
  readonly model: BurnModel;
  readonly nexuses: [TestNexus, TestNexus];
  /** What a host knew of the disc before the next command; null: nothing, it is not there. */
  view: View | null;

  constructor(kind: MediumKind) {
    this.bed = burner(kind);
    this.model = new BurnModel(kind);
    this.nexuses = [this.bed.a, this.bed.bed.nexus('b').clear()];
    this.view = this.look();
  }

  /** Sends a command, and checks what has come of it. Returns the sense. */
  send(by: 0 | 1, cdb: Bytes, options: RunOptions = {}): string {
    const nexus = this.nexuses[by];
    const { sense } = nexus.run(cdb, options);
    // It did not come to the disc.
    if (/^6\//.test(sense)) return sense;
    const sent: Sent = { by, cdb: bytesOf(cdb), out: bytesOf(options.out ?? ''), sense };
    const after = this.look();
    this.model.look(this.view, sent, after);
    this.view = after;
    return sense;
  }

  /** A burn has ended that no command has ended. */
  interrupted(certainly: boolean): void {
    this.model.interrupted(certainly);
    this.view = this.look();
  }

  /** Reads a block, and checks what comes of it. */
  read(lba: number): void {
    if (this.view === null) return;
    const { sense, dataIn } = this.#ask(`2800${hex(lba, 4)}00000100`, 2048);
    // Nobody reads in a session at once.
    if (sense === '2/04/08' || sense === '5/2c/00') return;
    this.model.checkRead(this.view, lba, sense, dataIn);
  }

  /** By whom it can be asked: during a session at once its owner alone. */
  #ask(cdb: string, bytes: number) {
    const [first, second] = this.nexuses;
    const answer = first.run(cdb, { in: bytes });
    return answer.sense === '2/04/08' ? second.run(cdb, { in: bytes }) : answer;
  }

  look(): View | null {
    for (const nexus of this.nexuses) nexus.clear();
    const information = this.#ask('51000000000000002200', 34);
    if (information.sense !== '') return null;
    const info = Buffer.from(information.dataIn);
    const high = (low: number, at: number): number =>
      (info[low] as number) | ((info[at] as number) << 8);
    const [status, lastSession] = [(info[2] as number) & 3, ((info[2] as number) >> 2) & 3];
    const sessions = high(4, 9);
    const tracks: TrackView[] = [];
    for (let number = 1; number <= high(6, 11); number += 1) {
      const track = this.#track(number);
      if (track !== null) tracks.push(track);
    }
    const features = Buffer.from(this.#ask('46020000000000000800', 8).dataIn);
    const page = this.nexuses[0].run('5a080500000000003c00', { in: 60 }).dataIn;
    return {
      status,
      lastSession,
      erasable: ((info[2] as number) & 0x10) !== 0,
      closedSessions: status === 2 ? sessions : sessions - 1,
      tracks,
      profile: features.readUInt16BE(6),
      page: Buffer.from(page.subarray(8)).toString('hex'),
    };
  }

  #track(number: number): TrackView | null {
    const { sense, dataIn } = this.#ask(
      `5201${hex(number, 4)}0000${hex(TRACK_INFORMATION_BYTES, 1)}00`,
      TRACK_INFORMATION_BYTES,
    );
    if (sense !== '') return null;
    const info = Buffer.from(dataIn);
    const flags = info[6] as number;
    return {
      number,
      session: info[3] as number,
      damaged: ((info[5] as number) & 0x20) !== 0,
      blank: (flags & 0x40) !== 0,
      start: info.readInt32BE(8),
      next: ((info[7] as number) & 1) === 0 ? null : info.readInt32BE(12),
      size: info.readUInt32BE(24),
    };
  }
}

/** MODE SELECT(10) of the write parameters, whose bytes 2, 3 and 4 are given. */
function select(table: BurnTable, by: 0 | 1, bytes234: string): string {
  const page = `0532${bytes234}0000000000000000100096`;
  const out = `0000000000000000${page.padEnd(104, '0')}`;
  return table.send(by, '55 10 00 00 00 00 00 00 3c 00', { out });
}

const WRITE_PARAMETERS = [
  '410408',
  '41c408',
  '41c000',
  '40e508',
  '41c408',
  '410000',
  '40e508',
  '402508',
  '62e508',
  '42c000',
  '420000',
  '510408',
  '520000',
  '41c40a',
  '40250a',
  '41c40b',
  '40250d',
  '430003',
  '530001',
  '420408',
] as const;
const CLOSES = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 5, 6] as const;
const FORMAT_BYTES = [
  0x00, 0x04, 0x40, 0x44, 0x48, 0x4c, 0x50, 0x54, 0x98, 0xc0, 0xc2, 0xc4, 0xc8, 0xc9, 0x24,
];
const BLOCK_BYTES = [2048, 2048, 2048, 2352, 2336, 2448, 2368, 2324, 2056, 2332, 96] as const;

type Step = (random: Random, table: BurnTable, by: 0 | 1) => void;

function someLba(random: Random, { bed: { disc } }: BurnTable): number {
  const places = disc.tracks.flatMap(({ start, end, nextWritable }) => [
    start,
    end,
    nextWritable ?? 0,
  ]);
  const at = random.pick([...places, -150, -11_635, 0, disc.blocks]);
  return random.below(4) === 0 ? at + random.below(40) - 20 : at;
}

const write: Step = (random, table, by) => {
  const { disc } = table.bed;
  const next = disc.tracks.find(({ nextWritable }) => nextWritable !== null)?.nextWritable;
  const isLikely = random.below(3) > 0 && next !== undefined && next !== null;
  const lba = isLikely ? next : someLba(random, table);
  const blocks = random.pick([0, 1, 16, 16, 31, 32, 32]);
  const bytes = random.pick(BLOCK_BYTES);
  const name = random.pick(['2a', '2a', '2a', 'aa', '2e']);
  const flags = name !== '2e' && random.below(8) === 0 ? '08' : '00';
  const cdb =
    name === 'aa'
      ? `aa${flags}${hex(lba, 4)}${hex(blocks, 4)}0000`
      : `${name}${flags}${hex(lba, 4)}00${hex(blocks, 2)}00`;
  table.send(by, cdb, { out: new Uint8Array(blocks * bytes).fill(random.below(256)) });
};

const close: Step = (random, table, by) => {
  const track = random.pick([0, 1, 2, 3, 0xff, table.bed.disc.tracks.length]);
  const immed = random.pick(['00', '01']);
  table.send(by, `5b${immed}0${random.pick(CLOSES)}00${hex(track, 2)}00000000`);
};

const reserve: Step = (random, table, by) => {
  const size = random.pick([0, 1, 32, 100, 4096, 10_000_000]);
  table.send(by, `5300000000${hex(size, 4)}00`);
};

const blank: Step = (random, table, by) => {
  const address = random.pick([0, 1, 2, someLba(random, table)]);
  table.send(by, `a1${random.pick(['0', '1'])}${random.below(8)}${hex(address, 4)}000000000000`);
};

const format: Step = (random, table, by) => {
  const { facts } = table.bed.disc;
  const blocks = random.pick([0, 0xffff_ffff, 64, 65_536, facts.blocks, 11_826_176, 7]);
  const parameter = random.pick([0, 1, 16, 32, 2048]);
  const known = facts.formats.map(({ type }) => type << 2);
  const kind = random.pick([...FORMAT_BYTES, ...known, ...known, ...known]);
  const list = `00${random.pick(['00', '02', '82', '04'])}0008${hex(blocks, 4)}${hex(kind, 1)}${hex(parameter, 3)}`;
  table.send(by, '041100000000', { out: list });
};

/** A sheet of one or two tracks where the next session begins, sometimes a bad one. */
const cue: Step = (random, table, by) => {
  select(table, by, random.pick(['42c000', '420000', '520000']));
  const next = table.bed.disc.tracks.at(-1);
  const start = next?.state === 'invisible' ? next.start : 0;
  const number = hex(next?.number ?? 1, 1);
  const at = (lba: number): string => {
    const frames = lba + 150;
    return (
      hex(Math.floor(frames / 4500), 1) + hex(Math.floor(frames / 75) % 60, 1) + hex(frames % 75, 1)
    );
  };
  const form = random.pick(['10', '00', '11', '20', '01', '40', '99']);
  const end = start + random.pick([20, 40, 600]);
  const sheet = `4100001400${at(start - 150)}41${number}00${form}00${at(start - 150)}41${number}01${form}00${at(start)}41aa011400${at(end)}`;
  table.send(by, '5d000000000000002000', { out: sheet });
};

/** Goes on with a session at once where it is. */
const goOn: Step = (random, table, by) => {
  const { burner: own, disc } = table.bed;
  const { recording } = own;
  if (recording === null) return;
  for (const lba of [disc.state.tracks.at(-1)?.next ?? 0, -150, disc.blocks]) {
    const plan = recording.plan(disc.state, lba, 20);
    if (typeof plan === 'number') continue;
    const bytes = plan.pieces.reduce((sum, piece) => sum + piece.blocks * piece.bytes, 0);
    table.send(by, `2a00${hex(lba, 4)}00001400`, { out: new Uint8Array(bytes) });
    return;
  }
  if (random.below(3) === 0) select(table, by, '410408');
};

/** The tray goes out, mostly comes in again, and nothing of the disc has changed then. */
const tray: Step = (random, table, by) => {
  const before = table.view;
  const out = random.pick(['1b 00 00 00 02 00', 'a6 00 00 00 02 00 00 00 00 00 00 00']);
  if (table.send(by, out) !== '' || before === null) return;
  assert.equal(table.view, null, 'rule "tray": the disc is out and answers');
  table.send(by, '1b 00 00 00 03 00');
  // Another drive may have had it meanwhile: how it is written is asked anew.
  assert.deepEqual(
    table.view === null ? null : { ...(table.view as View), page: before.page },
    before,
    'rule "tray": another disc has come back',
  );
};

/** An initiator is lost, and comes again. */
const lost: Step = (_, table) => {
  const { bed } = table.bed;
  bed.target.nexusLost(table.nexuses[0].nexus);
  table.nexuses[0] = bed.nexus('a').clear();
  table.interrupted(false);
};

const some: Step = (random, table, by) => {
  const cdb = Array.from({ length: 12 }, () => random.below(256));
  // No NACA: an ACA condition would let nothing else happen.
  for (const control of [5, 9, 11]) cdb[control] = 0;
  cdb[0] = random.pick([0x04, 0x2a, 0x35, 0x53, 0x54, 0x58, 0x5b, 0x5c, 0x5d, 0xa1, 0xaa, 0xbf]);
  // All its bytes are the same, so that the model knows what was written.
  table.send(by, cdb, { in: 64, out: new Uint8Array(random.below(4096)).fill(random.below(256)) });
};

const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [30, write],
  [6, (random, table, by) => select(table, by, random.pick(WRITE_PARAMETERS))],
  [
    6,
    (random, table, by) =>
      table.send(by, random.pick(['35000000000000000000', '35020000000000000000'])),
  ],
  [6, close],
  [3, reserve],
  [1, blank],
  [3, format],
  [3, cue],
  [12, goOn],
  [
    1,
    (random, table, by) =>
      table.send(by, `5800000000${hex(random.below(4), 1)}00000000`.slice(0, 20)),
  ],
  [1, (_, table, by) => table.send(by, '54010000000000000000')],
  [6, (random, table) => table.read(someLba(random, table))],
  [
    1,
    (_, table, by) =>
      table.send(by, 'bf0000000000002000100000'.slice(0, 24), { out: new Uint8Array(16).fill(16) }),
  ],
  [1, (_, table, by) => table.send(by, 'bb00ffff02c2000000000000')],
  [
    1,
    (_, table) => {
      table.bed.burner.release();
      table.interrupted(true);
    },
  ],
  [1, lost],
  [3, tray],
  [1, some],
];
const WEIGHTS = STEPS.reduce((sum, [weight]) => sum + weight, 0);

function step(random: Random): Step {
  let at = random.below(WEIGHTS);
  for (const [weight, each] of STEPS) {
    if (at < weight) return each;
    at -= weight;
  }
  return write;
}

/** What is true of every disc, whatever was sent. */
export function checkDisc({ disc }: BurnerBed, where: string): void {
  const { state } = disc;
  assert.equal(faultOf(state), null, where);
  assert.deepEqual(decodeDiscState(encodeDiscState(state)), state, where);
  const { tracks, sessions } = disc;
  assert.ok(tracks.length > 0, where);
  for (const track of tracks) {
    assert.ok(track.start < track.end || isOverwritable(state), where);
    const { nextWritable, start, end } = track;
    assert.ok(nextWritable === null || (nextWritable >= start && nextWritable <= end), where);
    if (track.state === 'complete' && track.start < track.end) {
      assert.ok(disc.runAt(track.start) !== null && disc.runAt(track.end - 1) !== null, where);
    }
  }
  for (const [i, session] of sessions.entries()) {
    assert.ok(session.leadOut !== null || i === sessions.length - 1, where);
  }
}

/** Formats that a disc of a kind may begin with: without them most of what it can do would be refused. */
const FIRST_FORMATS: Partial<Readonly<Record<MediumKind, string>>> = {
  'cd-rw': '00020008 00048140 40 000020',
  'dvd-rw': '00020008 00000000 54 000010',
  'dvd+rw': '00020008 00230540 98 000000',
  'bd-r': '00020008 00b47400 c8 000000',
  'bd-re': '00020008 00b47400 00 000800',
};

/** A new disc, formatted or not. */
function begun(kind: MediumKind, random: Random): BurnTable {
  const table = new BurnTable(kind);
  const format = FIRST_FORMATS[kind];
  if (format !== undefined && random.below(2) === 0) {
    assert.equal(table.send(0, '04 11 00 00 00 00', { out: format }), '');
  }
  return table;
}

/** How often the rival sends what it likes: seldom enough that the other comes to something. */
const RIVAL_EVERY = 5;

/** Sends `commands` random commands to a new medium. Throws where the disc is not legal, or not as the model has it, any more. */
export function burnAtRandom(kind: MediumKind, seed: number, commands: number): BurnerBed {
  const random = new Random(seed);
  let table = begun(kind, random);
  for (let i = 0; i < commands; i += 1) {
    // A disc that is full of sessions, or final, goes; another comes.
    if (table.bed.disc.state.final && random.below(16) === 0) table = begun(kind, random);
    const each = step(random);
    const by = random.below(RIVAL_EVERY) === 0 ? 1 : 0;
    const where = `${kind}, seed ${seed}, command ${i}`;
    try {
      each(random, table, by);
      const known = [...table.model.content.keys()];
      if (known.length > 0) table.read(random.pick(known));
      const next = table.view?.tracks.find((track) => track.next !== null)?.next ?? null;
      if (next !== null) table.read(next);
    } catch (error) {
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
    checkDisc(table.bed, where);
  }
  return table.bed;
}
