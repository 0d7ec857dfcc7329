/** `ringscsi media new|export` and `library export`: files of recordable discs, which no daemon touches. */
import { closeSync } from 'node:fs';
import { ConfigError, unknownWord } from '../daemon/known-keys.ts';
import { type ExportFormat, exportBurnt, verifyBurnt } from '../luns/disc/burn-export.ts';
import { createBurnStore } from '../luns/disc/burn-store.ts';
import { unlockImage } from '../luns/image-lock.ts';
import { openDiskFile } from '../luns/open.ts';
import { factsOf, isMediumKind, MEDIUM_KINDS } from '../scsi/mmc/burn/media.ts';
import { BLOCK_BYTES } from '../scsi/mmc/optical-drive.ts';
import { sizeText } from './table.ts';
import { type Arguments, DONE, FAILED, type OptionShape, type Output, UsageError } from './verb.ts';

const FORMATS: readonly ExportFormat[] = ['iso', 'cue', 'toc'];

export const EXPORT_OPTIONS: Readonly<Record<string, OptionShape>> = {
  iso: { type: 'string' },
  cue: { type: 'string' },
  toc: { type: 'string' },
  verify: { type: 'string' },
};

/** Makes a blank medium. */
export function newMedium(args: Arguments, output: Output): Promise<number> {
  const [kind = '', path = ''] = args.operands(1, 'KIND', 'FILE');
  if (!isMediumKind(kind)) {
    throw new ConfigError(`Cannot make a medium: ${unknownWord('medium', kind, MEDIUM_KINDS)}`);
  }
  createBurnStore(path, kind);
  const bytes = factsOf(kind).blocks * BLOCK_BYTES;
  output.result({ path, kind, bytes }, `"${path}" is a blank ${kind}: ${sizeText(bytes)}`);
  return Promise.resolve(DONE);
}

interface Exported {
  readonly path: string;
  readonly written: readonly string[];
  /** How many sectors were compared, and how many of them differ; null: nothing was compared. */
  readonly verified: ReturnType<typeof verifyBurnt> | null;
}

/** Nobody writes the disc meanwhile; others may read it. Throws DiskFileError. */
function whileReading<T>(path: string, read: () => T): T {
  const action = 'Cannot export a disc';
  const { fd } = openDiskFile({ lun: 0, path, blockBytes: 1, readOnly: true, action });
  try {
    return read();
  } finally {
    unlockImage(fd);
    closeSync(fd);
  }
}

function exportedText({ written, verified }: Exported, source: string | null): string {
  const lines = written.map((target) => `"${target}" written`);
  if (verified !== null) {
    const { sectors, different, first } = verified;
    lines.push(
      different === 0
        ? `${sectors} sectors are those of "${source}"`
        : `${different} of ${sectors} sectors are not those of "${source}", the first is ${first}`,
    );
  }
  return lines.join('\n');
}

/** Which images are to be made. Throws UsageError: none, and nothing is compared. */
function formatsOf(args: Arguments): ExportFormat[] {
  const wanted = FORMATS.filter((format) => args.text(format) !== null);
  if (wanted.length > 0 || args.text('verify') !== null) return wanted;
  throw new UsageError('one of --iso, --cue, --toc and --verify is missing');
}

/** `media export FILE`. */
export function exportMedium(args: Arguments, output: Output): Promise<number> {
  const [path = ''] = args.operands(1, 'FILE');
  return Promise.resolve(exportFile(path, args, output));
}

/** `library export NAME`; `find` gives the file of a name. */
export async function exportNamed(
  args: Arguments,
  output: Output,
  find: (name: string) => Promise<string>,
): Promise<number> {
  const [name = ''] = args.operands(1, 'NAME');
  formatsOf(args);
  return exportFile(await find(name), args, output);
}

/** Makes images of what was burnt, and compares it with what it was burnt from. */
function exportFile(path: string, args: Arguments, output: Output): number {
  const wanted = formatsOf(args);
  const source = args.text('verify');
  const exported = whileReading(path, (): Exported => {
    const written: string[] = [];
    for (const format of wanted) {
      const target = args.needed(format);
      exportBurnt(path, target, format);
      written.push(target);
    }
    return { path, written, verified: source === null ? null : verifyBurnt(path, source) };
  });
  output.result(exported, exportedText(exported, source));
  return (exported.verified?.different ?? 0) === 0 ? DONE : FAILED;
}
