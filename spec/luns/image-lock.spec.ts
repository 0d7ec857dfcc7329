/** The lock of an image: between two openings of ours, and between ours and a real QEMU's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockImage, unlockImage } from '../../src/luns/image-lock.ts';
import { lockOpened, openDiskFile } from '../../src/luns/open.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';

const MIB = 1024 * 1024;

describe('lock of an image', function () {
  this.timeout(20_000);
  let directory: string;
  let image: string;
  const open: number[] = [];
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-lock-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  beforeEach(() => {
    image = join(directory, 'a.img');
    writeFileSync(image, Buffer.alloc(MIB));
  });
  afterEach(() => {
    for (const fd of open.splice(0)) closeSync(fd);
  });

  function opened(): number {
    const fd = openSync(image, constants.O_RDWR);
    open.push(fd);
    return fd;
  }

  it('one writer keeps everybody off, readers only writers', () => {
    const [a, b, c] = [opened(), opened(), opened()] as const;
    assert.equal(lockImage(a, false), 'locked');
    assert.equal(lockImage(b, false), 'daemon');
    assert.equal(lockImage(b, true), 'daemon');
    unlockImage(a);
    assert.equal(lockImage(b, true), 'locked');
    assert.equal(lockImage(c, true), 'locked');
    assert.equal(lockImage(a, false), 'daemon');
  });

  it('a standby image is opened beside its owner and locked when that one has gone', () => {
    const options = { lun: 3, path: image, blockBytes: 512, readOnly: false, standby: true };
    const owner = openDiskFile({ ...options, standby: false });
    const waiting = openDiskFile(options);
    open.push(waiting.fd);
    assert.throws(() => lockOpened(waiting.fd, options), /LUN 3.*in use by this process/);
    closeSync(owner.fd);
    lockOpened(waiting.fd, options);
    assert.throws(() => openDiskFile({ ...options, standby: false }), /in use/);
  });

  it('a standby image that is missing is not created', () => {
    const path = join(directory, 'none.img');
    const options = { lun: 0, path, blockBytes: 512, readOnly: false, standby: true };
    assert.throws(() => openDiskFile({ ...options, sizeBytes: MIB }), /standby image has to/);
  });

  const real = needsQemu(
    'a QEMU that has the image keeps us off until it ends, and we keep it off',
  );
  it(real.title, async function () {
    if (real.missing) this.skip();
    const drive = ['-drive', `if=none,id=d0,format=raw,file=${image}`];
    const disk = ['-device', 'virtio-scsi-pci', '-device', 'scsi-hd,drive=d0'];
    const words = ['-machine', 'pc', ...drive, ...disk];
    const qemu = QemuProcess.start(words);
    const client = await qemu.connect();
    const fd = opened();
    assert.equal(lockImage(fd, false), 'qemu');
    assert.equal(lockImage(fd, true), 'qemu');
    assert.throws(
      () => openDiskFile({ lun: 0, path: image, blockBytes: 512, readOnly: false }),
      /in use by a QEMU.*takeover/,
    );
    client.close();
    await qemu.end();
    assert.equal(lockImage(fd, false), 'locked');
    const second = QemuProcess.start(words);
    assert.equal(await second.ended(), 1);
    assert.match(second.errors, /Failed to get (shared )?"write" lock/);
    await second.end();
    unlockImage(fd);
    assert.equal(lockImage(fd, true), 'locked');
    const info = spawnSync('qemu-img', ['info', image]);
    if (info.error === undefined) assert.equal(info.status, 0, String(info.stderr));
  });
});
