/** Takeovers from a real QEMU without a guest in it: what succeeds, and what every failure leaves behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockImage } from '../../src/luns/image-lock.ts';
import { QmpClient } from '../../src/qmp/client.ts';
import { type LunFacts, type LunSwitch, takeOver } from '../../src/takeover/takeover.ts';
import { type GuestOutcome, TakeoverError } from '../../src/takeover/takeover-error.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';

const MIB = 1024 * 1024;
const WWN = 0x3123456789abcdefn;
const HBA = ['-machine', 'q35', '-device', 'virtio-scsi-pci,id=s0'];
const SCSI = `scsi-hd,bus=s0.0,id=emu0,serial=abc,wwn=0x${WWN.toString(16)},drive=`;
const DRIVE = ['-drive', 'if=none,id=d0,format=raw,file=a.img', '-device', `${SCSI}d0`];
const BLOCKDEV = [
  ...['-blockdev', 'driver=file,node-name=file0,filename=a.img,cache.direct=off'],
  ...['-blockdev', 'driver=raw,node-name=raw0,file=file0', '-device', `${SCSI}raw0`],
];

/** A daemon with one LUN, as far as a takeover looks. */
class OneLun implements LunSwitch {
  facts: LunFacts;
  active = 0;
  failure: (() => Error) | null = null;
  constructor(path: string) {
    const facts = { lun: 0, state: 'standby', path, bytes: MIB, blockBytes: 512, readOnly: false };
    this.facts = facts;
  }
  luns(): Promise<readonly LunFacts[]> {
    return Promise.resolve([this.facts]);
  }
  activate(): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure());
    this.active += 1;
    return Promise.resolve();
  }
}

const real = needsQemu('takeover');

describe(real.title, function () {
  this.timeout(30_000);
  let directory: string;
  let qemu: QemuProcess | null = null;
  let lun: OneLun;

  before(function () {
    if (real.missing) this.skip();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-takeover-'));
    writeFileSync(join(directory, 'a.img'), Buffer.alloc(MIB));
    lun = new OneLun(join(directory, 'a.img'));
  });
  afterEach(async () => {
    await qemu?.end(true);
    qemu = null;
    rmSync(directory, { recursive: true, force: true });
  });

  /** Starts QEMU; the firmware in it runs, and finds nothing to boot. */
  async function start(...words: readonly string[]): Promise<string> {
    qemu = QemuProcess.start(words, directory);
    const { socket } = qemu;
    const client = await qemu.connect();
    await client.execute('cont');
    client.close();
    return socket;
  }

  async function ask<T>(socket: string, work: (client: QmpClient) => Promise<T>): Promise<T> {
    const client = await QmpClient.connect({ path: socket });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  const running = (socket: string): Promise<boolean> =>
    ask(socket, async (client) => (await client.execute('query-status')).running);

  async function has(socket: string, device: string): Promise<boolean> {
    const children = await ask(socket, (client) =>
      client.execute('qom-list', { path: '/machine/peripheral' }),
    );
    return children.some(({ name }) => name === device);
  }

  const property = (socket: string, name: string): Promise<unknown> =>
    ask(socket, (client) =>
      client.execute('qom-get', { path: '/machine/peripheral/emu0', property: name }),
    );

  function run(socket: string, device = 'emu0', monitor = socket): ReturnType<typeof takeOver> {
    const options = { path: monitor, timeoutMs: 5000 };
    return takeOver({
      connect: () => QmpClient.connect(options),
      socket,
      device,
      lun: 0,
      luns: lun,
      unplugMs: 400,
    });
  }

  async function fails(
    work: Promise<unknown>,
    code: string,
    outcome: GuestOutcome,
    why: RegExp,
  ): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof TakeoverError, String(error));
      assert.deepEqual([error.code, error.outcome], [code, outcome], error.message);
      assert.match(error.message, why);
      return true;
    });
    assert.equal(lun.active, 0);
  }

  for (const [name, words] of [
    ['-drive', DRIVE],
    ['-blockdev', BLOCKDEV],
  ] as const) {
    it(`takes over a SCSI disk made with ${name}: device and nodes gone, guest running`, async () => {
      const socket = await start(...HBA, ...words);
      const report = await run(socket);
      assert.equal(report.image, join(directory, 'a.img'));
      assert.equal(lun.active, 1);
      assert.equal(await has(socket, 'emu0'), false);
      assert.equal(await running(socket), true);
      const nodes = await ask(socket, (client) => client.execute('query-named-block-nodes'));
      assert.deepEqual(nodes, []);
    });
  }

  it('leaves a guest paused that was paused before', async () => {
    const socket = await start(...HBA, ...DRIVE);
    await ask(socket, (client) => client.execute('stop'));
    assert.equal((await run(socket)).pausedMs, 0);
    assert.equal(await running(socket), false);
  });

  it('knows the image under another name', async () => {
    const link = join(directory, 'link.img');
    symlinkSync(join(directory, 'a.img'), link);
    lun.facts = { ...lun.facts, path: link };
    await run(await start(...HBA, ...DRIVE));
    assert.equal(lun.active, 1);
  });

  describe('refuses before it touches anything', () => {
    afterEach(async () => {
      // Without qemu-img a test is skipped before there is a QEMU.
      if (qemu !== null) assert.equal(await running(qemu.socket), true);
    });

    it('a device id that is unknown, naming those that are', async () => {
      const socket = await start(...HBA, ...DRIVE);
      const known = /"emu7".*known are .*emu0/;
      await fails(run(socket, 'emu7'), 'ERR_TAKEOVER_DEVICE', 'emulated', known);
      assert.equal(await has(socket, 'emu0'), true);
    });

    it('a device that is no disk', async () => {
      const socket = await start(...HBA, ...DRIVE);
      await fails(run(socket, 's0'), 'ERR_TAKEOVER_DEVICE', 'emulated', /no disk/);
    });

    it('a LUN over another image', async () => {
      const socket = await start(...HBA, ...DRIVE);
      writeFileSync(join(directory, 'b.img'), Buffer.alloc(MIB));
      lun.facts = { ...lun.facts, path: join(directory, 'b.img') };
      await fails(run(socket), 'ERR_TAKEOVER_IMAGE', 'emulated', /not one image/);
    });

    it('a LUN that is not in standby, or is not there', async () => {
      const socket = await start(...HBA, ...DRIVE);
      lun.facts = { ...lun.facts, state: 'attached' };
      await fails(run(socket), 'ERR_TAKEOVER_LUN', 'emulated', /attached, add it with standby/);
      lun.facts = { ...lun.facts, lun: 3 };
      await fails(run(socket), 'ERR_TAKEOVER_LUN', 'emulated', /no such LUN/);
    });

    it('a LUN of other blocks, or one that cannot be written', async () => {
      const socket = await start(...HBA, ...DRIVE);
      lun.facts = { ...lun.facts, blockBytes: 4096 };
      await fails(run(socket), 'ERR_TAKEOVER_IMAGE', 'emulated', /512 bytes a block, the LUN 4096/);
      lun.facts = { ...lun.facts, blockBytes: 512, readOnly: true };
      await fails(run(socket), 'ERR_TAKEOVER_IMAGE', 'emulated', /can write to the device/);
    });

    it('an image that is not raw', async function () {
      const made = spawnSync('qemu-img', ['create', '-f', 'qcow2', 'a.qcow2', '1M'], {
        cwd: directory,
      });
      if (made.status !== 0) this.skip();
      const drive = ['-drive', 'if=none,id=d0,file=a.qcow2', '-device', `${SCSI}d0`];
      const socket = await start(...HBA, ...drive);
      await fails(run(socket), 'ERR_TAKEOVER_DEVICE', 'emulated', /format qcow2/);
    });

    it('an image with an offset', async () => {
      const drive = 'if=none,id=d0,driver=raw,offset=512,file.driver=file,file.filename=a.img';
      const socket = await start(...HBA, '-drive', drive, '-device', `${SCSI}d0`);
      await fails(run(socket), 'ERR_TAKEOVER_DEVICE', 'emulated', /offset/);
    });

    it('an image that two devices share', async () => {
      const share = ',share-rw=on';
      const second = [
        ...['-drive', 'if=none,id=d1,format=raw,file.driver=file,file.filename=a.img'],
        ...['-device', `scsi-hd,bus=s0.0,id=emu1,drive=d1${share}`],
      ];
      const first = [...DRIVE.slice(0, 3), `${SCSI}d0${share}`];
      const socket = await start(...HBA, ...first, ...second);
      await fails(run(socket), 'ERR_TAKEOVER_DEVICE', 'emulated', /in use elsewhere in this QEMU/);
    });

    it('a disk on a bus without hot-plugging: QEMU says so, the guest runs on', async () => {
      const ide = [
        '-drive',
        'if=none,id=d0,format=raw,file=a.img',
        '-device',
        'ide-hd,id=emu0,drive=d0',
      ];
      const socket = await start('-machine', 'q35', ...ide);
      await fails(run(socket), 'ERR_TAKEOVER_REFUSED', 'emulated', /does not support hotplugging/);
      assert.equal(await has(socket, 'emu0'), true);
    });

    it('a guest that does not let go of a PCI disk', async () => {
      const socket = await start(
        ...['-machine', 'q35', '-device', 'pcie-root-port,id=rp1,chassis=1,slot=1'],
        ...['-drive', 'if=none,id=d0,format=raw,file=a.img'],
        ...['-device', 'virtio-blk-pci,bus=rp1,id=emu0,drive=d0'],
      );
      await fails(run(socket), 'ERR_TAKEOVER_REFUSED', 'emulated', /kept it for 400 ms/);
      assert.equal(await has(socket, 'emu0'), true);
    });
  });

  for (const [name, words] of [
    ['-drive', DRIVE],
    ['-blockdev', BLOCKDEV],
  ] as const) {
    it(`plugs a disk made with ${name} in again when the LUN cannot be activated, and takes it over later`, async () => {
      const socket = await start(...HBA, ...words);
      lun.failure = () => new Error('somebody else has the image');
      await fails(run(socket), 'ERR_TAKEOVER_LUN', 'put-back', /somebody else has the image/);
      assert.equal(await running(socket), true);
      assert.equal(await property(socket, 'wwn'), WWN);
      assert.equal(await property(socket, 'serial'), 'abc');
      assert.equal(await property(socket, 'scsi-id'), 0);
      lun.failure = null;
      await run(socket);
      assert.equal(lun.active, 1);
      assert.equal(await has(socket, 'emu0'), false);
    });
  }

  it('leaves the guest paused when the disk cannot be plugged in again', async () => {
    const socket = await start(...HBA, ...DRIVE);
    let fd = -1;
    lun.failure = () => {
      // Whoever was quicker has the image now: QEMU cannot have it back.
      fd = openSync(join(directory, 'a.img'), 'r+');
      assert.equal(lockImage(fd, false), 'locked');
      return new Error('too late');
    };
    await fails(run(socket), 'ERR_TAKEOVER_LUN', 'paused', /too late; then .*lock/);
    assert.equal(await running(socket), false);
    closeSync(fd);
  });

  it('says so when no QEMU listens, and when it ends in the middle', async () => {
    await assert.rejects(run(join(directory, 'none.sock')), { code: 'ERR_QMP_ADDRESS' });
    const socket = await start(...HBA, ...DRIVE);
    lun.failure = () => new Error('unused');
    const before = qemu;
    lun.luns = async () => {
      await before?.end(true);
      return [lun.facts];
    };
    await fails(run(socket), 'ERR_TAKEOVER_QMP', 'unknown', /QMP/);
  });

  /** A monitor that is cut off when a command comes by, after QEMU got it or before. */
  async function cutting(socket: string, command: string, after: boolean): Promise<Server> {
    let cut = false;
    const proxy = createServer((client) => {
      const server = connect(socket);
      client.on('error', () => undefined);
      server.on('error', () => undefined);
      server.pipe(client);
      client.on('close', () => server.destroy());
      client.on('data', (chunk) => {
        const hit = !cut && chunk.includes(command);
        if (!hit || after) server.write(chunk);
        if (!hit) return;
        cut = true;
        server.unpipe(client);
        setTimeout(() => client.destroy(), 100);
      });
    });
    await new Promise<void>((resolve) => proxy.listen(join(directory, 'proxy.sock'), resolve));
    return proxy;
  }

  for (const [command, after, outcome] of [
    ['"stop"', true, 'emulated'],
    ['"device_del"', false, 'emulated'],
    ['"device_del"', true, 'put-back'],
  ] as const) {
    it(`a connection cut ${after ? 'after' : 'before'} ${command}: reconnects, ${outcome}, guest running`, async () => {
      const socket = await start(...HBA, ...DRIVE);
      const proxy = await cutting(socket, command, after);
      const cut = run(socket, 'emu0', join(directory, 'proxy.sock'));
      await fails(cut, 'ERR_TAKEOVER_QMP', outcome, /QMP/);
      assert.equal(await running(socket), true);
      assert.equal(await has(socket, 'emu0'), true);
      proxy.close();
    });
  }

  it('takes an image that has grown while QEMU had it', async () => {
    const socket = await start(...HBA, ...DRIVE);
    truncateSync(join(directory, 'a.img'), 2 * MIB);
    await run(socket);
    assert.equal(lun.active, 1);
  });
});
