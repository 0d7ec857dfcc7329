/** A medium that goes and comes back, as initiators see it on every transport (SBC-3 4.3, 5.25; SPC-4 5.14). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';

const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const PREVENT = '1e 00 00 00 01 00';
const ALLOW = '1e 00 00 00 00 00';

/** What the command ends with: its sense, or nothing. */
const ends = async (a: TestInitiator, cdb: string): Promise<string> => sense(await a.run(cdb));

describeOnEveryPort('removable medium', (bench) => {
  async function drive(): Promise<readonly [TestInitiator, TestInitiator]> {
    const lun = await bench().disk(2 ** 20, undefined, { removable: true });
    return [await bench().initiator(lun), await bench().initiator(lun)];
  }

  it('out: 2/3A/02 for everybody; back: 28/00 for those that did not ask, and the data', async () => {
    const [a, b] = await drive();
    await a.write(3, 0x42);
    assert.equal(await ends(a, EJECT), '');
    assert.equal(await a.ready(), '2/3a/02');
    assert.equal(await ends(b, '28 00 00 00 00 03 00 00 01 00'), '2/3a/02');
    assert.equal(await ends(a, LOAD), '');
    assert.deepEqual([await a.attentions(), await b.attentions()], [[], ['6/28/00']]);
    assert.equal(await b.byteAt(3), 0x42);
  });

  it('prevented by one, nobody ejects it; a reset ends that', async () => {
    const [a, b] = await drive();
    assert.equal(await ends(a, PREVENT), '');
    assert.equal(await ends(b, EJECT), '5/53/02');
    assert.equal(await ends(a, ALLOW), '');
    assert.equal(await ends(a, PREVENT), '');
    await b.initiator.logicalUnitReset(b.lun);
    await b.attentions();
    assert.equal(await ends(b, EJECT), '');
  });

  it('REQUEST SENSE says that there is none', async () => {
    const [a] = await drive();
    await ends(a, EJECT);
    const { dataIn } = await a.run('03 00 00 00 12 00', { dataInBytes: 18 });
    assert.deepEqual([(dataIn[2] as number) & 0xf, dataIn[12], dataIn[13]], [2, 0x3a, 2]);
  });
});
