/** The discs of the demo: an ISO in a CD drive, a copy of it burnt, ejected and swapped, and what every guest is told of that. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { senseText } from '../scsi/sense-text.ts';
import type { GuestProcess } from './demo-cast.ts';
import type { DiscCopy, DriveLook } from './demo-drive.ts';
import { type IsoFile, isoImage } from './demo-iso.ts';
import { type DiscContents, type DiscFile, sha256 } from './demo-iso-reader.ts';
import { fillPattern } from './demo-pattern.ts';
import type { Stage } from './demo-stage.ts';
import { check, type Shown, type Step } from './demo-step.ts';

const CD_LUN = 3;
const BURNER_LUN = 4;
const MIB = 2 ** 20;
const PATTERN_BLOCK_BYTES = 512;
const CD_RW_PROFILE = 0x000a;

const NEW_DISC = senseText(6, 0x28, 0x00);
const MODE_CHANGED = senseText(6, 0x2a, 0x01);
const TRAY_OPEN = senseText(2, 0x3a, 0x02);
const GOOD = 'GOOD';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

function pattern(bytes: number, seed: number): Uint8Array {
  const whole = Math.ceil(bytes / PATTERN_BLOCK_BYTES) * PATTERN_BLOCK_BYTES;
  const data = new Uint8Array(whole);
  fillPattern(data, seed, PATTERN_BLOCK_BYTES);
  return data.subarray(0, bytes);
}

interface DemoDisc {
  readonly file: string;
  readonly label: string;
  readonly files: readonly IsoFile[];
}

const FIRST_DISC: DemoDisc = {
  file: 'disc1.iso',
  label: 'DEMO_DISC_1',
  files: [
    { path: 'README.TXT', data: text('Disc 1 of the ringscsi demo.\n') },
    { path: 'EMPTY.BIN', data: new Uint8Array(0) },
    { path: 'DATA/BLOCKS.BIN', data: pattern(4 * MIB, 1) },
    { path: 'DATA/ODD.BIN', data: pattern(100_001, 100_000) },
  ],
};
const SECOND_DISC: DemoDisc = {
  file: 'disc2.iso',
  label: 'DEMO_DISC_2',
  files: [
    { path: 'README.TXT', data: text('Disc 2 of the ringscsi demo.\n') },
    { path: 'DATA/MORE.BIN', data: pattern(MIB, 200_000) },
  ],
};

/** Writes the image of a disc; returns its path. */
function makeImage({ cast }: Stage, { file, label, files }: DemoDisc): string {
  const path = join(cast.directory, file);
  writeFileSync(path, isoImage(label, files, new Date()));
  return path;
}

const byPath = (a: DiscFile, b: DiscFile): number => (a.path < b.path ? -1 : 1);

/** Has a guest read every file of a disc, and compares them with what the demo has put there. */
async function readWhole(guest: GuestProcess, lun: number, disc: DemoDisc): Promise<DiscContents> {
  const seen = await guest.call<DiscContents>({ kind: 'readDisc', lun });
  check(seen.label === disc.label, `${guest.name} finds a disc "${seen.label}"`);
  const expected = disc.files
    .map(({ path, data }) => ({ path, bytes: data.length, sha256: sha256(data) }))
    .sort(byPath);
  const found = [...seen.files].sort(byPath);
  const names = (files: readonly DiscFile[]): string => files.map(({ path }) => path).join(', ');
  check(names(found) === names(expected), `${guest.name} finds ${names(found)}`);
  for (const [i, { path, bytes, sha256: sum }] of expected.entries()) {
    check(found[i]?.bytes === bytes, `${path} has ${found[i]?.bytes} bytes for ${guest.name}`);
    check(found[i]?.sha256 === sum, `${path} has another SHA-256 for ${guest.name}`);
  }
  return seen;
}

const look = (guest: GuestProcess, lun: number): Promise<DriveLook> =>
  guest.call<DriveLook>({ kind: 'look', lun });

/** A guest was told exactly this of the burner, and finds it so. */
async function sees(
  guest: GuestProcess,
  expected: {
    readonly attentions: readonly string[];
    readonly events: readonly string[];
    readonly state: string;
  },
): Promise<DriveLook> {
  const seen = await look(guest, BURNER_LUN);
  const list = (words: readonly string[]): string => [...words].sort().join('; ') || 'nothing';
  const { attentions, events, state } = seen;
  check(list(attentions) === list(expected.attentions), `${guest.name} saw ${list(attentions)}`);
  check(list(events) === list(expected.events), `${guest.name} had events: ${list(events)}`);
  check(state === expected.state, `the burner is ${state} for ${guest.name}`);
  check(seen.present === (state === GOOD), `${guest.name}: media status and sense differ`);
  return seen;
}

/** Adds a drive; both guests take what waits for them. */
async function addDrive(
  { cast, first, second }: Stage,
  drive: { readonly lun: number; readonly type: string } & Readonly<Record<string, unknown>>,
): Promise<void> {
  await cast.control('lun.add', drive);
  for (const { state } of await Promise.all([first, second].map((guest) => look(guest, drive.lun))))
    check(state === GOOD, `LUN ${drive.lun} is ${state}`);
}

const sumBytes = (files: readonly DiscFile[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

async function cdDrive(stage: Stage): Promise<Shown> {
  const path = makeImage(stage, FIRST_DISC);
  await addDrive(stage, { lun: CD_LUN, type: 'cdrom', path });
  const { label, files, blocks } = await readWhole(stage.first, CD_LUN, FIRST_DISC);
  const bytes = sumBytes(files);
  return {
    text: `LUN ${CD_LUN} added with an ISO in it: guest-1 reads ${files.length} files of ${label}, ${bytes} bytes, every SHA-256 is right`,
    facts: { lun: CD_LUN, label, blocks, files },
  };
}

async function burn(stage: Stage): Promise<Shown> {
  const path = join(stage.cast.directory, 'blank.cdrw');
  await addDrive(stage, { lun: BURNER_LUN, type: 'burner', media: 'cd-rw', path });
  const copy = await stage.first.call<DiscCopy>({
    kind: 'copyDisc',
    from: CD_LUN,
    lun: BURNER_LUN,
  });
  const { profile, before, after, blocks } = copy;
  check(profile === CD_RW_PROFILE, `the burner has profile ${profile}`);
  check(before === 'blank', `the disc was ${before} before it was burnt`);
  check(after === 'complete', `the disc is ${after} after it was burnt`);
  return {
    text: `LUN ${BURNER_LUN} added with a blank CD-RW: guest-1 burns ${blocks} blocks track at once, closes the session, the disc is ${after}`,
    facts: { lun: BURNER_LUN, ...copy },
  };
}

async function verify({ first, second }: Stage): Promise<Shown> {
  const events = ['NewMedia'];
  const own = await sees(first, { attentions: [], events, state: GOOD });
  const other = await sees(second, { attentions: [MODE_CHANGED, NEW_DISC], events, state: GOOD });
  const { files } = await readWhole(first, BURNER_LUN, FIRST_DISC);
  await readWhole(second, BURNER_LUN, FIRST_DISC);
  return {
    text: `guest-2 sees ${NEW_DISC} and NewMedia; both guests read the ${files.length} files back, every SHA-256 is right`,
    facts: { 'guest-1': own, 'guest-2': other, files },
  };
}

async function eject({ first, second }: Stage): Promise<Shown> {
  await first.call({ kind: 'eject', lun: BURNER_LUN });
  const expected = { attentions: [], events: ['MediaRemoval'], state: TRAY_OPEN };
  const own = await sees(first, expected);
  const other = await sees(second, expected);
  check(own.trayOpen && other.trayOpen, 'the tray is not open');
  return {
    text: `guest-1 ejects the disc, both guests see ${TRAY_OPEN} and MediaRemoval`,
    facts: { 'guest-1': own, 'guest-2': other },
  };
}

async function swap(stage: Stage): Promise<Shown> {
  const { cast, first, second } = stage;
  const path = makeImage(stage, SECOND_DISC);
  const medium = await cast.control<{ state: string; path: string }>('media.load', {
    lun: BURNER_LUN,
    path,
  });
  check(medium.state === 'loaded' && medium.path === path, `the burner is ${medium.state}`);
  const expected = { attentions: [NEW_DISC], events: ['NewMedia'], state: GOOD };
  const own = await sees(first, expected);
  const other = await sees(second, expected);
  const { label, files } = await readWhole(first, BURNER_LUN, SECOND_DISC);
  await readWhole(second, BURNER_LUN, SECOND_DISC);
  return {
    text: `the operator puts another disc in, both guests see ${NEW_DISC} and NewMedia and read ${label}`,
    facts: { 'guest-1': own, 'guest-2': other, label, files },
  };
}

export const DISC_STEPS: readonly Step<Stage>[] = [
  { name: 'read a CD', run: cdDrive },
  { name: 'burn a CD-RW', run: burn },
  { name: 'verify the burn', run: verify },
  { name: 'eject', run: eject },
  { name: 'swap discs', run: swap },
];
