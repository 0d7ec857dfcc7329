/** What is burnt on BD-R and BD-RE. */
import type { OpticalCase } from '../case.ts';

const appended = { kind: 'image', image: 'a.iso', state: 'appendable' } as const;
/** growisofs formats a BD-R for pseudo overwriting, which libburn calls unusable. */
const pseudoOverwritten = { kind: 'image', image: 'a.iso', state: 'overwritable' } as const;
const overwritten = { kind: 'image', image: 'a.iso', state: 'overwritable' } as const;

export const BD_CASES: readonly OpticalCase[] = [
  {
    medium: 'bd-r',
    tool: 'growisofs',
    mode: 'with spares',
    quick: true,
    steps: [{ line: 'growisofs -Z $D=$S/a.iso' }],
    leaves: pseudoOverwritten,
  },
  {
    medium: 'bd-r',
    tool: 'growisofs',
    mode: 'spare:none',
    steps: [{ line: 'growisofs -use-the-force-luke=spare:none -Z $D=$S/a.iso' }],
    leaves: appended,
  },
  {
    medium: 'bd-r',
    tool: 'growisofs',
    mode: 'dvd-compat',
    steps: [{ line: 'growisofs -dvd-compat -Z $D=$S/a.iso' }],
    leaves: pseudoOverwritten,
  },
  {
    medium: 'bd-r',
    tool: 'growisofs',
    mode: 'multi',
    steps: [{ line: 'growisofs -Z $D -R -V S1 $S/f0' }, { line: 'growisofs -M $D -R -V S2 $S/f1' }],
    leaves: { kind: 'files', state: 'overwritable' },
  },
  {
    medium: 'bd-r',
    tool: 'xorriso',
    mode: 'multi',
    quick: true,
    steps: [
      { line: 'xorriso -outdev $D -volid X1 -map $S/f0 /f0 -commit -end' },
      { line: 'xorriso -dev $D -map $S/f1 /f1 -commit -toc -end' },
    ],
    leaves: { kind: 'files', state: 'appendable' },
  },
  {
    medium: 'bd-r',
    tool: 'cdrskin',
    mode: 'multi, then closed',
    steps: [{ line: 'cdrskin dev=$D -v -multi $S/a.iso' }, { line: 'cdrskin dev=$D -v $S/a.iso' }],
    leaves: { kind: 'image', image: 'a.iso', state: 'closed' },
  },
  {
    medium: 'bd-re',
    tool: 'growisofs',
    mode: 'first use',
    quick: true,
    steps: [{ line: 'growisofs -Z $D=$S/a.iso' }],
    leaves: overwritten,
  },
  {
    medium: 'bd-re',
    tool: 'dvd+rw-format',
    mode: 'ssa=default, force=full',
    steps: [
      { line: 'dvd+rw-format -ssa=default $D' },
      { line: 'growisofs -Z $D=$S/b.iso' },
      { line: 'same b.iso' },
      { line: 'dvd+rw-format -force=full $D' },
      { line: 'growisofs -use-the-force-luke=tty -Z $D=$S/a.iso' },
    ],
    leaves: overwritten,
  },
  {
    medium: 'bd-re',
    tool: 'cdrskin',
    mode: 'stream recording',
    steps: [
      { line: 'cdrskin dev=$D -v blank=format_defectmgt' },
      { line: 'cdrskin dev=$D -v stream_recording=on $S/a.iso' },
    ],
    leaves: overwritten,
  },
  {
    medium: 'bd-re',
    tool: 'xorriso',
    mode: 'grow',
    steps: [
      { line: 'xorriso -outdev $D -blank as_needed -volid X1 -map $S/f0 /f0 -commit -end' },
      { line: 'xorriso -dev $D -map $S/f1 /f1 -commit -toc -end' },
    ],
    leaves: { kind: 'files', state: 'overwritable' },
  },
  {
    medium: 'bd-re',
    tool: 'mkudffs',
    mode: 'mounted to write',
    steps: [
      { line: 'cdrskin dev=$D -v blank=format_defectmgt' },
      { line: 'mkudffs --media-type=hd --blocksize=2048 $D 60000' },
      { line: 'mount -t udf -o rw $D /m && cp $S/f0 $S/f1 /m/ && umount /m' },
      { line: 'reload && mounted udf md5sum -c $S/a.iso.md5' },
    ],
    leaves: { kind: 'looked at' },
  },
];
