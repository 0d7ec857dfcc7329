/** X11 of the reference traces (seeds 5.2) over the SRP ring: the generation of a medium goes on behind 2^32, and each change is told. */
import { strict as assert } from 'node:assert';
import { setGeneration } from '../support/aged-state.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, type TestInitiator } from '../support/ports.ts';
import { MediaBench, MIB } from './media-bench.ts';

/** READ(10) of block 0. */
const READ = '28 00 00 00 00 00 00 00 01 00';

describe('X11 a medium that was changed 2^32 times', function () {
  this.timeout(30_000);

  for (const [type, spec, blockBytes] of [
    ['removable disk', '0:disk,path=a.img,size=1M,removable', 512],
    ['cdrom', '0:cdrom', 2048],
  ] as const) {
    it(type, async () => {
      const daemon = await DaemonProcess.start([spec], [], ['--state', 'state']);
      const bench = new MediaBench(daemon);
      try {
        const images = [0x22, 0x33].map((fill) => bench.image(`${fill}.img`, MIB, fill));
        await bench.load({ path: bench.image('first.img', MIB, 0x11) });
        await daemon.kill();
        setGeneration(daemon.path('state'), 0, 2 ** 32 - 2);
        await daemon.restart();
        assert.equal((await bench.media())[0]?.generation, 2 ** 32 - 2);
        const guests = [await bench.attach('a'), await bench.attach('b')];
        const read = async (guest: TestInitiator): Promise<string | number | undefined> => {
          const result = await guest.run(READ, { dataInBytes: blockBytes });
          return result.status === 0 ? result.dataIn[0] : sense(result);
        };
        for (const [generation, image, fill] of [
          [2 ** 32 - 1, images[0], 0x22],
          [2 ** 32, images[1], 0x33],
          [2 ** 32 + 1, images[0], 0x22],
        ] as const) {
          assert.equal((await bench.load({ path: image })).generation, generation);
          for (const guest of guests) {
            assert.deepEqual([await read(guest), await read(guest)], ['6/28/00', fill]);
          }
        }
      } finally {
        await bench.detach();
        await daemon.end();
      }
    });
  }
});
