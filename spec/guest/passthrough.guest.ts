/** Passthrough for real: our daemon runs inside a guest, where QEMU's CD drive and disk are real SCSI devices. */
import { strict as assert } from 'node:assert';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packApplication } from './support/application.ts';
import { Guest } from './support/guest.ts';
import { note } from './support/report.ts';

const MIB = 1024 * 1024;
const DISC_MIB = 4;
const DISK_MIB = 8;
const BLOCK = 2048;
const CD = 0;
const DISK = 1;
const START_MS = 120_000;
/** The daemon polls every two seconds. */
const NOTICED_MS = 20_000;

/** READ TOC, GET CONFIGURATION, MODE SENSE(10), READ DISC INFORMATION. */
const COMPARED = [
  '43 00 00 00 00 00 00 00 ff 00',
  '46 00 00 00 00 00 00 00 ff 00',
  '5a 00 2a 00 00 00 00 00 ff 00',
  '51 00 00 00 00 00 00 00 ff 00',
] as const;

/** Reads requests, one line of JSON each, from a file that grows; answers each with one line. A node starts slowly under TCG. */
const CLIENT = `
import { appendFileSync, readFileSync } from 'node:fs';
import { openInitiator } from '/app/dist/src/index.js';
const open = new Map();
async function initiator(name) {
  if (!open.has(name)) open.set(name, await openInitiator({ connect: 'srp:/tmp/a.sock', name }));
  return open.get(name);
}
let done = 0;
for (;;) {
  const lines = readFileSync('/tmp/requests', 'utf8').split('\\n').slice(0, -1);
  for (; done < lines.length; done += 1) {
    let answer;
    try {
      const { by, lun, cdb, bytes, out } = JSON.parse(lines[done]);
      const one = await initiator(by);
      const ended = await one.execute({
        lun, cdb: Buffer.from(cdb, 'hex'), dataInBytes: bytes,
        ...(out === null ? {} : { dataOut: Buffer.from(out, 'hex') }),
      });
      const { status, sense, dataIn, residualIn } = ended;
      answer = { status, residualIn, dataIn: Buffer.from(dataIn).toString('base64'),
        sense: sense === null ? '' : [sense.key, sense.asc, sense.ascq].map((n) => n.toString(16)).join('/') };
    } catch (error) {
      answer = { error: String(error) };
    }
    appendFileSync('/tmp/answers', JSON.stringify(answer) + '\\n');
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
`;

interface Answer {
  readonly status: number;
  /** `key/asc/ascq` in hexadecimal. */
  readonly sense: string;
  readonly dataIn: Buffer;
  readonly residualIn: number;
}

describe('passthrough inside a guest', () => {
  let directory: string;
  let guest: Guest;
  let asked = 0;
  const disc = randomBytes(DISC_MIB * MIB);
  const disk = randomBytes(DISK_MIB * MIB);

  const place = (name: string): string => join(directory, name);

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-passthrough-'));
    writeFileSync(place('disc.iso'), disc);
    writeFileSync(place('other.iso'), disc.subarray(MIB));
    writeFileSync(place('disk.img'), disk);
    packApplication(place('app.tar'));
    const begin = performance.now();
    guest = await Guest.boot({
      image: 'node',
      memoryMiB: 1024,
      cpus: 2,
      options: [
        ...['-device', 'virtio-scsi-pci,id=bus0'],
        ...['-drive', `if=none,id=cd0,format=raw,readonly=on,file=${place('disc.iso')}`],
        ...['-device', 'scsi-cd,drive=cd0,bus=bus0.0,scsi-id=0,lun=0'],
        ...['-drive', `if=none,id=hd0,format=raw,file=${place('disk.img')}`],
        ...['-device', 'scsi-hd,id=disk,drive=hd0,bus=bus0.0,scsi-id=0,lun=1,serial=PT0001'],
        ...['-drive', `if=none,id=app,format=raw,readonly=on,file=${place('app.tar')}`],
        ...['-device', 'virtio-blk-pci,drive=app'],
      ],
    });
    await guest.sh(
      'mkdir -p /app && tar xf /dev/vda -C /app && : > /tmp/requests && : > /tmp/answers',
    );
    await guest.sh(
      `printf %s ${Buffer.from(CLIENT).toString('base64')} | base64 -d > /tmp/client.mjs`,
    );
    for (const [i, cdb] of COMPARED.entries()) {
      await guest.sh(`sg_raw -r 255 -o /tmp/native.${i} $(sg ${CD}) ${cdb} 2> /dev/null`);
    }
    // Both begin slowly, beside each other.
    await guest.sh('/usr/bin/node /tmp/client.mjs > /tmp/client.log 2>&1 &');
    await guest.sh(
      `disc=$(sg ${CD}); disk=$(disk ${DISK}); (
       /usr/bin/node /app/dist/src/cli/main.js serve --listen srp:/tmp/a.sock --control /tmp/c.sock \
       --lun ${CD}:passthrough,device=$disc --lun ${DISK}:passthrough,device=$disk > /tmp/out 2> /tmp/log &
       echo $! > /tmp/pid; wait $!
       echo "ended $?" >> /tmp/out ) &`,
    );
    await guest.shUntil("grep -Eq 'ready|ended' /tmp/out", START_MS);
    assert.match(await guest.sh('cat /tmp/out /tmp/log'), /ready: 2 LUNs/);
    note(
      `passthrough: ${((performance.now() - begin) / 1000).toFixed(0)} s until the daemon in the guest is ready`,
    );
  });

  after(async () => {
    await guest?.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Sends a command as the initiator `by` and waits for its end. */
  async function send(
    lun: number,
    cdb: string,
    bytes = 0,
    { by = 'a', out = null }: { by?: string; out?: string | null } = {},
  ): Promise<Answer> {
    const request = JSON.stringify({ by, lun, cdb: cdb.replaceAll(' ', ''), bytes, out });
    asked += 1;
    const line = await guest.sh(
      `printf '%s\\n' '${request}' >> /tmp/requests
       until [ $(wc -l < /tmp/answers) -ge ${asked} ]; do usleep 20000; done
       sed -n ${asked}p /tmp/answers`,
    );
    const answer = JSON.parse(line);
    assert.equal(answer.error, undefined, `${cdb}: ${answer.error}`);
    return { ...answer, dataIn: Buffer.from(answer.dataIn, 'base64') };
  }

  /** Sends it again as long as it meets a unit attention. */
  async function settled(lun: number, cdb: string, bytes = 0, by = 'a'): Promise<Answer> {
    for (let i = 0; i < 8; i += 1) {
      const answer = await send(lun, cdb, bytes, { by });
      if (!answer.sense.startsWith('6/')) return answer;
    }
    throw new Error(`LUN ${lun} has one unit attention after the other`);
  }

  const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  it('ringscsi exec: INQUIRY is the one of the drive', async () => {
    const said = await guest.sh(
      `/usr/bin/node /app/dist/src/cli/main.js exec --connect srp:/tmp/a.sock --lun ${CD} --cdb 120000002400 --in 36 --json`,
    );
    const { dataIn } = JSON.parse(said);
    const data = Buffer.from(dataIn, 'hex');
    assert.equal(data[0], 0x05);
    assert.match(data.toString('latin1', 8, 32), /QEMU\s+QEMU CD-ROM/);
  });

  it('lun list names the devices', async () => {
    const said = await guest.sh(
      '/usr/bin/node /app/dist/src/cli/main.js lun list --control /tmp/c.sock',
    );
    assert.match(said, /passthrough.*PT0001.*\/dev\/sd[a-z] \(QEMU QEMU HARDDISK/);
    assert.match(said, /passthrough.*\/dev\/sg\d \(QEMU QEMU CD-ROM/);
  });

  it('a disc is read, in one command and in several parts', async () => {
    assert.equal((await settled(CD, '00 00 00 00 00 00')).status, 0);
    const short = await send(CD, '28 00 00 00 00 10 00 00 04 00', 4 * BLOCK);
    assert.equal(sum(short.dataIn), sum(disc.subarray(16 * BLOCK, 20 * BLOCK)));
    // 1 MiB: more than the adapter of the guest takes at once.
    const long = await send(CD, '28 00 00 00 00 00 00 02 00 00', MIB);
    assert.equal(sum(long.dataIn), sum(disc.subarray(0, MIB)));
  });

  it('sense data is that of the drive', async () => {
    const beyond = await send(CD, '28 00 00 10 00 00 00 00 01 00', BLOCK);
    assert.equal(beyond.sense, '5/21/0');
  });

  it('what comes is byte for byte, and as long as, what sg_raw got from the drive itself', async () => {
    for (const [i, cdb] of COMPARED.entries()) {
      const native = Buffer.from(await guest.sh(`base64 /tmp/native.${i}`), 'base64');
      const { dataIn, residualIn } = await send(CD, cdb, 255);
      assert.ok(native.length > 0, cdb);
      assert.equal(dataIn.toString('hex'), native.toString('hex'), cdb);
      assert.equal(residualIn, 255 - native.length, cdb);
    }
  });

  it('a disk is written and read', async () => {
    assert.equal((await settled(DISK, '00 00 00 00 00 00')).status, 0);
    const data = randomBytes(512 * 4);
    const out = data.toString('hex');
    assert.equal((await send(DISK, '2a 00 00 00 10 00 00 00 04 00', 0, { out })).status, 0);
    const back = await send(DISK, '28 00 00 00 10 00 00 00 04 00', data.length);
    assert.equal(sum(back.dataIn), sum(data));
    const rest = await send(DISK, '88 00 00 00 00 00 00 00 00 00 00 00 00 08 00 00', 8 * 512);
    assert.equal(sum(rest.dataIn), sum(disk.subarray(0, 8 * 512)));
  });

  it('what the filter does not know never reaches the drive', async () => {
    const refusals = [
      ['3b 05 00 00 00 00 00 00 00 00', '5/20/0'],
      ['e5 00 00 00 00 01 00 00 00 00 0e 00', '5/20/0'],
      ['1d 04 00 00 00 00', '5/20/0'],
      ['3c 01 00 00 00 00 00 00 04 00', '5/24/0'],
      ['a3 00 00 00 00 00 00 00 00 00 06 00', '5/24/0'],
    ] as const;
    for (const [cdb, sense] of refusals) {
      assert.equal((await send(CD, cdb)).sense, sense, cdb);
    }
  });

  it('the nodes are held: nobody mounts the disc', async () => {
    const { output } = await guest.run(
      `mkdir -p /mnt/cd && mount -o ro $(disk ${CD}) /mnt/cd; mount -o ro $(disk ${DISK}) /mnt/cd`,
    );
    assert.match(output, /busy[\s\S]*busy/i);
  });

  it('the eject button of a drive that a nexus holds is an event for all; without it the disc goes', async () => {
    const gesn = '4a 01 00 00 10 00 00 00 08 00';
    assert.equal((await settled(CD, '00 00 00 00 00 00', 0, 'b')).status, 0);
    assert.equal((await send(CD, '1e 00 00 00 01 00')).status, 0);
    assert.equal((await send(CD, '1b 00 00 00 02 00', 0, { by: 'b' })).sense, '5/53/2');
    await guest.machine.qmp.execute('human-monitor-command', { 'command-line': 'eject cd0' });
    const until = performance.now() + NOTICED_MS;
    let event = 0;
    while (event === 0 && performance.now() < until) {
      event = (await send(CD, gesn, 8, { by: 'b' })).dataIn[4] ?? 0;
    }
    assert.equal(event, 1, 'eject request');
    assert.equal((await send(CD, gesn, 8)).dataIn[4], 1, 'for the other nexus as well');
    assert.equal((await send(CD, '1e 00 00 00 00 00')).status, 0);
    assert.equal((await send(CD, '1b 00 00 00 02 00')).status, 0, 'the drive lets it go');
    assert.match((await settled(CD, '00 00 00 00 00 00')).sense, /^2\/3a\//);
  });

  it('another disc: every nexus has 6/28/00 and reads the new one', async () => {
    await guest.machine.qmp.execute('human-monitor-command', {
      'command-line': `change cd0 ${place('other.iso')} raw`,
    });
    for (const by of ['a', 'b']) {
      let sense = '';
      const until = performance.now() + NOTICED_MS;
      while (sense !== '6/28/0' && performance.now() < until) {
        sense = (await send(CD, '00 00 00 00 00 00', 0, { by })).sense;
      }
      assert.equal(sense, '6/28/0', by);
    }
    assert.equal((await settled(CD, '00 00 00 00 00 00')).status, 0);
    const first = await send(CD, '28 00 00 00 00 00 00 00 01 00', BLOCK);
    assert.equal(sum(first.dataIn), sum(disc.subarray(MIB, MIB + BLOCK)));
  });

  it('a disk that is unplugged: LOGICAL UNIT FAILURE, and the log says so', async () => {
    await guest.machine.qmp.execute('device_del', { id: 'disk' });
    await guest.shUntil(`! [ -e /sys/class/scsi_device/0:0:0:${DISK} ]`);
    const { sense } = await send(DISK, '28 00 00 00 10 00 00 00 04 00', 4 * 512);
    assert.equal(sense, '4/3e/1');
    assert.match(await guest.sh('cat /tmp/log'), /LUN 1: its device is gone/);
  });

  it('the daemon ends in order and lets go of the devices', async () => {
    await guest.sh('kill $(cat /tmp/pid)');
    await guest.shUntil('grep -q ended /tmp/out', START_MS);
    assert.match(await guest.sh('cat /tmp/out'), /ended 0/);
    const log = await guest.sh('cat /tmp/log');
    assert.doesNotMatch(log.replace(/.*its device is gone\n?/, ''), /error/i);
    await guest.sh(`dd if=$(disk ${CD}) of=/dev/null bs=2048 count=1`);
  });
});
