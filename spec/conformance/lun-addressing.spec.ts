/** Which logical unit a LUN field names, and what answers where there is none (SAM-5 4.7; SPC-4 6.33). */
import { strict as assert } from 'node:assert';
import { REPORT_LUNS_WLUN } from '../../src/scsi/lun.ts';
import { cdb, describeOnEveryPort, sense } from '../support/ports.ts';

const REPORT_LUNS = cdb('a0 00 00 00 00 00 00 00 10 00 00 00');

describeOnEveryPort('logical unit addressing', (bench) => {
  it('a LUN above 255 is reported and reached by flat space addressing', async () => {
    await bench().disk(2 ** 20, 300);
    const a = await bench().initiator(300);
    assert.ok((await a.initiator.luns()).includes(300));
    const result = await a.initiator.execute({ lun: 300, cdb: REPORT_LUNS, dataInBytes: 4096 });
    assert.ok(Buffer.from(result.dataIn).toString('hex').includes('412c000000000000'));
    assert.equal((await a.write(1, 0x2c)).status, 0);
    assert.equal(await a.byteAt(1), 0x2c);
  });

  it('the highest LUN works, the next is refused here', async () => {
    await bench().disk(2 ** 20, 16383);
    const a = await bench().initiator(16383);
    assert.equal((await a.write(1, 0x3f)).status, 0);
    await assert.rejects(a.initiator.execute({ lun: 16384, cdb: cdb('00 00 00 00 00 00') }), {
      code: 'ERR_REQUEST',
    });
  });

  it('REPORT LUNS at the well-known logical unit lists the same as at a disk', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const request = { cdb: REPORT_LUNS, dataInBytes: 4096 };
    const atDisk = await a.initiator.execute({ lun, ...request });
    const wellKnown = await a.initiator.execute({ lun: REPORT_LUNS_WLUN, ...request });
    assert.equal(wellKnown.status, 0);
    assert.deepEqual(wellKnown.dataIn, atDisk.dataIn);
  });

  it('where nothing is: INQUIRY says so, REQUEST SENSE says so, the rest is 5/25/00', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const at = { lun: 4242 };
    const inquiry = await a.run('12 00 00 00 24 00', { ...at, dataInBytes: 36 });
    assert.equal(inquiry.status, 0);
    assert.equal(inquiry.dataIn[0], 0x7f);
    const requestSense = await a.run('03 00 00 00 12 00', { ...at, dataInBytes: 18 });
    assert.equal(requestSense.status, 0);
    assert.equal((requestSense.dataIn[2] ?? 0) & 0x0f, 5);
    assert.deepEqual([requestSense.dataIn[12], requestSense.dataIn[13]], [0x25, 0x00]);
    assert.equal(sense(await a.run('00 00 00 00 00 00', at)), '5/25/00');
  });

  it('an operation code nobody knows is 5/20/00', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    assert.equal(sense(await a.run('ff 00 00 00 00 00')), '5/20/00');
  });

  it('more REPORT LUNS in a row than a target has slots', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const before = a.initiator.requestLimit;
    for (let i = 0; i < 200; i += 1) {
      const result = await a.initiator.execute({ lun: 0, cdb: REPORT_LUNS, dataInBytes: 16 });
      assert.equal(result.status, 0);
    }
    assert.equal(a.initiator.requestLimit, before);
  });
});
