/** READ DISC STRUCTURE (MMC-6); also as the traces have it. */
import { strict as assert } from 'node:assert';
import type { Disc, DiscLayout } from '../../../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import { dataDisc, optical } from '../../../support/optical.ts';
import {
  blankBdR,
  blankBdRe,
  blankCdR,
  blankDvdPlusRDualLayer,
  blankDvdPlusRw,
  blankDvdR,
  blankDvdRam,
  recordable,
} from '../../../support/recordable.ts';

function reply(disc: Disc | DiscLayout, cdb: string): string {
  const it = 'runAt' in disc ? disc : new FinishedDisc(disc);
  const { bed } = optical(dataDisc(1), new Uint8Array(0), { writes: true, disc: it });
  const { sense, pointer, dataIn } = bed.nexus('a').clear().run(cdb, { in: 8192 });
  return sense === '' ? Buffer.from(dataIn).toString('hex') : `${sense} ${pointer}`.trim();
}
const digits = (text: string): string => text.replace(/\s+/g, '');

const PHYSICAL = 'ad 00 00 00 00 00 00 00 00 24 00 00';

describe('READ DISC STRUCTURE of a DVD', () => {
  it('format 00h of a DVD-ROM: book, one embossed layer, sectors from 030000h on', () => {
    assert.equal(
      reply(dataDisc(1248, 0x0010), PHYSICAL).slice(0, 48),
      digits('08020000 010f0100 00030000 000304df 00000000 00000000'),
    );
  });

  it('format 00h of a large DVD-ROM: two layers, opposite track path', () => {
    assert.equal(
      reply(dataDisc(4_000_000, 0x0010), PHYSICAL).slice(0, 48),
      digits('08020000 010f3100 00030000 004008ff 0021847f 00000000'),
    );
  });

  it('format 00h of a DVD-R is what the traces have', () => {
    assert.equal(
      reply(blankDvdR(), 'ad 00 00 00 00 00 00 00 00 20 00 00'),
      '08020000250f0200000300000026127f00000000000000000000000000000000',
    );
  });

  it('format 00h of a DVD-RAM begins at 031000h', () => {
    assert.equal(
      reply(blankDvdRam(), PHYSICAL).slice(0, 40),
      digits('08020000 160f0400 00031000 0025311f 00000000'),
    );
  });

  it('formats 00h and 11h of a DVD+RW say who made it, as the traces have it', () => {
    const facts = recordable(2_295_104, { manufacturer: 'VBURN', mediaType: '001' });
    const disc = { ...blankDvdPlusRw(), recordable: facts };
    const theirs = '08020000920f0400000300000026053f00000000000000564255524e20202030303100';
    for (const cdb of [PHYSICAL, 'ad 00 00 00 00 00 00 11 08 04 00 00']) {
      assert.equal(reply(disc, cdb).slice(0, theirs.length), theirs);
    }
  });

  it('format 01h: not protected', () => {
    assert.equal(
      reply(dataDisc(1248, 0x0010), 'ad 00 00 00 00 00 00 01 00 08 00 00'),
      '0006000000000000',
    );
  });

  it('format 0Eh of a DVD-R is what the traces have', () => {
    const facts = recordable(2_298_496, { manufacturer: 'VBURN0', mediaType: '1' });
    assert.equal(
      reply({ ...blankDvdR(), recordable: facts }, 'ad 00 00 00 00 00 00 0e 00 2c 00 00'),
      '002a00000000000000000000000000000000000003564255524e300004312020202020000000000000000000',
    );
  });

  it('format 10h of a DVD-R has what is recorded', () => {
    const disc = { ...blankDvdR(), blocks: 1248 };
    assert.equal(
      reply(disc, 'ad 00 00 00 00 00 00 10 00 24 00 00').slice(0, 40),
      digits('08020000 250f0200 00030000 000304df 00000000'),
    );
  });

  it('format 20h has the layer break when it is set', () => {
    const at = 'ad 00 00 00 00 00 00 20 00 0c 00 00';
    assert.equal(reply(blankDvdPlusRDualLayer(), at), digits('000a0000 00000000 001fd800'));
    const facts = recordable(4_173_824, { layers: 2, layerBreak: 0x1e0000 });
    assert.equal(
      reply({ ...blankDvdPlusRDualLayer(), recordable: facts }, at),
      digits('000a0000 80000000 001e0000'),
    );
  });

  it('format FFh lists what there is', () => {
    assert.equal(
      reply(dataDisc(1248, 0x0010), 'ad 00 00 00 00 00 00 ff 08 04 00 00'),
      digits('00120000 00400804 01400008 04400804 ff400014'),
    );
  });

  it('refuses other formats, a second layer that is not there, other media and CDs', () => {
    const dvd = dataDisc(1248, 0x0010);
    assert.equal(reply(dvd, 'ad 00 00 00 00 00 00 03 08 04 00 00'), '5/24/00 cdb 7');
    assert.equal(reply(dvd, 'ad 00 00 00 00 00 01 00 08 04 00 00'), '5/24/00 cdb 6');
    assert.equal(reply(dvd, 'ad 01 00 00 00 00 00 00 08 04 00 00'), '5/30/02');
    assert.equal(reply(dvd, 'ad 02 00 00 00 00 00 00 08 04 00 00'), '5/24/00 cdb 1.3');
    assert.equal(reply(dataDisc(10), PHYSICAL), '5/30/02');
    assert.equal(reply(blankCdR(), PHYSICAL), '5/30/02');
  });
});

describe('READ DISC STRUCTURE of a BD', () => {
  const INFORMATION = 'ad 01 00 00 00 00 00 00 10 04 00 00';

  it('format 00h begins as the traces have it', () => {
    const first = (disc: Disc | DiscLayout): string => reply(disc, INFORMATION).slice(0, 32);
    assert.equal(first(blankBdR()), digits('10020000 44490100 00000000 424452 00'));
    assert.equal(first(blankBdRe()), digits('10020000 44490100 00000000 424457 00'));
    assert.equal(first(dataDisc(64, 0x0040)), digits('10020000 44490100 00000000 42444f 00'));
  });

  it('format 00h says who made it at 100', () => {
    const facts = recordable(1, { manufacturer: 'VBURN', mediaType: 'R04' });
    const answer = reply({ ...blankBdR(), recordable: facts }, INFORMATION);
    assert.equal(Buffer.from(answer, 'hex').toString('latin1', 104, 113), 'VBURN R04');
  });

  it('format 0Ah has the spare blocks', () => {
    const facts = recordable(1, { spares: { free: 0x1000, allocated: 0x2000 } });
    assert.equal(
      reply({ ...blankBdRe(), recordable: facts }, 'ad 01 00 00 00 00 00 0a 00 10 00 00'),
      digits('000e0000 00000000 00001000 00002000'),
    );
  });

  it('the list can be asked for with either media type', () => {
    const listed = digits('000a0000 00401004 ff40000c');
    for (const type of ['00', '01']) {
      assert.equal(reply(dataDisc(64, 0x0040), `ad ${type} 00 00 00 00 00 ff 00 24 00 00`), listed);
    }
  });
});
