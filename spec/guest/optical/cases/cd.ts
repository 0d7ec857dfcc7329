/** What is burnt on CD-R and CD-RW. */
import type { OpticalCase, Step } from '../case.ts';

/** wodim counts four seconds down before it writes unless it is told a shorter time. */
const WODIM = 'wodim dev=$D gracetime=2';

const CLOSED_A = { kind: 'image', image: 'a.iso', state: 'closed' } as const;
const CLOSED_B = { kind: 'image', image: 'b.iso', state: 'closed' } as const;
const SOUND = { kind: 'audio', gaps: false, text: false, codes: false } as const;
/** Track at once leaves two seconds of silence between tracks. */
const SOUND_WITH_GAPS = { ...SOUND, gaps: true } as const;
const SOUND_WITH_CODES = { ...SOUND, codes: true } as const;
const SOUND_WITH_ALL = { ...SOUND, text: true, codes: true } as const;
const MIXED = { kind: 'mixed', image: 'a.iso' } as const;

const EMPTY: Step = { line: 'cdrskin dev=$D -minfo 2>&1', says: /disk status:\s+empty/ };

const CD_R: readonly OpticalCase[] = [
  {
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'tao',
    quick: true,
    steps: [{ line: `${WODIM} -v -tao -data $S/a.iso` }],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'tao',
    steps: [{ line: 'cdrskin dev=$D -v -tao $S/a.iso' }],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'xorrecord',
    mode: 'multi',
    steps: [{ line: 'xorriso -as cdrecord -v dev=$D -multi padsize=0 $S/a.iso' }],
    leaves: { kind: 'image', image: 'a.iso', state: 'appendable' },
  },
  {
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'sao',
    steps: [{ line: `${WODIM} -v -sao -data $S/a.iso` }],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'sao',
    quick: true,
    steps: [{ line: 'cdrskin dev=$D -v -sao $S/a.iso' }],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'cdrdao',
    mode: 'data',
    steps: [{ line: 'cdrdao write --device $D --driver generic-mmc -n $S/data.toc' }],
    leaves: CLOSED_A,
  },
  ...(['raw96r', 'raw96p', 'raw16'] as const).map(
    (mode): OpticalCase => ({
      medium: 'cd-r',
      tool: 'wodim',
      mode,
      ...(mode === 'raw96r' ? { quick: true } : {}),
      steps: [{ line: `${WODIM} -v -${mode} -data $S/a.iso` }],
      leaves: CLOSED_A,
    }),
  ),
  {
    medium: 'cd-r',
    tool: 'wodim + cdrskin',
    mode: 'dummy, then real',
    quick: true,
    steps: [
      { line: `${WODIM} -dummy -tao -data $S/a.iso` },
      EMPTY,
      { line: 'cdrskin dev=$D -dummy -tao $S/a.iso' },
      EMPTY,
      { line: 'cdrskin dev=$D -tao $S/a.iso' },
    ],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'multi',
    steps: [
      { line: `${WODIM} -multi -tao -data $S/a.iso` },
      { line: 'wodim dev=$D -msinfo', says: /^0,[1-9]\d+$/m },
      { line: `${WODIM} -tao -data $S/a.iso` },
    ],
    leaves: CLOSED_A,
  },
  {
    medium: 'cd-r',
    tool: 'wodim + genisoimage',
    mode: 'multi',
    quick: true,
    steps: [
      { line: 'genisoimage -quiet -R -V S1 -o /tmp/1.iso $S/f0' },
      { line: `${WODIM} -multi -tao -data /tmp/1.iso` },
      {
        line: 'genisoimage -quiet -R -V S2 -C $(wodim dev=$D -msinfo) -M $D -o /tmp/2.iso $S/f1',
      },
      { line: `${WODIM} -tao -data /tmp/2.iso` },
    ],
    leaves: { kind: 'files', state: 'closed' },
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'multi',
    steps: [
      { line: 'cdrskin dev=$D -v -multi -tao $S/a.iso' },
      { line: 'cdrskin dev=$D -msinfo', says: /^0,[1-9]\d+$/m },
      { line: 'cdrskin dev=$D -v -multi -tao $S/a.iso' },
    ],
    leaves: { kind: 'image', image: 'a.iso', state: 'appendable' },
  },
  {
    medium: 'cd-r',
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
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'audio dao with codes',
    quick: true,
    steps: [
      {
        line: `${WODIM} -v -dao mcn=1234567890123 -audio isrc=USABC0300001 $S/t1.wav isrc=USABC0300002 $S/t2.wav`,
      },
    ],
    leaves: SOUND_WITH_CODES,
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'audio sao',
    steps: [{ line: 'cdrskin dev=$D -v -sao -audio $S/t1.wav $S/t2.wav' }],
    leaves: SOUND,
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'audio tao',
    steps: [{ line: 'cdrskin dev=$D -v -tao -audio $S/t1.wav $S/t2.wav' }],
    leaves: SOUND_WITH_GAPS,
  },
  {
    medium: 'cd-r',
    tool: 'cdrskin',
    mode: 'audio with CD-TEXT',
    steps: [{ line: 'cdrskin dev=$D -v -sao -audio input_sheet_v07t=$S/v07t $S/t1.wav $S/t2.wav' }],
    leaves: SOUND_WITH_ALL,
  },
  {
    medium: 'cd-r',
    tool: 'cdrdao',
    mode: 'audio with CD-TEXT',
    quick: true,
    // Option 10h: it writes CD-TEXT.
    steps: [{ line: 'cdrdao write --device $D --driver generic-mmc:0x10 -n $S/audio.toc' }],
    leaves: SOUND_WITH_ALL,
  },
  {
    medium: 'cd-r',
    tool: 'cdrdao',
    mode: 'audio raw',
    steps: [{ line: 'cdrdao write --device $D --driver generic-mmc-raw -n $S/audio.toc' }],
    leaves: SOUND_WITH_CODES,
  },
  {
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'mixed dao',
    steps: [{ line: `${WODIM} -v -dao -data $S/a.iso -audio $S/t1.wav` }],
    leaves: MIXED,
  },
  {
    medium: 'cd-r',
    tool: 'cdrdao',
    mode: 'mixed',
    steps: [{ line: 'cdrdao write --device $D --driver generic-mmc -n $S/mixed.toc' }],
    leaves: MIXED,
  },
  {
    medium: 'cd-r',
    tool: 'wodim',
    mode: 'packet',
    steps: [
      // A packet has at most 31 sectors unless ts= is raised.
      { line: `${WODIM} -v -packet pktsize=16 -data $S/a.iso` },
      { line: `${WODIM} -v -fix` },
    ],
    leaves: CLOSED_A,
  },
];

/**
 * The kinds of blanking that wodim has, and its exit codes behind a track at once: it names track 0, which there is none of
 * (track, unreserve), and the tail of a track that is not open cannot be blanked.
 */

const CD_RW: readonly OpticalCase[] = [
  {
    medium: 'cd-rw',
    tool: 'wodim',
    mode: 'blank=fast, burn again',
    quick: true,
    steps: [
      { line: `${WODIM} -sao -data $S/a.iso` },
      { line: `${WODIM} blank=fast` },
      EMPTY,
      { line: `${WODIM} -tao -data $S/b.iso` },
    ],
    leaves: CLOSED_B,
  },
  {
    medium: 'cd-rw',
    tool: 'wodim',
    mode: 'blank=all, burn again',
    steps: [
      { line: `${WODIM} -tao -data $S/a.iso` },
      { line: `${WODIM} blank=all` },
      EMPTY,
      { line: `${WODIM} -sao -data $S/b.iso` },
    ],
    leaves: CLOSED_B,
  },
  {
    medium: 'cd-rw',
    tool: 'wodim',
    mode: 'blank=unclose, session, disc',
    steps: [
      { line: `${WODIM} -tao -multi -data $S/a.iso` },
      { line: `${WODIM} blank=unclose` },
      { line: `${WODIM} blank=session` },
      { line: `${WODIM} -tao -data $S/b.iso` },
      { line: `${WODIM} blank=disc` },
    ],
    leaves: { kind: 'blank' },
  },
  // They name no track, nor a block (known-limits.json).
  ...['track', 'unreserve', 'trtail'].map(
    (type): OpticalCase => ({
      medium: 'cd-rw',
      tool: 'wodim',
      mode: `blank=${type}`,
      steps: [{ line: `${WODIM} -tao -multi -data $S/a.iso` }, { line: `${WODIM} blank=${type}` }],
      leaves: { kind: 'looked at' },
    }),
  ),
  {
    medium: 'cd-rw',
    tool: 'cdrskin',
    mode: 'blank=fast, blank=all',
    quick: true,
    steps: [
      { line: 'cdrskin dev=$D -v -tao $S/a.iso' },
      { line: 'cdrskin dev=$D -v blank=fast' },
      EMPTY,
      { line: 'cdrskin dev=$D -v -sao $S/a.iso' },
      { line: 'cdrskin dev=$D -v blank=all' },
      EMPTY,
      { line: 'cdrskin dev=$D -v -tao $S/b.iso' },
    ],
    leaves: CLOSED_B,
  },
  {
    medium: 'cd-rw',
    tool: 'xorriso',
    mode: 'blank as needed, multi',
    steps: [
      { line: 'cdrskin dev=$D -v -tao $S/a.iso' },
      { line: 'xorriso -outdev $D -blank as_needed -volid X1 -map $S/f0 /f0 -commit -end' },
      { line: 'xorriso -dev $D -map $S/f1 /f1 -commit -toc -end' },
    ],
    leaves: { kind: 'files', state: 'appendable' },
  },
  {
    medium: 'cd-rw',
    tool: 'cdrwtool',
    mode: 'packets with UDF',
    steps: [
      { line: 'cdrwtool -d $D -i' },
      { line: "{ yes '' || true; } | timeout 240 cdrwtool -d $D -q", seconds: 260 },
      { line: 'blkid $D', says: /TYPE="udf"/ },
      { line: 'mounted udf true' },
    ],
    leaves: { kind: 'looked at' },
  },
];

export const CD_CASES = [...CD_R, ...CD_RW];
