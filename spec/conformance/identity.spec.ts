/** What administrators and multipath drivers ask and write, on every transport (SPC-4 5.7, 5.15, 5.16). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, sense } from '../support/ports.ts';

const GROUPS = 'a3 0a 00 00 00 00 00 00 04 00 00 00';
const REPORT = 'a3 05 00 00 00 00 00 00 04 00 00 00';
const SET = 'a4 06 00 00 00 00 00 00 00 04 00 00';
const TIMESTAMP = 'a3 0f 00 00 00 00 00 00 00 0c 00 00';
const PORTS = '12 01 88 00 ff 00';

describeOnEveryPort('identity', (bench) => {
  it('has one port in one group, and all pages agree', async () => {
    const a = await bench().initiator(await bench().disk());
    const groups = await a.run(GROUPS, { dataInBytes: 1024 });
    assert.deepEqual([...groups.dataIn], [0, 0, 0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    const ports = await a.run(PORTS, { dataInBytes: 255 });
    assert.deepEqual([...ports.dataIn.subarray(4, 8)], [0, 0, 0, 1]);
  });

  it('keeps what one initiator writes on a unit for the others, who are told', async () => {
    const lun = await bench().disk();
    const [a, b] = [await bench().initiator(lun), await bench().initiator(lun)];
    assert.equal(sense(await a.run(SET, { dataOut: Uint8Array.of(1, 2, 3, 4) })), '');
    assert.equal(await b.ready(), '6/3f/05');
    const found = await b.run(REPORT, { dataInBytes: 1024 });
    assert.deepEqual([...found.dataIn], [0, 0, 0, 4, 1, 2, 3, 4]);
  });

  it('knows what time it is', async () => {
    const a = await bench().initiator(await bench().disk());
    const before = Date.now();
    const { dataIn } = await a.run(TIMESTAMP, { dataInBytes: 12 });
    const told = Buffer.from(dataIn).readUIntBE(4, 6);
    // The daemon is another process on the same host.
    assert.ok(told >= before - 1000 && told <= Date.now() + 1000);
  });
});
