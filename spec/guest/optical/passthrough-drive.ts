/**
 * A drive behind a drive: our daemon on the host serves it to the guest, a second one in the guest passes it through by SG_IO and
 * serves it over iSCSI on the loopback of the guest, whose kernel finds a second drive there. The programs have that one.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packApplication } from '../support/application.ts';
import type { Guest } from '../support/guest.ts';
import { ISCSID } from '../support/open-iscsi.ts';
import type { Drive } from './drive.ts';
import { OurDrive } from './drive.ts';

/** A node starts slowly under emulation. */
const START_MS = 240_000;
const PORT = 'iscsi:127.0.0.1:3260';

const START = `mkdir -p /app
tar -x -f /dev/vdb -C /app
${ISCSID}device=$(sg 0); (
/usr/bin/node /app/dist/src/cli/main.js serve --listen ${PORT} --control /tmp/c.sock \\
  --lun 0:passthrough,device=$device > /tmp/out 2> /tmp/log || true
echo ended >> /tmp/out ) &
`;

/** It is logged in to by the name that it is discovered by. */
const LOGIN = `iscsiadm -m discovery -t sendtargets -p 127.0.0.1 > /tmp/targets
iscsiadm -m node -l
`;

export class PassthroughDrive extends OurDrive {
  override readonly boot: Drive['boot'] = {
    image: 'passthrough-burners',
    memoryMiB: 1280,
    cpus: 2,
  };
  override readonly node: string = '/dev/sr1';
  readonly #packed: string = mkdtempSync(join(tmpdir(), 'ringscsi-application-'));

  override adapter(): string[] {
    const image = join(this.#packed, 'tar');
    packApplication(image);
    const drive = `if=none,id=app,format=raw,readonly=on,file=${image}`;
    return [...super.adapter(), '-drive', drive, '-device', 'virtio-blk-pci,drive=app'];
  }

  override async attached(guest: Guest): Promise<void> {
    await guest.sh(START);
    await guest.shUntil("grep -Eq 'ready|ended' /tmp/out", START_MS);
    assert.match(await guest.sh('cat /tmp/out /tmp/log'), /ready: 1 LUN/);
    await guest.sh(LOGIN);
    await guest.shUntil(`[ -b ${this.node} ]`);
  }

  override async end(): Promise<void> {
    await super.end();
    rmSync(this.#packed, { recursive: true, force: true });
  }
}
