/** A CD drive with the disc of an image in it, as initiators see it on every transport (MMC-6, SPC-4 5.14). */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';

const SECTORS = 700;
const SECTOR = 2048;
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';

describeOnEveryPort('optical drive', (bench) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-optical-'));
  const path = join(directory, 'a.iso');
  const disc = Buffer.alloc(SECTORS * SECTOR);
  for (let i = 0; i < disc.length; i += 4) disc.writeUInt32LE(i, i);
  before(() => writeFileSync(path, disc));
  after(() => rmSync(directory, { recursive: true }));

  async function drive(): Promise<readonly [TestInitiator, TestInitiator]> {
    const lun = await bench().drive(path);
    return [await bench().initiator(lun), await bench().initiator(lun)];
  }

  it('INQUIRY: a CD/DVD device with a medium that can be removed', async () => {
    const [a] = await drive();
    const { dataIn } = await a.run('12 00 00 00 24 00', { dataInBytes: 36 });
    assert.deepEqual([dataIn[0], dataIn[1]], [0x05, 0x80]);
  });

  it('READ CAPACITY: the last sector, and 2048 bytes in each', async () => {
    const [a] = await drive();
    const { dataIn } = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '000002bb00000800');
  });

  it('READ(10) moves the sectors as they are in the image', async () => {
    const [a] = await drive();
    const { dataIn } = await a.run('28 00 00 00 01 f4 00 00 80 00', { dataInBytes: 128 * SECTOR });
    assert.equal(Buffer.compare(dataIn, disc.subarray(500 * SECTOR, 628 * SECTOR)), 0);
  });

  it('READ(10) behind the last sector is 5/21/00, WRITE(10) is unknown', async () => {
    const [a] = await drive();
    const behind = await a.run('28 00 00 00 02 bc 00 00 01 00', { dataInBytes: SECTOR });
    assert.equal(sense(behind), '5/21/00');
    const dataOut = new Uint8Array(SECTOR);
    assert.equal(sense(await a.run('2a 00 00 00 00 00 00 00 01 00', { dataOut })), '5/20/00');
  });

  it('out: 2/3A/02 for everybody; back: 28/00 for those that did not ask, and the data', async () => {
    const [a, b] = await drive();
    assert.equal(sense(await a.run(EJECT)), '');
    assert.deepEqual([await a.ready(), await b.ready()], ['2/3a/02', '2/3a/02']);
    assert.equal(sense(await a.run(LOAD)), '');
    assert.deepEqual([await a.attentions(), await b.attentions()], [[], ['6/28/00']]);
    const { dataIn } = await b.run('28 00 00 00 00 01 00 00 01 00', { dataInBytes: SECTOR });
    assert.equal(Buffer.compare(dataIn, disc.subarray(SECTOR, 2 * SECTOR)), 0);
  });
});
