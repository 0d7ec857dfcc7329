/** What an optical drive says of itself: INQUIRY, VPD pages, the headers of mode data, and which primary commands it has. */
import { strict as assert } from 'node:assert';
import { copyCdb, copyList, cscd, segment } from '../../support/copy-list.ts';
import { hex } from '../../support/direct-port.ts';
import { dataDisc, optical } from '../../support/optical.ts';
import type { TestNexus } from '../../support/target.ts';
import { jsonVector } from '../../support/vectors.ts';

const BLOCKS = 8;

interface OpcodeRow {
  readonly opcode: number;
  readonly name: string;
  readonly devices?: Readonly<Record<string, string>>;
}

const drive = (): TestNexus =>
  optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048))
    .bed.nexus('a')
    .clear();

/** MODE SELECT(10) with PF = 1 and this list. */
function select(a: TestNexus, list: string) {
  const out = Uint8Array.from(list.split(' '), (pair) => Number.parseInt(pair, 16));
  return a.run(`55 10 00 00 00 00 00 00 ${out.length.toString(16).padStart(2, '0')} 00`, { out });
}

/** The last command of wodim: a header and a block descriptor, no page. */
const DESCRIPTOR_ONLY = '00 00 00 00 00 00 00 08 00 00 00 00 00 00 08 00';

describe('optical drive: who it is', () => {
  it('INQUIRY: type 05h, removable, SPC-4; no copy manager, no target port groups, no protection', () => {
    const { dataIn } = drive().run('12 00 00 00 60 00', { in: 96 });
    assert.deepEqual([...dataIn.subarray(0, 8)], [0x05, 0x80, 0x06, 0x32, 0x5b, 0, 0, 0x02]);
  });

  it('INQUIRY claims MMC-6 and not SBC', () => {
    const { dataIn } = drive().run('12 00 00 00 60 00', { in: 96 });
    const list = jsonVector<readonly { code: number; name: string }[]>(
      't10/version-descriptors.json',
    );
    const view = new DataView(dataIn.buffer, dataIn.byteOffset);
    const names = [58, 60, 62, 64].map(
      (at) => list.find(({ code }) => code === view.getUint16(at))?.name,
    );
    assert.deepEqual(
      names.map((name) => name?.replace(' (no version claimed)', '')),
      ['SAM-5', 'SPC-4', 'MMC-6', 'SRP'],
    );
  });

  it('has the VPD pages that say who it is, and none of block devices', () => {
    const a = drive();
    const { dataIn } = a.run('12 01 00 00 ff 00', { in: 255 });
    assert.equal(hex(dataIn), '05 00 00 05 00 80 83 87 88');
    for (const page of ['86', '8a', '8f', 'b0', 'b1', 'b2']) {
      assert.equal(a.run(`12 01 ${page} 00 ff 00`, { in: 255 }).sense, '5/24/00', page);
    }
  });

  it('MODE SENSE: medium type and device-specific parameter 0, no block descriptor', () => {
    const a = drive();
    const six = a.run('1a 00 01 00 ff 00', { in: 255 }).dataIn;
    assert.deepEqual([...six.subarray(1, 5)], [0, 0, 0, 0x01]);
    const ten = a.run('5a 10 01 00 00 00 00 00 ff 00', { in: 255 }).dataIn;
    assert.deepEqual([...ten.subarray(2, 9)], [0, 0, 0, 0, 0, 0, 0x01]);
  });

  it('MODE SELECT takes a header and a block descriptor without a page', () => {
    assert.equal(select(drive(), DESCRIPTOR_ONLY).status, 0);
  });

  it('MODE SELECT takes a block descriptor in front of a page', () => {
    const a = drive();
    const page = a.run('5a 08 01 00 00 00 00 00 ff 00', { in: 255 }).dataIn.slice(8);
    page[0] = (page[0] as number) & 0x3f;
    assert.equal(select(a, `${DESCRIPTOR_ONLY} ${hex(page)}`).status, 0);
  });

  it('MODE SELECT refuses blocks of another length, and points at them', () => {
    const { sense, pointer } = select(drive(), DESCRIPTOR_ONLY.replace(/08 00$/, '09 30'));
    assert.deepEqual([sense, pointer], ['5/26/00', 'list 14']);
  });
});

describe('optical drive: its commands', () => {
  it('are T10 commands of type 05h, and primary ones that hosts and shared drives need', () => {
    const { unit } = optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048));
    const listed = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');
    const others = unit.deviceType.commands
      .map(({ row }) => row)
      .filter(
        ({ opcode, name }) =>
          !listed.some(
            (row) =>
              row.opcode === opcode && row.name === name && row.devices?.['0x05'] !== undefined,
          ),
      );
    // MODE SENSE(6) is what Linux sends; reservations and what a unit can do are SPC-4's for every device type.
    const primary = new Set([0x15, 0x16, 0x17, 0x1a, 0x56, 0x57, 0x5e, 0x5f, 0xa0, 0xa3]);
    assert.deepEqual(
      others.filter(({ opcode }) => !primary.has(opcode)).map(({ name }) => name),
      // Obsolete, renamed since T10's list of 2012, or (VERIFY(12)) not in MMC; hosts send them.
      ['READ HEADER', 'PLAY AUDIO TRACK INDEX', 'READ DISC STRUCTURE', 'VERIFY(12)'],
    );
  });

  it('are none of the disk: copies, tokens, logs, unmapping, 16-byte reads', () => {
    const a = drive();
    for (const opcode of [0x08, 0x34, 0x41, 0x4c, 0x4d, 0x83, 0x84, 0x88, 0x8e, 0x93, 0x9e]) {
      const cdb = new Uint8Array(16);
      cdb[0] = opcode;
      assert.equal(a.run(cdb, { in: 512 }).sense, '5/20/00', opcode.toString(16));
    }
  });

  it('SEND KEY is refused as an unknown service action of A3h', () => {
    assert.equal(drive().run('a3 00 00 00 00 00 00 00 00 10 00 00').sense, '5/24/00');
  });
});

describe('optical drive: copies', () => {
  it('of a disk do not reach it: A/0D/03', () => {
    const { bed, unit } = optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048));
    const disk = bed.add({ lun: 1 });
    const a = bed.nexus('a').clear();
    const source = cscd(unit.identity.naa);
    source[1] = 0x05;
    const way = segment({ source: 0, destination: 1, from: 0, to: 0, blocks: 1 });
    const list = copyList([source, cscd(disk.identity.naa)], [way]);
    assert.equal(a.run(copyCdb(list.length), { out: list, lun: 1 }).sense, 'a/0d/03');
  });
});

describe('optical drive: its medium', () => {
  it('out: 2/3A/02; back: 6/28/00 for those that did not ask', () => {
    const { bed } = optical(dataDisc(BLOCKS), new Uint8Array(BLOCKS * 2048).fill(7));
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.equal(a.run('1b 00 00 00 02 00').status, 0);
    for (const cdb of ['00 00 00 00 00 00', '28 00 00 00 00 00 00 00 01 00']) {
      assert.equal(b.run(cdb, { in: 2048 }).sense, '2/3a/02');
    }
    assert.equal(a.run('1b 00 00 00 03 00').status, 0);
    assert.equal(b.run('00 00 00 00 00 00').sense, '6/28/00');
    assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: 2048 }).dataIn[0], 7);
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
  });
});
