/** What the configuration of a LUN says about its media: how a change is told, and how long an eject waits for who holds the medium. */
import type { MediaChangeStyle } from '../scsi/medium.ts';
import { ConfigError, unknownWord } from './known-keys.ts';

export interface MediaConfig {
  /** Absent: `t10`. */
  readonly mediaChangeStyle?: MediaChangeStyle;
  /** Seconds after which `media eject` takes out a medium whose removal guests prevent; absent: it waits for them. */
  readonly ejectTimeout?: number;
}

export const MEDIA_KEYS = ['mediaChangeStyle', 'ejectTimeout'] as const;

/** What every optical drive is: discs come and go, and what is written of them is no block of the image. */
export const OPTICAL = {
  keyPath: null,
  memoryBytes: null,
  sizeBytes: null,
  blockBytes: 2048,
  physicalBlockBytes: 2048,
  protectionType: 0,
  cache: 'writethrough',
  thin: false,
  removable: true,
  standby: false,
} as const;

const STYLES: readonly MediaChangeStyle[] = ['t10', 'maxfield'];
const MAX_EJECT_TIMEOUT = 86_400;

function parseStyle(action: string, value: unknown): MediaChangeStyle {
  const style = STYLES.find((each) => each === value);
  if (style !== undefined) return style;
  throw new ConfigError(`${action}: ${unknownWord('media change style', String(value), STYLES)}`);
}

function parseTimeout(action: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  const known = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text);
  const seconds = known ? Number(text) : Number.NaN;
  if (seconds > 0 && seconds <= MAX_EJECT_TIMEOUT) return seconds;
  throw new ConfigError(
    `${action}: ejectTimeout is ${JSON.stringify(value)}, seconds above 0 and up to ${MAX_EJECT_TIMEOUT} are possible`,
  );
}

/** Reads the keys of a LUN that are about its media. Throws ConfigError: its medium is fixed, or a value means nothing. */
export function readMedia(
  action: string,
  raw: Readonly<Record<string, unknown>>,
  removable: boolean,
): MediaConfig {
  const { mediaChangeStyle, ejectTimeout } = raw;
  for (const key of MEDIA_KEYS) {
    if (raw[key] !== undefined && !removable) {
      throw new ConfigError(`${action}: ${key} goes with removable, its medium is fixed`);
    }
  }
  return {
    ...(mediaChangeStyle === undefined
      ? {}
      : { mediaChangeStyle: parseStyle(action, mediaChangeStyle) }),
    ...(ejectTimeout === undefined ? {} : { ejectTimeout: parseTimeout(action, ejectTimeout) }),
  };
}

/** What `readMedia` reads. */
export function mediaObject({ mediaChangeStyle, ejectTimeout }: MediaConfig): MediaConfig {
  return {
    ...(mediaChangeStyle === undefined ? {} : { mediaChangeStyle }),
    ...(ejectTimeout === undefined ? {} : { ejectTimeout }),
  };
}
