/** Mode pages of optical drives (MMC-6 7): 01h, 08h, 0Dh, 0Eh, 1Ah, 1Dh and 2Ah. */
import type { ParameterStore } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { allOnes, type ModePage, ModePages, modePage } from '../mode-page.ts';
import { POWER_PAGE } from '../power-condition.ts';
import { discIn, driveOf } from './optical-drive.ts';

/** Read/Write error recovery: kept, and never needed: what a file gives back needs no recovery. */
const ERROR_RECOVERY = modePage(
  'Read-Write error recovery',
  12,
  { 0: 0x01, 3: 0x20, 8: 0x20 },
  // TB, RC, PER, DTE, DCR; retries.
  { 2: 0x37, 3: 0xff, 8: 0xff },
);

const WCE = 0x04;
const CACHING = modePage('Caching', 20, { 0: 0x08, 2: WCE }, { 2: WCE });

/** CD device parameters: 60 seconds of a minute, 75 frames of a second; INACTIVITY TIMER MULTIPLIER. */
const CD_DEVICE = modePage('CD device parameters', 8, { 0: 0x0d, 5: 60, 7: 75 }, { 3: 0x0f });

export const AUDIO_PAGE = 0x0e;
export const AUDIO_FLAGS_BYTE = 2;
/** PLAY AUDIO is answered when it begins; it ends with the track it begins in. */
export const AUDIO_IMMED = 0x04;
export const AUDIO_SOTC = 0x02;
/** CD audio control: output ports 0 and 1 have channels 0 and 1 at full volume. */
const AUDIO_CONTROL = modePage(
  'CD audio',
  16,
  { 0: AUDIO_PAGE, [AUDIO_FLAGS_BYTE]: AUDIO_IMMED, 7: 75, 8: 1, 9: 0xff, 10: 2, 11: 0xff },
  {
    [AUDIO_FLAGS_BYTE]: AUDIO_IMMED | AUDIO_SOTC,
    ...Object.fromEntries([8, 10, 12, 14].map((at) => [at, 0x0f])),
    ...Object.fromEntries([9, 11, 13, 15].map((at) => [at, 0xff])),
  },
);

/** Power condition: shorter than that of disks, with the same timers. */
const POWER_CONDITION = modePage(
  'Power condition',
  12,
  { 0: POWER_PAGE },
  {
    // IDLE and STANDBY, with the timers behind them.
    3: 0x03,
    ...allOnes(4, 8),
  },
);

/** Timeout and protect: seconds that hosts give commands of groups 1, 2 and 3 at least. */
const TIMEOUT = modePage('Timeout and protect', 12, { 0: 0x1d, 7: 6, 9: 7, 11: 60 });

export const CAPABILITIES_PAGE = 0x2a;
const CAPABILITIES_BYTES = 32;
const DESCRIPTOR_BYTES = 4;
/** DVD-RAM, DVD-R, DVD-ROM, method 2, CD-RW, CD-R. */
const READS = 0x3f;
/** DVD-RAM, DVD-R, test write, CD-RW, CD-R. */
const WRITES = 0x37;
/** Multi-session, mode 2 forms 2 and 1, audio play. */
const PLAYS = 0x71;
const BUF = 0x80;
/** UPC, ISRC, C2 pointers, R-W, CD-DA stream is accurate, CD-DA. */
const SECTORS = 0x77;
/** A tray; eject, lock. */
const MECHANISM = 0x29;
const LOCK_STATE = 0x02;
/** P to W in the lead-in, separate channel mute and volume. */
const CHANNELS = 0x23;
const VOLUME_LEVELS = 256;
const BUFFER_KB = 2048;
const COPY_MANAGEMENT = 1;

/** MM capabilities and mechanical status as it is now. */
function capabilities(unit: LogicalUnit): Uint8Array {
  const { speeds, writes } = driveOf(unit);
  const disc = discIn(unit);
  const steps = speeds.writeSteps(disc);
  const [fastestRead = 0] = speeds.readSteps(disc);
  const [fastestWrite = 0] = steps;
  const bytes = new Uint8Array(CAPABILITIES_BYTES + steps.length * DESCRIPTOR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = CAPABILITIES_PAGE;
  bytes[1] = bytes.length - 2;
  bytes[2] = READS;
  bytes[3] = writes ? WRITES : 0;
  bytes[4] = PLAYS | (writes ? BUF : 0);
  bytes[5] = SECTORS;
  bytes[6] = MECHANISM | (unit.medium?.prevented === true ? LOCK_STATE : 0);
  bytes[7] = CHANNELS;
  view.setUint16(8, fastestRead);
  view.setUint16(10, VOLUME_LEVELS);
  view.setUint16(12, BUFFER_KB);
  view.setUint16(14, speeds.read(disc));
  view.setUint16(18, fastestWrite);
  view.setUint16(20, speeds.write(disc));
  view.setUint16(22, COPY_MANAGEMENT);
  view.setUint16(28, speeds.write(disc));
  view.setUint16(30, steps.length);
  steps.forEach((step, i) => {
    view.setUint16(CAPABILITIES_BYTES + i * DESCRIPTOR_BYTES + 2, step);
  });
  return bytes;
}

const CAPABILITIES: ModePage = {
  ...modePage('MM capabilities and mechanical status', CAPABILITIES_BYTES, {
    0: CAPABILITIES_PAGE,
  }),
  live: capabilities,
};

export interface OpticalModePagesOptions {
  /** Of a drive that writes; absent: it only reads, and has no cache to speak of. */
  readonly writes?: boolean;
  /** Those of other rooms. */
  readonly more?: readonly ModePage[];
  /** Where saved values go; without one nothing is savable. */
  readonly parameters?: ParameterStore | null;
}

/** The mode pages of an optical drive. */
export function opticalModePages(options: OpticalModePagesOptions = {}): ModePages {
  const pages = [
    ERROR_RECOVERY,
    ...(options.writes === true ? [CACHING] : []),
    CD_DEVICE,
    AUDIO_CONTROL,
    POWER_CONDITION,
    TIMEOUT,
    CAPABILITIES,
    ...(options.more ?? []),
  ];
  const code = ({ defaults }: ModePage): number => defaults[0] as number;
  return new ModePages(
    options.parameters ?? null,
    pages.sort((a, b) => code(a) - code(b)),
  );
}
