/** `ringscsi media`: the media in the drives of a running daemon, and files of recordable discs. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseLun } from '../daemon/config.ts';
import type { MediaChange, MediaStatus } from '../daemon/media-house.ts';
import type { WorkReport } from '../luns/disc-report.ts';
import { RefusedError } from '../transport/control/protocol.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { EXPORT_OPTIONS, exportMedium, newMedium } from './disc-files.ts';
import { watchMedia } from './media-watch.ts';
import { sizeText, table } from './table.ts';
import { type Arguments, DONE, FAILED, type Output, readAction, type Verb } from './verb.ts';

const HELP = `ringscsi media list               every drive: its medium, what disc that is and who burns it, who
                                  prevents its removal, its generation
ringscsi media list --watch       a bar for every drive that burns, blanks, formats or closes a disc: blocks, rate and time
                                  left, again every second, until interrupted; plain lines where there is no terminal
ringscsi media load N IMAGE       put an image into the drive of LUN N, in the place of what is there;
                                  into a cdrom or burner a disc image, or the file of a recordable disc
ringscsi media load N NAME        the same with a medium of the library (ringscsi library): a word with a slash in
                                  it, or that is a file here, is an IMAGE, every other a NAME
ringscsi media load N             put the medium back that was in it last
ringscsi media eject N            take the medium out, flushed; its image is free for others then. Where guests
                                  prevent that it is the button of the drive: they are asked for it (exit
                                  code 1: it is still there), and after ejectTimeout=SECONDS of the LUN, if
                                  it has one, it is out all the same. A disk without one is refused
ringscsi media eject N --request  only ask for it, whether it is prevented or not
ringscsi media lock N             prevent its removal, as PREVENT ALLOW MEDIUM REMOVAL of a guest does
ringscsi media unlock N           end that; guests may still prevent it
ringscsi media new KIND FILE      make a blank recordable disc, a sparse file: cd-r, cd-rw, dvd-r, dvd-rw,
                                  dvd-r-dl, dvd+r, dvd+r-dl, dvd+rw, dvd-ram, bd-r or bd-re
ringscsi media export FILE        make an image of what was burnt, or compare it (exit code 1: it differs)

Drives are LUNs attached as cdrom or burner, and disks attached with removable. Commands that have begun end first; those that have not are told
NOT READY, or with the next medium UNIT ATTENTION (medium may have changed), and never reach it.

${CONTROL_HELP}
  --request        eject: ask for the medium and take nothing; disks cannot be asked
  --ro             load: the image is write protected
  --force          load, eject: also when the removal is prevented, when somebody burns the disc, which
                   interrupts that, or when what was written last cannot be flushed (exit code 1 then: it is lost)
  --iso FILE       export: user data, as an ISO image; of any medium
  --cue FILE       export: a CUE sheet with BIN files beside it; of a CD
  --toc FILE       export: a TOC file of cdrdao with a BIN file beside it; of a CD
  --verify FILE    export: whether the disc begins with the sectors of this file
  --interval SECONDS  time between two looks of --watch (1)
  --count N        end --watch after N looks
  --json           one object or list (with --watch: a list per line, of the drives that do something)`;

const ACTIONS = ['eject', 'export', 'list', 'load', 'lock', 'new', 'unlock'] as const;

const COLUMNS = [
  { title: 'LUN', align: 'right' },
  { title: 'STATE' },
  { title: 'SIZE', align: 'right' },
  { title: 'WRITE' },
  { title: 'GENERATION', align: 'right' },
  { title: 'PREVENTED BY' },
  { title: 'NAME' },
  { title: 'DISC' },
  { title: 'MEDIUM' },
] as const;

function mediumText({ state, path }: MediaStatus): string {
  if (state === 'empty') return '-';
  return path ?? 'memory';
}

function preventionText({ locked, preventedBy }: MediaStatus): string {
  const who = [...(locked ? ['operator'] : []), ...preventedBy];
  return who.length === 0 ? '-' : who.join(', ');
}

function stateText({ state, ejectRequested }: MediaStatus): string {
  if (state !== 'loaded') return `out (${state})`;
  return ejectRequested ? 'loaded, eject requested' : 'loaded';
}

function writeText({ state, writeProtected }: MediaStatus): string {
  if (state !== 'loaded') return '-';
  return writeProtected ? 'protected' : 'yes';
}

function workText({ what, done }: WorkReport): string {
  return done === null ? what : `${what}: ${Math.floor(done * 100)} %`;
}

function discText({ disc }: MediaStatus): string {
  if (disc === null) return '-';
  const { kind, status, burning, work } = disc;
  const what = work === null ? '' : `, ${workText(work)}`;
  if (burning === null || work !== null) return `${kind}, ${status}${what}`;
  const { by, writtenBlocks, expectedBlocks } = burning;
  const of = expectedBlocks === null ? '' : ` of ${expectedBlocks}`;
  return `${kind}, ${status}, burnt by ${by}: ${writtenBlocks}${of} blocks`;
}

function mediaTable(drives: readonly MediaStatus[]): string {
  if (drives.length === 0) return 'no drives: no LUN is a cdrom, burner or removable';
  const rows = drives.map((drive) => [
    String(drive.lun),
    stateText(drive),
    drive.state === 'loaded' ? sizeText(drive.bytes) : '-',
    writeText(drive),
    String(drive.generation),
    preventionText(drive),
    drive.name ?? '-',
    discText(drive),
    mediumText(drive),
  ]);
  return table(COLUMNS, rows);
}

function told(output: Output, status: MediaChange, done: string): number {
  output.result(status, done);
  if (status.flushed) return DONE;
  output.note(`LUN ${status.lun}: what was written last to the medium that left is lost`);
  return FAILED;
}

async function list(args: Arguments, output: Output): Promise<number> {
  args.operands(1);
  const intervalMs = (args.number('interval', 1, 86_400) ?? 1) * 1000;
  const left = args.number('count', 1, 1e9) ?? Number.POSITIVE_INFINITY;
  if (args.flag('watch')) {
    return await withDaemon(args, (daemon) => watchMedia(daemon, output, { intervalMs, left }));
  }
  const drives = (await withDaemon(args, (daemon) => daemon.call('media.list'))) as MediaStatus[];
  output.result(drives, mediaTable(drives));
  return DONE;
}

/** An image by its path, a medium of the library by its name; nothing: what was in the drive last. */
function mediumArguments(word: string | undefined): { path?: string; name?: string } {
  if (word === undefined) return {};
  return word.includes('/') || existsSync(word) ? { path: resolve(word) } : { name: word };
}

async function load(args: Arguments, output: Output): Promise<number> {
  const names = args.positionals.length > 2 ? ['N', 'IMAGE'] : ['N'];
  const [number, image] = args.operands(1, ...names);
  const lun = parseLun('Cannot load a medium', number);
  const request = {
    lun,
    ...mediumArguments(image),
    ...(args.flag('ro') ? { ro: true } : {}),
    force: args.flag('force'),
  };
  const call = withDaemon(args, (daemon) => daemon.call('media.load', request));
  const status = (await call.catch((error: unknown) => {
    if (!(error instanceof RefusedError) || error.code !== 'ERR_LIBRARY') throw error;
    throw new RefusedError(error.code, `${error.message} (there is no file "${image}" here)`);
  })) as MediaChange;
  const medium = status.name ?? mediumText(status);
  return told(output, status, `LUN ${lun}: ${medium} loaded, generation ${status.generation}`);
}

async function eject(args: Arguments, output: Output): Promise<number> {
  const lun = parseLun('Cannot eject a medium', args.operands(1, 'N')[0]);
  const asks = args.flag('request');
  const request = { lun, force: args.flag('force'), ...(asks ? { request: true } : {}) };
  const call = withDaemon(args, (daemon) => daemon.call('media.eject', request));
  const status = (await call) as MediaChange;
  if (status.state !== 'loaded') return told(output, status, `LUN ${lun} is empty`);
  const holders = preventionText(status);
  const why = holders === '-' ? '' : `removal is prevented by ${holders}; `;
  output.result(status, `LUN ${lun}: ${why}asked to eject it`);
  return asks ? DONE : FAILED;
}

async function lock(args: Arguments, output: Output): Promise<number> {
  const lun = parseLun('Cannot lock a medium', args.operands(1, 'N')[0]);
  const status = await withDaemon(args, (daemon) => daemon.call('media.lock', { lun }));
  output.result(status, `LUN ${lun}: the removal of its medium is prevented`);
  return DONE;
}

async function unlock(args: Arguments, output: Output): Promise<number> {
  const lun = parseLun('Cannot unlock a medium', args.operands(1, 'N')[0]);
  const call = withDaemon(args, (daemon) => daemon.call('media.unlock', { lun }));
  const status = (await call) as MediaStatus;
  const still = status.preventedBy.length === 0 ? '' : `; still by ${preventionText(status)}`;
  output.result(status, `LUN ${lun}: the operator prevents its removal no longer${still}`);
  return DONE;
}

const RUN = {
  eject,
  export: exportMedium,
  list,
  load,
  lock,
  new: newMedium,
  unlock,
} as const;

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    ...EXPORT_OPTIONS,
    force: { type: 'boolean' },
    request: { type: 'boolean' },
    ro: { type: 'boolean' },
    watch: { type: 'boolean' },
    interval: { type: 'string' },
    count: { type: 'string' },
  },
  run: (args, output) => RUN[readAction(args, ACTIONS)](args, output),
};
