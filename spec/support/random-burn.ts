/** Random commands for burners: mostly near what would work, and what must be true of the disc after each. */
import { strict as assert } from 'node:assert';
import {
  decodeDiscState,
  encodeDiscState,
  isOverwritable,
} from '../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { faultOf } from '../../src/scsi/mmc/burn/state-fault.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { type BurnerBed, burner, selectWrite } from './burner.ts';

/** Numbers that come back for the same seed, and choices made by them. */
class Random extends Seeded {
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const hex = (value: number, bytes: number): string =>
  (value >>> 0).toString(16).padStart(bytes * 2, '0');

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

type Step = (random: Random, bed: BurnerBed) => void;

function someLba(random: Random, { disc }: BurnerBed): number {
  const places = disc.tracks.flatMap(({ start, end, nextWritable }) => [
    start,
    end,
    nextWritable ?? 0,
  ]);
  const at = random.pick([...places, -150, -11_635, 0, disc.blocks]);
  return random.below(4) === 0 ? at + random.below(40) - 20 : at;
}

const write: Step = (random, bed) => {
  const next = bed.disc.tracks.find(({ nextWritable }) => nextWritable !== null)?.nextWritable;
  const isLikely = random.below(3) > 0 && next !== undefined && next !== null;
  const lba = isLikely ? next : someLba(random, bed);
  const blocks = random.pick([0, 1, 16, 16, 31, 32, 32]);
  const bytes = random.pick(BLOCK_BYTES);
  const name = random.pick(['2a', '2a', '2a', 'aa', '2e']);
  const flags = name !== '2e' && random.below(8) === 0 ? '08' : '00';
  const cdb =
    name === 'aa'
      ? `aa${flags}${hex(lba, 4)}${hex(blocks, 4)}0000`
      : `${name}${flags}${hex(lba, 4)}00${hex(blocks, 2)}00`;
  bed.a.run(cdb, { out: new Uint8Array(blocks * bytes).fill(random.below(256)) });
};

const near: Step = (random, bed) => {
  const track = random.pick([0, 1, 2, 3, 0xff, bed.disc.tracks.length]);
  const immed = random.pick(['00', '01']);
  bed.a.run(`5b${immed}0${random.pick(CLOSES)}00${hex(track, 2)}00000000`);
};

const reserve: Step = (random, bed) => {
  const size = random.pick([0, 1, 32, 100, 4096, 10_000_000]);
  bed.a.run(`5300000000${hex(size, 4)}00`);
};

const blank: Step = (random, bed) => {
  const address = random.pick([0, 1, 2, someLba(random, bed)]);
  bed.a.run(`a1${random.pick(['0', '1'])}${random.below(8)}${hex(address, 4)}000000000000`);
};

const format: Step = (random, bed) => {
  const blocks = random.pick([0, 0xffff_ffff, 64, 65_536, bed.disc.facts.blocks, 11_826_176, 7]);
  const parameter = random.pick([0, 1, 16, 32, 2048]);
  const known = bed.disc.facts.formats.map(({ type }) => type << 2);
  const kind = random.pick([...FORMAT_BYTES, ...known, ...known, ...known]);
  const list = `00${random.pick(['00', '02', '82', '04'])}0008${hex(blocks, 4)}${hex(kind, 1)}${hex(parameter, 3)}`;
  bed.a.run('041100000000', { out: list });
};

/** A sheet of one or two tracks where the next session begins, sometimes a bad one. */
const cue: Step = (random, bed) => {
  selectWrite(bed.a, random.pick(['42c000', '420000', '520000']));
  const next = bed.disc.tracks.at(-1);
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
  bed.a.run('5d000000000000002000', { out: sheet });
};

/** Goes on with a session at once where it is. */
const goOn: Step = (random, bed) => {
  const { recording } = bed.burner;
  if (recording === null) return;
  for (const lba of [bed.disc.state.tracks.at(-1)?.next ?? 0, -150, bed.disc.blocks]) {
    const plan = recording.plan(bed.disc.state, lba, 20);
    if (typeof plan === 'number') continue;
    const bytes = plan.pieces.reduce((sum, piece) => sum + piece.blocks * piece.bytes, 0);
    bed.a.run(`2a00${hex(lba, 4)}00001400`, { out: new Uint8Array(bytes) });
    return;
  }
  if (random.below(3) === 0) selectWrite(bed.a, '410408');
};

const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [30, write],
  [6, (random, bed) => selectWrite(bed.a, random.pick(WRITE_PARAMETERS))],
  [6, (random, bed) => bed.a.run(random.pick(['35000000000000000000', '35020000000000000000']))],
  [6, near],
  [3, reserve],
  [1, blank],
  [3, format],
  [3, cue],
  [12, goOn],
  [1, (random, bed) => bed.a.run(`5800000000${hex(random.below(4), 1)}00000000`.slice(0, 20))],
  [1, (_, bed) => bed.a.run('54010000000000000000')],
  [2, (random, bed) => bed.a.run(`2800${hex(someLba(random, bed), 4)}00000400`, { in: 8192 })],
  [
    1,
    (_, bed) =>
      bed.a.run('bf0000000000002000100000'.slice(0, 24), { out: new Uint8Array(16).fill(16) }),
  ],
  [1, (_, bed) => bed.burner.release()],
  [
    1,
    (random, bed) => {
      const cdb = Array.from({ length: 12 }, () => random.below(256));
      // No NACA: an ACA condition would let nothing else happen.
      for (const control of [5, 9, 11]) cdb[control] = 0;
      cdb[0] = random.pick([
        0x04, 0x2a, 0x35, 0x53, 0x54, 0x58, 0x5b, 0x5c, 0x5d, 0xa1, 0xaa, 0xbf,
      ]);
      bed.a.run(cdb, { in: 64, out: new Uint8Array(random.below(4096)) });
    },
  ],
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

/** Sends `commands` random commands to a new medium. Throws where the disc is not legal any more. */
export function burnAtRandom(kind: MediumKind, seed: number, commands: number): BurnerBed {
  const random = new Random(seed);
  let bed = burner(kind);
  for (let i = 0; i < commands; i += 1) {
    // A disc that is full of sessions, or final, goes; another comes.
    if (bed.disc.state.final && random.below(8) === 0) bed = burner(kind);
    const each = step(random);
    const where = `${kind}, seed ${seed}, command ${i}`;
    try {
      each(random, bed);
    } catch (error) {
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
    const { status } = bed.a.run('000000000000');
    assert.ok(status === 0 || status === 2, where);
    checkDisc(bed, where);
  }
  return bed;
}
