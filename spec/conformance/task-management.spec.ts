/** Aborts and resets: what stops, when it is answered, who is told, and that nothing is lost (SAM-5 clause 7, 5.6). */
import { strict as assert } from 'node:assert';
import { TaskAbortedError, TaskManagementError } from '../../src/initiator/errors.ts';
import { REPORT_LUNS_WLUN } from '../../src/scsi/lun.ts';
import { CONTROL_PAGE, modeSelect, TAS } from '../support/mode-select.ts';
import { describeOnEveryPort, sense, TEST_UNIT_READY } from '../support/ports.ts';

const SLOW_MS = 150;
const VERY_SLOW_MS = 4000;

/** Marks a promise as looked at: it may reject before the test gets to it. */
function started<T>(execution: Promise<T>): Promise<T> {
  execution.catch(() => undefined);
  return execution;
}

/** What a promise came to: `GOOD`, the sense, or the code of the error. */
async function fate(execution: Promise<Parameters<typeof sense>[0]>): Promise<string> {
  try {
    const result = await execution;
    return result.status === 0 ? 'GOOD' : sense(result) || `status ${result.status}`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describeOnEveryPort('task management', (bench) => {
  it('K02 after ABORT TASK the write cannot land on top of a later one', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS, count: 1 });
    const slow = started(a.write(5, 0xaa));
    await bench().running(lun, 1);
    await a.initiator.abortTask(slow);
    await assert.rejects(slow, TaskAbortedError);
    assert.equal((await a.write(5, 0xbb)).status, 0);
    await new Promise((resolve) => setTimeout(resolve, 2 * SLOW_MS));
    assert.equal(await a.byteAt(5), 0xbb);
  });

  it('ABORT TASK of a command that has ended completes', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const done = a.read(0);
    assert.equal((await done).status, 0);
    await a.initiator.abortTask(done);
  });

  it('ABORT TASK reaches a command that waits behind another', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS, count: 1 });
    const slow = started(a.write(0, 1));
    const waiting = started(a.write(0, 2));
    await bench().running(lun, 2);
    await a.initiator.abortTask(waiting);
    assert.equal(await fate(waiting), 'ERR_TASK_ABORTED');
    assert.equal(await fate(slow), 'GOOD');
    assert.equal(await a.byteAt(0), 1);
  });

  it('two initiators use the same tags, and an abort hits only its own', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS });
    const ofA = started(a.write(10, 1));
    const ofB = started(b.write(20, 2));
    await bench().running(lun, 2);
    await a.initiator.abortTask(ofA);
    assert.equal(await fate(ofA), 'ERR_TASK_ABORTED');
    assert.equal(await fate(ofB), 'GOOD');
    assert.equal(await b.byteAt(20), 2);
  });

  it('ABORT TASK SET ends the tasks of the asker and nobody else’s', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS });
    const ofA = [10, 11, 12].map((lba) => started(a.write(lba, 1)));
    const ofB = started(b.write(20, 2));
    await bench().running(lun, 4);
    await a.initiator.abortTaskSet(lun);
    for (const write of ofA) assert.equal(await fate(write), 'ERR_TASK_ABORTED');
    assert.equal(await fate(ofB), 'GOOD');
    assert.deepEqual(await a.attentions(), []);
    assert.deepEqual(await b.attentions(), []);
  });

  for (const { told, tas } of [
    { told: 'TASK ABORTED', tas: true },
    { told: 'silence and 2F/00', tas: false },
  ]) {
    it(`K14 CLEAR TASK SET with TAS = ${tas ? 1 : 0} ends the tasks of others with ${told}`, async () => {
      const lun = await bench().disk();
      const a = await bench().initiator(lun);
      const b = await bench().initiator(lun);
      const idle = await bench().initiator(lun);
      await modeSelect(b, CONTROL_PAGE, 5, TAS, tas);
      for (const other of [a, idle]) await other.attentions();
      await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS });
      const ofA = started(a.write(10, 1));
      const ofB = started(b.write(20, 2));
      await bench().running(lun, 2);
      await b.initiator.clearTaskSet(lun);
      await bench().inject(lun);
      assert.equal(await fate(ofB), 'ERR_TASK_ABORTED');
      assert.deepEqual(await a.attentions(), tas ? [] : ['6/2f/00']);
      assert.equal(await fate(ofA), tas ? 'status 64' : 'ERR_TASK_ABORTED');
      assert.deepEqual(await b.attentions(), []);
      assert.deepEqual(await idle.attentions(), []);
    });
  }

  for (const tas of [true, false]) {
    it(`LOGICAL UNIT RESET with TAS = ${tas ? 1 : 0} ends everybody’s tasks and tells everybody`, async () => {
      const lun = await bench().disk();
      const a = await bench().initiator(lun);
      const b = await bench().initiator(lun);
      await modeSelect(a, CONTROL_PAGE, 5, TAS, tas);
      await b.attentions();
      await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS });
      const ofA = started(a.write(10, 1));
      const ofB = started(b.write(20, 2));
      await bench().running(lun, 2);
      await a.initiator.logicalUnitReset(lun);
      await bench().inject(lun);
      assert.equal(await fate(ofA), 'ERR_TASK_ABORTED');
      assert.deepEqual(await a.attentions(), ['6/29/03']);
      assert.deepEqual(await b.attentions(), ['6/29/03']);
      assert.equal(await fate(ofB), tas ? 'status 64' : 'ERR_TASK_ABORTED');
    });
  }

  it('K03 LOGICAL UNIT RESET loses no acknowledged data and touches no other block', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(0, 0x5a);
    await a.write(77, 0x77);
    await bench().inject(lun, { operation: 'write', firstLba: 99, lastLba: 99, delayMs: SLOW_MS });
    const lost = started(a.write(99, 0x99));
    await bench().running(lun, 1);
    await a.initiator.logicalUnitReset(lun);
    await fate(lost);
    await bench().inject(lun);
    await a.attentions();
    assert.equal((await a.run('35 00 00 00 00 00 00 00 00 00')).status, 0);
    assert.equal(await a.byteAt(0), 0x5a);
    assert.equal(await a.byteAt(77), 0x77);
  });

  it('a command too slow for its timeout is aborted, and the next one works', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', delayMs: VERY_SLOW_MS, count: 1 });
    const startedMs = performance.now();
    const slow = started(a.read(0, 1, { timeoutMs: 60 }));
    assert.equal(await fate(slow), 'ERR_SCSI_TIMEOUT');
    assert.ok(performance.now() - startedMs < VERY_SLOW_MS / 2, 'long before the read ends');
    assert.equal((await a.read(0)).status, 0);
  });

  it('a LUN that is not there is refused with the request fields invalid', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await assert.rejects(a.initiator.logicalUnitReset(999), (error: unknown) => {
      assert.ok(error instanceof TaskManagementError);
      assert.equal(error.responseCode, 2);
      return true;
    });
  });

  it('K32 aborts that race with completions: each command ends once and no credit is lost (T18)', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.write(0, 0xc3);
    const before = a.initiator.requestLimit;
    assert.ok(before > 8, `${before} credits`);
    await bench().inject(lun, { operation: 'read', delayMs: 1 });
    const fates = new Map<string, number>();
    for (let round = 0; round < 40; round += 1) {
      const reads = Array.from({ length: 4 }, (_, i) => started(a.read(1 + i)));
      if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, round % 4));
      const aborts = reads.flatMap((read) => [
        a.initiator.abortTask(read),
        a.initiator.abortTask(read),
      ]);
      if (round % 8 === 7) aborts.push(a.initiator.logicalUnitReset(lun));
      await Promise.all(aborts);
      for (const read of reads) {
        const how = await fate(read);
        fates.set(how, (fates.get(how) ?? 0) + 1);
      }
    }
    const known = ['GOOD', 'ERR_TASK_ABORTED', '6/29/03'];
    assert.deepEqual(
      [...fates.keys()].filter((how) => !known.includes(how)),
      [],
    );
    await bench().inject(lun);
    await a.attentions();
    assert.equal(await a.byteAt(0), 0xc3);
    assert.equal(a.initiator.requestLimit, before);
  });

  it('credits of commands that another initiator cleared come back', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await modeSelect(b, CONTROL_PAGE, 5, TAS, false);
    await a.attentions();
    const before = a.initiator.requestLimit;
    await bench().inject(lun, { operation: 'write', delayMs: SLOW_MS });
    const writes = Array.from({ length: 10 }, (_, i) => fate(a.write(i, i)));
    await bench().running(lun, 10);
    await b.initiator.clearTaskSet(lun);
    await bench().inject(lun);
    assert.deepEqual(await a.attentions(), ['6/2f/00']);
    assert.deepEqual(await Promise.all(writes), new Array(10).fill('ERR_TASK_ABORTED'));
    assert.equal(await a.ready(), '');
    // Some transports settle what was cleared while the next answer is under way.
    for (let i = 0; i < 200 && a.initiator.requestLimit !== before; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(a.initiator.requestLimit, before);
  });

  it('QUERY ASYNCHRONOUS EVENT tells what comes next without taking it away, where the transport has it', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await modeSelect(b, CONTROL_PAGE, 5, TAS, false);
    try {
      const event = await a.initiator.queryAsynchronousEvent(lun);
      assert.deepEqual(event, { key: 6, asc: 0x2a, ascq: 0x01, more: false });
      assert.deepEqual(await a.attentions(), ['6/2a/01']);
      assert.equal(await a.initiator.queryAsynchronousEvent(lun), null);
    } catch (error) {
      // virtio-scsi has no such function.
      assert.ok(error instanceof TaskManagementError, String(error));
      assert.equal(error.responseCode, 4);
    }
  });

  it('the REPORT LUNS well-known logical unit can be reset', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.initiator.logicalUnitReset(REPORT_LUNS_WLUN);
    const result = await a.initiator.execute({ lun: REPORT_LUNS_WLUN, cdb: TEST_UNIT_READY });
    assert.ok(['', '6/29/00', '6/29/03'].includes(sense(result)), sense(result));
  });
});
