/** GET CONFIGURATION (MMC-6 6.6). */
import { strict as assert } from 'node:assert';
import { type BenchOptions, dataDisc, optical } from '../../../support/optical.ts';
import { blankCdR, blankDvdPlusRw } from '../../../support/recordable.ts';
import { jsonVector } from '../../../support/vectors.ts';

function drive(profile: 0x0008 | 0x0010 | 0x0040, options: BenchOptions = {}) {
  return optical(dataDisc(40, profile), new Uint8Array(40 * 2048), options);
}

function ask(cdb: string, held = drive(0x0008)): Buffer {
  const { status, dataIn } = held.bed.nexus('a').clear().run(cdb, { in: 1024 });
  assert.equal(status, 0);
  return Buffer.from(dataIn);
}

function codes(answer: Buffer): number[] {
  const found: number[] = [];
  for (let at = 8; at < answer.length; at += 4 + (answer[at + 3] as number)) {
    found.push(answer.readUInt16BE(at));
  }
  return found;
}

describe('GET CONFIGURATION', () => {
  it('names the current profile', () => {
    const profiles = ([0x0008, 0x0010, 0x0040] as const).map((profile) =>
      ask('46 00 00 00 00 00 00 00 08 00', drive(profile)).readUInt16BE(6),
    );
    assert.deepEqual(profiles, [0x0008, 0x0010, 0x0040]);
  });

  it('works without a disc, with profile 0000h', () => {
    const held = drive(0x0008);
    held.unit.medium?.take();
    const answer = ask('46 01 00 00 00 00 00 01 00 00', held);
    assert.equal(answer.readUInt16BE(6), 0);
    assert.deepEqual(codes(answer), [0x0000, 0x0001, 0x0002, 0x0003, 0x0100, 0x0105, 0x0108]);
  });

  it('is neither stopped by a unit attention nor clears it', () => {
    const a = drive(0x0008).bed.nexus('a');
    assert.equal(a.run('46 00 00 00 00 00 00 00 08 00', { in: 8 }).status, 0);
    assert.deepEqual(a.attentions(), ['6/29/00']);
  });

  it('has the length of everything, however much is returned', () => {
    const answer = ask('46 00 00 00 00 00 00 00 08 00');
    const all = ask('46 00 00 00 00 00 00 04 00 00');
    assert.deepEqual([answer.length, answer.readUInt32BE(0)], [8, all.length - 4]);
  });

  it('of all features has those from a starting one on', () => {
    assert.deepEqual(
      codes(ask('46 00 00 20 00 00 00 01 00 00')),
      [0x0040, 0x0100, 0x0103, 0x0105, 0x0107, 0x0108],
    );
  });

  it('of the current ones has those alone', () => {
    assert.deepEqual(
      codes(ask('46 01 00 10 00 00 00 01 00 00')),
      [0x0010, 0x001d, 0x001e, 0x0100, 0x0103, 0x0105, 0x0107, 0x0108],
    );
    assert.deepEqual(
      codes(ask('46 01 00 10 00 00 00 01 00 00', drive(0x0010))),
      [0x0010, 0x001f, 0x0100, 0x0105, 0x0107, 0x0108],
    );
  });

  it('of one has it, current or not, or the header only', () => {
    assert.equal(
      ask('46 02 00 1f 00 00 00 01 00 00').toString('hex'),
      '0000000c00000008 001f0404 01000100'.replaceAll(' ', ''),
    );
    assert.equal(ask('46 02 00 21 00 00 00 00 10 00').toString('hex'), '0000000400000008');
  });

  it('refuses the reserved request type', () => {
    const a = drive(0x0008).bed.nexus('a').clear();
    const { sense, pointer } = a.run('46 03 00 00 00 00 00 00 08 00', { in: 8 });
    assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 1.1']);
  });

  it('lists the profiles of a reader, and marks the current one', () => {
    assert.equal(
      ask('46 02 00 00 00 00 00 01 00 00').toString('hex', 8),
      '0000030c 00400000 00100000 00080100'.replaceAll(' ', ''),
    );
  });

  it('lists profiles of T10 for a writer', () => {
    const known = jsonVector<readonly { profile: number }[]>('t10/mmc-profiles.json').map(
      ({ profile }) => profile,
    );
    const answer = ask('46 02 00 00 00 00 00 01 00 00', drive(0x0008, { writes: true }));
    const listed: number[] = [];
    for (let at = 12; at < answer.length; at += 4) listed.push(answer.readUInt16BE(at));
    assert.deepEqual(
      listed.map((profile) => profile.toString(16)),
      '43 41 40 2b 1b 1a 15 14 13 12 11 10 a 9 8'.split(' '),
    );
    assert.deepEqual(
      listed.filter((profile) => !known.includes(profile)),
      [],
    );
  });

  it('has the serial number of the drive', () => {
    assert.equal(ask('46 02 01 08 00 00 00 01 00 00').toString('hex', 8), '010803044f443120');
  });

  it('shows random writable first from 0020h on, as Linux looks for it', () => {
    const held = optical(dataDisc(1), new Uint8Array(0), { writes: true, disc: blankDvdPlusRw() });
    assert.equal(
      ask('46 00 00 20 00 00 00 00 18 00', held).toString('hex', 8),
      '0020050c 0023053f 00000800 00100100'.replaceAll(' ', ''),
    );
  });

  it('a recordable disc that is complete cannot be written to', () => {
    const disc = { ...blankCdR(), status: 'complete', lastSession: 'complete' } as const;
    const held = optical(dataDisc(1), new Uint8Array(0), { writes: true, disc });
    const current = codes(ask('46 01 00 10 00 00 00 01 00 00', held));
    assert.deepEqual(
      current.filter((code) => [0x0021, 0x002d, 0x002e].includes(code)),
      [],
    );
  });
});
