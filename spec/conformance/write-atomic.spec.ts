/** WRITE ATOMIC(16) as initiators see it on every transport (SBC-4 5.48): whole or not at all, also against other commands. */
import { strict as assert } from 'node:assert';
import type { CommandResult } from '../../src/initiator/request.ts';
import { describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';

const BLOCKS = 64;
const ROUNDS = 40;
const LIMITS = '12 01 b0 00 ff 00';

function writeAtomic(a: TestInitiator, lba: number, value: number): Promise<CommandResult> {
  const cdb = new Uint8Array(16);
  const view = new DataView(cdb.buffer);
  cdb[0] = 0x9c;
  view.setUint32(6, lba);
  view.setUint16(12, BLOCKS);
  const dataOut = new Uint8Array(BLOCKS * 512).fill(value);
  return a.initiator.execute({ lun: a.lun, cdb, dataOut });
}

describeOnEveryPort('atomic writes', (bench) => {
  it('have limits that hold', async () => {
    const a = await bench().initiator(await bench().disk());
    const { dataIn } = await a.run(LIMITS, { dataInBytes: 255 });
    const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.byteLength);
    const [most, alignment] = [view.getUint32(44), view.getUint32(48)];
    assert.ok(most >= BLOCKS && alignment > 1);
    assert.equal((await writeAtomic(a, 0, 1)).status, 0);
    assert.equal(sense(await writeAtomic(a, 1, 2)), '5/24/00');
    assert.equal(await a.byteAt(1), 1);
  });

  it('of two initiators are never mixed, whoever reads', async () => {
    const lun = await bench().disk();
    const [a, b] = [await bench().initiator(lun), await bench().initiator(lun)];
    assert.equal((await writeAtomic(a, 0, 0xff)).status, 0);
    const work: Promise<CommandResult>[] = [];
    const reads: Promise<CommandResult>[] = [];
    for (let i = 0; i < ROUNDS; i += 1) {
      work.push(writeAtomic(a, 0, i), writeAtomic(b, 0, 0x80 + i));
      reads.push((i % 2 === 0 ? a : b).read(0, BLOCKS));
      if (i % 8 === 7) await Promise.all([...work, ...reads]);
    }
    for (const { status } of await Promise.all(work)) assert.equal(status, 0);
    for (const { dataIn } of await Promise.all(reads)) {
      assert.equal(dataIn.length, BLOCKS * 512);
      assert.ok(dataIn.every((byte) => byte === dataIn[0]));
    }
  });
});
