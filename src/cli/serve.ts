/** `ringscsi serve`: the daemon in the foreground, until a signal or the control socket ends it. */

import { resolve } from 'node:path';
import {
  type DaemonConfig,
  mergeConfig,
  parseAnyLunSpec,
  parseEmulatedSpec,
  parseListenSpec,
  readConfigFile,
} from '../daemon/config.ts';
import { Daemon } from '../daemon/daemon.ts';
import { DescriptorLog } from '../daemon/log.ts';
import { startReactor } from '../daemon/reactor-thread.ts';
import { type Arguments, FAILED, type Output, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi serve [--config FILE] [--state DIR] [--control SOCK] [--lun SPEC]... [--listen PORT]...

Serves disks, CD drives and burners to guests until SIGTERM or SIGINT; a second signal ends it at once.
Prints one line on standard output when it is ready; the log goes to standard error.

  --lun SPEC       N:disk,path=FILE[,size=1G][,key=FILE][,ro][,block=512|4096][,serial=TEXT]
                     [,physical=512|4096][,cache=writeback|writethrough][,thin[=no]]
                     [,protection=1|2|3][,removable][,standby]
                     [,mediaChangeStyle=t10|maxfield][,ejectTimeout=SECONDS]
                   N:disk,memory=256M
                   N:cdrom[,path=IMAGE][,serial=TEXT][,unreadable=BLOCKS][,paced]
                     [,mediaChangeStyle=t10|maxfield][,ejectTimeout=SECONDS]
                   N:burner[,media=KIND][,path=FILE][,serial=TEXT][,unreadable=BLOCKS][,paced]
                     [,mediaChangeStyle=t10|maxfield][,ejectTimeout=SECONDS]
                   N:passthrough,device=/dev/sgN|/dev/srN[,allow=OPCODES]
                   a comma in a value is doubled; size creates the image when it is missing;
                   key: the image is encrypted, a new one gets a new key in this file;
                   protection: each block has 8 more bytes in the image, T10 protection information;
                   mediaChangeStyle: a medium that goes is 2/3A (t10), or 6/28/00 and then 2/3A (maxfield);
                   ejectTimeout: how long media eject waits for guests that prevent it (for ever);
                   passthrough: a real disk, CD/DVD drive, tape drive or changer of this host, through a
                   filter; see docs/passthrough.md;
                   standby: a QEMU owns the image at first, see ringscsi takeover;
                   cdrom: a CD/DVD drive; the disc in it is an image that is only read and that other
                   drives may have, too; see ringscsi media;
                   burner: a CD/DVD/BD writer; the disc in it is the file of a recordable one, which media=KIND
                   (cd-r, cd-rw, dvd-r, dvd-rw, dvd-r-dl, dvd+r, dvd+r-dl, dvd+rw, dvd-ram, bd-r, bd-re) makes
                   when it is missing, or an image, which is only read;
                   unreadable: blocks of whatever disc is in the drive that cannot be read, as 16-31+500;
                   paced: reading and writing take the time of the speed that SET CD SPEED chose
  --listen PORT    srp:SOCK: guests attach at this unix socket by the SRP ring (docs/srp-ring.md)
                   vhost-user:SOCK: QEMU attaches here, its guests use their own virtio-scsi driver
                   iscsi:HOST:PORT: iSCSI initiators connect here; names and CHAP secrets
                     are in the configuration file, never on the command line
  --control SOCK   socket the other verbs talk to
  --state DIR      keep LUNs added at run time, sizes and saved mode pages over restarts
  --config FILE    JSON with the same keys; see docs/config.schema.json
  --emulated GUEST/DEVICE,at=PLACE,qmp=SOCK[,lun=N]
                   a device QEMU emulates for a guest and the LUN that takes over from it when the
                   guest's driver unplugs it; see ringscsi unplug
  --driver-blacklist DIR
                   drivers that must not load: a file DIR/PRODUCT/BUILD for each
  --name TEXT      what initiators are told is at this end (ringscsi)
  --grace SECONDS  how long running commands may take at the end (5)
  --log FORMAT     text or json
  --json           the ready line as an object`;

function readConfig(args: Arguments): DaemonConfig {
  const directory = process.cwd();
  const file = args.text('config');
  const place = (name: string): string | null => {
    const value = args.text(name);
    return value === null ? null : resolve(directory, value);
  };
  const options: DaemonConfig = {
    state: place('state'),
    control: place('control'),
    listen: args.texts('listen').map((spec) => parseListenSpec(spec, directory)),
    luns: args.texts('lun').map((spec) => parseAnyLunSpec(spec, directory)),
    emulated: args.texts('emulated').map((spec) => parseEmulatedSpec(spec, directory)),
    driverBlacklist: place('driver-blacklist'),
  };
  const config = mergeConfig(file === null ? null : readConfigFile(file), options);
  if (config.listen.length === 0 && config.control === null) {
    throw new UsageError('nobody could reach the daemon: give it --listen, --control, or both');
  }
  return config;
}

function logFormat(args: Arguments): 'text' | 'json' {
  const format = args.text('log') ?? 'text';
  if (format === 'text' || format === 'json') return format;
  throw new UsageError(`--log is "${format}", text or json is possible`);
}

/** First signal: an orderly end. Second: out at once. */
function obeySignals(daemon: Daemon, log: DescriptorLog): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) process.exit(FAILED);
    log.write('info', `${signal}: stopping`);
    void daemon.stop();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function tellReady(daemon: Daemon, output: Output): void {
  const info = daemon.info();
  const luns = `${info.luns} LUN${info.luns === 1 ? '' : 's'}`;
  const control = info.control === null ? [] : [`control ${info.control}`];
  output.result(
    { ready: true, ...info },
    `ready: ${[luns, ...info.listen, ...control].join(', ')}`,
  );
}

export const verb: Verb = {
  help: HELP,
  options: {
    config: { type: 'string' },
    state: { type: 'string' },
    control: { type: 'string' },
    lun: { type: 'string', multiple: true },
    listen: { type: 'string', multiple: true },
    emulated: { type: 'string', multiple: true },
    'driver-blacklist': { type: 'string' },
    name: { type: 'string' },
    grace: { type: 'string' },
    log: { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const config = readConfig(args);
    const log = new DescriptorLog(logFormat(args));
    const name = args.text('name');
    const grace = args.number('grace', 0, 3600);
    const daemon = new Daemon({
      config,
      startReactor,
      log,
      ...(name === null ? {} : { name }),
      ...(grace === null ? {} : { graceMs: grace * 1000 }),
    });
    obeySignals(daemon, log);
    await daemon.start();
    // Nobody may be reading any more; the daemon serves on.
    process.stdout.removeAllListeners('error').on('error', () => undefined);
    tellReady(daemon, output);
    const exitCode = await daemon.ended;
    log.close();
    return exitCode;
  },
};
