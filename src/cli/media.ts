/** `ringscsi media`: the media in the drives of a running daemon. */

import { resolve } from 'node:path';
import { parseLun } from '../daemon/config.ts';
import type { MediaChange, MediaStatus } from '../daemon/media-house.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { sizeText, table } from './table.ts';
import { type Arguments, DONE, FAILED, type Output, readAction, type Verb } from './verb.ts';

const HELP = `ringscsi media list               every drive: its medium, who prevents its removal, its generation
ringscsi media load N IMAGE       put an image into the drive of LUN N, in the place of what is there;
                                  into a cdrom a disc image, that is an ISO image
ringscsi media load N             put the medium back that was in it last
ringscsi media eject N            take the medium out, flushed; its image is free for others then. Where guests
                                  prevent that it is the button of the drive: they are asked for it (exit
                                  code 1: it is still there), and after ejectTimeout=SECONDS of the LUN, if
                                  it has one, it is out all the same. A disk without one is refused
ringscsi media eject N --request  only ask for it, whether it is prevented or not
ringscsi media lock N             prevent its removal, as PREVENT ALLOW MEDIUM REMOVAL of a guest does
ringscsi media unlock N           end that; guests may still prevent it

Drives are LUNs attached as cdrom, and disks attached with removable. Commands that have begun end first; those that have not are told
NOT READY, or with the next medium UNIT ATTENTION (medium may have changed), and never reach it.

${CONTROL_HELP}
  --request        eject: ask for the medium and take nothing; disks cannot be asked
  --ro             load: the image is write protected
  --force          load, eject: also when the removal is prevented, or what was written last cannot be
                   flushed (exit code 1 then: it is lost)
  --json           one object or list`;

const ACTIONS = ['eject', 'list', 'load', 'lock', 'unlock'] as const;

const COLUMNS = [
  { title: 'LUN', align: 'right' },
  { title: 'STATE' },
  { title: 'SIZE', align: 'right' },
  { title: 'WRITE' },
  { title: 'GENERATION', align: 'right' },
  { title: 'PREVENTED BY' },
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

function mediaTable(drives: readonly MediaStatus[]): string {
  if (drives.length === 0) return 'no drives: no LUN is a cdrom or removable';
  const rows = drives.map((drive) => [
    String(drive.lun),
    stateText(drive),
    drive.state === 'loaded' ? sizeText(drive.bytes) : '-',
    writeText(drive),
    String(drive.generation),
    preventionText(drive),
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
  const drives = (await withDaemon(args, (daemon) => daemon.call('media.list'))) as MediaStatus[];
  output.result(drives, mediaTable(drives));
  return DONE;
}

async function load(args: Arguments, output: Output): Promise<number> {
  const names = args.positionals.length > 2 ? ['N', 'IMAGE'] : ['N'];
  const [number, image] = args.operands(1, ...names);
  const lun = parseLun('Cannot load a medium', number);
  const request = {
    lun,
    ...(image === undefined ? {} : { path: resolve(image) }),
    ...(args.flag('ro') ? { ro: true } : {}),
    force: args.flag('force'),
  };
  const call = withDaemon(args, (daemon) => daemon.call('media.load', request));
  const status = (await call) as MediaChange;
  const medium = mediumText(status);
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

const RUN = { eject, list, load, lock, unlock } as const;

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    force: { type: 'boolean' },
    request: { type: 'boolean' },
    ro: { type: 'boolean' },
  },
  run: (args, output) => RUN[readAction(args, ACTIONS)](args, output),
};
