/** Persistent reservations as initiators see them on every transport (SPC-4 5.13). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, type TestInitiator } from '../support/ports.ts';
import {
  type OutOptions,
  PREEMPT_AND_ABORT,
  REGISTER,
  RELEASE,
  RESERVE,
  reserveOut,
} from '../support/reservation-list.ts';

const CONFLICT = 0x18;
const WE = 1;
const EA = 3;
const SLOW_MS = 150;

async function out(a: TestInitiator, action: number, options: OutOptions): Promise<number> {
  const { cdb, list } = reserveOut(action, options);
  const { status } = await a.initiator.execute({ lun: a.lun, cdb, dataOut: list });
  return status;
}

/** Keys that are registered. */
async function keys(a: TestInitiator): Promise<bigint[]> {
  const { dataIn } = await a.run('5e 00 00 00 00 00 00 00 ff 00', { dataInBytes: 255 });
  const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.byteLength);
  return Array.from({ length: view.getUint32(4) / 8 }, (_, i) => view.getBigUint64(8 + i * 8));
}

describeOnEveryPort('reservations', (bench) => {
  it('exclude others, until they are released', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa }), 0);
    assert.equal(await out(a, RESERVE, { key: 0xa, type: EA }), 0);
    assert.equal((await b.read(0)).status, CONFLICT);
    assert.equal((await b.write(0, 1)).status, CONFLICT);
    assert.equal((await a.write(0, 1)).status, 0);
    assert.equal(await out(a, RELEASE, { key: 0xa, type: EA }), 0);
    assert.equal((await b.write(0, 2)).status, 0);
  });

  it('K12: registrations outlast a reset and the end of their initiator', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa }), 0);
    assert.equal(await out(a, RESERVE, { key: 0xa, type: WE }), 0);
    await b.initiator.logicalUnitReset(lun);
    await a.initiator.close();
    await b.attentions();
    assert.deepEqual(await keys(b), [0xan]);
    assert.equal((await b.write(0, 1)).status, CONFLICT);
  });

  it('K13: PREEMPT AND ABORT fences: a slow write of the other cannot land afterwards', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa }), 0);
    assert.equal(await out(b, REGISTER, { actionKey: 0xb }), 0);
    assert.equal(await out(a, RESERVE, { key: 0xa, type: WE }), 0);
    await bench().inject(lun, {
      operation: 'write',
      firstLba: 5,
      lastLba: 5,
      delayMs: SLOW_MS,
      count: 1,
    });
    const slow = a.write(5, 0xaa).then(
      (result) => result.status,
      () => -1,
    );
    await bench().running(lun, 1);
    assert.equal(await out(b, PREEMPT_AND_ABORT, { key: 0xb, actionKey: 0xa, type: WE }), 0);
    assert.equal((await b.write(5, 0xbb)).status, 0);
    assert.notEqual(await slow, 0);
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS * 2));
    assert.equal(await b.byteAt(5), 0xbb);
    assert.equal((await a.write(5, 0xcc)).status, CONFLICT);
    assert.equal(await a.ready(), '6/2a/05');
    assert.deepEqual(await keys(b), [0xbn]);
  });
});
