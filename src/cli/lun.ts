/** `ringscsi lun`: the LUNs of a running daemon. */

import type { LunStatus } from '../daemon/attached-disk.ts';
import { anyLunObject, parseAnyLunSpec, parseLun, parseSize } from '../daemon/config.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { sizeText, table } from './table.ts';
import { type Arguments, DONE, type Output, readAction, type Verb } from './verb.ts';

const HELP = `ringscsi lun list                 every LUN
ringscsi lun add SPEC             attach one; SPEC as for serve --lun, for example 2:disk,memory=64M
                                  or 3:passthrough,device=/dev/sg1
ringscsi lun remove N             detach one when its last command has ended
ringscsi lun resize N SIZE        grow a disk; guests are told that the capacity changed
ringscsi lun activate N           take one out of standby: its image is locked and used from now on
ringscsi lun standby N            flush one and give its image back: commands that touch the medium
                                  end with NOT READY until it is activated; see ringscsi takeover

With --state the daemon remembers added and resized LUNs. A LUN that its command line or
configuration file names comes back with the next start, removed or not.

${CONTROL_HELP}
  --json           one object or list`;

const ACTIONS = ['activate', 'add', 'list', 'remove', 'resize', 'standby'] as const;

const COLUMNS = [
  { title: 'LUN', align: 'right' },
  { title: 'TYPE' },
  { title: 'SIZE', align: 'right' },
  { title: 'BLOCK', align: 'right' },
  { title: 'FLAGS' },
  { title: 'SERIAL' },
  { title: 'BACKING' },
] as const;

function flags(lun: LunStatus): string {
  const words = [lun.readOnly ? 'ro' : 'rw'];
  if (lun.type === 'disk') words.push(lun.cache);
  if (lun.thin) words.push('thin');
  if (lun.encrypted) words.push('encrypted');
  if (lun.state === 'standby') words.push('standby');
  return words.join(',');
}

/** Size, block and flags; of a real device they are its own business. */
function layoutText(lun: LunStatus): readonly string[] {
  if (lun.type === 'passthrough') return ['-', '-', '-'];
  return [sizeText(lun.bytes), String(lun.blockBytes), flags(lun)];
}

function backingText({ state, why, path, backing, device }: LunStatus): string {
  if (state === 'unavailable') return `unavailable: ${why}`;
  const place = path ?? backing ?? 'empty';
  return device === undefined ? place : `${place} (${device})`;
}

function lunTable(luns: readonly LunStatus[]): string {
  if (luns.length === 0) return 'no LUNs';
  const rows = luns.map((lun) => [
    String(lun.lun),
    lun.type,
    ...layoutText(lun),
    lun.serial,
    backingText(lun),
  ]);
  return table(COLUMNS, rows);
}

async function list(args: Arguments, output: Output): Promise<void> {
  args.operands(1);
  const luns = (await withDaemon(args, (daemon) => daemon.call('lun.list'))) as LunStatus[];
  output.result(luns, lunTable(luns));
}

async function add(args: Arguments, output: Output): Promise<void> {
  const [spec = ''] = args.operands(1, 'SPEC');
  const disk = anyLunObject(parseAnyLunSpec(spec, process.cwd()));
  const lun = (await withDaemon(args, (daemon) => daemon.call('lun.add', disk))) as LunStatus;
  output.result(lun, `LUN ${lun.lun} attached: ${lun.device ?? sizeText(lun.bytes)}`);
}

async function remove(args: Arguments, output: Output): Promise<void> {
  const lun = parseLun('Cannot remove a LUN', args.operands(1, 'N')[0]);
  await withDaemon(args, (daemon) => daemon.call('lun.remove', { lun }));
  output.result({ lun, removed: true }, `LUN ${lun} removed`);
}

async function activate(args: Arguments, output: Output): Promise<void> {
  const lun = parseLun('Cannot activate a LUN', args.operands(1, 'N')[0]);
  const status = await withDaemon(args, (daemon) => daemon.call('lun.activate', { lun }));
  output.result(status, `LUN ${lun} active`);
}

async function standby(args: Arguments, output: Output): Promise<void> {
  const lun = parseLun('Cannot put a LUN into standby', args.operands(1, 'N')[0]);
  const status = await withDaemon(args, (daemon) => daemon.call('lun.standby', { lun }));
  output.result(status, `LUN ${lun} in standby, its image is free`);
}

async function resize(args: Arguments, output: Output): Promise<void> {
  const action = 'Cannot resize a LUN';
  const [number, text] = args.operands(1, 'N', 'SIZE');
  const lun = parseLun(action, number);
  const size = parseSize(action, 'SIZE', text);
  const request = withDaemon(args, (daemon) => daemon.call('lun.resize', { lun, size }));
  const status = (await request) as LunStatus;
  output.result(status, `LUN ${lun} resized: ${sizeText(status.bytes)}`);
}

const RUN = { activate, add, list, remove, resize, standby } as const;

export const verb: Verb = {
  help: HELP,
  options: CONTROL_OPTION,
  async run(args, output) {
    await RUN[readAction(args, ACTIONS)](args, output);
    return DONE;
  },
};
