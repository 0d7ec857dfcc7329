/** READ CAPACITY, the block limits beside it, and what lies beyond the last block. */
import type { CommandResult } from '../initiator/request.ts';
import { type Check, type CheckedUnit, expect, refused, seen, view } from './check.ts';

const BEYOND = '5/21/00';
const VPD_B2 = '12 01 b2 00 ff 00';
export const CAPACITY_16 = '9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00';

/** A 10-byte CDB of block access. */
export function blocks10(opcode: number, lba: number, blocks: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(10);
  bytes[0] = opcode;
  bytes[1] = flags;
  view(bytes).setUint32(2, lba);
  view(bytes).setUint16(7, blocks);
  return bytes;
}

/** A 16-byte CDB of block access. */
export function blocks16(opcode: number, lba: number, blocks: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = opcode;
  bytes[1] = flags;
  view(bytes).setBigUint64(2, BigInt(lba));
  view(bytes).setUint32(10, blocks);
  return bytes;
}

function expectBeyond(result: CommandResult): string {
  refused(result);
  expect(seen(result) === BEYOND, `${seen(result)} instead of ${BEYOND}`);
  return BEYOND;
}

interface RangeCase {
  readonly command: string;
  readonly clause: string;
  readonly bytes: (lba: number, blocks: number) => Uint8Array;
}

const RANGED: readonly RangeCase[] = [
  { command: 'READ(10)', clause: 'SBC-3 5.11', bytes: (l, n) => blocks10(0x28, l, n) },
  { command: 'READ(16)', clause: 'SBC-3 5.13', bytes: (l, n) => blocks16(0x88, l, n) },
  { command: 'VERIFY(10)', clause: 'SBC-3 5.29', bytes: (l, n) => blocks10(0x2f, l, n) },
  { command: 'VERIFY(16)', clause: 'SBC-3 5.31', bytes: (l, n) => blocks16(0x8f, l, n) },
  { command: 'SYNCHRONIZE CACHE(10)', clause: 'SBC-3 5.26', bytes: (l, n) => blocks10(0x35, l, n) },
  { command: 'PRE-FETCH(10)', clause: 'SBC-3 5.7', bytes: (l, n) => blocks10(0x34, l, n) },
];

function rangeChecks({ command, clause, bytes }: RangeCase): Check[] {
  const send = async (unit: CheckedUnit, past: number, count: number): Promise<CommandResult> => {
    const { blocks, blockBytes } = await unit.sizes();
    const room = command.startsWith('READ') ? count * blockBytes : 0;
    return unit.run(bytes(blocks + past, count), { room });
  };
  return [
    {
      command,
      clause,
      check: 'the block after the last is out of range',
      run: async (unit) => expectBeyond(await send(unit, 0, 1)),
    },
    {
      command,
      clause,
      check: 'a range that begins inside and ends outside is out of range',
      run: async (unit) => expectBeyond(await send(unit, -1, 2)),
    },
  ];
}

export const CAPACITY_CHECKS: readonly Check[] = [
  {
    command: 'READ CAPACITY(16)',
    clause: 'SBC-3 5.16',
    check: 'it says the same as READ CAPACITY(10)',
    async run(unit) {
      const { blocks, blockBytes } = await unit.sizes();
      const data = view(await unit.optional(CAPACITY_16, 32));
      expect(data.byteLength >= 12, `${data.byteLength} bytes`);
      const large = Number(data.getBigUint64(0)) + 1;
      const same = blocks === 2 ** 32 ? large >= blocks : large === blocks;
      expect(same && data.getUint32(8) === blockBytes, `${large} blocks of ${data.getUint32(8)}`);
      return `${large} blocks of ${blockBytes}`;
    },
  },
  {
    command: 'READ CAPACITY(16)',
    clause: 'SBC-3 5.16',
    check: 'LBPME is 1 when VPD B2 offers to unmap, and only then',
    async run(unit) {
      const data = await unit.optional(CAPACITY_16, 32);
      const thin = ((data[14] as number) & 0x80) !== 0;
      const offers = ((await unit.optional(VPD_B2, 255))[5] as number) & 0xe0;
      expect(thin === offers > 0, `LBPME ${thin ? 1 : 0}, VPD B2 byte 5 ${offers.toString(16)}h`);
      return `LBPME ${thin ? 1 : 0}`;
    },
  },
  {
    command: 'READ(10)',
    clause: 'SBC-3 5.11',
    check: 'a transfer length of 0 is no error and moves nothing',
    async run(unit) {
      const result = await unit.plain(blocks10(0x28, 0, 0));
      expect(result.status === 0, seen(result));
      return 'GOOD';
    },
  },
  ...RANGED.flatMap(rangeChecks),
  {
    command: 'GET LBA STATUS',
    clause: 'SBC-3 5.4',
    check: 'the block after the last is out of range',
    async run(unit) {
      const { blocks } = await unit.sizes();
      const command = blocks16(0x9e, blocks, 24, 0x12);
      return expectBeyond(await unit.run(command, { room: 24 }));
    },
  },
];
