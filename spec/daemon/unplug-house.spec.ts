/** The path map of emulated devices: what an unplug mask takes over, and why a guest stays with an emulated device. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EmulatedConfig,
  mergeConfig,
  parseConfig,
  parseEmulatedSpec,
} from '../../src/daemon/config.ts';
import { type PortAccess, UnplugHouse, type UnplugLuns } from '../../src/daemon/unplug-house.ts';
import type { LunFacts } from '../../src/takeover/takeover.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';

const write = (port: number, width: 'b' | 'w' | 'l', value: number): PortAccess => ({
  direction: 'write',
  window: 'fixed',
  port,
  width,
  value,
});
const MASK = (value: number): PortAccess => write(0x10, 'w', value);
const MAGIC: PortAccess = { direction: 'read', window: 'fixed', port: 0x10, width: 'w', value: 0 };

const EMPTY = { state: null, control: null, listen: [], luns: [] };

describe('path map: configuration', () => {
  it('reads a row from the command line and from the file alike', () => {
    const spec = parseEmulatedSpec('vm/1/emu0,at=scsi,qmp=q.sock,lun=3', '/vm');
    const expected: EmulatedConfig = {
      guest: 'vm/1',
      device: 'emu0',
      at: 'scsi',
      qmp: '/vm/q.sock',
      lun: 3,
    };
    assert.deepEqual(spec, expected);
    const file = {
      emulated: [{ guest: 'vm/1', device: 'emu0', at: 'scsi', qmp: 'q.sock', lun: 3 }],
      driverBlacklist: 'bl',
    };
    const config = parseConfig(JSON.stringify(file), '/vm/c.json');
    assert.deepEqual(config.emulated, [expected]);
    assert.equal(config.driverBlacklist, '/vm/bl');
    assert.throws(
      () => mergeConfig(config, { ...EMPTY, emulated: [spec] }),
      /vm\/1\/emu0" is there twice/,
    );
  });

  for (const [spec, message] of [
    ['emu0', /begins with GUEST\/DEVICE/],
    ['vm/emu0,at=usb,qmp=q', /unknown place "usb".*nvme/],
    ['vm/emu0,at=scsi,qmp=q', /lun=N is missing/],
    ['vm/net0,at=nic,qmp=q,lun=1', /never taken over/],
    ['vm/emu0,at=scsi,lun=1', /qmp is undefined/],
    ['vm/emu0,at=scsi,qpm=q,lun=1', /did you mean "qmp"/],
    ['vm/emu0,at=scsi,at=ide,qmp=q,lun=1', /at is there twice/],
  ] as const) {
    it(`refuses "${spec}"`, () => assert.throws(() => parseEmulatedSpec(spec, '/'), message));
  }
});

const real = needsQemu('path map: guests that unplug');

describe(real.title, function () {
  this.timeout(30_000);
  let directory: string;
  let qemu: QemuProcess | null = null;
  let lines: string[];
  let active: number[];
  let facts: LunFacts[];
  const barred = new Set<string>();

  before(function () {
    if (real.missing) this.skip();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-unplug-'));
    lines = [];
    active = [];
    facts = [];
    for (const lun of [0, 1]) {
      const path = join(directory, `${lun}.img`);
      writeFileSync(path, Buffer.alloc(65536));
      const fixed = { state: 'standby', bytes: 65536, blockBytes: 512, readOnly: false };
      facts.push({ lun, path, ...fixed });
    }
  });
  afterEach(async () => {
    await qemu?.end(true);
    qemu = null;
    rmSync(directory, { recursive: true, force: true });
  });

  const luns: UnplugLuns = {
    luns: () => Promise.resolve(facts),
    activate: (lun) => Promise.resolve(void active.push(lun)),
    standBy: (lun) => Promise.resolve(void active.splice(active.indexOf(lun), 1)),
  };

  function house(rows: readonly string[], blacklist: string | null = null): UnplugHouse {
    return new UnplugHouse({
      emulated: rows.map((row) => parseEmulatedSpec(row, directory)),
      blacklist,
      luns,
      admit: (guest, admitted) => void (admitted ? barred.delete(guest) : barred.add(guest)),
      log: { write: (level, text) => void lines.push(`${level} ${text}`) },
      unplugMs: 300,
    });
  }

  async function start(): Promise<void> {
    qemu = QemuProcess.start(
      [
        ...['-machine', 'q35', '-device', 'virtio-scsi-pci,id=s0'],
        ...['-drive', 'if=none,id=d0,format=raw,file=0.img', '-device', 'scsi-hd,id=emu0,drive=d0'],
        ...['-drive', 'if=none,id=d1,format=raw,file=1.img', '-device', 'ide-hd,id=emu1,drive=d1'],
        ...['-drive', 'if=none,id=c0', '-device', 'scsi-cd,id=cd0,drive=c0'],
      ],
      directory,
    );
    const client = await qemu.connect();
    await client.execute('cont');
    client.close();
  }

  const states = (one: UnplugHouse): string[] =>
    one.status().map(({ device, state }) => `${device} ${state}`);

  it('a mask takes over what the map has at its places; CDs stay; what cannot go is a fallback with its reason', async () => {
    await start();
    const map = house([
      'vm1/emu0,at=scsi,qmp=qmp.sock,lun=0',
      'vm1/emu1,at=ide,qmp=qmp.sock,lun=1',
      'vm1/cd0,at=scsi-cd,qmp=qmp.sock',
      'vm2/emu0,at=scsi,qmp=other.sock,lun=0',
    ]);
    const answer = map.access('vm1', [MAGIC, MASK(1)]);
    assert.deepEqual(answer, { values: [0x49d2], holdMs: 0, unplugging: true });
    await map.settled('vm1');
    assert.deepEqual(states(map), ['emu0 gone', 'emu1 fallback', 'cd0 emulated', 'emu0 emulated']);
    assert.deepEqual(active, [0]);
    assert.match(map.status()[1]?.why ?? '', /does not support hotplugging; the guest keeps/);
    assert.ok(lines.some((line) => /warn guest "vm1" stays with the emulated emu1/.test(line)));
    // A second mask finds nothing new to do but what fell back.
    map.access('vm1', [MASK(1)]);
    await map.settled('vm1');
    assert.deepEqual(active, [0]);
  });

  it('a guest that is started anew has its emulated disks again, and the LUNs go to standby', async () => {
    await start();
    const map = house(['vm1/emu0,at=scsi,qmp=qmp.sock,lun=0']);
    map.access('vm1', [MASK(1)]);
    await map.settled('vm1');
    assert.deepEqual(active, [0]);
    await map.restart('vm1');
    assert.deepEqual(active, []);
    assert.deepEqual(states(map), ['emu0 emulated']);
  });

  for (const [reason, row, why] of [
    ['nobody at the monitor', 'vm1/emu0,at=scsi,qmp=none.sock,lun=0', /no QEMU listens/],
    ['a path QEMU does not have', 'vm1/emu9,at=scsi,qmp=qmp.sock,lun=0', /none of this id/],
    ['a LUN that is not there', 'vm1/emu0,at=scsi,qmp=qmp.sock,lun=7', /no such LUN/],
    ['a LUN over another image', 'vm1/emu0,at=scsi,qmp=qmp.sock,lun=1', /not one image/],
    ['a device that is no disk', 'vm1/s0,at=scsi,qmp=qmp.sock,lun=0', /no disk/],
    ['a CD drive without a medium', 'vm1/cd0,at=scsi,qmp=qmp.sock,lun=0', /no medium/],
  ] as const) {
    it(`falls back: ${reason}`, async () => {
      await start();
      const map = house([row]);
      map.access('vm1', [MASK(1)]);
      const [device] = await map.settled('vm1');
      assert.equal(device?.state, 'fallback');
      assert.match(device.why ?? '', why);
      assert.deepEqual(active, []);
    });
  }

  it('falls back: a block size that would break file systems, a LUN in use', async () => {
    await start();
    const map = house(['vm1/emu0,at=scsi,qmp=qmp.sock,lun=0']);
    facts = facts.map((one) => ({ ...one, blockBytes: 4096 }));
    map.access('vm1', [MASK(1)]);
    assert.match((await map.settled('vm1'))[0]?.why ?? '', /bytes a block/);
    facts = facts.map((one) => ({ ...one, blockBytes: 512, state: 'attached' }));
    map.access('vm1', [MASK(1)]);
    assert.match((await map.settled('vm1'))[0]?.why ?? '', /attached, add it with standby/);
  });

  it('a mask for which the map has nothing is logged', () => {
    house(['vm1/emu0,at=scsi,qmp=qmp.sock,lun=0']).access('vm1', [MASK(8)]);
    assert.ok(lines.some((line) => /path map has nothing for it/.test(line)));
  });

  it('a NIC is unplugged without a LUN, or stays when its guest does not let go', async () => {
    qemu = QemuProcess.start(
      [
        ...['-machine', 'q35', '-device', 'pcie-root-port,id=rp1,chassis=1,slot=1'],
        ...['-device', 'virtio-net-pci,id=net0,bus=rp1'],
      ],
      directory,
    );
    const client = await qemu.connect();
    await client.execute('cont');
    client.close();
    const map = house(['vm1/net0,at=nic,qmp=qmp.sock']);
    map.access('vm1', [MASK(2)]);
    const [nic] = await map.settled('vm1');
    assert.equal(nic?.state, 'fallback');
    assert.match(nic.why ?? '', /kept it for 300 ms/);
  });

  it('a blacklisted driver is told so: an empty file does, one that cannot be read does not', () => {
    const product = join(directory, 'bl', 'linux');
    mkdirSync(product, { recursive: true });
    writeFileSync(join(product, '1'), '');
    const map = house(['vm1/emu0,at=scsi,qmp=q,lun=0'], join(directory, 'bl'));
    const build = (number: number): number[] => [
      ...map.access('vm1', [write(0x12, 'w', 3), write(0x10, 'l', number), MAGIC]).values,
    ];
    assert.deepEqual(build(2), [0x49d2]);
    if (process.getuid?.() !== 0) {
      writeFileSync(join(product, '5'), '');
      chmodSync(join(product, '5'), 0);
      assert.deepEqual(build(5), [0x49d2]);
    }
    assert.deepEqual([...barred], []);
    assert.deepEqual(build(1), [0xd249]);
    assert.deepEqual([...barred], ['vm1']);
    assert.ok(lines.some((line) => /linux, build 1 is blacklisted/.test(line)));
  });

  it('what the driver says is in the log', () => {
    const map = house(['vm1/emu0,at=scsi,qmp=q,lun=0']);
    map.access(
      'vm1',
      [...Buffer.from('hi\n')].map((byte) => write(0x12, 'b', byte)),
    );
    assert.deepEqual(lines, ['info guest "vm1" says: hi']);
  });

  it('knows its guests', () => {
    assert.throws(() => house([]).access('vm1', []), { code: 'ERR_UNPLUG' });
  });
});
