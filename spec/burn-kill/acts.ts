/** What a host does with a disc while the daemon may be killed at any moment: every way of writing, erasing and closing that a medium has. */
import { factsOf, type MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { SECTOR } from '../support/burn-commands.ts';
import { sense, type TestInitiator } from '../support/ports.ts';
import { RawSession } from '../support/raw-session.ts';
import type { Seeded } from '../transport/control/seeded.ts';
import { type Blocks, NOTHING, type Promises, sectorOf } from './promises.ts';

export interface World {
  readonly a: TestInitiator;
  readonly kind: MediumKind;
  readonly random: Seeded;
  readonly promises: Promises;
  /** Number of the last write. */
  serial: number;
}

type Act = (world: World) => Promise<void>;

/** Something that a host does, and what it does before so that it can: killed is in the middle of `act`. */
export interface Way {
  readonly prepare?: Act;
  readonly act: Act;
}

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const RUN = 32;
const PREGAP = 150;

const hex = (value: number, bytes: number): string =>
  (value >>> 0).toString(16).padStart(bytes * 2, '0');
const spaced = (text: string): string => (text.match(/../g) ?? []).join(' ');

/** A command that must end well. Throws when it does not: the daemon is gone, or has refused it. */
async function need(
  { a }: World,
  what: string,
  cdb: string,
  options: { readonly dataOut?: Uint8Array; readonly dataInBytes?: number } = {},
): Promise<Buffer> {
  const result = await a.run(spaced(cdb.replaceAll(' ', '')), options);
  const answer = sense(result);
  if (answer !== '') throw new Error(`${what}: ${answer}`);
  return Buffer.from(result.dataIn);
}

async function select(world: World, bytes234: string, packetBlocks = 0): Promise<void> {
  const page = `0532${bytes234}0000000000${hex(packetBlocks, 4)}0096`.padEnd(104, '0');
  const dataOut = Buffer.from(`0000000000000000${page}`, 'hex');
  await need(world, 'MODE SELECT', '5510000000000000 3c00', { dataOut });
}

/** Writes blocks, and returns what they have then. */
async function write(world: World, first: number, blocks: number): Promise<Blocks> {
  world.serial += 1;
  const written = new Map<number, number>();
  const dataOut = new Uint8Array(blocks * SECTOR);
  for (let i = 0; i < blocks; i += 1) {
    dataOut.set(sectorOf(first + i, world.serial), i * SECTOR);
    written.set(first + i, world.serial);
  }
  world.promises.writing = written;
  await need(world, 'WRITE', `2a00${hex(first, 4)}00${hex(blocks, 2)}00`, { dataOut });
  world.promises.writing = new Map();
  return written;
}

async function flush(world: World): Promise<void> {
  await need(world, 'SYNCHRONIZE CACHE', SYNC);
}

/** Waits until the drive is ready, after a command with IMMED. */
async function untilReady({ a }: World): Promise<void> {
  for (;;) {
    const answer = await a.ready();
    if (!answer.startsWith('2/04/')) {
      if (answer !== '') throw new Error(`TEST UNIT READY: ${answer}`);
      return;
    }
  }
}

/** A command that has IMMED in bit `bit` of byte 1: half of them are answered at once. */
async function long(world: World, what: string, cdb: string, bit: number): Promise<void> {
  const bytes = Buffer.from(cdb.replaceAll(' ', ''), 'hex');
  const immediately = world.random.below(2) === 1;
  if (immediately) bytes[1] = (bytes[1] as number) | (1 << bit);
  await need(world, what, bytes.toString('hex'));
  if (immediately) await untilReady(world);
}

interface TrackFound {
  readonly number: number;
  readonly nextWritable: number;
}

async function trackOf(world: World, number: number): Promise<TrackFound> {
  const cdb = `520100 00${hex(number, 2)}00 002400`;
  const info = await need(world, 'READ TRACK INFORMATION', cdb, { dataInBytes: 36 });
  return { number: info[2] as number, nextWritable: info.readUInt32BE(12) };
}

async function closeTrack(world: World, number: number): Promise<void> {
  await long(world, 'CLOSE TRACK', `5b0001 00${hex(number, 2)}00000000`, 0);
}

async function closeSession(world: World): Promise<void> {
  await long(world, 'CLOSE SESSION', '5b 00 02 00 00 00 00 00 00 00', 0);
  world.promises.sessionClosed();
}

/** The invisible track, or the one that is open. */
const OPEN_TRACK = 0xff;

/** A track at once, or on DVD and BD an incremental one; the session is closed behind it. */
const session: Act = async (world) => {
  await select(world, factsOf(world.kind).family === 'cd' ? '41c408' : '40c408');
  const { nextWritable } = await trackOf(world, OPEN_TRACK);
  const blocks = new Map<number, number>();
  for (let i = 0; i <= world.random.below(3); i += 1) {
    for (const one of await write(world, nextWritable + blocks.size, RUN)) blocks.set(...one);
  }
  await flush(world);
  world.promises.synchronized(blocks);
  if (factsOf(world.kind).family !== 'cd') await closeTrack(world, OPEN_TRACK);
  await closeSession(world);
};

/** Increments or packets, each of them flushed; nothing is closed. */
function increments(bytes234: string, packetBlocks: number): Act {
  return async (world) => {
    await select(world, bytes234, packetBlocks);
    let { nextWritable } = await trackOf(world, OPEN_TRACK);
    for (let i = 0; i < 4; i += 1) {
      const blocks = await write(world, nextWritable, RUN);
      await flush(world);
      world.promises.synchronized(blocks);
      nextWritable += RUN;
    }
    await closeTrack(world, OPEN_TRACK);
    await closeSession(world);
  };
}

/** A track that was reserved, half of it written. */
const reserved: Act = async (world) => {
  await select(world, factsOf(world.kind).family === 'cd' ? '40c508' : '40c508');
  const { number } = await trackOf(world, OPEN_TRACK);
  await need(world, 'RESERVE TRACK', `530000000000000080 00`);
  const { nextWritable } = await trackOf(world, number);
  const blocks = await write(world, nextWritable, 2 * RUN);
  await flush(world);
  world.promises.synchronized(blocks);
  await closeTrack(world, number);
  await closeSession(world);
};

function msf(lba: number): string {
  const frames = lba + PREGAP;
  const [minute, rest] = [Math.floor(frames / 4500), frames % 4500];
  return hex(minute, 1) + hex(Math.floor(rest / 75), 1) + hex(rest % 75, 1);
}

/** A session at once by a cue sheet: it closes itself with its last block. */
const sessionAtOnce: Act = async (world) => {
  await select(world, '42c000');
  const { number, nextWritable: start } = await trackOf(world, OPEN_TRACK);
  const end = start + 3 * RUN;
  const track = hex(number, 1);
  const sheet = `4100001400${msf(start - PREGAP)}41${track}001000${msf(start - PREGAP)}41${track}011000${msf(start)}41aa011400${msf(end)}`;
  await need(world, 'SEND CUE SHEET', '5d 00 00 00 00 00 00 00 20 00', {
    dataOut: Buffer.from(sheet, 'hex'),
  });
  await write(world, start - PREGAP, PREGAP);
  const blocks = new Map<number, number>();
  for (let lba = start; lba < end; lba += RUN) {
    for (const one of await write(world, lba, RUN)) blocks.set(...one);
  }
  world.promises.synchronized(blocks);
  world.promises.sessionClosed();
};

/** The disc, or a border of it, at once: a reserved track that is filled; the flush behind it closes the session. */
const discAtOnce: Act = async (world) => {
  await select(world, '42c508');
  await need(world, 'RESERVE TRACK', '53 00 00 00 00 00 00 00 60 00');
  const { nextWritable } = await trackOf(world, world.promises.now.closed.length + 1);
  const blocks = new Map<number, number>();
  for (let i = 0; i < 3; i += 1) {
    for (const one of await write(world, nextWritable + i * RUN, RUN)) blocks.set(...one);
  }
  await flush(world);
  world.promises.synchronized(blocks);
  world.promises.sessionClosed();
};

const RAW_END = 400;
const RAW_BYTES = 2448;
const RAW_SECTORS = 25;

/** A whole raw session from its pregap on, with sub-channels; the flush behind the lead-out closes it. Of a blank CD only. */
const raw: Act = async (world) => {
  await select(world, '43c003');
  world.serial += 1;
  const all = new RawSession(RAW_END);
  const blocks = new Map<number, number>();
  for (let lba = -PREGAP; lba < RAW_END; lba += RAW_SECTORS) {
    const dataOut = new Uint8Array(RAW_SECTORS * RAW_BYTES);
    for (let i = 0; i < RAW_SECTORS; i += 1) {
      const sector = all.sector(lba + i, RAW_BYTES);
      if (lba + i >= 0 && lba + i < all.leadOut) {
        sector.set(sectorOf(lba + i, world.serial), 16);
        blocks.set(lba + i, world.serial);
      }
      dataOut.set(sector, i * RAW_BYTES);
    }
    await need(world, 'WRITE', `2a00${hex(lba, 4)}00${hex(RAW_SECTORS, 2)}00`, { dataOut });
  }
  await flush(world);
  world.promises.synchronized(blocks);
  world.promises.sessionClosed();
};

/** BLANK behind a session. Types 5 and 6 are about the last. */
function blanking(type: number): Way {
  const act: Act = async (world) => {
    const { now } = world.promises;
    const last = now.closed.at(-1) ?? new Map();
    const before = now.closed.slice(0, -1);
    const soon = { closed: before, open: type === 5 ? last : new Map<number, number>() };
    world.promises.begins(type <= 1 ? NOTHING : soon);
    await long(world, 'BLANK', `a1${hex(type, 1)}00000000000000000000`, 4);
    world.promises.ended();
  };
  return { prepare: session, act };
}

/** FORMAT UNIT of what `prepare` has left. */
const formatting = (list: string, prepare?: Act): Way => ({
  act: (world) => format(world, list),
  ...(prepare === undefined ? {} : { prepare }),
});

/** Writes here and there on what FORMAT UNIT has made, each of them flushed. `grows`: it is as long as what was written. */
const overwriting = (list: string, grows = false): Way => ({
  prepare: (world) => format(world, list),
  act: (world) => overwrite(world, grows),
});

async function format(world: World, list: string): Promise<void> {
  world.promises.overwrites = true;
  world.promises.begins(NOTHING);
  const dataOut = Buffer.from(list.replaceAll(' ', ''), 'hex');
  const immediately = world.random.below(2) === 1;
  if (immediately) dataOut[1] = 0x02;
  await need(world, 'FORMAT UNIT', '04 11 00 00 00 00', { dataOut });
  if (immediately) await untilReady(world);
  world.promises.ended();
}

const PLACES = 8;

async function overwrite(world: World, grows: boolean): Promise<void> {
  world.promises.overwrites = true;
  for (let i = 0; i < 2 * PLACES; i += 1) {
    const place = grows && i < PLACES ? i : world.random.below(PLACES);
    const blocks = await write(world, place * RUN, RUN);
    await flush(world);
    world.promises.synchronized(blocks);
  }
}

const DVD_PLUS_RW_FORMAT = '00000008 00230540 98000000';

/** A format in the background is stopped, and goes on. */
const restarting: Way = {
  prepare: async (world) => {
    await format(world, DVD_PLUS_RW_FORMAT);
    await overwrite(world, false);
  },
  act: async (world) => {
    await long(world, 'CLOSE SESSION', '5b 00 02 00 00 00 00 00 00 00', 0);
    const dataOut = Buffer.from('000000080023054098000001', 'hex');
    await need(world, 'FORMAT UNIT', '04 11 00 00 00 00', { dataOut });
  },
};

const BD_R_FORMAT = '00000008 00b47400 c8000000';

/** Tracks that are overwritten where they were written (BD-R, pseudo overwrite). */
const pseudoOverwriting: Way = {
  prepare: async (world) => {
    await format(world, BD_R_FORMAT);
    await select(world, '40c508');
    const blocks = await write(world, 0, PLACES * RUN);
    await flush(world);
    world.promises.synchronized(blocks);
  },
  act: (world) => overwrite(world, false),
};

/** The track and the session that are open are closed. */
const closing: Way = {
  prepare: async (world) => {
    await select(world, '40c508');
    const { nextWritable } = await trackOf(world, OPEN_TRACK);
    const blocks = await write(world, nextWritable, RUN);
    await flush(world);
    world.promises.synchronized(blocks);
  },
  act: async (world) => {
    await closeTrack(world, OPEN_TRACK);
    await closeSession(world);
  },
};

const SEQUENTIAL = { session: { act: session }, reserved: { act: reserved }, closing } as const;
const CD_WRITES = {
  ...SEQUENTIAL,
  'session at once': { act: sessionAtOnce },
  'fixed packets': { act: increments('40e508', 16) },
  packets: { act: increments('40c508', 0) },
  raw: { act: raw },
} as const;
const INCREMENTS = { ...SEQUENTIAL, increments: { act: increments('40c508', 0) } } as const;
const DVD_R_WRITES = { ...INCREMENTS, 'disc at once': { act: discAtOnce } } as const;

/** By medium: what can be done with it, by name. */
export const WAYS: Readonly<Record<MediumKind, Readonly<Record<string, Way>>>> = {
  'cd-r': CD_WRITES,
  'cd-rw': {
    ...CD_WRITES,
    blank: blanking(0),
    'quick blank': blanking(1),
    'session opened again': blanking(5),
    'session erased': blanking(6),
    format: formatting('00000008 00048140 40000020', session),
    overwriting: overwriting('00000008 00048140 40000020'),
  },
  'dvd-r': DVD_R_WRITES,
  'dvd-r-dl': DVD_R_WRITES,
  'dvd-rw': {
    ...DVD_R_WRITES,
    blank: blanking(0),
    'quick blank': blanking(1),
    format: formatting('00000008 00231020 40000010', session),
    'quick format': formatting('00000008 00000000 54000010', session),
    overwriting: overwriting('00000008 00000000 54000010', true),
  },
  'dvd+r': INCREMENTS,
  'dvd+r-dl': INCREMENTS,
  'dvd+rw': {
    format: formatting(DVD_PLUS_RW_FORMAT),
    overwriting: overwriting(DVD_PLUS_RW_FORMAT),
    restarting,
  },
  'dvd-ram': {
    overwriting: { act: (world) => overwrite(world, false) },
    format: formatting('00000008 00222100 00000000', (world) => overwrite(world, false)),
  },
  'bd-r': {
    ...INCREMENTS,
    format: formatting(BD_R_FORMAT),
    'pseudo overwriting': pseudoOverwriting,
  },
  'bd-re': {
    format: formatting('00000008 00b48000 00000800'),
    overwriting: overwriting('00000008 00b48000 00000800'),
  },
};

/** Ways that others may follow, on the same disc. */
const LEAVES_ROOM = new Set([
  'session',
  'session at once',
  'packets',
  'fixed packets',
  'increments',
  'reserved',
  'disc at once',
]);
/** Ways that need a disc of which nothing is written. */
const NEEDS_BLANK = /^raw$|format$|overwriting$|restarting$/;

/** What may be done before, by name. */
export function waysBefore(kind: MediumKind, name: string): readonly Way[] {
  if (NEEDS_BLANK.test(name)) return [];
  return Object.entries(WAYS[kind]).flatMap(([each, way]) => (LEAVES_ROOM.has(each) ? [way] : []));
}

/** A host goes on with what it finds after the daemon has come back; returns what is wrong, or null. */
export async function goOn(world: World): Promise<string | null> {
  const information = await need(world, 'READ DISC INFORMATION', '51 00 00 00 00 00 00 00 22 00', {
    dataInBytes: 34,
  });
  const status = (information[2] as number) & 3;
  const isAppendable = status === 0 || status === 1;
  const { overwrite: how } = factsOf(world.kind);
  if (!isAppendable || how === 'formatted' || world.promises.overwrites) return null;
  // A session may follow: without that CLOSE ends the disc.
  await select(world, factsOf(world.kind).family === 'cd' ? '41c408' : '40c408');
  const closed = sense(await world.a.run('5b 00 02 00 00 00 00 00 00 00'));
  // A session that was only begun cannot be closed.
  if (closed === '3/72/03') return null;
  if (closed !== '') return `CLOSE SESSION: ${closed}`;
  const { nextWritable } = await trackOf(world, OPEN_TRACK);
  await write(world, nextWritable, RUN);
  await flush(world);
  return null;
}
