/** The store over a block device: a loop device where one can be made. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { DiskFileError, openDiskFile } from '../../../src/luns/open.ts';
import { DeviceStore, deviceNumbers } from '../../../src/luns/store/block.ts';
import { DONE, GONE, READ_ONLY } from '../../../src/scsi/contracts.ts';
import { StoreRequest, temporaryDirectory } from '../store-request.ts';

const MIB = 1024 * 1024;

describe('luns/store/block', () => {
  it('takes device numbers apart as makedev(3) of glibc packs them', () => {
    assert.deepEqual(deviceNumbers(0xfe00n), { major: 254, minor: 0 });
    assert.deepEqual(deviceNumbers(0x811n), { major: 8, minor: 17 });
    assert.deepEqual(deviceNumbers(0x12006789345abn), { major: 0x12345, minor: 0x6789ab });
  });

  describe('over a loop device', () => {
    const directory = temporaryDirectory();
    const image = join(directory, 'loop.img');
    let device = '';

    before(function () {
      closeSync(openSync(image, 'w'));
      truncateSync(image, 4 * MIB);
      try {
        device = execFileSync('losetup', ['--find', '--show', image], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }).trim();
      } catch {
        console.log('      skipped: a loop device needs losetup and the right to use it');
        this.skip();
      }
    });
    after(() => {
      if (device !== '') execFileSync('losetup', ['--detach', device]);
    });

    function open(readOnly = false): { store: DeviceStore; bytes: number; thinCapable: boolean } {
      const opened = openDiskFile({ lun: 0, path: device, blockBytes: 512, readOnly });
      assert.equal(opened.kind, 'block');
      const { fd, bytes, thinCapable } = opened;
      return { store: new DeviceStore({ fd, bytes, readOnly }), bytes, thinCapable };
    }

    it('has the size of the device, reads, writes, flushes', () => {
      const { store: s, bytes } = open();
      assert.equal(bytes, 4 * MIB);
      const out = new StoreRequest(8192, 3000).fill(1);
      assert.equal(s.write(out.task, 4 * MIB - 8192, 8192, out.segments, false), DONE);
      assert.equal(s.flush(out.task), DONE);
      assert.equal(s.write(out.task, 1536, 8192, out.segments, true), DONE);
      const back = new StoreRequest(8192);
      assert.equal(s.read(back.task, 4 * MIB - 8192, 8192, back.segments), DONE);
      assert.deepEqual(back.bytes, out.bytes);
      const file = readFileSync(image);
      assert.deepEqual(new Uint8Array(file.subarray(1536, 1536 + 8192)), out.bytes);
      s.close();
    });

    it('discards and zeroes exactly the range, aligned or not', () => {
      const { store: s, thinCapable } = open();
      assert.equal(s.canDiscard, thinCapable);
      const out = new StoreRequest(MIB).fill(2);
      s.write(out.task, 0, MIB, out.segments, true);
      const before = statSync(image).blocks;
      assert.equal(s.discard(out.task, 4096 + 512, 512 * 1024), DONE);
      assert.equal(s.writeZeroes(out.task, MIB - 8192 + 512, 1024, true), DONE);
      const expected = out.bytes.slice();
      expected.fill(0, 4608, 4608 + 512 * 1024);
      expected.fill(0, MIB - 8192 + 512, MIB - 8192 + 1536);
      const back = new StoreRequest(MIB);
      assert.equal(s.read(back.task, 0, MIB, back.segments), DONE);
      assert(Buffer.compare(back.bytes, expected) === 0);
      assert.equal(s.flush(out.task), DONE);
      if (thinCapable) assert(statSync(image).blocks < before, 'space is given back');
      s.close();
    });

    it('is GONE behind its end', () => {
      const { store: s } = open();
      const back = new StoreRequest(8192);
      s.grow(8 * MIB);
      assert.equal(s.read(back.task, 4 * MIB - 4096, 8192, back.segments), GONE);
      assert.equal(back.task.storedBytes, 4096);
      s.close();
    });

    it('can be read-only', () => {
      const { store: s } = open(true);
      const out = new StoreRequest(512);
      assert.equal(s.canDiscard, false);
      assert.equal(s.write(out.task, 0, 512, out.segments, false), READ_ONLY);
      assert.equal(s.read(out.task, 0, 512, out.segments), DONE);
      s.close();
    });

    it('is refused while somebody has it open for a disk', () => {
      const { store: s } = open();
      assert.throws(
        () => open(),
        (error: unknown) => {
          assert(error instanceof DiskFileError);
          assert.equal(error.code, 'ERR_IMAGE_LOCKED');
          assert.equal(error.holderProcessId, process.pid);
          return true;
        },
      );
      s.close();
      open().store.close();
    });

    it('is refused with a size it does not have', () => {
      assert.throws(
        () =>
          openDiskFile({
            lun: 2,
            path: device,
            sizeBytes: 8 * MIB,
            blockBytes: 512,
            readOnly: false,
          }),
        { code: 'ERR_IMAGE_SIZE' },
      );
    });
  });
});
