/** Mode pages of optical drives (MMC-6 7), and headers without block descriptors. */
import { strict as assert } from 'node:assert';
import { dataDisc, type OpticalBed, optical } from '../../support/optical.ts';
import { blankDvdR } from '../../support/recordable.ts';
import type { TestNexus } from '../../support/target.ts';

const reader = (): OpticalBed => optical(dataDisc(40), new Uint8Array(40 * 2048));
const writer = (): OpticalBed =>
  optical(dataDisc(1), new Uint8Array(0), { writes: true, disc: blankDvdR() });

function page(a: TestNexus, code: number, control = 0): string {
  const { status, dataIn } = a.run([0x5a, 0, (control << 6) | code, 0, 0, 0, 0, 0, 255, 0], {
    in: 255,
  });
  assert.equal(status, 0);
  return Buffer.from(dataIn.subarray(8)).toString('hex');
}
const digits = (text: string): string => text.replace(/\s+/g, '');

describe('mode pages of an optical drive', () => {
  it('are these; writers have a cache', () => {
    const codes = ({ unit }: OpticalBed): string[] =>
      unit.modePages?.codes.map((code) => code.toString(16)) ?? [];
    assert.deepEqual(codes(reader()), ['1', 'd', 'e', '1a', '1d', '2a']);
    assert.deepEqual(codes(writer()), ['1', '8', 'd', 'e', '1a', '1d', '2a']);
  });

  it('come right behind the header, which has no block descriptor and no device specifics', () => {
    const a = reader().bed.nexus('a').clear();
    const long = a.run('5a 00 0d 00 00 00 00 00 ff 00', { in: 255 });
    assert.equal(
      Buffer.from(long.dataIn).toString('hex'),
      digits('000e 00 00 0000 0000 0d06 0000 003c 004b'),
    );
    const short = a.run('1a 00 0d 00 ff 00', { in: 255 });
    assert.equal(
      Buffer.from(short.dataIn).toString('hex'),
      digits('0b 00 00 00 0d06 0000 003c 004b'),
    );
  });

  it('2Ah of a reader writes nothing', () => {
    assert.equal(
      page(reader().bed.nexus('a').clear(), 0x2a),
      digits('2a1e 3f00 7177 2923 2113 0100 0800 2113 0000 0000 0000 0001 0000 0000 0000 0000'),
    );
  });

  it('2Ah says that the removal is prevented, by whomever', () => {
    const { bed } = reader();
    const a = bed.nexus('a').clear();
    bed.nexus('b').clear().run('1e 00 00 00 01 00');
    assert.equal(page(a, 0x2a).slice(12, 14), '2b');
  });

  it('2Ah grows and shrinks with the write speeds of the disc', () => {
    const { bed, unit } = writer();
    const a = bed.nexus('a').clear();
    assert.equal(page(a, 0x2a).length, 2 * 44);
    unit.optical?.change(null);
    assert.equal(page(a, 0x2a).length, 2 * 56);
  });

  it('2Ah is not changeable', () => {
    assert.equal(page(reader().bed.nexus('a').clear(), 0x2a, 1), digits(`2a1e${'00'.repeat(30)}`));
  });

  it('2Ah can be sent back as it is, and not otherwise', () => {
    const a = reader().bed.nexus('a').clear();
    const same = `00000000 00000000 ${page(a, 0x2a)}`;
    assert.equal(a.run('55 10 00 00 00 00 00 00 28 00', { out: same }).status, 0);
    const other = same.replace('3f00', '3f01');
    const { sense, pointer } = a.run('55 10 00 00 00 00 00 00 28 00', { out: other });
    assert.deepEqual([sense, pointer], ['5/26/00', 'list 11']);
  });

  it('0Eh keeps ports and volumes', () => {
    const a = reader().bed.nexus('a').clear();
    const out = '00000000 00000000 0e0e0400 0000004b 02800140 00000000';
    assert.equal(a.run('55 10 00 00 00 00 00 00 18 00', { out }).status, 0);
    assert.equal(page(a, 0x0e), digits('0e0e0400 0000004b 02800140 00000000'));
    assert.equal(page(a, 0x0e, 2), digits('0e0e0400 0000004b 01ff02ff 00000000'));
  });

  it('other nexuses hear 2A/01 of a change', () => {
    const { bed } = reader();
    const a = bed.nexus('a').clear();
    const b = bed.nexus('b').clear();
    a.run('55 10 00 00 00 00 00 00 18 00', {
      out: '00000000 00000000 0e0e0600 0000004b 01ff02ff 00000000',
    });
    assert.deepEqual(b.attentions(), ['6/2a/01']);
  });

  it('1Ah has the timers of SPC in twelve bytes', () => {
    const { bed, unit } = reader();
    const a = bed.nexus('a').clear();
    const out = '00000000 00000000 1a0a0002 0000000a 00000000';
    assert.equal(a.run('55 10 00 00 00 00 00 00 14 00', { out }).status, 0);
    assert.equal(page(a, 0x1a), digits('1a0a0002 0000000a 00000000'));
    for (let i = 0; i < 8; i += 1) bed.timers.run();
    // IDLE_A.
    assert.equal(unit.power.condition, 1);
  });

  it('MODE SELECT takes a block descriptor and nothing else, as wodim ends', () => {
    const a = reader().bed.nexus('a').clear();
    const out = '00000000 00000008 00000000 00000800';
    assert.equal(a.run('55 10 00 00 00 00 00 00 10 00', { out }).status, 0);
  });

  it('page 30h is not there', () => {
    const a = reader().bed.nexus('a').clear();
    assert.equal(a.run('5a 00 30 00 00 00 00 00 02 00', { in: 2 }).sense, '5/24/00');
  });

  it('saved values are not there', () => {
    const a = reader().bed.nexus('a').clear();
    assert.equal(a.run('5a 00 ea 00 00 00 00 00 ff 00', { in: 255 }).sense, '5/39/00');
  });

  it('an aborted command of another nexus is told, as without a Control page it is at first', () => {
    assert.equal(reader().unit.taskAbortedStatus, true);
  });
});
