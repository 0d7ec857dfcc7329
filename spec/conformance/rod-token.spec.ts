/** Copies by ROD token as an initiator sees them on every transport (SBC-3 5.7, 5.46, SPC-4 6.26). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, sense } from '../support/ports.ts';
import {
  informationCdb,
  populateCdb,
  populateList,
  readInformation,
  writeCdb,
  writeList,
} from '../support/token-list.ts';

describeOnEveryPort('ROD tokens', (bench) => {
  it('carry blocks to another unit, which any unit of the target takes', async () => {
    const [lun, other] = [await bench().disk(), await bench().disk()];
    const [a, b] = [await bench().initiator(lun), await bench().initiator(other)];
    for (const at of [0, 1, 2]) await a.write(10 + at, 0x40 + at);
    const ask = populateList([[10, 3]]);
    const cdb = populateCdb(ask.length, 0xfeedf00d);
    const made = await a.initiator.execute({ lun, cdb, dataOut: ask });
    assert.equal(made.status, 0);
    const told = { lun, cdb: informationCdb(0xfeedf00d, 600), dataInBytes: 600 };
    const { dataIn } = await a.initiator.execute(told);
    const { token, transferCount } = readInformation(dataIn);
    assert.deepEqual([token.length, transferCount], [512, 3]);
    const list = writeList(token, [[100, 3]]);
    const copy = { lun: other, cdb: writeCdb(list.length), dataOut: list };
    assert.equal((await b.initiator.execute(copy)).status, 0);
    for (const at of [0, 1, 2]) assert.equal(await b.byteAt(100 + at), 0x40 + at);
    await a.write(11, 0);
    assert.equal(sense(await b.initiator.execute(copy)), '5/23/06');
  });
});
