/** A burner with a recordable disc in it, as initiators see it on every transport (MMC-6). */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBurnStore } from '../../src/luns/disc/burn-store.ts';
import type { MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { blocks, burn, read, select, TRACK_AT_ONCE, write } from '../support/burn-commands.ts';
import { describeOnEveryPort, sense, type TestInitiator } from '../support/ports.ts';

const EJECT = '1b 00 00 00 02 00';

describeOnEveryPort('burner', (bench) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-burner-'));
  let discs = 0;
  after(() => rmSync(directory, { recursive: true }));

  async function burner(kind: MediumKind): Promise<readonly [TestInitiator, TestInitiator]> {
    discs += 1;
    const path = join(directory, `disc-${discs}`);
    createBurnStore(path, kind);
    const lun = await bench().burner(path);
    return [await bench().initiator(lun), await bench().initiator(lun)];
  }

  it('a session that one burns is there for the others, who are told 6/28/00', async () => {
    const [a, b] = await burner('cd-r');
    // MODE SELECT of one is 6/2A/01 for the other.
    assert.equal(await select(a, TRACK_AT_ONCE), '');
    await b.attentions();
    const data = blocks(0, 40);
    assert.deepEqual(await burn(a, 0, data), []);
    assert.deepEqual(await b.attentions(), ['6/28/00']);
    assert.deepEqual(await read(b, 0, 40), Buffer.from(data));
  });

  it('while one burns nobody takes the disc out, and others do not write', async () => {
    const [a, b] = await burner('cd-r');
    await select(a, TRACK_AT_ONCE);
    await write(a, 0, blocks(0, 16));
    await b.attentions();
    for (const each of [a, b]) assert.equal(sense(await each.run(EJECT)), '5/53/02');
    assert.equal(await write(b, 16, blocks(16, 16)), '5/2c/00');
    await assert.rejects(bench().takeMedium(a.lun), { message: /is burning it/ });
    assert.equal(await write(a, 16, blocks(16, 16)), '');
  });

  it('a disc that one ejects after a session comes back with it, and can be appended to', async () => {
    const [a] = await burner('cd-r');
    await burn(a, 0, blocks(0, 16));
    assert.equal(sense(await a.run(EJECT)), '');
    assert.equal(sense(await a.run('1b 00 00 00 03 00')), '');
    assert.deepEqual(await read(a, 0, 16), Buffer.from(blocks(0, 16)));
    assert.deepEqual(await burn(a, 16 + 2 + 11_400, blocks(1, 16)), []);
  });

  it('blocks of a medium that can be overwritten are anybody’s, and it can be taken out at any time', async () => {
    const [a, b] = await burner('dvd-ram');
    assert.equal(await write(a, 1000, blocks(0, 16)), '');
    assert.equal(await write(b, 1000, blocks(7, 16)), '');
    assert.deepEqual(await read(a, 1000, 16), Buffer.from(blocks(7, 16)));
    await bench().takeMedium(a.lun);
    assert.equal(await a.ready(), '2/3a/01');
  });
});
