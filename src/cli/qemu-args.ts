/** `ringscsi qemu-args`: what to add to a QEMU command line, or a libvirt domain, to attach the guest to a daemon. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSize } from '../daemon/config.ts';
import type { DaemonInfo } from '../daemon/daemon-status.ts';
import { ControlError } from '../transport/control/protocol.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { libvirtXml, type QemuAttachment, qemuWords, shellLine } from './qemu-command.ts';
import { type Arguments, DONE, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi qemu-args [--control SOCK | --socket SOCK] [--memory SIZE] [--cpus N] [--queues N]

Prints the options that attach a guest of a stock QEMU (5.0 or later) to a daemon that
listens at vhost-user:SOCK, on one line, for use as

  qemu-system-x86_64 $(ringscsi qemu-args --control ./c.sock --memory 2G --cpus 2) ...

Do not give -m, -smp and the memory backend a second time. What is printed and why:
  -object memory-backend-memfd,share=on with -machine memory-backend=
                   the daemon moves data straight into and out of the guest's memory, so that
                   has to be shared, and a memory file that cannot be cut off under it
  -smp 1,maxcpus=2 for one CPU: with a single possible CPU TCG leaves out the guest's memory
                   barriers, which a ring shared with another process needs; the second CPU is
                   never started. KVM does not mind
  num_queues=      request queues, one per CPU unless --queues says otherwise

${CONTROL_HELP}
                   the daemon is asked where it listens; one that is just being started is waited
                   for, at most 5 s
  --socket SOCK    the vhost-user socket itself; needed when the daemon listens at several
  --memory SIZE    memory of the guest, whole MiB (1G)
  --cpus N         CPUs of the guest (1)
  --queues N       request queues (as many as CPUs)
  --id TEXT        what ids begin with (ringscsi); give each HBA of a guest its own
  --libvirt        print parts of a libvirt domain instead. libvirt knows vhost-user-scsi only by
                   its QEMU namespace: the domain element must have the xmlns:qemu attribute
  --json           the words as a list, or the XML as a text`;

const MIB = 1024 * 1024;
const DEFAULT_MEMORY_BYTES = 1024 * MIB;
const MAX_CPUS = 1024;
const START_MS = 5000;
const LOOK_MS = 50;
const KIND = 'vhost-user:';

/** A daemon that was started in the line before may still be opening its disks; its control socket comes last. */
async function daemonInfo(args: Arguments, untilMs: number): Promise<DaemonInfo> {
  try {
    return (await withDaemon(args, (daemon) => daemon.call('daemon.info'))) as DaemonInfo;
  } catch (error) {
    const early = error instanceof ControlError && error.code === 'ERR_CONTROL_ADDRESS';
    if (!early || performance.now() > untilMs) throw error;
  }
  await sleep(LOOK_MS);
  return await daemonInfo(args, untilMs);
}

async function listeningSocket(args: Arguments): Promise<string> {
  const given = args.text('socket');
  if (given !== null) return resolve(given);
  const info = await daemonInfo(args, performance.now() + START_MS);
  const sockets = info.listen.filter((port) => port.startsWith(KIND));
  const [first, second] = sockets.map((port) => port.slice(KIND.length));
  if (first === undefined) {
    const ports = info.listen.length === 0 ? 'nowhere' : `at ${info.listen.join(', ')}`;
    throw new UsageError(
      `the daemon listens ${ports}: start it with --listen ${KIND}SOCK for stock guests`,
    );
  }
  if (second === undefined) return first;
  throw new UsageError(
    `the daemon listens at ${sockets.join(', ')}: choose one of them with --socket`,
  );
}

function memoryOf(args: Arguments): number {
  const text = args.text('memory');
  if (text === null) return DEFAULT_MEMORY_BYTES;
  const bytes = parseSize('Cannot size the guest', 'memory', text);
  if (bytes % MIB === 0) return bytes;
  throw new UsageError(`--memory is "${text}", QEMU needs whole MiB`);
}

function idOf(args: Arguments): string {
  const id = args.text('id') ?? 'ringscsi';
  if (/^[A-Za-z][\w.-]*$/.test(id)) return id;
  throw new UsageError(
    `--id is "${id}", QEMU needs a letter followed by letters, digits, - . or _`,
  );
}

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    socket: { type: 'string' },
    memory: { type: 'string' },
    cpus: { type: 'string' },
    queues: { type: 'string' },
    id: { type: 'string' },
    libvirt: { type: 'boolean' },
  },
  async run(args, output) {
    args.operands(0);
    const cpus = args.number('cpus', 1, MAX_CPUS) ?? 1;
    const attachment: QemuAttachment = {
      memoryBytes: memoryOf(args),
      cpus,
      queues: args.number('queues', 1, MAX_CPUS) ?? cpus,
      id: idOf(args),
      socket: await listeningSocket(args),
    };
    if (args.flag('libvirt')) {
      const domain = libvirtXml(attachment);
      output.result(domain, domain);
    } else {
      const words = qemuWords(attachment);
      output.result(words, shellLine(words));
    }
    return DONE;
  },
};
