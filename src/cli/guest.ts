/** `ringscsi guest`: who is attached to a running daemon. */
import type { GuestStatus } from '../daemon/reactor-messages.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { sizeText, table } from './table.ts';
import { DONE, readAction, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi guest list               every attached guest
ringscsi guest kick ID            detach one: its commands are aborted, its memory is let go

${CONTROL_HELP}
  --json           one object or list`;

const ACTIONS = ['kick', 'list'] as const;

const COLUMNS = [
  { title: 'ID', align: 'right' },
  { title: 'NAME' },
  { title: 'PID', align: 'right' },
  { title: 'TRANSPORT' },
  { title: 'LISTENER' },
  { title: 'QUEUES', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'LOGINS', align: 'right' },
  { title: 'COMMANDS', align: 'right' },
  { title: 'IN', align: 'right' },
  { title: 'OUT', align: 'right' },
  { title: 'BUSY', align: 'right' },
] as const;

export function guestTable(guests: readonly GuestStatus[]): string {
  if (guests.length === 0) return 'no guests';
  const rows = guests.map((guest) => [
    String(guest.id),
    guest.name,
    String(guest.processId),
    guest.transport,
    guest.listener,
    String(guest.queuePairs),
    sizeText(guest.regionBytes),
    String(guest.initiatorPorts.length),
    String(guest.commands),
    sizeText(guest.bytesIn),
    sizeText(guest.bytesOut),
    String(guest.outstanding),
  ]);
  return table(COLUMNS, rows);
}

function readId(word: string | undefined): number {
  if (word !== undefined && /^\d{1,9}$/.test(word)) return Number(word);
  throw new UsageError(`"${word}" is no guest ID, ringscsi guest list shows them`);
}

export const verb: Verb = {
  help: HELP,
  options: CONTROL_OPTION,
  async run(args, output) {
    if (readAction(args, ACTIONS) === 'list') {
      args.operands(1);
      const guests = await withDaemon(args, (daemon) => daemon.call('guest.list'));
      output.result(guests, guestTable(guests as GuestStatus[]));
      return DONE;
    }
    const id = readId(args.operands(1, 'ID')[0]);
    await withDaemon(args, (daemon) => daemon.call('guest.kick', { id }));
    output.result({ id, kicked: true }, `guest ${id} detached`);
    return DONE;
  },
};
