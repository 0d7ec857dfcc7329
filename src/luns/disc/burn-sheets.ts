/** CUE sheets and TOC files that describe the BIN file of a disc that was burnt. */
import type { RecordableDisc } from '../../scsi/mmc/burn/recordable-disc.ts';
import {
  CONTROL_COPY_PERMITTED,
  CONTROL_FOUR_CHANNELS,
  CONTROL_PRE_EMPHASIS,
  type SectorForm,
  type StoredForm,
  type Track,
} from '../../scsi/mmc/disc.ts';
import { timeOf } from '../../scsi/mmc/sector/msf.ts';
import { cdTextNames } from './cd-text-names.ts';
import { DiscImageError } from './disc-image.ts';

/** The sectors of a track in a BIN file. */
export interface TrackFile {
  readonly track: Track;
  readonly form: SectorForm;
  readonly stored: StoredForm;
  /** Sectors [first, end), pregap included. */
  readonly first: number;
  readonly end: number;
  readonly sectorBytes: number;
  /** Name of the file. */
  readonly bin: string;
  /** Byte of the file where they begin. */
  readonly position: number;
}

function time(sectors: number): string {
  const { minute, second, frame } = timeOf(sectors);
  return [minute, second, frame].map((part) => String(part).padStart(2, '0')).join(':');
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "'")}"`;

/** Modes of CUE sheets. */
function cueMode({ form, stored }: TrackFile): string | null {
  if (form === 'audio') return 'AUDIO';
  if (form === 'mode1') return stored === 'user' ? 'MODE1/2048' : 'MODE1/2352';
  if (stored === 'raw') return 'MODE2/2352';
  return stored === 'mode2' ? 'MODE2/2336' : null;
}

/** Modes of TOC files. */
function tocMode({ form, stored }: TrackFile): string {
  if (form === 'audio') return 'AUDIO';
  if (form === 'mode1') return stored === 'user' ? 'MODE1' : 'MODE1_RAW';
  if (stored === 'raw') return 'MODE2_RAW';
  // With its subheaders.
  if (stored === 'mode2') return form === 'mode2' ? 'MODE2' : 'MODE2_FORM_MIX';
  if (form === 'form1') return 'MODE2_FORM1';
  return form === 'form2' ? 'MODE2_FORM2' : 'MODE2';
}

type Names = ReadonlyMap<number, ReadonlyMap<string, string>>;

function namesOf({ cdText }: RecordableDisc): Names {
  return cdText === null ? new Map() : cdTextNames(cdText);
}

/** Names that CUE sheets know. */
const CUE_NAMES = ['TITLE', 'PERFORMER', 'SONGWRITER'];

function cueNames(names: Names, track: number, indent: string): string[] {
  const mine = names.get(track);
  return CUE_NAMES.flatMap((name) => {
    const text = mine?.get(name);
    return text === undefined ? [] : [`${indent}${name} ${quoted(text)}`];
  });
}

function cueFlags({ control, copy }: Track): string[] {
  const flags = [
    (control & CONTROL_COPY_PERMITTED) === 0 ? '' : 'DCP',
    (control & CONTROL_FOUR_CHANNELS) === 0 ? '' : '4CH',
    (control & CONTROL_PRE_EMPHASIS) === 0 ? '' : 'PRE',
    copy ? 'SCMS' : '',
  ].filter((flag) => flag !== '');
  return flags.length === 0 ? [] : [`    FLAGS ${flags.join(' ')}`];
}

/** INDEX lines count in sectors of the track that they are in, from the start of the file on. */
function cueIndexes(file: TrackFile, before: number): string[] {
  const { track, first } = file;
  const at = (lba: number): string => time(before + lba - first);
  const lines = track.pregap < track.start ? [`    INDEX 00 ${at(track.pregap)}`] : [];
  for (const [i, lba] of [track.start, ...track.indexes].entries()) {
    lines.push(`    INDEX ${String(i + 1).padStart(2, '0')} ${at(lba)}`);
  }
  return lines;
}

/** A CUE sheet. Throws DiscImageError when it has no word for a track. */
export function cueSheet(path: string, disc: RecordableDisc, files: readonly TrackFile[]): string {
  const names = namesOf(disc);
  const lines = [
    ...(disc.catalog === null ? [] : [`CATALOG ${disc.catalog}`]),
    ...cueNames(names, 0, ''),
  ];
  let session = 1;
  let before = 0;
  let bin = '';
  for (const file of files) {
    const { track } = file;
    const mode = cueMode(file);
    if (mode === null) {
      throw new DiscImageError(
        `Cannot export "${path}" as a CUE sheet: it has no word for track ${track.number} (${tocMode(file)}), export it as toc`,
      );
    }
    if (track.session !== session)
      lines.push(`REM SESSION ${String(track.session).padStart(2, '0')}`);
    session = track.session;
    if (file.bin !== bin) {
      lines.push(`FILE ${quoted(file.bin)} BINARY`);
      before = 0;
    }
    bin = file.bin;
    lines.push(
      `  TRACK ${String(track.number).padStart(2, '0')} ${mode}`,
      ...cueNames(names, track.number, '    '),
      ...cueFlags(track),
      ...(track.isrc === null ? [] : [`    ISRC ${track.isrc}`]),
      ...cueIndexes(file, before),
    );
    before += file.end - file.first;
  }
  return `${lines.join('\n')}\n`;
}

function tocNames(names: Names, track: number, indent: string): string[] {
  if (names.size === 0) return [];
  const mine = [...(names.get(track) ?? [])];
  return [
    `${indent}CD_TEXT {`,
    ...(track === 0 ? [`${indent}  LANGUAGE_MAP { 0 : EN }`] : []),
    `${indent}  LANGUAGE 0 {`,
    ...mine.map(([name, text]) => `${indent}    ${name} ${quoted(text)}`),
    `${indent}  }`,
    `${indent}}`,
  ];
}

function tocFlags({ control, form }: Track): string[] {
  const copy = (control & CONTROL_COPY_PERMITTED) === 0 ? 'NO COPY' : 'COPY';
  if (form !== 'audio') return [copy];
  return [
    copy,
    (control & CONTROL_PRE_EMPHASIS) === 0 ? 'NO PRE_EMPHASIS' : 'PRE_EMPHASIS',
    (control & CONTROL_FOUR_CHANNELS) === 0 ? 'TWO_CHANNEL_AUDIO' : 'FOUR_CHANNEL_AUDIO',
  ];
}

function tocTrack(file: TrackFile, names: Names): string[] {
  const { track, position, first, end, bin } = file;
  const length = time(end - first);
  const where =
    track.form === 'audio'
      ? `FILE ${quoted(bin)} #${position} 0 ${length}`
      : `DATAFILE ${quoted(bin)} #${position} ${length}`;
  return [
    '',
    `// Track ${track.number}`,
    `TRACK ${tocMode(file)}`,
    ...tocFlags(track),
    ...(track.isrc === null ? [] : [`ISRC ${quoted(track.isrc)}`]),
    ...(track.form === 'audio' ? tocNames(names, track.number, '') : []),
    where,
    ...(track.start > first ? [`START ${time(track.start - first)}`] : []),
    ...track.indexes.map((lba) => `INDEX ${time(lba - track.start)}`),
  ];
}

function tocType(files: readonly TrackFile[]): string {
  if (files.every(({ form }) => form === 'audio')) return 'CD_DA';
  return files.every(({ form }) => form === 'audio' || form === 'mode1') ? 'CD_ROM' : 'CD_ROM_XA';
}

/** A TOC file of cdrdao. Throws DiscImageError: it has no word for sessions. */
export function tocFile(path: string, disc: RecordableDisc, files: readonly TrackFile[]): string {
  const sessions = new Set(files.map(({ track }) => track.session)).size;
  if (sessions > 1) {
    throw new DiscImageError(
      `Cannot export "${path}" as a TOC file: it has ${sessions} sessions, export it as cue`,
    );
  }
  const names = namesOf(disc);
  const lines = [
    tocType(files),
    ...(disc.catalog === null ? [] : [`CATALOG ${quoted(disc.catalog)}`]),
    ...tocNames(names, 0, ''),
    ...files.flatMap((file) => tocTrack(file, names)),
  ];
  return `${lines.join('\n')}\n`;
}
