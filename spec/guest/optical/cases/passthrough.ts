/** Rows whose drive is passed through by a second daemon inside the guest: burns and blankings of each family, and what is refused. */
import { caseName, type OpticalCase } from '../case.ts';
import { BD_CASES } from './bd.ts';
import { CD_CASES } from './cd.ts';
import { DVD_CASES } from './dvd.ts';

/** Rows of the other lists that are run so, too. */
const SAME: readonly string[] = [
  'cd-r wodim tao',
  'cd-r cdrskin sao',
  'cd-r wodim raw96r',
  'cd-r cdrdao audio with CD-TEXT',
  'cd-r wodim multi',
  'cd-rw wodim blank=fast, burn again',
  'cd-rw cdrskin blank=fast, blank=all',
  'dvd-r growisofs incremental',
  'dvd-r cdrskin dao',
  'dvd-rw dvd+rw-format force, growisofs',
  'dvd+r growisofs multi',
  'dvd+rw growisofs first use, overwrite, grow',
  'dvd-ram cdrskin burn, format, burn',
  'bd-r xorriso multi',
  'bd-re growisofs first use',
];
const QUICK = new Set(['cd-rw wodim blank=fast, burn again']);

const passed = (mode: string): string => `${mode}, passed through`;

const BURNS: readonly OpticalCase[] = [...CD_CASES, ...DVD_CASES, ...BD_CASES]
  .filter((row) => SAME.includes(caseName(row)))
  .map(({ quick: _, ...row }) => ({
    ...row,
    mode: passed(row.mode),
    through: true,
    ...(QUICK.has(caseName(row)) ? { quick: true as const } : {}),
  }));

export const PASSTHROUGH_CASES: readonly OpticalCase[] = [
  ...BURNS,
  {
    medium: 'cd-rw',
    tool: 'sg3-utils + eject',
    mode: passed('what is refused, and the tray'),
    through: true,
    quick: true,
    steps: [
      // Firmware, and what only its maker knows: they never reach the drive.
      ...['3b 05 00 00 00 00 00 00 04 00', 'e5 00 00 00 00 01 00 00 00 00 00 00'].map((cdb) => ({
        line: `sg_raw ${cdb.startsWith('3b') ? '-s 4 -i /s/t1.pcm ' : ''}$D ${cdb} 2>&1`,
        exit: 9,
        says: /Invalid command operation code/i,
      })),
      { line: 'sg_inq $D', says: /RINGSCSI[\s\S]*Unit serial number/ },
      {
        name: 'the tray of the drive goes out and in',
        line: 'eject $D && sg_raw /dev/sr0 00 00 00 00 00 00 2>&1; eject -t $D',
      },
      {
        name: 'the blank is there again',
        line: 'cdrskin dev=$D -minfo 2>&1',
        says: /disk status:\s+empty/,
      },
    ],
    leaves: { kind: 'looked at' },
  },
];
