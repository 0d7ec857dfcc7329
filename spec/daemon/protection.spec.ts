/** Images of disks with protection information: their size, what lies where, and that they are there again after a restart. */
import { strict as assert } from 'node:assert';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { openInitiator } from '../../src/initiator/initiator.ts';
import type { CommandResult } from '../../src/initiator/request.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';
import { block, join } from '../support/protection.ts';

const MIB = 1024 * 1024;
const IMAGE_BYTES = (4 * MIB * 520) / 512;

describe('image with protection information', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let open: TestInitiator | null = null;

  const attach = async (): Promise<TestInitiator> => {
    const initiator = await openInitiator({ connect: daemon.connect, name: 'a' });
    open = new TestInitiator(initiator, 0);
    await open.attentions();
    return open;
  };
  const write = (a: TestInitiator, lba: number, data: Uint8Array): Promise<CommandResult> => {
    const cdb = Uint8Array.of(0x2a, 0x20, 0, 0, 0, lba, 0, 0, data.length / 520, 0);
    return a.initiator.execute({ lun: 0, cdb, dataOut: data });
  };
  const read = (a: TestInitiator, lba: number, blocks: number): Promise<CommandResult> => {
    const cdb = Uint8Array.of(0x28, 0x20, 0, 0, 0, lba, 0, 0, blocks, 0);
    return a.initiator.execute({ lun: 0, cdb, dataInBytes: blocks * 520 });
  };

  afterEach(async () => {
    await open?.initiator.close();
    open = null;
    await daemon.end();
  });

  it('has room for size and the information; it is sparse, and block and information lie together', async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=4M,protection=1']);
    const image = daemon.path('a.img');
    assert.equal(statSync(image).size, IMAGE_BYTES);
    assert.equal(statSync(image).blocks, 0);
    const a = await attach();
    const data = join(block(1, { reference: 3 }), block(2, { reference: 4 }));
    assert.equal((await write(a, 3, data)).status, 0);
    const stored = readFileSync(image).subarray(3 * 520, 5 * 520);
    const inverted = (at: number): boolean => at % 520 >= 512;
    const expected = data.map((byte, at) => (inverted(at) ? ~byte : byte));
    assert.deepEqual(Uint8Array.from(stored), expected);
    const luns = (await daemon.call('lun.list')) as { readonly bytes: number }[];
    assert.deepEqual(
      luns.map(({ bytes }) => bytes),
      [4 * MIB],
    );
  });

  it('is there again after kill -9, grown as it was, and a change behind our back is found', async () => {
    daemon = await DaemonProcess.start([], [], ['--state', 'state']);
    const image = daemon.path('a.img');
    await daemon.call('lun.add', { lun: 0, type: 'disk', path: image, size: '4M', protection: 1 });
    const a = await attach();
    const data = block(9, { reference: 7, application: 0x1111 });
    assert.equal((await write(a, 7, data)).status, 0);
    await daemon.call('lun.resize', { lun: 0, size: 5 * MIB });
    assert.equal(statSync(image).size, (5 * MIB * 520) / 512);
    await daemon.kill();
    await a.initiator.close();
    const bytes = readFileSync(image);
    bytes[8 * 520] = 1;
    writeFileSync(image, bytes, { flag: 'r+' });
    await daemon.restart();
    const b = await attach();
    assert.deepEqual((await read(b, 7, 1)).dataIn, data);
    const capacity = await b.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    assert.equal(
      new DataView(capacity.dataIn.buffer, capacity.dataIn.byteOffset).getUint32(0),
      10_239,
    );
    // Block 8 was never written: nothing says what it should hold.
    assert.equal((await read(b, 8, 1)).status, 0);
    assert.equal((await write(b, 8, block(5, { reference: 8 }))).status, 0);
    const other = readFileSync(image);
    other[8 * 520 + 3] = 6;
    writeFileSync(image, other, { flag: 'r+' });
    const r = await read(b, 8, 1);
    assert.deepEqual([sense(r), r.sense?.information], ['b/10/01', 8]);
  });

  it('an image of another size is refused, in blocks of 520 bytes', async () => {
    daemon = await DaemonProcess.start();
    writeFileSync(daemon.path('b.img'), new Uint8Array(4096));
    const path = daemon.path('b.img');
    await assert.rejects(
      daemon.call('lun.add', { lun: 1, type: 'disk', path, protection: 1 }),
      /"[^"]*b\.img" is 4096 bytes, a disk image needs a multiple of 520/,
    );
  });
});
