/** `ringscsi library`: names for media, which a running daemon keeps. */

import { resolve } from 'node:path';
import type { LibraryAddition, LibraryStatus } from '../daemon/library.ts';
import { isMediumKind } from '../scsi/mmc/burn/media.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { EXPORT_OPTIONS, exportNamed } from './disc-files.ts';
import { sizeText, table } from './table.ts';
import { type Arguments, DONE, type Output, readAction, type Verb } from './verb.ts';

const HELP = `ringscsi library add FILE          give a medium a name: a disc image, a recordable disc, or the image of a disk.
                                   Links and other names of a file mean one medium, which keeps its first name
ringscsi library list              every medium: what it is, whether it is there, which LUNs have it, its generation
ringscsi library remove NAME       forget a name; the file stays. Not while the medium is in a drive or its tray
ringscsi library export NAME       make an image of what was burnt on a recordable disc, or compare it (exit code 1:
                                   it differs), as media export does with a file

ringscsi media load N NAME puts a medium into a drive. Many drives can read it; one that writes it has it alone. Its generation
grows with each load into a drive that writes it, and when others have changed its files. The library is in the state
directory of the daemon (serve --state DIR).

${CONTROL_HELP}
  --name NAME      add: 1 to 32 of A-Z a-z 0-9 . _ + -; else the name of the file without its ending
  --ro             add: it is write protected in every drive
  --iso FILE       export: user data, as an ISO image; of any recordable disc
  --cue FILE       export: a CUE sheet with BIN files beside it; of a CD
  --toc FILE       export: a TOC file of cdrdao with a BIN file beside it; of a CD
  --verify FILE    export: whether the disc begins with the sectors of this file
  --json           one object or list`;

const ACTIONS = ['add', 'export', 'list', 'remove'] as const;

const COLUMNS = [
  { title: 'NAME' },
  { title: 'KIND' },
  { title: 'SIZE', align: 'right' },
  { title: 'STATUS' },
  { title: 'WRITE' },
  { title: 'LUN' },
  { title: 'GENERATION', align: 'right' },
  { title: 'FILE' },
] as const;

function libraryTable(media: readonly LibraryStatus[]): string {
  if (media.length === 0) return 'no media: library add gives a file a name';
  const rows = media.map(({ name, kind, bytes, status, readOnly, luns, generation, path }) => [
    name,
    kind,
    status === 'missing' || status === 'unusable' ? '-' : sizeText(bytes),
    status,
    readOnly ? 'protected' : '-',
    luns.length === 0 ? '-' : luns.join(', '),
    String(generation),
    path,
  ]);
  return table(COLUMNS, rows);
}

async function add(args: Arguments, output: Output): Promise<number> {
  const [file = ''] = args.operands(1, 'FILE');
  const name = args.text('name');
  const request = {
    path: resolve(file),
    ...(name === null ? {} : { name }),
    ...(args.flag('ro') ? { ro: true } : {}),
  };
  const call = withDaemon(args, (daemon) => daemon.call('library.add', request));
  const medium = (await call) as LibraryAddition;
  const is = `"${medium.name}": ${medium.kind}, ${medium.status}`;
  output.result(medium, medium.added ? is : `${is}; the file had this name before`);
  return DONE;
}

async function listed(args: Arguments): Promise<LibraryStatus[]> {
  return (await withDaemon(args, (daemon) => daemon.call('library.list'))) as LibraryStatus[];
}

async function list(args: Arguments, output: Output): Promise<number> {
  args.operands(1);
  const media = await listed(args);
  output.result(media, libraryTable(media));
  for (const { name, status, why } of media) {
    if (status === 'unusable' && why !== null) output.note(`"${name}": ${why}`);
  }
  return DONE;
}

async function remove(args: Arguments, output: Output): Promise<number> {
  const [name = ''] = args.operands(1, 'NAME');
  const call = withDaemon(args, (daemon) => daemon.call('library.remove', { name }));
  const medium = (await call) as LibraryStatus;
  output.result(medium, `"${name}" is removed; the file "${medium.path}" stays`);
  return DONE;
}

/** What a name stands for cannot be exported. */
class LibraryExportError extends Error {
  readonly code = 'ERR_LIBRARY';
}

/** The file of a recordable disc by its name. Throws LibraryExportError. */
async function recordableFile(args: Arguments, name: string): Promise<string> {
  const medium = (await listed(args)).find((each) => each.name === name);
  const action = `Cannot export "${name}"`;
  if (medium === undefined) throw new LibraryExportError(`${action}: it is not in the library`);
  const { status, kind, path } = medium;
  if (status === 'missing') {
    throw new LibraryExportError(`${action}: it is missing, there is no "${path}"`);
  }
  if (isMediumKind(kind)) return path;
  throw new LibraryExportError(
    `${action}: "${path}" is an image already (${kind}), only recordable discs are exported`,
  );
}

const RUN = {
  add,
  export: (args: Arguments, output: Output): Promise<number> =>
    exportNamed(args, output, (name) => recordableFile(args, name)),
  list,
  remove,
} as const;

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    ...EXPORT_OPTIONS,
    name: { type: 'string' },
    ro: { type: 'boolean' },
  },
  run: (args, output) => RUN[readAction(args, ACTIONS)](args, output),
};
