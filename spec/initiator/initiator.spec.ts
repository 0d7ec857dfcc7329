/** The public face of the initiator: options, errors in words, limits, and its end. */
import { strict as assert } from 'node:assert';
import { ScsiError } from '../../src/initiator/errors.ts';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { cdb, describeOnSrpPorts, transfer10 } from '../support/ports.ts';

describe('openInitiator', () => {
  it('names what is wrong with the address', async () => {
    await assert.rejects(openInitiator({ connect: 'tcp:somewhere' }), {
      code: 'ERR_REQUEST',
      message: 'Cannot connect to "tcp:somewhere": it must be srp:PATH',
    });
    await assert.rejects(openInitiator({}), { code: 'ERR_REQUEST' });
  });

  it('says that nobody listens', async () => {
    await assert.rejects(openInitiator({ connect: 'srp:/nowhere/at/all.sock' }), (error: Error) => {
      assert.equal((error as Error & { code: string }).code, 'ERR_CONNECT');
      assert.match(error.message, /^Cannot attach to "\/nowhere\/at\/all\.sock": .*ENOENT/);
      return true;
    });
  });

  it('refuses an initiator port that is none', async () => {
    for (const initiatorPort of ['00', 'zz'.repeat(16), new Uint8Array(8)]) {
      await assert.rejects(openInitiator({ connect: 'srp:/nowhere', initiatorPort }), {
        code: 'ERR_REQUEST',
      });
    }
  });
});

describeOnSrpPorts('initiator', (bench) => {
  it('knows who is at the other end', async () => {
    const lun = await bench().disk();
    const { initiator } = await bench().initiator(lun);
    const target = initiator.identify();
    assert.equal(target?.srpVersion, '16.a');
    assert.equal(target.maxTransferBytes, 1024 * 1024);
    assert.equal(target.capabilities, true);
  });

  it('an error says command, sense in words and LBA', async () => {
    const lun = await bench().disk(2 ** 20);
    const { initiator } = await bench().fresh(lun);
    const disk = await initiator.disk(lun);
    await assert.rejects(disk.read(2048, 1), (error: unknown) => {
      assert.ok(error instanceof ScsiError);
      assert.equal(
        error.message,
        'READ(10) failed: ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE (5/21/00) at LBA 2048',
      );
      assert.equal(error.code, 'ERR_SCSI');
      assert.equal(error.status, 2);
      assert.deepEqual(error.cdb, transfer10(0x28, 2048, 1));
      assert.equal(error.lba, 2048);
      assert.equal(error.residual, 512);
      return true;
    });
  });

  it('a failed write names the first bad block and what was not written', async () => {
    const lun = await bench().disk();
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    await bench().inject(lun, { operation: 'write', firstLba: 104, lastLba: 104, fault: 'medium' });
    await assert.rejects(
      disk.write(100, new Uint8Array(16 * 512)),
      /^Error: WRITE\(10\) failed: MEDIUM ERROR, WRITE ERROR \(3\/0C\/00\) at LBA 104$/,
    );
  });

  it('transfers larger than the target takes are split, and come back whole', async () => {
    const lun = await bench().disk(8 * 2 ** 20);
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    const data = new Uint8Array(5 * 2 ** 20);
    const words = new Uint32Array(data.buffer);
    for (let i = 0; i < words.length; i += 1) words[i] = Math.imul(i, 0x9e3779b1);
    assert.ok(disk.maxTransferBlocks * 512 < data.length);
    await disk.write(1000, data);
    assert.equal(Buffer.compare(await disk.read(1000, data.length / 512), data), 0);
  });

  it('unit attentions are dealt with and reported', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    const disk = await a.initiator.disk(lun);
    const seen: string[] = [];
    a.initiator.on('unitAttention', (attention) => {
      seen.push(`${attention.lun} ${attention.sense.asc.toString(16)}`);
    });
    await b.initiator.logicalUnitReset(lun);
    await disk.write(0, new Uint8Array(512));
    assert.deepEqual(seen, [`${lun} 29`]);
  });

  it('a capacity that grew is known to block access', async () => {
    const lun = await bench().disk(2 ** 20);
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    assert.equal(disk.blocks, 2048);
    await bench().resizeDisk(lun, 2 ** 21);
    await disk.read(0, 1);
    await disk.read(0, 1);
    assert.equal(disk.blocks, 4096);
  });

  it('flush, unmap and write same do what they say', async () => {
    const lun = await bench().disk();
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    await disk.writeSame(10, 20, new Uint8Array(512).fill(0x77));
    await disk.flush();
    const written = await disk.read(9, 22);
    assert.equal(written[0], 0);
    assert.equal(written[512], 0x77);
    assert.equal(written[20 * 512 + 511], 0x77);
    assert.equal(written[21 * 512], 0);
    await disk.unmap([
      { lba: 10, blocks: 5 },
      { lba: 20, blocks: 10 },
    ]);
    const unmapped = await disk.read(10, 20);
    assert.equal(unmapped[0], 0);
    assert.equal(unmapped[5 * 512], 0x77);
    assert.equal(unmapped[19 * 512], 0);
  });

  it('a thousand commands at once are queued and all answered', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const results = await Promise.all(Array.from({ length: 1000 }, (_, i) => a.read(i % 64)));
    assert.ok(results.every(({ status }) => status === 0));
  });

  it('more data than the shared memory holds wait for their turn', async () => {
    const lun = await bench().disk(64 * 2 ** 20);
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    const parts = await Promise.all(
      Array.from({ length: 40 }, (_, i) => disk.read(i * 2048, 2048)),
    );
    assert.ok(parts.every((part) => part.length === 2 ** 20));
    await assert.rejects(
      initiator.execute({ lun, cdb: transfer10(0x28, 0, 1), dataInBytes: 2 ** 25 }),
      { code: 'ERR_REQUEST' },
    );
  });

  it('what cannot be sent is refused in words', async () => {
    const lun = await bench().disk();
    const { initiator } = await bench().initiator(lun);
    const disk = await initiator.disk(lun);
    await assert.rejects(initiator.execute({ lun, cdb: new Uint8Array(0) }), {
      code: 'ERR_REQUEST',
      message: 'Cannot send command: its CDB has 0 bytes, 1 to 268 are possible',
    });
    await assert.rejects(initiator.execute({ lun: 1.5, cdb: cdb('00 00 00 00 00 00') }), {
      code: 'ERR_REQUEST',
    });
    await assert.rejects(disk.write(0, new Uint8Array(500)), { code: 'ERR_REQUEST' });
    await assert.rejects(disk.read(-1, 1), { code: 'ERR_REQUEST' });
    const stranger = initiator
      .execute({ lun, cdb: transfer10(0x28, 0, 1) })
      .then((result) => result);
    await assert.rejects(initiator.abortTask(stranger), { code: 'ERR_REQUEST' });
    await stranger;
  });

  it('close rejects what is still waited for, and everything later', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', delayMs: 300 });
    const read = a.read(0);
    read.catch(() => undefined);
    await bench().running(lun, 1);
    await a.initiator.close();
    await assert.rejects(read, { code: 'ERR_INITIATOR_CLOSED' });
    await assert.rejects(a.read(0), { code: 'ERR_INITIATOR_CLOSED' });
    await assert.rejects(a.initiator.abortTaskSet(lun), { code: 'ERR_INITIATOR_CLOSED' });
    await bench().running(lun, 0);
  });

  it('a target without an answer to its second login says why', async () => {
    const lun = await bench().disk();
    const initiatorPort = '0000000000000001d0d0d0d000000099';
    await bench().initiator(lun, { initiatorPort });
    await assert.rejects(bench().fresh(lun, { initiatorPort }), (error: unknown) => {
      const { code, reason, message } = error as { code: string; reason: number; message: string };
      assert.equal(code, 'ERR_LOGIN_REFUSED');
      assert.equal(reason, 0x00010003);
      assert.match(message, /in use by another attachment/);
      return true;
    });
  });
});
