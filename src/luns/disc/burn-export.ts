/** What was burnt as an image: ISO, BIN with a CUE sheet, BIN with a TOC file of cdrdao; and whether it is what it should be. */
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RecordableDisc } from '../../scsi/mmc/burn/recordable-disc.ts';
import { type SectorRun, STORED_BYTES, type StoredForm } from '../../scsi/mmc/disc.ts';
import { userDataAt } from '../../scsi/mmc/sector/user-data.ts';
import { cueSheet, type TrackFile, tocFile } from './burn-sheets.ts';
import { SECTORS_AT, withBurnStore } from './burn-store.ts';
import { DiscImageError } from './disc-image.ts';

export type ExportFormat = 'iso' | 'cue' | 'toc';

const SECTOR_BYTES = 2048;
/** Sectors that are read at once. */
const CHUNK_SECTORS = 256;
const NEW_FILE_MODE = 0o666;

/** A disc, and a descriptor of the file it is in. */
interface Burnt {
  readonly path: string;
  readonly fd: number;
  readonly disc: RecordableDisc;
}

function withDisc<T>(path: string, use: (burnt: Burnt) => T): T {
  return withBurnStore(path, (fd, { state }) =>
    use({ path, fd, disc: new RecordableDisc(state, SECTORS_AT) }),
  );
}

/** Makes a file, which must not exist, and takes it away again when `fill` throws. */
function newFile(path: string, fill: (fd: number) => unknown): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, NEW_FILE_MODE);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DiscImageError(`Cannot export to "${path}": ${why}`);
  }
  try {
    fill(fd);
    fsyncSync(fd);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Calls `visit` with what is kept of the sectors of [first, end), chunk by chunk; without bytes where there is nothing. */
function eachChunk(
  { fd, disc }: Burnt,
  first: number,
  end: number,
  visit: (lba: number, count: number, run: SectorRun | null, bytes: Uint8Array) => void,
): void {
  let lba = first;
  while (lba < end) {
    const run = disc.runAt(lba);
    const stop = run === null ? nextRun(disc, lba, end) : Math.min(end, run.first + run.blocks);
    const count = Math.min(CHUNK_SECTORS, stop - lba);
    let bytes = new Uint8Array(0);
    if (run !== null && run.stored !== 'nothing') {
      bytes = new Uint8Array(count * run.strideBytes);
      const at = run.position + (lba - run.first) * run.strideBytes;
      readSync(fd, bytes, 0, bytes.length, at);
    }
    visit(lba, count, run, bytes);
    lba += count;
  }
}

function nextRun({ state }: RecordableDisc, lba: number, end: number): number {
  const next = state.runs.find(({ first }) => first > lba);
  return Math.min(end, next?.first ?? end);
}

/** Where user data ends: with the last block that the host has written when there is one track alone, else with the disc. */
function userDataEnd({ disc }: Burnt): number {
  const written = disc.tracks.filter(({ lastRecorded }) => lastRecorded !== null);
  const [only] = written;
  if (written.length === 1 && only?.lastRecorded !== null && only !== undefined) {
    return only.lastRecorded + 1;
  }
  return disc.blocks;
}

/** 2048 bytes of user data of each sector of a chunk. Throws DiscImageError. */
function userData(
  path: string,
  lba: number,
  count: number,
  run: SectorRun | null,
  bytes: Uint8Array,
): Uint8Array {
  const data = new Uint8Array(count * SECTOR_BYTES);
  if (run === null) return data;
  const isData = run.form === 'mode1' || run.form === 'form1' || run.form === 'mixed';
  for (let i = 0; i < count; i += 1) {
    if (isData && run.stored === 'nothing') break;
    const at = isData ? userDataAt(run, bytes, i * run.strideBytes) : -1;
    if (at < 0) {
      throw new DiscImageError(
        `Cannot export "${path}" as an ISO image: sector ${lba + i} has no 2048 bytes of user data, export it as cue or toc`,
      );
    }
    data.set(bytes.subarray(at, at + SECTOR_BYTES), i * SECTOR_BYTES);
  }
  return data;
}

function exportIso(burnt: Burnt, target: string): void {
  const end = userDataEnd(burnt);
  newFile(target, (fd) => {
    eachChunk(burnt, 0, end, (lba, count, run, bytes) => {
      const data = userData(burnt.path, lba, count, run, bytes);
      // Holes stay holes.
      if (data.some((byte) => byte !== 0)) {
        writeSync(fd, data, 0, data.length, lba * SECTOR_BYTES);
      }
    });
    ftruncateSync(fd, end * SECTOR_BYTES);
  });
}

/** What is kept of the sectors of a track: all in one way, or the track is none for an image. */
function storedOf(
  burnt: Burnt,
  first: number,
  end: number,
): { stored: StoredForm; run: SectorRun } {
  let found: SectorRun | null = null;
  for (let lba = first; lba < end; ) {
    const run = burnt.disc.runAt(lba);
    if (run === null) break;
    if (found === null || found.stored === 'nothing') found = run;
    else if (run.stored !== 'nothing' && run.stored !== found.stored) {
      throw new DiscImageError(
        `Cannot export "${burnt.path}": what is kept of the sectors changes at ${lba}, inside a track`,
      );
    }
    lba = run.first + run.blocks;
  }
  if (found === null) throw new DiscImageError(`Cannot export "${burnt.path}": a track is empty`);
  return { stored: found.stored === 'nothing' ? plainOf(found) : found.stored, run: found };
}

/** Of a track that has nothing but silence or zeros. */
function plainOf({ form }: SectorRun): StoredForm {
  if (form === 'audio') return 'raw';
  if (form === 'form2') return 'form2';
  return form === 'mode2' || form === 'mixed' ? 'mode2' : 'user';
}

/** Appends the sectors of a track to a BIN file. `swaps`: samples of audio are big-endian there. */
function appendTrack(burnt: Burnt, file: TrackFile, out: number, swaps: boolean): void {
  const { sectorBytes, first, end, track } = file;
  let at = file.position;
  eachChunk(burnt, first, end, (_, count, run, bytes) => {
    const data = Buffer.alloc(count * sectorBytes);
    for (let i = 0; i < count && bytes.length > 0 && run !== null; i += 1) {
      const from = i * run.strideBytes;
      data.set(bytes.subarray(from, from + sectorBytes), i * sectorBytes);
    }
    if (swaps && track.form === 'audio') data.swap16();
    writeSync(out, data, 0, data.length, at);
    at += data.length;
  });
}

function trackFiles(burnt: Burnt, bin: string): TrackFile[] {
  const files: TrackFile[] = [];
  let position = 0;
  for (const track of burnt.disc.tracks) {
    if (track.state !== 'complete') continue;
    const { pregap: first, end } = track;
    const { stored, run } = storedOf(burnt, track.start, end);
    const sectorBytes = STORED_BYTES[stored];
    files.push({ track, stored, form: run.form, first, end, sectorBytes, bin, position });
    position += (end - first) * sectorBytes;
  }
  if (files.length === 0) {
    throw new DiscImageError(`Cannot export "${burnt.path}": no track of it is complete`);
  }
  return files;
}

function exportBin(burnt: Burnt, target: string, format: 'cue' | 'toc'): void {
  if (burnt.disc.facts.family !== 'cd') {
    throw new DiscImageError(`Cannot export "${burnt.path}" as ${format}: it is no CD, take iso`);
  }
  const base = target.replace(/\.(cue|toc)$/, '');
  const all = trackFiles(burnt, `${basename(base)}.bin`);
  const files = format === 'cue' ? ofOneSize(all, basename(base)) : all;
  const describe = format === 'cue' ? cueSheet : tocFile;
  const text = describe(burnt.path, burnt.disc, files);
  const made: string[] = [];
  try {
    for (const bin of new Set(files.map((file) => file.bin))) {
      const path = join(dirname(target), bin);
      newFile(path, (fd) => {
        for (const file of files) {
          if (file.bin === bin) appendTrack(burnt, file, fd, format === 'toc');
        }
      });
      made.push(path);
    }
    newFile(target, (fd) => writeSync(fd, text));
  } catch (error) {
    for (const path of made) unlinkSync(path);
    throw error;
  }
}

/**
 * The INDEX lines of a CUE sheet count sectors, and programs do not agree of which length: where tracks differ in that each has
 * a file of its own.
 */
function ofOneSize(files: TrackFile[], base: string): TrackFile[] {
  if (new Set(files.map(({ sectorBytes }) => sectorBytes)).size === 1) return files;
  return files.map((file) => {
    const number = String(file.track.number).padStart(2, '0');
    return { ...file, bin: `${base}-${number}.bin`, position: 0 };
  });
}

/** Makes an image of a recordable disc; `cue` and `toc` have `.bin` files beside them. Throws DiscImageError; nothing is left then. */
export function exportBurnt(path: string, target: string, format: ExportFormat): void {
  withDisc(path, (burnt) => {
    if (format === 'iso') exportIso(burnt, target);
    else exportBin(burnt, target, format);
  });
}

export interface Verified {
  /** Sectors of the source. */
  readonly sectors: number;
  /** How many of them are another on the disc, and the first of those, or null. */
  readonly different: number;
  readonly first: number | null;
}

/** Compares the user data of a disc, from block `start` on, with a file. Throws DiscImageError. */
export function verifyBurnt(path: string, source: string, start = 0): Verified {
  return withDisc(path, (burnt) => {
    const fd = openSync(source, constants.O_RDONLY);
    try {
      const sectors = Math.ceil(statSync(source).size / SECTOR_BYTES);
      let different = 0;
      let first: number | null = null;
      eachChunk(burnt, start, start + sectors, (lba, count, run, bytes) => {
        const ours = userData(path, lba, count, run, bytes);
        const theirs = new Uint8Array(ours.length);
        readSync(fd, theirs, 0, theirs.length, (lba - start) * SECTOR_BYTES);
        for (let i = 0; i < count; i += 1) {
          const [from, to] = [i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES];
          const same =
            run !== null &&
            Buffer.compare(ours.subarray(from, to), theirs.subarray(from, to)) === 0;
          if (same) continue;
          different += 1;
          first ??= lba + i;
        }
      });
      return { sectors, different, first };
    } finally {
      closeSync(fd);
    }
  });
}
