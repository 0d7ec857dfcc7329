/** EXTENDED COPY as an initiator sees it on every transport: between two units, in the background, and stopped in the middle (SPC-4 6.4, 6.5). */
import { strict as assert } from 'node:assert';
import {
  copyCdb,
  copyList,
  copyListLid4,
  copyStatusCdb,
  cscd,
  segment,
} from '../support/copy-list.ts';
import { describeOnEveryPort, type TestInitiator } from '../support/ports.ts';

const SLOW_MS = 150;

/** The NAA designator of a unit, from its VPD page 83h. */
async function naa(a: TestInitiator): Promise<Uint8Array> {
  const { dataIn } = await a.run('12 01 83 00 ff 00', { dataInBytes: 255 });
  assert.equal((dataIn[5] as number) & 0x3f, 0x03);
  return dataIn.slice(8, 8 + (dataIn[7] as number));
}

describeOnEveryPort('extended copy', (bench) => {
  it('copies from one unit to another without moving data here', async () => {
    const [lun, other] = [await bench().disk(), await bench().disk()];
    const [a, b] = [await bench().initiator(lun), await bench().initiator(other)];
    for (const at of [0, 1, 2, 3]) await a.write(10 + at, 0x40 + at);
    const ways = [segment({ source: 0, destination: 1, from: 10, to: 100, blocks: 4 })];
    const list = copyList([cscd(await naa(a)), cscd(await naa(b))], ways);
    const { status } = await a.initiator.execute({ lun, cdb: copyCdb(list.length), dataOut: list });
    assert.equal(status, 0);
    for (const at of [0, 1, 2, 3]) assert.equal(await b.byteAt(100 + at), 0x40 + at);
  });

  it('in the background, and is asked for until it is over', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(10, 0x5c);
    const ways = [segment({ source: 0xffff, destination: 0xffff, from: 10, to: 200, blocks: 1 })];
    const list = copyListLid4([], ways, { listIdentifier: 0xfeedf00d, immediate: true });
    const cdb = copyCdb(list.length, 1);
    assert.equal((await a.initiator.execute({ lun, cdb, dataOut: list })).status, 0);
    const ask = { lun, cdb: copyStatusCdb(0xfeedf00d), dataInBytes: 1024 };
    let status = 0x12;
    while (status === 0x12) {
      status = (await a.initiator.execute(ask)).dataIn[5] as number;
    }
    assert.equal(status, 0x01);
    assert.equal(await a.byteAt(200), 0x5c);
  });

  it('aborted, a later write to its blocks stays', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const list = copyList([cscd(await naa(a))], [segment({ from: 0, to: 100, blocks: 1 })]);
    await bench().inject(lun, {
      operation: 'write',
      firstLba: 100,
      lastLba: 100,
      delayMs: SLOW_MS,
      count: 1,
    });
    const copy = a.initiator.execute({ lun, cdb: copyCdb(list.length), dataOut: list });
    copy.catch(() => undefined);
    // The copy and the write it sends.
    await bench().running(lun, 2);
    await a.initiator.abortTask(copy);
    await a.write(100, 0x77);
    await new Promise((resolve) => setTimeout(resolve, 2 * SLOW_MS));
    assert.equal(await a.byteAt(100), 0x77);
  });
});
