/** ACA as an initiator sees it on every transport: attribute, NACA, ACA ACTIVE and CLEAR ACA (SAM-5 5.9). */
import { strict as assert } from 'node:assert';
import { TaskManagementError } from '../../src/initiator/errors.ts';
import { describeOnEveryPort, sense } from '../support/ports.ts';

const ACA_ACTIVE = 0x30;
const BUSY = 0x08;
/** A page that no disk has, NACA = 1: 5/24/00. */
const BAD_NACA = '1a 00 2a 00 ff 04';
const READY = '00 00 00 00 00 00';

describeOnEveryPort('auto contingent allegiance', (bench) => {
  it('stops everybody until the faulted nexus clears it', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    assert.equal(sense(await a.run(BAD_NACA, { dataInBytes: 255 })), '5/24/00');
    assert.equal((await a.run(READY)).status, ACA_ACTIVE);
    assert.equal((await b.run(READY)).status, BUSY);
    assert.equal((await a.run(READY, { attribute: 'aca' })).status, 0);
    await assert.rejects(b.initiator.clearAca(lun), TaskManagementError);
    await a.initiator.clearAca(lun);
    assert.equal((await a.run(READY)).status, 0);
    assert.equal((await b.run(READY)).status, 0);
  });

  it('CLEAR ACA without one completes', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await a.initiator.clearAca(lun);
    assert.equal(await a.ready(), '');
  });

  it('ends with its nexus', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    assert.equal(sense(await a.run(BAD_NACA, { dataInBytes: 255 })), '5/24/00');
    assert.equal((await b.run(READY)).status, BUSY);
    await a.initiator.close();
    for (let i = 0; i < 100 && (await b.run(READY)).status === BUSY; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal((await b.run(READY)).status, 0);
  });
});
