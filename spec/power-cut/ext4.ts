/** Power cuts of a recorded ext4: after each, e2fsck replays the journal, finds nothing else, and every synced file is there. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../src/guest-image/commands.ts';
import { Seeded } from '../transport/control/seeded.ts';
import { contentOf, DISK_MIB, type Ext4Recording } from './ext4-guest.ts';
import { Medium } from './medium.ts';
import type { CutReport } from './own-journal.ts';

const LANES = 2;
/** e2fsck(8): 1 = it corrected something, 2 = reboot; more is damage it would not repair unasked. */
const PREENED = 1;

/**
 * The superblock. ext4 asks of a disk that it is written as one: its check sum is in its second sector and is looked at before the
 * journal is read, so no journal heals one of which half was written (the first mount changes 88h to 8Bh and 3FCh to 3FFh alone).
 */
const SUPERBLOCK = { file: 0, from: 1024, end: 2048 } as const;

interface ToolOutcome {
  readonly code: number;
  readonly output: string;
}

function tool(name: string, ...words: readonly string[]): Promise<ToolOutcome> {
  return new Promise((resolve) => {
    execFile(findCommand(name) ?? name, words, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, output: stdout + stderr });
    });
  });
}

/** Runs `cuts` power cuts of the recording; `syncs` false: as if the store had never synced. */
export async function cutExt4(
  recording: Ext4Recording,
  seed: number,
  cuts: number,
  syncs: boolean,
): Promise<CutReport> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = mkdtempSync(join(memory, 'ringscsi-power-cut-'));
  const report: CutReport = { cuts: 0, replays: 0, losses: [] };
  const start = [new Uint8Array(DISK_MIB * 2 ** 20), new Uint8Array(2 ** 20)];
  const medium = new Medium(start, [SUPERBLOCK]);
  for (const event of recording.events) {
    // Without its range a sync means nothing, and every index stays what it is.
    medium.events.push(event.kind === 'sync' && !syncs ? { ...event, from: 0 } : event);
  }
  let next = 0;
  const lane = async (name: string): Promise<void> => {
    while (next < cuts) {
      const number = seed + next;
      next += 1;
      const random = new Seeded(number);
      const at = recording.first + random.below(medium.events.length - recording.first + 1);
      const [image] = medium.cut(at, random);
      const place = join(directory, name);
      mkdirSync(place);
      writeFileSync(join(place, 'image'), image ?? '');
      const loss = await checkExt4(recording, place, at, report);
      if (loss !== null) report.losses.push(`seed ${number}, cut at event ${at}: ${loss}`);
      rmSync(place, { recursive: true });
      report.cuts += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(String(i))));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return report;
}

async function checkExt4(
  recording: Ext4Recording,
  place: string,
  at: number,
  report: CutReport,
): Promise<string | null> {
  const image = join(place, 'image');
  // What a boot does: replay the journal, free the inodes that were being deleted; nothing that needs a decision.
  const preened = await tool('e2fsck', '-p', image);
  if (/recovering journal/.test(preened.output)) report.replays += 1;
  if (preened.code > PREENED) return `e2fsck -p: ${preened.output}`;
  const checked = await tool('e2fsck', '-fn', image);
  if (checked.code !== 0) return `e2fsck -fn: ${checked.output}`;
  const tree = join(place, 'tree');
  mkdirSync(tree);
  await tool('debugfs', '-R', `rdump / ${tree}`, image);
  for (const [i, marked] of recording.files.entries()) {
    if (marked >= at) break;
    const path = join(tree, `d${i % 4}`, `f${i}`);
    if (!existsSync(path)) return `file ${i} was synced and is gone`;
    if (!readFileSync(path).equals(contentOf(i))) return `file ${i} was synced and is damaged`;
  }
  return checkCurrent(recording, join(tree, 'current'), at);
}

/** The file that is replaced by rename is the last one that was synced, or a later one, whole. */
function checkCurrent({ replaced }: Ext4Recording, path: string, at: number): string | null {
  const oldest = replaced.filter((marked) => marked < at).length - 1;
  if (oldest < 0) return null;
  if (!existsSync(path)) return 'the file that is always replaced is gone';
  const bytes = readFileSync(path);
  for (let i = oldest; i < replaced.length; i += 1) if (bytes.equals(contentOf(i))) return null;
  return `the file that is always replaced is older than ${oldest}, or damaged`;
}
