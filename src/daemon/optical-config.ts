/** What the configuration of an optical drive says about how well and how fast it reads and writes. */
import type { DiscFault } from '../scsi/mmc/disc-faults.ts';
import { ConfigError, parseFlag } from './known-keys.ts';
import { MEDIA_KEYS } from './media-config.ts';

export interface OpticalConfig {
  /** Blocks that cannot be read of whatever disc is in it, as they were written down: `16-31+500`; absent: all can. */
  readonly unreadable?: string;
  /** Reading and writing take the time of the speed that was chosen. */
  readonly paced?: boolean;
}

/** Everything that the specification of an optical drive can say. */
export const CDROM_KEYS = [
  'lun',
  'type',
  'path',
  'serial',
  ...MEDIA_KEYS,
  'unreadable',
  'paced',
] as const;
/** Of one that writes. */
export const BURNER_KEYS = [...CDROM_KEYS, 'media'] as const;

const RANGE = /^(\d{1,8})(?:-(\d{1,8}))?$/;
const MOST_RANGES = 256;

/** Reads `FIRST[-LAST][+FIRST[-LAST]]...`. Throws ConfigError. */
function parseRanges(action: string, text: string): DiscFault[] {
  const ranges = text.split('+');
  const faults = ranges.flatMap((range): DiscFault[] => {
    const [, first = '', last = first] = RANGE.exec(range) ?? [];
    const isRange = first !== '' && Number(first) <= Number(last);
    return isRange ? [{ operation: 'read', first: Number(first), end: Number(last) + 1 }] : [];
  });
  if (faults.length === ranges.length && ranges.length <= MOST_RANGES) return faults;
  throw new ConfigError(
    `${action}: unreadable is "${text}", 1 to ${MOST_RANGES} blocks or ranges are needed as in 16-31+500`,
  );
}

/** What such a drive cannot read. */
export function unreadableFaults({ unreadable }: OpticalConfig): readonly DiscFault[] {
  return unreadable === undefined ? [] : parseRanges('Cannot read a configuration', unreadable);
}

/** Reads the keys of an optical drive. Throws ConfigError. */
export function readOpticalKeys(
  action: string,
  { unreadable, paced }: Readonly<Record<string, unknown>>,
): OpticalConfig {
  const text = typeof unreadable === 'number' ? String(unreadable) : unreadable;
  if (text !== undefined && typeof text !== 'string') {
    throw new ConfigError(`${action}: unreadable is ${JSON.stringify(text)}, a text is needed`);
  }
  if (text !== undefined) parseRanges(action, text);
  return {
    ...(text === undefined ? {} : { unreadable: text }),
    ...(paced === undefined ? {} : { paced: parseFlag(action, 'paced', paced) }),
  };
}

/** What `readOpticalKeys` reads. */
export function opticalObject({ unreadable, paced }: OpticalConfig): OpticalConfig {
  return {
    ...(unreadable === undefined ? {} : { unreadable }),
    ...(paced === undefined ? {} : { paced }),
  };
}
