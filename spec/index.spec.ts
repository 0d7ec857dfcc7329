/** The public surface: a target and an initiator in one process, as `import … from 'ringscsi'` gives them. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTarget, openInitiator, ScsiError } from '../src/index.ts';

describe('ringscsi', () => {
  it('serves a disk and uses it, both in this process', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-spec-'));
    const connect = `srp:${join(directory, 'a.sock')}`;
    const target = await createTarget({
      luns: [`0:disk,path=${join(directory, 'a.img')},size=1M`],
      listen: [connect],
      name: 'library',
    });
    try {
      const initiator = await openInitiator({ connect, name: 'guest' });
      assert.equal(initiator.identify()?.partitionName, 'library');
      const disk = await initiator.disk(0);
      await disk.write(3, Buffer.alloc(1024, 'ring'), { fua: true });
      assert.equal(Buffer.from(await disk.read(4, 1)).toString('latin1', 0, 8), 'ringring');
      await assert.rejects(disk.read(2048, 1), ScsiError);
      assert.deepEqual(
        (await target.guests()).map(({ name }) => name),
        ['guest'],
      );
      await initiator.close();
    } finally {
      assert.equal(await target.stop(), 0);
      rmSync(directory, { recursive: true });
    }
  });

  it('a target that cannot be made leaves nothing behind', async () => {
    await assert.rejects(
      createTarget({ luns: ['0:disk,path=/nowhere/a.img'] }),
      /\/nowhere\/a\.img/,
    );
    await assert.rejects(createTarget({ luns: ['0:tape'] }), { code: 'ERR_CONFIG' });
  });
});
