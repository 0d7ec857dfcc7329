/** Unit attention per I_T nexus: which event, for whom, cleared by what (SAM-5 5.14; SPC-4 5.x). */
import { strict as assert } from 'node:assert';
import { CACHING_PAGE, modeSelect, WCE } from '../support/mode-select.ts';
import { describeOnEveryPort, sense } from '../support/ports.ts';

describeOnEveryPort('unit attention', (bench) => {
  it('the first command of a new nexus meets POWER ON OCCURRED, once', async () => {
    const lun = await bench().disk();
    const a = await bench().fresh(lun);
    assert.deepEqual(await a.attentions(), ['6/29/00']);
    assert.equal(await a.ready(), '');
  });

  it('K06 INQUIRY and REPORT LUNS neither report nor clear it', async () => {
    const lun = await bench().disk();
    const a = await bench().fresh(lun);
    for (let i = 0; i < 2; i += 1) {
      assert.equal((await a.run('12 00 00 00 24 00', { dataInBytes: 36 })).status, 0);
      const luns = await a.run('a0 00 00 00 00 00 00 00 00 40 00 00', { dataInBytes: 64 });
      assert.equal(luns.status, 0);
    }
    assert.deepEqual(await a.attentions(), ['6/29/00']);
  });

  it('REQUEST SENSE returns it as data and clears it', async () => {
    const lun = await bench().disk();
    const a = await bench().fresh(lun);
    const result = await a.run('03 00 00 00 12 00', { dataInBytes: 18 });
    assert.equal(result.status, 0);
    assert.equal((result.dataIn[2] ?? 0) & 0x0f, 6);
    assert.deepEqual([result.dataIn[12], result.dataIn[13]], [0x29, 0x00]);
    assert.equal(await a.ready(), '');
  });

  for (const first of ['a', 'b'] as const) {
    it(`${first === 'a' ? 'K04' : 'K05'} a reset by one initiator is reported to both, ${first} asking first`, async () => {
      const lun = await bench().disk();
      const a = await bench().initiator(lun);
      const b = await bench().initiator(lun);
      await a.initiator.logicalUnitReset(lun);
      for (const who of first === 'a' ? [a, b] : [b, a]) {
        assert.deepEqual(await who.attentions(), ['6/29/03']);
      }
    });
  }

  it('K29 a command that meets it is not executed', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await a.write(9, 0x33);
    await a.initiator.logicalUnitReset(lun);
    await a.attentions();
    const refused = await b.write(9, 0x44);
    assert.equal(sense(refused), '6/29/03');
    assert.equal(refused.residualOut, 512);
    assert.equal(await a.byteAt(9), 0x33);
  });

  it('K07 MODE SELECT that changes something is reported to the others only', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    const before = await modeSelect(a, CACHING_PAGE, 2, WCE, true);
    assert.equal(before & WCE, WCE, 'the write cache is on');
    assert.deepEqual(await b.attentions(), [], 'nothing changed');
    await modeSelect(a, CACHING_PAGE, 2, WCE, false);
    assert.deepEqual(await a.attentions(), []);
    assert.deepEqual(await b.attentions(), ['6/2a/01']);
  });

  it('a capacity that grew is reported to everybody, and READ CAPACITY says the new one', async () => {
    const lun = await bench().disk(4 * 2 ** 20);
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    await bench().resizeDisk(lun, 8 * 2 ** 20);
    const met = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    assert.equal(sense(met), '6/2a/09');
    const capacity = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    assert.equal(Buffer.from(capacity.dataIn).toString('hex'), '00003fff00000200');
    assert.deepEqual(await b.attentions(), ['6/2a/09']);
    assert.equal(await b.byteAt(0x3fff), 0);
  });

  it('a LUN that came is reported on the others, until REPORT LUNS', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    const b = await bench().initiator(lun);
    const added = await bench().disk();
    assert.deepEqual(await a.attentions(), ['6/3f/0e']);
    assert.ok((await b.initiator.luns()).includes(added));
    assert.deepEqual(await b.attentions(), []);
  });

  it('a LUN that went is reported on the others and is no longer there', async () => {
    const lun = await bench().disk();
    const other = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().removeDisk(other);
    assert.deepEqual(await a.attentions(), ['6/3f/0e']);
    const result = await a.initiator.execute({ lun: other, cdb: new Uint8Array(6) });
    assert.equal(sense(result), '5/25/00');
  });

  it('an initiator that comes back learns of its nexus loss', async () => {
    const lun = await bench().disk();
    const initiatorPort = '0000000000000001d0d0d0d000000077';
    const first = await bench().initiator(lun, { initiatorPort });
    await first.initiator.close();
    await bench().running(lun, 0);
    const again = await bench().fresh(lun, { initiatorPort });
    assert.deepEqual(await again.attentions(), ['6/29/07']);
  });
});
