/** What is looked at after every burn, as steps: first without moving the tray, then after it was out and in again. */
import {
  type DiscState,
  isBlank,
  type Leaves,
  type Medium,
  type OpticalCase,
  type Step,
} from './case.ts';

const STATES = {
  closed: /disk status:\s+complete/,
  appendable: /disk status:\s+incomplete\/appendable/,
} as const;

const isCd = (medium: Medium): boolean => /cd/.test(medium);

/** DISC INFORMATION of overwritable media says what each maker likes. */
function stateChecks(state: DiscState): Step[] {
  if (state === 'overwritable') return [];
  return [{ name: 'disc status', line: 'cdrskin dev=$D -minfo 2>&1', says: STATES[state] }];
}

/** Profiles as dvd+rw-mediainfo numbers them. */
const MEDIA_INFO: Partial<Readonly<Record<Medium, RegExp>>> = {
  'dvd-rom': /Mounted Media:\s+10h/,
  'dvd-r': /Mounted Media:\s+11h/,
  'dvd-rw': /Mounted Media:\s+1[34]h/,
  'dvd-r-dl': /Mounted Media:\s+15h/,
  'dvd-ram': /Mounted Media:\s+12h/,
  'dvd+r': /Mounted Media:\s+1Bh/,
  'dvd+r-dl': /Mounted Media:\s+2Bh/,
  'dvd+rw': /Mounted Media:\s+1Ah/,
  'bd-r': /Mounted Media:\s+41h/,
  'bd-re': /Mounted Media:\s+43h/,
};

/** Eight bytes, and a length of six: Windows insists. There is a disc, and the tray is in. */
export const EVENTS: Step = {
  name: 'events',
  line: 'sg_raw -r 8 $D 4a 01 00 00 10 00 00 00 08 00 2>&1',
  says: /00 {5}00 06 04 [0-9a-f]{2} [0-9a-f]{2} 02 00 00/,
};

/** What the programs say of a disc with data. */
function questions(medium: Medium): Step[] {
  const everywhere: Step[] = [
    ...(isBlank(medium) ? [EVENTS] : []),
    { name: 'feature 20h', line: 'sg_raw -r 36 $D 46 02 00 20 00 00 00 00 24 00' },
    {
      name: 'xorriso -toc',
      line: 'xorriso -indev $D -toc -end 2>&1',
      says: /Volume id {4}: '\w+'/,
    },
    { name: 'blkid', line: 'blkid -p $D', says: /TYPE="iso9660"/ },
    { name: 'sg_get_config', line: 'sg_get_config $D' },
  ];
  if (isCd(medium)) {
    return [
      { name: 'wodim -prcap', line: 'wodim dev=$D -prcap', says: /Does read CD-R media/ },
      { name: 'wodim -toc', line: 'wodim dev=$D -toc', says: /first: 1 last \d/ },
      { name: 'cd-info', line: 'cd-info -C $D --no-cddb 2>&1', says: /ISO 9660/ },
      ...everywhere,
    ];
  }
  const says = MEDIA_INFO[medium];
  const info: Step = { name: 'dvd+rw-mediainfo', line: 'dvd+rw-mediainfo $D' };
  return [says === undefined ? info : { ...info, says }, ...everywhere];
}

function dataChecks(medium: Medium, image: string, state: DiscState): Step[] {
  const mount = `mounted iso9660 md5sum -c $S/${image}.md5`;
  return [
    { name: 'mount without reload', line: mount },
    { name: 'compare without reload', line: `same ${image} iflag=direct` },
    ...stateChecks(state),
    ...questions(medium),
    { name: 'mount after reload', line: `reload && ${mount}` },
    { name: 'compare after reload', line: `same ${image}` },
  ];
}

function fileChecks(medium: Medium, state: DiscState): Step[] {
  const mount = 'mounted iso9660 md5sum -c $S/a.iso.md5';
  return [
    { name: 'mount without reload', line: mount },
    ...stateChecks(state),
    ...questions(medium),
    { name: 'mount after reload', line: `reload && ${mount}` },
  ];
}

/** Raw samples, little endian, as they are in the WAV files; behind them may be the silence of a gap. */
const rip = (span: string, samples: string, program = 'cdparanoia'): string =>
  `rm -f /tmp/rip; ${program} -Z -q -r -d $D -- ${span} /tmp/rip && head -c $(stat -c %s $S/${samples}) /tmp/rip | cmp - $S/${samples}`;

/** Catalogue number and ISRC of each track, as the sheets of the sources have them. */
const CATALOGUE = '1234567890123';
const ISRCS = ['USABC0300001', 'USABC0300002'] as const;

/**
 * READ SUB-CHANNEL, 24 bytes (MMC-6): format 2, MCVAL and 13 digits from byte 8 on; format 3, TCVAL and 12 characters
 * from byte 8 on, and the number of the track in byte 6.
 */
function subChannel(format: 2 | 3, track: number, code: string): Step {
  const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
  const cdb = `42 00 40 0${format} 00 00 0${track} 00 18 00`;
  const place = format === 2 ? '......' : `..${hex(String.fromCharCode(track))}..`;
  return {
    name: `READ SUB-CHANNEL ${format}, track ${track}`,
    line: `sg_raw -b -r 24 $D ${cdb} 2> /dev/null | od -An -v -tx1 | tr -d ' \\n'`,
    says: new RegExp(`0${format}${place}80${hex(code)}`),
  };
}

/** The codes, by three programs: two that know discs, and the command that they use. */
const CODES: readonly Step[] = [
  subChannel(2, 0, CATALOGUE),
  ...ISRCS.map((isrc, i) => subChannel(3, i + 1, isrc)),
  {
    name: 'cd-info, codes',
    line: 'cd-info -C $D --no-cddb 2>&1',
    says: new RegExp(`${CATALOGUE}[\\s\\S]*${ISRCS[0]}[\\s\\S]*${ISRCS[1]}`),
  },
];

/** What cdrdao finds: it reads the codes, and CD-TEXT, by itself. */
function tocOf(text: boolean, codes: boolean): RegExp {
  const code = (what: string, value: string): string =>
    codes ? `${what} "${value}"[\\s\\S]*` : '';
  const title = (value: string): string => (text ? `TITLE "${value}"[\\s\\S]*` : '');
  const [first, second] = ISRCS;
  return new RegExp(
    `${code('CATALOG', CATALOGUE)}TRACK AUDIO[\\s\\S]*${code('ISRC', first)}${title('First')}` +
      `TRACK AUDIO[\\s\\S]*${code('ISRC', second)}${title('Second')}`,
  );
}

function audioChecks({ gaps, text, codes }: Extract<Leaves, { kind: 'audio' }>): Step[] {
  const toc = 'rm -f /tmp/t; cdrdao read-toc --device $D --driver generic-mmc /tmp/t && cat /tmp/t';
  return [
    {
      name: 'cdparanoia -Q',
      line: 'cdparanoia -d $D -Q 2>&1',
      says: gaps ? /^TOTAL\s+97\d /m : /^TOTAL\s+825 /m,
    },
    { name: 'samples of track 1', line: rip('1', 't1.pcm'), seconds: 300 },
    ...(gaps ? [] : [{ name: 'all samples', line: rip('1-', 't12.pcm'), seconds: 300 }]),
    {
      name: 'samples of track 1, cd-paranoia',
      // It guesses the byte order by what sounds like music, which the samples do not: -c says it.
      line: rip('1', 't1.pcm', 'cd-paranoia -c'),
      seconds: 300,
    },
    { name: 'cd-info', line: 'cd-info -C $D --no-cddb 2>&1', says: /CD-DA|audio/ },
    { name: 'cdrdao read-toc', line: toc, says: tocOf(text, codes) },
    { name: 'samples after reload', line: `reload && ${rip('2', 't2.pcm')}`, seconds: 300 },
    ...(codes ? CODES : []),
  ];
}

function mixedChecks(medium: Medium, image: string): Step[] {
  return [
    { name: 'mount without reload', line: `mounted iso9660 md5sum -c $S/${image}.md5` },
    { name: 'compare without reload', line: `same ${image} iflag=direct` },
    ...questions(medium),
    { name: 'samples of track 2', line: rip('2', 't1.pcm'), seconds: 300 },
    // Through the page cache the last page of the data may end in the next track, where it cannot be read.
    { name: 'compare after reload', line: `reload && same ${image} iflag=direct` },
  ];
}

function checksFor(medium: Medium, leaves: Leaves): Step[] {
  switch (leaves.kind) {
    case 'image':
      return dataChecks(medium, leaves.image, leaves.state);
    case 'files':
      return fileChecks(medium, leaves.state);
    case 'audio':
      return audioChecks(leaves);
    case 'mixed':
      return mixedChecks(medium, leaves.image);
    case 'blank':
      return [
        { name: 'blank', line: 'cdrskin dev=$D -minfo 2>&1', says: /disk status:\s+empty/ },
        { name: 'no data', line: 'refused mount -t iso9660 -o ro $D /m' },
      ];
    case 'looked at':
      return [];
  }
}

export function checksOf({ medium, leaves }: OpticalCase): Step[] {
  return checksFor(medium, leaves);
}
