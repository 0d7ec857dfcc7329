/** Data buffers that do not fit their command: residuals of both signs, and nothing beyond the buffer (SRP r16a 6.9; SPC-4 4.2). */
import { strict as assert } from 'node:assert';
import type { InitiatorOptions } from '../../src/initiator/initiator.ts';
import type { ConformanceInitiator } from '../support/conformance-initiator.ts';
import {
  type Bench,
  cdb,
  describeOnEveryPort,
  describeOnSrpPorts,
  sense,
  transfer10,
} from '../support/ports.ts';

/** Writes blocks in parallel and reads them back. */
async function dataArrive(
  bench: Bench<ConformanceInitiator>,
  options: InitiatorOptions,
): Promise<void> {
  const lun = await bench.disk();
  const a = await bench.initiator(lun, options);
  const disk = await a.initiator.disk(lun);
  const parts = Array.from({ length: 64 }, (_, i) => new Uint8Array(512).fill(i + 1));
  await Promise.all(parts.map((part, i) => disk.write(i * 3, part)));
  const read = await disk.read(0, 192);
  for (let i = 0; i < 64; i += 1) {
    assert.deepEqual(read.slice(i * 3 * 512, (i * 3 + 1) * 512), parts[i]);
    assert.equal(read[(i * 3 + 1) * 512], 0);
  }
}

describeOnEveryPort('data buffers', (bench) => {
  it('INQUIRY into a larger buffer: the data that exist and the residual', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const whole = await a.run('12 00 00 00 ff 00', { dataInBytes: 255 });
    assert.equal(whole.status, 0);
    const exists = 5 + (whole.dataIn[4] ?? 0);
    assert.equal(whole.dataIn.length, exists);
    assert.equal(whole.residualIn, 255 - exists);
  });

  it('an allocation length shorter than the data truncates them, length field untouched', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const whole = await a.run('12 00 00 00 ff 00', { dataInBytes: 255 });
    const part = await a.run('12 00 00 00 08 00', { dataInBytes: 255 });
    assert.equal(part.residualIn, 255 - 8);
    assert.deepEqual(part.dataIn, whole.dataIn.slice(0, 8));
  });

  it('a buffer shorter than the allocation length: an overrun, the buffer full', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const result = await a.run('12 00 00 00 24 00', { dataInBytes: 8 });
    assert.equal(result.status, 0);
    assert.equal(result.dataIn.length, 8);
    assert.ok(result.residualIn < 0, 'an overrun');
  });

  it('READ of fewer blocks than the buffer holds', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(3, 0x3c);
    const result = await a.read(3, 1, { dataInBytes: 2048 });
    assert.equal(result.status, 0);
    assert.equal(result.residualIn, 1536);
    assert.deepEqual(result.dataIn, new Uint8Array(512).fill(0x3c));
  });

  it('READ of more blocks than the buffer holds', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(3, 0x3c);
    const result = await a.read(3, 4, { dataInBytes: 512 });
    assert.equal(result.status, 0);
    assert.ok(result.residualIn < 0, 'an overrun');
    assert.deepEqual(result.dataIn, new Uint8Array(512).fill(0x3c));
  });

  it('WRITE of fewer blocks than the buffer holds', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const result = await a.write(4, 0x44, { dataOut: new Uint8Array(1536).fill(0x44) });
    assert.equal(result.status, 0);
    assert.equal(result.residualOut, 1024);
    assert.equal(await a.byteAt(4), 0x44);
    assert.equal(await a.byteAt(5), 0);
  });

  it('K20 WRITE of more blocks than the buffer holds writes at most what came, in whole blocks', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const result = await a.initiator.execute({
      lun,
      cdb: transfer10(0x2a, 8, 4),
      dataOut: new Uint8Array(1024).fill(0x88),
    });
    if (result.status === 0) assert.ok(result.residualOut < 0, 'an overrun');
    for (const lba of [10, 11]) assert.equal(await a.byteAt(lba), 0, `block ${lba}`);
  });

  it('a data-out buffer for a READ, and a data-in buffer for a WRITE', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(6, 0x66);
    const read = await a.initiator.execute({
      lun,
      cdb: transfer10(0x28, 6, 1),
      dataOut: new Uint8Array(512),
    });
    assert.equal(read.residualOut, 512);
    const write = await a.initiator.execute({ lun, cdb: transfer10(0x2a, 6, 1), dataInBytes: 512 });
    assert.equal(write.residualIn, 512);
    assert.equal(await a.byteAt(6), 0x66);
  });

  it('a transfer length of zero is no error and moves nothing', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const result = await a.read(0, 0, { dataInBytes: 512 });
    assert.equal(result.status, 0);
    assert.equal(result.residualIn, 512);
  });

  it('a read past the end moves nothing and says where', async () => {
    const lun = await bench().disk(4 * 2 ** 20);
    const a = await bench().initiator(lun);
    const result = await a.read(8191, 2);
    assert.equal(result.status, 2);
    assert.equal(sense(result), '5/21/00');
    assert.equal(result.residualIn, 1024);
    assert.equal(result.dataIn.length, 0);
  });

  it('K16 a medium error in the middle names the block', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', firstLba: 20, lastLba: 20, fault: 'medium' });
    const result = await a.read(16, 8);
    assert.equal(result.status, 2);
    assert.equal(sense(result), '3/11/00');
    assert.equal(result.sense?.information, 20);
  });

  it('K15 no space behind a thin disk is 7/27/07, and the disk goes on', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', fault: 'full', count: 1 });
    assert.equal(sense(await a.write(0, 1)), '7/27/07');
    assert.equal((await a.write(0, 1)).status, 0);
  });

  it('a CDB of 32 bytes arrives whole', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const variable = new Uint8Array(32);
    variable.set(cdb('7f 00 00 00 00 00 00 18 00 09'));
    const result = await a.initiator.execute({ lun, cdb: variable, dataInBytes: 512 });
    assert.equal(sense(result), '5/20/00');
  });

  for (const queuePairs of [1, 3]) {
    it(`data arrive whole over ${queuePairs} queues`, () => dataArrive(bench(), { queuePairs }));
  }
});

describeOnSrpPorts('data buffers of SRP', (bench) => {
  it('a residual says how much did not fit, which virtio does not', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const inquiry = await a.run('12 00 00 00 24 00', { dataInBytes: 8 });
    assert.equal(inquiry.residualIn, 8 - 36);
    assert.equal((await a.read(3, 4, { dataInBytes: 512 })).residualIn, -1536);
    const command = transfer10(0x2a, 8, 4);
    const write = await a.initiator.execute({ lun, cdb: command, dataOut: new Uint8Array(1024) });
    if (write.status === 0) assert.equal(write.residualOut, -1024);
  });

  it('data arrive whole as immediate data', () => dataArrive(bench(), { immediateData: true }));
});
