/** GET PERFORMANCE, SET CD SPEED, SET STREAMING, and what page 2Ah says of speeds (MMC-6). */
import { strict as assert } from 'node:assert';
import { dataDisc, type OpticalBed, optical } from '../../../support/optical.ts';
import { blankCdR, blankDvdR } from '../../../support/recordable.ts';
import type { TestNexus } from '../../../support/target.ts';

const burner = (disc = blankCdR()): TestNexus =>
  optical(dataDisc(1), new Uint8Array(0), { writes: true, disc }).bed.nexus('a').clear();
const reader = (): OpticalBed => optical(dataDisc(40), new Uint8Array(40 * 2048));

function answer(a: TestNexus, cdb: string): string {
  return Buffer.from(a.run(cdb, { in: 1024 }).dataIn).toString('hex');
}
const digits = (text: string): string => text.replace(/\s+/g, '');

/** Current read and write speed, and current write speed again (bytes 14, 20 and 28 of page 2Ah). */
function speeds(a: TestNexus): number[] {
  const { dataIn } = a.run('5a 08 2a 00 00 00 00 00 ff 00', { in: 255 });
  const page = Buffer.from(dataIn.subarray(8));
  return [page.readUInt16BE(14), page.readUInt16BE(20), page.readUInt16BE(28)];
}

describe('GET PERFORMANCE', () => {
  it('counts all descriptors, and returns as many as are asked for', () => {
    const a = burner();
    assert.equal(answer(a, 'ac 00 00 00 00 00 00 00 00 00 03 00'), digits('00000064 00000000'));
    assert.equal(
      answer(a, 'ac 00 00 00 00 00 00 00 00 01 03 00'),
      digits('00000064 00000000 00000000 00057da6 00002113 00002113'),
    );
  });

  it('nominal write performance is as growisofs asks for it', () => {
    assert.equal(
      answer(burner(blankDvdR()), 'ac 04 00 00 00 00 00 00 00 01 00 00'),
      '00000014020000000000000000002b480023127f00002b48',
    );
  });

  it('nominal read performance goes up to the last block', () => {
    const a = reader().bed.nexus('a').clear();
    assert.equal(
      answer(a, 'ac 10 00 00 00 00 00 00 00 08 00 00'),
      digits('00000014 00000000 00000000 00002113 00000027 00002113'),
    );
  });

  it('of a reader has no write speeds', () => {
    const a = reader().bed.nexus('a').clear();
    assert.equal(answer(a, 'ac 00 00 00 00 00 00 00 00 08 03 00'), digits('00000004 00000000'));
    assert.equal(answer(a, 'ac 14 00 00 00 00 00 00 00 08 00 00'), digits('00000004 02000000'));
  });

  it('EXCEPT = 3 is reserved (5/24/00)', () => {
    const { sense, pointer } = burner().run('ac 03 00 00 00 00 00 00 00 01 00 00', { in: 64 });
    assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 1.1']);
  });

  it('has no exceptions', () => {
    assert.equal(
      answer(burner(), 'ac 12 00 00 00 00 00 00 00 08 00 00'),
      digits('00000004 01000000'),
    );
  });

  it('refuses other types', () => {
    const { sense, pointer } = burner().run('ac 00 00 00 00 00 00 00 00 01 04 00', { in: 64 });
    assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 10']);
  });
});

describe('SET CD SPEED', () => {
  it('is the fastest at first', () => {
    assert.deepEqual(speeds(burner()), [8467, 8467, 8467]);
  });

  it('is rounded down to what the drive has', () => {
    const a = burner();
    a.run('bb 00 ff ff 08 40 00 00 00 00 00 00');
    assert.deepEqual(speeds(a), [8467, 1764, 1764]);
  });

  it('above the fastest is the fastest, below the slowest the slowest', () => {
    const a = burner();
    a.run('bb 00 21 13 21 30 00 00 00 00 00 00');
    assert.deepEqual(speeds(a), [8467, 8467, 8467]);
    a.run('bb 00 00 01 00 01 00 00 00 00 00 00');
    assert.deepEqual(speeds(a), [706, 706, 706]);
  });

  it('all ones are the fastest again', () => {
    const a = burner();
    a.run('bb 00 00 01 00 01 00 00 00 00 00 00');
    a.run('bb 00 ff ff ff ff 00 00 00 00 00 00');
    assert.deepEqual(speeds(a), [8467, 8467, 8467]);
  });

  it('ends with a logical unit reset, and with the disc', () => {
    const { bed, unit } = optical(dataDisc(1), new Uint8Array(0), {
      writes: true,
      disc: blankCdR(),
    });
    const a = bed.nexus('a').clear();
    a.run('bb 00 00 01 00 01 00 00 00 00 00 00');
    unit.reset();
    assert.deepEqual(speeds(a.clear()), [8467, 8467, 8467]);
    a.run('bb 00 00 01 00 01 00 00 00 00 00 00');
    unit.optical?.change(blankDvdR());
    assert.deepEqual(speeds(a), [11_080, 11_080, 11_080]);
  });

  it('refuses the reserved rotation controls', () => {
    assert.equal(burner().run('bb 02 ff ff ff ff 00 00 00 00 00 00').sense, '5/24/00');
  });
});

describe('SET STREAMING', () => {
  const SET = 'b6 00 00 00 00 00 00 00 00 00 1c 00';
  const list = (flags: string, end: string, read: string, write: string): string =>
    `${flags}000000 00000000 ${end} ${read} 000003e8 ${write} 000003e8`;

  it('sets the speeds that cdrskin sends', () => {
    const a = burner(blankDvdR());
    // 33240 kB and 8310 kB a second.
    const { status } = a.run(SET, { out: list('00', '0023127f', '000081d8', '00002076') });
    assert.deepEqual([status, speeds(a)], [0, [11_080, 8310, 8310]]);
  });

  it('is kB in so many milliseconds, up to any block, as Windows sends it', () => {
    const a = burner();
    // 706 kB in half a second.
    const out = '00000000 00000000 00231260 000002c2 000001f4 000002c2 000001f4';
    assert.equal(a.run(SET, { out }).status, 0);
    assert.deepEqual(speeds(a), [706, 706, 706]);
  });

  it('RDD restores the defaults', () => {
    const a = burner();
    a.run('bb 00 00 01 00 01 00 00 00 00 00 00');
    a.run(SET, { out: list('04', '00000000', '00000000', '00000000') });
    assert.deepEqual(speeds(a), [8467, 8467, 8467]);
  });

  it('refuses other lengths with 5/1A/00', () => {
    const { sense } = burner().run('b6 00 00 00 00 00 00 00 00 00 10 00', {
      out: new Uint8Array(16),
    });
    assert.equal(sense, '5/1a/00');
  });

  it('refuses a range that ends before it starts, and no time, with 5/26/00', () => {
    const backwards = '00000000 00000010 0000000f 00002113 000003e8 00002113 000003e8';
    const timeless = '00000000 00000000 00057da6 00002113 00000000 00002113 000003e8';
    const results = [backwards, timeless].map((out) => burner().run(SET, { out }));
    assert.deepEqual(
      results.map(({ sense, pointer }) => [sense, pointer]),
      [
        ['5/26/00', 'list 8'],
        ['5/26/00', 'list 16'],
      ],
    );
  });

  it('refuses other types', () => {
    const { pointer } = burner().run('b6 00 00 00 00 00 00 00 05 00 1c 00', {
      out: new Uint8Array(28),
    });
    assert.equal(pointer, 'cdb 8');
  });
});
