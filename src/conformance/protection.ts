/** Protection information: what a target says of it, and what it checks of it (SBC-3 4.22). */
import type { CommandResult } from '../initiator/request.ts';
import { blocks10, CAPACITY_16 } from './capacity.ts';
import { type Check, type CheckedUnit, expect, NotApplicable, seen, view } from './check.ts';

/** The blocks that are written: away from those of other checks. */
const LBA = 8;
const INFORMATION_BYTES = 8;
const POLYNOMIAL = 0x8bb7;

/** RDPROTECT and WRPROTECT: the information is moved and checked; it is moved as it is. */
const CHECKED = 0b001;
const UNCHECKED = 0b011;

/** READ and WRITE of either length; type 2 has its information moved by the long ones only. */
const READ = { ten: 0x28, long: 0x0009 } as const;
const WRITE = { ten: 0x2a, long: 0x000b } as const;

const OUTCOMES = { guard: 'b/10/01', application: 'b/10/02', reference: 'b/10/03' } as const;
type Part = keyof typeof OUTCOMES;
/** In byte 4 of VPD page 86h: checked when the medium is read. */
const CHECK_BITS = { guard: 0x04, application: 0x02, reference: 0x01 } as const;
/** SPT in that byte, by type: the values that include it. */
const SUPPORTING = { 1: [0, 1, 3, 7], 2: [1, 2, 5, 7], 3: [3, 4, 5, 7] } as const;

interface Tags {
  readonly guard: number;
  readonly application: number;
  readonly reference: number;
}

/** A unit that is formatted with protection information. */
interface Protected {
  readonly unit: CheckedUnit;
  readonly type: 1 | 2 | 3;
  readonly blockBytes: number;
  /** Byte 4 of VPD page 86h. */
  readonly extended: number;
}

const NONE = 'PROT_EN 0: no protection information';

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = ((crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : POLYNOMIAL)) & 0xffff;
    }
  }
  return crc;
}

async function isFormatted(unit: CheckedUnit): Promise<boolean> {
  return (((await unit.optional(CAPACITY_16, 32))[12] as number) & 1) !== 0;
}

async function protectedUnit(unit: CheckedUnit): Promise<Protected> {
  const capacity = await unit.optional(CAPACITY_16, 32);
  const flags = capacity[12] as number;
  if ((flags & 1) === 0) throw new NotApplicable(NONE);
  const type = ((flags >> 1) & 7) + 1;
  expect(type === 1 || type === 2 || type === 3, `P_TYPE ${type - 1}`);
  const extended = (await unit.data('12 01 86 00 ff 00', 255))[4] as number;
  const blockBytes = view(capacity).getUint32(8);
  return { unit, type: type as 1 | 2 | 3, blockBytes, extended };
}

/** User data of a block, and its information in eight bytes behind it. */
function block({ blockBytes }: Protected, value: number, tags: Partial<Tags> = {}): Uint8Array {
  const bytes = new Uint8Array(blockBytes + INFORMATION_BYTES).fill(value, 0, blockBytes);
  const information = view(bytes.subarray(blockBytes));
  information.setUint16(0, tags.guard ?? crc16(bytes.subarray(0, blockBytes)));
  information.setUint16(2, tags.application ?? 0);
  information.setUint32(4, tags.reference ?? LBA);
  return bytes;
}

/** The same with one part of its information spoilt. */
function spoilt(disk: Protected, value: number, part: Part): Uint8Array {
  const good = block(disk, value);
  const guard = view(good).getUint16(disk.blockBytes);
  if (part === 'guard') return block(disk, value, { guard: guard ^ 0xffff });
  return block(disk, value, part === 'application' ? { application: 1 } : { reference: LBA + 1 });
}

/** 32 bytes of CDB with the tags that the information has to have: 0 as application tag, the LBA as reference tag. */
function long(action: number, protect: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const fields = view(bytes);
  bytes[0] = 0x7f;
  bytes[7] = 0x18;
  fields.setUint16(8, action);
  bytes[10] = protect << 5;
  fields.setBigUint64(12, BigInt(LBA));
  fields.setUint32(20, LBA);
  fields.setUint16(26, 0xffff);
  fields.setUint32(28, 1);
  return bytes;
}

function cdbOf({ type }: Protected, command: typeof READ | typeof WRITE, protect: number) {
  return type === 2 ? long(command.long, protect) : blocks10(command.ten, LBA, 1, protect << 5);
}

function write(disk: Protected, dataOut: Uint8Array, protect = CHECKED): Promise<CommandResult> {
  return disk.unit.run(cdbOf(disk, WRITE, protect), { dataOut });
}

function read(disk: Protected, protect = CHECKED): Promise<CommandResult> {
  const room = disk.blockBytes + INFORMATION_BYTES;
  return disk.unit.run(cdbOf(disk, READ, protect), { room });
}

async function writeGood(disk: Protected, data: Uint8Array, protect = CHECKED): Promise<void> {
  const result = await write(disk, data, protect);
  expect(result.status === 0, `WRITE with WRPROTECT = ${protect}: ${seen(result)}`);
}

/** READ without the information: what is on the medium, if it is right. */
function readPlain({ unit, blockBytes }: Protected): Promise<CommandResult> {
  return unit.run(blocks10(READ.ten, LBA, 1), { room: blockBytes + INFORMATION_BYTES });
}

function expectData(result: CommandResult, data: Uint8Array): void {
  expect(result.status === 0, `READ: ${seen(result)}`);
  const at = data.findIndex((byte, i) => byte !== result.dataIn[i]);
  expect(result.dataIn.length === data.length, `${result.dataIn.length} bytes, not ${data.length}`);
  expect(at < 0, `byte ${at} differs`);
}

/** Runs a check on a unit with protection information, and leaves a block there that can be read. */
async function onProtected(
  unit: CheckedUnit,
  check: (disk: Protected) => Promise<string>,
): Promise<string> {
  const disk = await protectedUnit(unit);
  try {
    return await check(disk);
  } finally {
    await unit.run(blocks10(WRITE.ten, LBA, 1), { dataOut: new Uint8Array(disk.blockBytes) });
  }
}

/** The device server knows what a tag has to be: not of the application tag without a CDB that says it, or ATO = 0. */
async function expectKnown({ unit, type }: Protected, part: Part): Promise<void> {
  if (part === 'reference' && type === 3) throw new NotApplicable('type 3: the tag is not checked');
  if (part !== 'application') return;
  if (type !== 2) throw new NotApplicable(`type ${type}: no command says what the tag is`);
  const control = await unit.optional('1a 08 0a 00 ff 00', 255);
  const isOwned = ((control[4 + 5] as number) & 0x80) !== 0;
  if (!isOwned) throw new NotApplicable('ATO 0: the tag is the device server’s');
}

function partChecks(part: Part, name: string): Check[] {
  const outcome = OUTCOMES[part];
  return [
    {
      command: 'WRITE with protection',
      clause: 'SBC-3 5.33, 4.22.3',
      check: `WRPROTECT = 001b: a wrong ${name} is refused, and nothing is written`,
      destructive: true,
      run: (unit) =>
        onProtected(unit, async (disk) => {
          await expectKnown(disk, part);
          await writeGood(disk, block(disk, 0x11));
          const result = await write(disk, spoilt(disk, 0x22, part));
          expect(seen(result) === outcome, `${seen(result)} instead of ${outcome}`);
          expectData(await read(disk), block(disk, 0x11));
          return outcome;
        }),
    },
    {
      command: 'READ with protection',
      clause: 'SBC-3 5.11, 4.22.3',
      check: `RDPROTECT = 001b: a wrong ${name} on the medium is found`,
      destructive: true,
      run: (unit) =>
        onProtected(unit, async (disk) => {
          await expectKnown(disk, part);
          const isChecked = (disk.extended & CHECK_BITS[part]) !== 0;
          if (!isChecked) throw new NotApplicable('VPD page 86h: not checked when it is read');
          await writeGood(disk, spoilt(disk, 0x33, part), UNCHECKED);
          const result = await read(disk);
          expect(seen(result) === outcome, `${seen(result)} instead of ${outcome}`);
          return outcome;
        }),
    },
  ];
}

const SAID: readonly Check[] = [
  {
    command: 'READ CAPACITY(16)',
    clause: 'SBC-3 5.16',
    check: 'PROT_EN = 1 goes with PROTECT = 1 of INQUIRY, and P_TYPE with SPT of VPD page 86h',
    async run(unit) {
      const protect = ((await unit.data('12 00 00 00 ff 00', 255))[5] as number) & 1;
      const { type, extended } = await protectedUnit(unit);
      const spt = (extended >> 3) & 7;
      expect(protect === 1, `PROT_EN 1, but PROTECT ${protect}`);
      expect((SUPPORTING[type] as readonly number[]).includes(spt), `type ${type}, but SPT ${spt}`);
      return `type ${type}, SPT ${spt}`;
    },
  },
  {
    command: 'READ(10)',
    clause: 'SBC-3 5.11',
    check: 'without protection information RDPROTECT = 001b is refused',
    async run(unit) {
      if (await isFormatted(unit)) throw new NotApplicable('there is protection information');
      const result = await unit.run(blocks10(READ.ten, 0, 1, CHECKED << 5));
      expect(seen(result) === '5/24/00', `${seen(result)} instead of 5/24/00`);
      return '5/24/00';
    },
  },
  {
    command: 'READ(10)',
    clause: 'SBC-3 4.22.2.4',
    check: 'with type 2 RDPROTECT = 001b is an unknown command',
    async run(unit) {
      const { type } = await protectedUnit(unit);
      if (type !== 2) throw new NotApplicable(`type ${type}`);
      const result = await unit.run(blocks10(READ.ten, 0, 1, CHECKED << 5));
      expect(seen(result) === '5/20/00', `${seen(result)} instead of 5/20/00`);
      return '5/20/00';
    },
  },
];

const MOVED: readonly Check[] = [
  {
    command: 'READ with protection',
    clause: 'SBC-3 4.22.3',
    check: 'information comes back as it was written, and not at all when RDPROTECT = 000b',
    destructive: true,
    run: (unit) =>
      onProtected(unit, async (disk) => {
        const data = block(disk, 0x44);
        await writeGood(disk, data);
        expectData(await read(disk), data);
        expectData(await readPlain(disk), data.subarray(0, disk.blockBytes));
        return `${data.length} bytes, then ${disk.blockBytes}`;
      }),
  },
  {
    command: 'WRITE with protection',
    clause: 'SBC-3 5.33, 5.11',
    check: 'WRPROTECT = 011b writes information as it is, RDPROTECT = 011b reads it so',
    destructive: true,
    run: (unit) =>
      onProtected(unit, async (disk) => {
        const data = spoilt(disk, 0x55, 'guard');
        await writeGood(disk, data, UNCHECKED);
        expectData(await read(disk, UNCHECKED), data);
        return 'as written';
      }),
  },
  {
    command: 'READ with protection',
    clause: 'SBC-3 4.22.3',
    check: 'tags of FFFFh leave a block unchecked',
    destructive: true,
    run: (unit) =>
      onProtected(unit, async (disk) => {
        const reference = disk.type === 3 ? 0xffff_ffff : LBA;
        const data = block(disk, 0x66, { guard: 1, application: 0xffff, reference });
        await writeGood(disk, data, UNCHECKED);
        expectData(await read(disk), data);
        return 'GOOD with a wrong guard';
      }),
  },
];

export const PROTECTION_CHECKS: readonly Check[] = [
  ...SAID,
  ...MOVED,
  ...partChecks('guard', 'guard'),
  ...partChecks('application', 'application tag'),
  ...partChecks('reference', 'reference tag'),
];
