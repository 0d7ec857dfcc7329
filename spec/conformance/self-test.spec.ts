/** Self-tests, their log and informational exceptions as initiators see them on every transport (SPC-4 5.13, 5.6). */
import { strict as assert } from 'node:assert';
import { describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';

const BACKGROUND_SHORT = '1d 20 00 00 00 00';
const FOREGROUND_SHORT = '1d a0 00 00 00 00';
const SLOW_MS = 300;

/** SELF-TEST CODE and RESULTS, segment, address and sense of the last test. */
async function last(a: TestInitiator): Promise<string> {
  const { dataIn } = await a.run('4d 00 50 00 00 00 00 00 18 00', { dataInBytes: 24 });
  const hex = Buffer.from(dataIn).toString('hex');
  assert.equal(hex.slice(0, 16), '9000019000012310');
  return `${hex.slice(16, 20)} ${hex.slice(24, 40)} ${hex.slice(40, 46)}`;
}

describeOnEveryPort('self-test', (bench) => {
  it('in foreground: others are told 2/04/09, its command ends when it does', async () => {
    const lun = await bench().disk();
    const [a, b] = [await bench().initiator(lun), await bench().initiator(lun)];
    await bench().inject(lun, { operation: 'read', delayMs: SLOW_MS, count: 1 });
    const test = a.run(FOREGROUND_SHORT);
    await bench().running(lun, 1);
    assert.equal(await b.ready(), '2/04/09');
    assert.equal(sense(await test), '');
    assert.equal(await b.ready(), '');
    assert.equal(await last(b), 'a000 ffffffffffffffff 000000');
  });

  it('that fails is 4/3E/03, and the log has the block', async () => {
    const lun = await bench().disk();
    const a = await bench().initiator(lun);
    await bench().inject(lun, { operation: 'read', firstLba: 5, lastLba: 5, fault: 'medium' });
    assert.equal(sense(await a.run(FOREGROUND_SHORT)), '4/3e/03');
    assert.equal(await last(a), 'a501 0000000000000005 031100');
  });

  it('in background, with EWASC: the failure is a unit attention for everybody', async () => {
    const lun = await bench().disk();
    const [a, b] = [await bench().initiator(lun), await bench().initiator(lun)];
    const list = Uint8Array.of(0, 0, 0, 0, 0x1c, 0x0a, 0x10, 2, ...new Array<number>(8).fill(0));
    assert.equal(sense(await a.run('15 10 00 00 10 00', { dataOut: list })), '');
    await b.attentions();
    await bench().inject(lun, { operation: 'read', firstLba: 5, lastLba: 5, fault: 'medium' });
    assert.equal(sense(await a.run(BACKGROUND_SHORT)), '');
    let told = '';
    for (let i = 0; i < 200 && told === ''; i += 1) told = await b.ready();
    assert.equal(told, '6/0b/03');
    assert.deepEqual(await a.attentions(), ['6/0b/03']);
    assert.equal(await last(a), '2501 0000000000000005 031100');
  });
});
