/** What writing commands do to the medium. Each check uses the first blocks. */
import { Buffer } from 'node:buffer';
import { blocks10, blocks16 } from './capacity.ts';
import { type Check, type CheckedUnit, expect, NotSupported, refused, seen } from './check.ts';

function pattern(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 13 + (i >> 8) + seed) & 0xff);
}

async function write(unit: CheckedUnit, lba: number, data: Uint8Array): Promise<number> {
  const { blockBytes } = await unit.sizes();
  const blocks = data.length / blockBytes;
  const result = await unit.run(blocks10(0x2a, lba, blocks), { dataOut: data });
  expect(result.status === 0, `WRITE(10): ${seen(result)}`);
  return blocks;
}

async function expectBytes(unit: CheckedUnit, lba: number, data: Uint8Array): Promise<void> {
  const { blockBytes } = await unit.sizes();
  const command = blocks10(0x28, lba, data.length / blockBytes);
  const result = await unit.run(command, { room: data.length });
  expect(result.status === 0, `READ(10): ${seen(result)}`);
  const at = data.findIndex((byte, i) => byte !== result.dataIn[i]);
  expect(at < 0 && result.dataIn.length === data.length, `byte ${at} differs`);
}

const ON_DISKS: readonly Check[] = [
  {
    command: 'WRITE(10)',
    clause: 'SBC-3 5.33',
    check: 'what was written is read, and the blocks beside it stay',
    destructive: true,
    async run(unit) {
      const { blockBytes } = await unit.sizes();
      const around = pattern(blockBytes * 4, 1);
      await write(unit, 0, around);
      const middle = pattern(blockBytes * 2, 77);
      await write(unit, 1, middle);
      around.set(middle, blockBytes);
      await expectBytes(unit, 0, around);
      return '4 blocks as written';
    },
  },
  {
    command: 'WRITE(10)',
    clause: 'SBC-3 5.33',
    check: 'the block after the last is out of range',
    destructive: true,
    async run(unit) {
      const { blocks, blockBytes } = await unit.sizes();
      const dataOut = new Uint8Array(blockBytes);
      const result = await unit.run(blocks10(0x2a, blocks, 1), { dataOut });
      expect(seen(result) === '5/21/00', seen(result));
      return '5/21/00';
    },
  },
  {
    command: 'VERIFY(10)',
    clause: 'SBC-3 5.29',
    check: 'BYTCHK = 01b compares: the same is GOOD, another byte is a miscompare',
    destructive: true,
    async run(unit) {
      const { blockBytes } = await unit.sizes();
      const data = pattern(blockBytes, 5);
      await write(unit, 0, data);
      const same = await unit.run(blocks10(0x2f, 0, 1, 0x02), { dataOut: data });
      refused(same);
      expect(same.status === 0, `the same bytes: ${seen(same)}`);
      data[100] = (data[100] as number) ^ 1;
      const other = await unit.run(blocks10(0x2f, 0, 1, 0x02), { dataOut: data });
      expect(seen(other) === 'e/1d/00', `another byte: ${seen(other)}`);
      return 'GOOD, then e/1d/00';
    },
  },
  {
    command: 'COMPARE AND WRITE',
    clause: 'SBC-3 5.2',
    check: 'writes when the blocks compare, and writes nothing when they do not',
    destructive: true,
    async run(unit) {
      const { blockBytes } = await unit.sizes();
      const old = pattern(blockBytes, 9);
      const next = pattern(blockBytes, 10);
      await write(unit, 0, old);
      const command = new Uint8Array(16);
      command[0] = 0x89;
      command[13] = 1;
      const done = await unit.run(command, { dataOut: Buffer.concat([old, next]) });
      refused(done);
      expect(done.status === 0, seen(done));
      await expectBytes(unit, 0, next);
      const missed = await unit.run(command, { dataOut: Buffer.concat([old, old]) });
      expect(seen(missed) === 'e/1d/00', `${seen(missed)} instead of e/1d/00`);
      await expectBytes(unit, 0, next);
      return 'GOOD, then e/1d/00';
    },
  },
  {
    command: 'WRITE SAME(16)',
    clause: 'SBC-3 5.44',
    check: 'writes the one block to each of the range, and no further',
    destructive: true,
    async run(unit) {
      const { blockBytes } = await unit.sizes();
      const all = pattern(blockBytes * 5, 3);
      await write(unit, 0, all);
      const one = pattern(blockBytes, 200);
      const result = await unit.run(blocks16(0x93, 1, 3), { dataOut: one });
      refused(result);
      expect(result.status === 0, seen(result));
      for (const block of [1, 2, 3]) all.set(one, block * blockBytes);
      await expectBytes(unit, 0, all);
      return '3 blocks';
    },
  },
  {
    command: 'UNMAP',
    clause: 'SBC-3 5.28',
    check: 'a parameter list of 1 to 7 bytes is a list length error, one of 0 is none',
    destructive: true,
    async run(unit) {
      const none = await unit.plain('42 00 00 00 00 00 00 00 00 00');
      refused(none);
      expect(none.status === 0, `list of 0: ${seen(none)}`);
      const short = await unit.run('42 00 00 00 00 00 00 00 04 00', { dataOut: new Uint8Array(4) });
      expect(seen(short) === '5/1a/00', `list of 4: ${seen(short)}`);
      return 'GOOD, 5/1a/00';
    },
  },
];

const DEVICE_TYPE = 0x1f;

/** Other device types have other commands under the same operation codes. */
async function checkIsDisk(unit: CheckedUnit): Promise<void> {
  const type = ((await unit.data('12 00 00 00 24 00', 36))[0] ?? 0) & DEVICE_TYPE;
  if (type !== 0) throw new NotSupported(`device type ${type.toString(16).padStart(2, '0')}h`);
}

export const MEDIUM_CHECKS: readonly Check[] = ON_DISKS.map((check) => ({
  ...check,
  async run(unit) {
    await checkIsDisk(unit);
    return await check.run(unit);
  },
}));
