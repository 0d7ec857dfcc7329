/** INQUIRY and the vital product data pages. */
import { Buffer } from 'node:buffer';
import { type Check, type CheckedUnit, expect, NotSupported, seen, view } from './check.ts';

/** In a range no standard has given a meaning. */
const RESERVED_PAGE = 0x7f;
const STANDARD = '12 00 00 00 ff 00';

function page(code: number): string {
  return `12 01 ${code.toString(16).padStart(2, '0')} 00 ff 00`;
}

async function pages(unit: CheckedUnit): Promise<number[]> {
  return [...(await unit.data(page(0), 255)).subarray(4)];
}

export const INQUIRY_CHECKS: readonly Check[] = [
  {
    command: 'INQUIRY',
    clause: 'SPC-4 6.6.2',
    check: 'ADDITIONAL LENGTH counts what follows it, the response data format is 2',
    async run(unit) {
      const data = await unit.data(STANDARD, 255);
      expect(data.length >= 36, `${data.length} bytes`);
      expect(((data[3] as number) & 0x0f) === 2, `format ${(data[3] as number) & 0x0f}`);
      const length = (data[4] as number) + 5;
      expect(length === data.length, `ADDITIONAL LENGTH says ${length}, ${data.length} came`);
      return `${data.length} bytes`;
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 4.4.1',
    check: 'vendor, product and revision are left-aligned ASCII',
    async run(unit) {
      const text = Buffer.from((await unit.data(STANDARD, 255)).subarray(8, 36)).toString('latin1');
      expect(/^[\x20-\x7e]{28}$/.test(text), JSON.stringify(text));
      return text.trimEnd();
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 4.3.5.6',
    check: 'an allocation length below the data truncates them, ADDITIONAL LENGTH stays',
    async run(unit) {
      const whole = await unit.data(STANDARD, 255);
      const part = await unit.data('12 00 00 00 05 00', 255);
      expect(part.length === 5, `${part.length} bytes instead of 5`);
      expect(part[4] === whole[4], `ADDITIONAL LENGTH ${part[4]} instead of ${whole[4]}`);
      return '5 bytes';
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 4.3.5.6',
    check: 'an allocation length of 0 is no error and moves nothing',
    async run(unit) {
      expect((await unit.data('12 00 00 00 00 00', 255)).length === 0, 'data came');
      return 'GOOD, 0 bytes';
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 6.6',
    check: 'a PAGE CODE with EVPD = 0 is refused',
    async run(unit) {
      const result = await unit.run('12 00 01 00 ff 00');
      expect(seen(result) === '5/24/00', seen(result));
      return '5/24/00';
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 7.8',
    check: 'VPD 00 lists pages in ascending order, and each answers with its own code',
    async run(unit) {
      const codes = await pages(unit);
      expect(
        codes.every((code, i) => i === 0 || code > (codes[i - 1] as number)),
        codes.join(' '),
      );
      for (const code of codes) {
        // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
        const data = await unit.data(page(code), 255);
        expect(data[1] === code, `page ${code} answers as ${data[1]}`);
      }
      return codes.map((code) => code.toString(16).padStart(2, '0')).join(' ');
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 6.6',
    check: 'a page that VPD 00 does not list is refused',
    async run(unit) {
      if ((await pages(unit)).includes(RESERVED_PAGE)) throw new NotSupported('page is listed');
      const result = await unit.run(page(RESERVED_PAGE));
      expect(seen(result) === '5/24/00', seen(result));
      return '5/24/00';
    },
  },
  {
    command: 'INQUIRY',
    clause: 'SPC-4 7.8.6',
    check: 'VPD 83 has whole designators and at least one for the logical unit',
    async run(unit) {
      const data = await unit.data(page(0x83), 255);
      const end = Math.min(view(data).getUint16(2) + 4, 255);
      expect(end <= data.length, `PAGE LENGTH says ${end}, ${data.length} came`);
      let ofUnit = 0;
      let at = 4;
      while (at + 4 <= end) {
        if (((data[at + 1] as number) & 0x30) === 0) ofUnit += 1;
        at += 4 + (data[at + 3] as number);
      }
      expect(at === end || end === 255, `the last designator ends at ${at}, the page at ${end}`);
      expect(ofUnit > 0, 'none is associated with the logical unit');
      return `${ofUnit} of the logical unit`;
    },
  },
];
