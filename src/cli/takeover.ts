/** `ringscsi takeover`: moves a guest from a disk that QEMU emulates to a LUN in standby over the same image. */
import { resolve } from 'node:path';
import type { LunStatus } from '../daemon/attached-disk.ts';
import { parseLun } from '../daemon/config.ts';
import { QmpClient } from '../qmp/client.ts';
import { takeOver } from '../takeover/takeover.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { DONE, UsageError, type Verb } from './verb.ts';

const HELP = `ringscsi takeover --qmp SOCK --device ID --lun N [--unplug-timeout SECONDS]

Moves a guest of a stock QEMU from an emulated disk (-device scsi-hd,id=ID,...) to LUN N, which
the daemon serves in standby over the same image (serve --lun N:disk,path=FILE,standby). At no
moment do both write. The guest is paused, the emulated disk unplugged, its image given free by
QEMU, locked and flushed by the daemon; then the LUN is active and the guest runs on.

A guest that has a file system mounted on the emulated disk itself loses it. Either unmount it
before and mount it from the LUN afterwards, or mount it from a multipath device over both: see
docs/takeover.md.

When something fails, before the disk is unplugged nothing has changed; afterwards it is plugged
in again; the LUN stays in standby, the reason is printed and the exit code is 1.

  --qmp SOCK       monitor of the QEMU (-qmp unix:SOCK,server=on,wait=off)
  --device ID      id of the emulated disk
  --lun N          LUN in standby
  --unplug-timeout SECONDS
                   how long the guest may take to let go of a device on PCI (15); what sits on
                   a SCSI bus goes without asking
${CONTROL_HELP}
  --json           one object`;

export const verb: Verb = {
  help: HELP,
  options: {
    ...CONTROL_OPTION,
    qmp: { type: 'string' },
    device: { type: 'string' },
    lun: { type: 'string' },
    'unplug-timeout': { type: 'string' },
  },
  async run(args, output) {
    args.operands(0);
    const socket = resolve(args.needed('qmp'));
    const device = args.needed('device');
    if (device === '' || device.includes('/')) {
      throw new UsageError(`--device is "${device}", the id given with -device …,id= is needed`);
    }
    const lun = parseLun('Cannot take over a disk', args.needed('lun'));
    const seconds = args.number('unplug-timeout', 1, 3600);
    const report = await withDaemon(args, (daemon) =>
      takeOver({
        connect: () => QmpClient.connect({ path: socket }),
        socket,
        device,
        lun,
        luns: {
          luns: async () => (await daemon.call('lun.list')) as LunStatus[],
          activate: async (number) => void (await daemon.call('lun.activate', { lun: number })),
        },
        ...(seconds === null ? {} : { unplugMs: seconds * 1000 }),
        onStep: (step) => output.note(step),
      }),
    );
    const text = `LUN ${lun} has taken over from ${device}, the guest was paused for ${report.pausedMs} ms`;
    output.result(report, text);
    return DONE;
  },
};
