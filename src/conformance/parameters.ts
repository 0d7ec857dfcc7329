/** Mode pages, supported operation codes, and how a target says what it does not take. */
import { type Check, type CheckedUnit, expect, NotSupported, seen, view } from './check.ts';

const PAGES_6 = (control: number): string =>
  `1a 08 ${(control | 0x3f).toString(16).padStart(2, '0')} 00 ff 00`;

/** Page code → page of a MODE SENSE(6) without block descriptors. */
async function modePages(unit: CheckedUnit, control: number): Promise<Map<number, Uint8Array>> {
  const data = await unit.optional(PAGES_6(control), 255);
  const length = (data[0] as number) + 1;
  expect(length === data.length, `MODE DATA LENGTH says ${length}, ${data.length} came`);
  const found = new Map<number, Uint8Array>();
  let at = 4 + (data[3] as number);
  while (at + 2 <= length) {
    const sub = ((data[at] as number) & 0x40) !== 0;
    const bytes = sub ? view(data).getUint16(at + 2) + 4 : (data[at + 1] as number) + 2;
    const code = (data[at] as number) & 0x3f;
    found.set(sub ? code * 256 + (data[at + 1] as number) : code, data.subarray(at, at + bytes));
    at += bytes;
  }
  expect(at === length, `the last page ends at ${at}, the data at ${length}`);
  return found;
}

export const PARAMETER_CHECKS: readonly Check[] = [
  {
    command: 'MODE SENSE(6)',
    clause: 'SPC-4 7.5',
    check: 'all pages at once: lengths fit',
    async run(unit) {
      const codes = [...(await modePages(unit, 0)).keys()];
      return `pages ${codes.map((code) => code.toString(16).padStart(2, '0')).join(' ')}`;
    },
  },
  {
    command: 'MODE SENSE(6)',
    clause: 'SPC-4 6.13',
    check: 'changeable values have the same pages and lengths as current values',
    async run(unit) {
      const current = await modePages(unit, 0);
      const changeable = await modePages(unit, 0x40);
      for (const [code, page] of current) {
        const length = changeable.get(code)?.length;
        expect(length === page.length, `page ${code.toString(16)}: ${length}, ${page.length}`);
      }
      expect(current.size === changeable.size, `${changeable.size} pages, not ${current.size}`);
      return `${current.size} pages`;
    },
  },
  {
    command: 'MODE SENSE(6)',
    clause: 'SPC-4 6.13',
    check: 'a page that is not there is refused',
    async run(unit) {
      if ((await modePages(unit, 0)).has(0x2f)) throw new NotSupported('page 2F is there');
      const result = await unit.run('1a 08 2f 00 ff 00');
      expect(seen(result) === '5/24/00', seen(result));
      return '5/24/00';
    },
  },
  {
    command: 'REPORT SUPPORTED OPERATION CODES',
    clause: 'SPC-4 6.35',
    check: 'whole descriptors, and each listed command is supported when asked for alone',
    async run(unit) {
      const data = await unit.optional('a3 0c 00 00 00 00 00 00 20 00 00 00', 0x2000);
      const length = view(data).getUint32(0);
      expect(length % 8 === 0 && length + 4 === data.length, `${length} + 4 of ${data.length}`);
      for (let at = 4; at < data.length; at += 8) {
        const opcode = data[at] as number;
        const serviced = ((data[at + 5] as number) & 1) !== 0;
        const action = view(data).getUint16(at + 2);
        const one = new Uint8Array(12);
        one.set([0xa3, 0x0c, serviced ? 2 : 1, opcode, action >> 8, action & 0xff]);
        view(one).setUint32(6, 0x100);
        // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
        const { status, dataIn } = await unit.run(one, { room: 0x100 });
        const name = `${opcode.toString(16)}/${action.toString(16)}`;
        expect(status === 0 && ((dataIn[1] as number) & 7) === 3, `${name} is not supported`);
        expect(dataIn[4] === opcode, `usage data of ${name} begin with ${dataIn[4]}`);
        const cdbBytes = view(data).getUint16(at + 6);
        expect(view(dataIn).getUint16(2) === cdbBytes, `${name} has two CDB lengths`);
      }
      return `${length / 8} commands`;
    },
  },
  {
    command: 'PERSISTENT RESERVE IN',
    clause: 'SPC-4 6.15',
    check: 'with READ KEYS there are all four service actions',
    async run(unit) {
      await unit.optional('5e 00 00 00 00 00 00 01 00 00', 256);
      for (const action of [1, 2, 3]) {
        // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
        const result = await unit.run(`5e 0${action} 00 00 00 00 00 01 00 00`, { room: 256 });
        expect(result.status === 0, `service action ${action}: ${seen(result)}`);
      }
      return 'GOOD, each';
    },
  },
  {
    command: 'an unknown operation code',
    clause: 'SPC-4 4.5.6',
    check: 'is refused as such',
    async run(unit) {
      const result = await unit.plain('ff 00 00 00 00 00');
      expect(seen(result) === '5/20/00', seen(result));
      return '5/20/00';
    },
  },
  {
    command: 'an unknown service action',
    clause: 'SPC-4 4.5.2.4.2',
    check: 'is refused with the service action as the field in error',
    async run(unit) {
      const result = await unit.run('9e 1f 00 00 00 00 00 00 00 00 00 00 00 20 00 00', {
        room: 32,
      });
      if (seen(result) === '5/20/00') throw new NotSupported('5/20/00');
      expect(seen(result) === '5/24/00', seen(result));
      const pointer = result.sense?.fieldPointer ?? null;
      if (pointer === null) throw new NotSupported('no field pointer');
      expect(pointer.inCdb && pointer.byte === 1, `it points to byte ${pointer.byte}`);
      return '5/24/00, CDB byte 1';
    },
  },
];
