/** What is burnt on DVD media. */
import type { OpticalCase, Step } from '../case.ts';

/** growisofs asks before it writes over a file system, a terminal, which there is none of. */
const OVER = 'growisofs -use-the-force-luke=tty';

const closed = (image: string) => ({ kind: 'image', image, state: 'closed' }) as const;
const appendable = (image: string) => ({ kind: 'image', image, state: 'appendable' }) as const;
const overwritten = (image: string) => ({ kind: 'image', image, state: 'overwritable' }) as const;
const GROWN = { kind: 'files', state: 'appendable' } as const;
const OVERGROWN = { kind: 'files', state: 'overwritable' } as const;

const Z: Step = { line: 'growisofs -Z $D=$S/a.iso' };
const COMPATIBLE: Step = { line: 'growisofs -dvd-compat -Z $D=$S/a.iso' };
const CDRSKIN: Step = { line: 'cdrskin dev=$D -v $S/a.iso' };
const GROW: readonly Step[] = [
  { line: 'growisofs -Z $D -R -V S1 $S/f0' },
  { line: 'growisofs -M $D -R -V S2 $S/f1' },
];
const XORRISO: readonly Step[] = [
  { line: 'xorriso -outdev $D -volid X1 -map $S/f0 /f0 -commit -end' },
  { line: 'xorriso -dev $D -map $S/f1 /f1 -commit -toc -end' },
];
const SEQUENTIAL: Step = {
  line: 'sg_get_config -b $D',
  says: /Current profile: DVD-RW sequential recording/,
};
const RESTRICTED: Step = {
  line: 'sg_get_config -b $D',
  says: /Current profile: DVD-RW restricted overwrite/,
};

const DVD_R: readonly OpticalCase[] = [
  {
    medium: 'dvd-r',
    tool: 'growisofs',
    mode: 'incremental',
    quick: true,
    steps: [Z],
    leaves: appendable('a.iso'),
  },
  {
    medium: 'dvd-r',
    tool: 'growisofs',
    mode: 'dao',
    steps: [{ line: 'growisofs -use-the-force-luke=dao -Z $D=$S/a.iso' }],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd-r',
    tool: 'growisofs',
    mode: 'dvd-compat',
    steps: [COMPATIBLE],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd-r',
    tool: 'growisofs',
    mode: 'multi',
    quick: true,
    steps: GROW,
    leaves: GROWN,
  },
  {
    medium: 'dvd-r',
    tool: 'cdrskin',
    mode: 'incremental',
    steps: [CDRSKIN],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd-r',
    tool: 'cdrskin',
    mode: 'dao',
    quick: true,
    steps: [{ line: 'cdrskin dev=$D -v -dao $S/a.iso' }],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd-r',
    tool: 'wodim',
    mode: 'sao',
    quick: true,
    steps: [{ line: 'wodim dev=$D gracetime=2 -sao $S/a.iso' }],
    leaves: closed('a.iso'),
  },
  { medium: 'dvd-r', tool: 'xorriso', mode: 'multi', steps: XORRISO, leaves: GROWN },
  {
    medium: 'dvd-r-dl',
    tool: 'growisofs',
    mode: 'dao',
    quick: true,
    steps: [Z],
    leaves: closed('a.iso'),
  },
];

const DVD_RW: readonly OpticalCase[] = [
  {
    medium: 'dvd-rw',
    tool: 'growisofs',
    mode: 'incremental',
    steps: [Z],
    leaves: appendable('a.iso'),
  },
  {
    medium: 'dvd-rw',
    tool: 'dvd+rw-format',
    mode: 'force, growisofs',
    quick: true,
    steps: [
      SEQUENTIAL,
      { line: 'dvd+rw-format -force $D' },
      RESTRICTED,
      Z,
      { line: `${OVER} -Z $D=$S/b.iso` },
    ],
    leaves: overwritten('b.iso'),
  },
  {
    medium: 'dvd-rw',
    tool: 'dvd+rw-format',
    mode: 'force=full, growisofs',
    steps: [{ line: 'dvd+rw-format -force=full $D' }, RESTRICTED, Z],
    leaves: overwritten('a.iso'),
  },
  {
    medium: 'dvd-rw',
    tool: 'dvd+rw-format',
    mode: 'blank=full, growisofs',
    steps: [
      Z,
      { line: 'dvd+rw-format -blank=full $D' },
      SEQUENTIAL,
      { line: 'growisofs -Z $D=$S/b.iso' },
      { line: 'dvd+rw-format -blank $D' },
      { line: 'growisofs -Z $D=$S/a.iso' },
    ],
    leaves: appendable('a.iso'),
  },
  {
    medium: 'dvd-rw',
    tool: 'cdrskin',
    mode: 'format, overwrite, deformat',
    quick: true,
    steps: [
      { line: 'cdrskin dev=$D -v blank=format_if_needed' },
      RESTRICTED,
      CDRSKIN,
      { line: 'same a.iso' },
      { line: 'cdrskin dev=$D -v blank=deformat_sequential' },
      SEQUENTIAL,
      { line: 'cdrskin dev=$D -v $S/b.iso' },
    ],
    leaves: closed('b.iso'),
  },
  {
    medium: 'dvd-rw',
    tool: 'cdrskin',
    mode: 'format_overwrite',
    steps: [{ line: 'cdrskin dev=$D -v blank=format_overwrite' }, RESTRICTED, CDRSKIN],
    leaves: overwritten('a.iso'),
  },
];

const PLUS: readonly OpticalCase[] = [
  {
    medium: 'dvd+r',
    tool: 'growisofs',
    mode: 'incremental',
    quick: true,
    steps: [Z],
    leaves: appendable('a.iso'),
  },
  {
    medium: 'dvd+r',
    tool: 'growisofs',
    mode: 'dvd-compat',
    steps: [COMPATIBLE],
    leaves: closed('a.iso'),
  },
  { medium: 'dvd+r', tool: 'growisofs', mode: 'multi', steps: GROW, leaves: GROWN },
  {
    medium: 'dvd+r',
    tool: 'cdrskin',
    mode: 'multi, then closed',
    quick: true,
    steps: [{ line: 'cdrskin dev=$D -v -multi $S/a.iso' }, CDRSKIN],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd+r',
    tool: 'wodim',
    mode: 'sao',
    steps: [{ line: 'wodim dev=$D gracetime=2 -v -sao $S/a.iso' }],
    // It closes the session (CLOSE FUNCTION 2), not the disc.
    leaves: appendable('a.iso'),
  },
  { medium: 'dvd+r', tool: 'xorriso', mode: 'multi', steps: XORRISO, leaves: GROWN },
  {
    medium: 'dvd+r-dl',
    tool: 'growisofs',
    mode: 'incremental',
    quick: true,
    steps: [Z],
    leaves: appendable('a.iso'),
  },
  {
    medium: 'dvd+r-dl',
    tool: 'growisofs',
    mode: 'dvd-compat',
    steps: [COMPATIBLE],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd+r-dl',
    tool: 'cdrskin',
    mode: 'closed',
    steps: [CDRSKIN],
    leaves: closed('a.iso'),
  },
  {
    medium: 'dvd+rw',
    tool: 'growisofs',
    mode: 'first use, overwrite, grow',
    quick: true,
    steps: [
      Z,
      { line: 'same a.iso' },
      { line: `${OVER} -Z $D -R -V S1 $S/f0` },
      { line: 'growisofs -M $D -R -V S2 $S/f1' },
    ],
    leaves: OVERGROWN,
  },
  {
    medium: 'dvd+rw',
    tool: 'dvd+rw-format',
    mode: 'format, burn, lead-out',
    steps: [
      { line: 'dvd+rw-format $D' },
      Z,
      { line: 'dvd+rw-format -lead-out $D' },
      { line: 'same a.iso' },
      { line: 'dvd+rw-format -force $D' },
      { line: `${OVER} -Z $D=$S/b.iso` },
    ],
    leaves: overwritten('b.iso'),
  },
  {
    medium: 'dvd+rw',
    tool: 'cdrskin',
    mode: 'first use',
    steps: [CDRSKIN],
    leaves: overwritten('a.iso'),
  },
  { medium: 'dvd+rw', tool: 'xorriso', mode: 'grow', steps: XORRISO, leaves: OVERGROWN },
];

const DVD_RAM: readonly OpticalCase[] = [
  {
    medium: 'dvd-ram',
    tool: 'growisofs',
    mode: 'block device',
    quick: true,
    steps: [Z],
    leaves: overwritten('a.iso'),
  },
  {
    medium: 'dvd-ram',
    tool: 'mkudffs',
    mode: 'mounted to write',
    quick: true,
    steps: [
      { line: 'mkudffs --media-type=dvdram $D' },
      { line: 'mount -t udf -o rw $D /m && cp $S/f0 $S/f1 /m/ && umount /m' },
      { line: 'mounted udf md5sum -c $S/a.iso.md5' },
      { line: 'reload && mounted udf md5sum -c $S/a.iso.md5' },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'dvd-ram',
    tool: 'cdrskin',
    mode: 'burn, format, burn',
    steps: [
      CDRSKIN,
      { line: 'cdrskin dev=$D -v blank=format_defectmgt_max' },
      { line: 'cdrskin dev=$D -v $S/b.iso' },
    ],
    leaves: overwritten('b.iso'),
  },
  {
    medium: 'dvd-ram',
    tool: 'dvd+rw-format',
    mode: 'force, growisofs',
    steps: [{ line: 'dvd+rw-format -force $D' }, Z],
    leaves: overwritten('a.iso'),
  },
  { medium: 'dvd-ram', tool: 'xorriso', mode: 'grow', steps: XORRISO, leaves: OVERGROWN },
];

export const DVD_CASES = [...DVD_R, ...DVD_RW, ...PLUS, ...DVD_RAM];
