/** Task attributes and ordering as an initiator sees them (SAM-5 8; QUEUE ALGORITHM MODIFIER 0). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, sense } from '../support/ports.ts';

const SLOW_MS = 120;

/** Names in the order in which the promises settle. */
async function order(work: Readonly<Record<string, Promise<unknown>>>): Promise<string[]> {
  const ended: string[] = [];
  await Promise.all(
    Object.entries(work).map(async ([name, promise]) => {
      await promise;
      ended.push(name);
    }),
  );
  return ended;
}

describeOnEveryPort('task attributes', (bench) => {
  it('K08 an ORDERED command waits for every older one and holds up every younger one', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', firstLba: 0, lastLba: 0, delayMs: SLOW_MS });
    const ended = await order({
      slowWrite: a.write(0, 1),
      orderedWrite: a.write(100, 2, { attribute: 'ordered' }),
      simpleRead: a.read(200),
    });
    assert.deepEqual(ended, ['slowWrite', 'orderedWrite', 'simpleRead']);
  });

  it('an ORDERED command is a barrier for the other initiator as well', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await bench().inject(
      lun,
      { operation: 'write', firstLba: 0, lastLba: 0, delayMs: SLOW_MS },
      // Each takes its time: answers that come together are seen by two initiators in either order.
      { operation: 'read', firstLba: 100, lastLba: 200, delayMs: SLOW_MS / 2 },
    );
    const slowWrite = a.write(0, 1);
    await bench().running(lun, 1);
    const orderedRead = b.read(100, 1, { attribute: 'ordered' });
    await bench().running(lun, 2);
    const ended = await order({ slowWrite, orderedRead, simpleRead: a.read(200) });
    assert.deepEqual(ended, ['slowWrite', 'orderedRead', 'simpleRead']);
  });

  it('an ORDERED TEST UNIT READY is a barrier', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', firstLba: 0, lastLba: 0, delayMs: SLOW_MS });
    const ended = await order({
      slowWrite: a.write(0, 1),
      ready: a.ready({ attribute: 'ordered' }),
    });
    assert.deepEqual(ended, ['slowWrite', 'ready']);
  });

  it('a HEAD OF QUEUE command passes everything that waits and what runs', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', firstLba: 0, lastLba: 0, delayMs: SLOW_MS });
    const ended = await order({
      slowWrite: a.write(0, 1),
      orderedWrite: a.write(100, 2, { attribute: 'ordered' }),
      headRead: a.read(300, 1, { attribute: 'head' }),
    });
    assert.deepEqual(ended, ['headRead', 'slowWrite', 'orderedWrite']);
  });

  it('SIMPLE commands that touch different blocks do not wait for each other', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', firstLba: 0, lastLba: 7, delayMs: SLOW_MS });
    const ended = await order({ slow: a.read(0, 8), quick: a.read(8, 8) });
    assert.deepEqual(ended, ['quick', 'slow']);
  });

  it('K10 a SIMPLE read does not overtake an older write of its blocks', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(50, 0x11);
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS, count: 1 });
    const write = a.write(50, 0x22);
    const read = a.read(48, 4);
    assert.equal((await write).status, 0);
    assert.equal((await read).dataIn[2 * 512], 0x22);
  });

  it('K09 the younger of two overlapping SIMPLE writes wins, every time', async function () {
    this.timeout(30_000);
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    for (let round = 0; round < 1000; round += 1) {
      const first = a.write(7, 0xaa);
      const second = a.write(7, round % 100);
      const read = a.read(7);
      await Promise.all([first, second]);
      assert.equal((await read).dataIn[0], round % 100);
    }
  });

  it('an ACA command without an ACA condition is refused with 5/49/00', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const result = await a.run('00 00 00 00 00 00', { attribute: 'aca' });
    assert.equal(result.status, 0x02);
    assert.equal(sense(result), '5/49/00');
  });

  it('K25 one CHECK CONDITION leaves the other commands alone (QERR 00b)', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', delayMs: 20 });
    const writes = Array.from({ length: 8 }, (_, i) => a.write(i, i + 1));
    const bad = await a.read(0x7fff0000);
    assert.equal(sense(bad), '5/21/00');
    for (const write of writes) assert.equal((await write).status, 0);
  });
});
