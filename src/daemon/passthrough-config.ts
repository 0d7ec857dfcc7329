/** Configuration of LUNs that are real devices of the host: `N:passthrough,device=/dev/sgN`. */
import { resolve } from 'node:path';
import { type AllowedOpcode, defaultCdbBytes } from '../luns/passthrough/allow.ts';
import { ConfigError, checkKeys } from './known-keys.ts';

export interface PassthroughConfig {
  readonly lun: number;
  readonly type: 'passthrough';
  /** A node of the device (sg, sr, sd, st, nst …), absolute. */
  readonly device: string;
  /** What is let through beside what the filter of its type lets through. */
  readonly allow: readonly AllowedOpcode[];
}

/** Everything such a specification can say. The schema in docs/config.schema.json lists the same keys. */
export const PASSTHROUGH_KEYS = ['lun', 'type', 'device', 'allow'] as const;

const ALLOWED = /^([0-9a-f]{2})(?::(in|out):(\d{1,2})-(\d{1,2}))?(?:\/(6|10|12|16))?$/i;
const SEPARATOR = '+';
const MAX_LENGTH_BYTES = 4;

/** `e5`, `e5/12`, `e9:in:7-8`, `e9:out:6-9/12`: operation code, direction, bytes of the length field, bytes of the CDB. */
function parseAllowed(action: string, text: string): AllowedOpcode {
  const match = ALLOWED.exec(text);
  const [, code = '', data = 'none', first = '0', last = '0', bytes] = match ?? [];
  const opcode = Number.parseInt(code, 16);
  const cdbBytes = bytes === undefined ? defaultCdbBytes(opcode) : Number(bytes);
  const lengthFirst = Number(first);
  const lengthLast = Number(last);
  const width = lengthLast - lengthFirst + 1;
  const fits =
    data === 'none' ||
    (lengthFirst > 0 && lengthLast < cdbBytes - 1 && width > 0 && width <= MAX_LENGTH_BYTES);
  if (match === null || !fits) {
    throw new ConfigError(
      `${action}: allow has ${JSON.stringify(text)}, an operation code such as e5, e5/12, e9:in:7-8 or e9:out:6-9/12 is needed`,
    );
  }
  const direction = data.toLowerCase() === 'in' ? 'in' : data === 'none' ? 'none' : 'out';
  return { opcode, data: direction, lengthFirst, lengthLast, cdbBytes };
}

function allowedText({ opcode, data, lengthFirst, lengthLast, cdbBytes }: AllowedOpcode): string {
  const code = opcode.toString(16).padStart(2, '0');
  const moves = data === 'none' ? '' : `:${data}:${lengthFirst}-${lengthLast}`;
  return `${code}${moves}/${cdbBytes}`;
}

/** Reads the object form. Relative paths start at `directory`. Throws ConfigError. */
export function readPassthrough(
  lun: number,
  raw: Readonly<Record<string, unknown>>,
  directory: string,
): PassthroughConfig {
  const action = `Cannot configure LUN ${lun}`;
  checkKeys(action, raw, PASSTHROUGH_KEYS);
  const { device, allow } = raw;
  if (typeof device !== 'string' || device === '' || device.includes('\0')) {
    throw new ConfigError(`${action}: passthrough needs device=NODE, for example /dev/sg1`);
  }
  if (allow !== undefined && typeof allow !== 'string') {
    throw new ConfigError(`${action}: allow is ${JSON.stringify(allow)}, a text is needed`);
  }
  const opcodes = (allow ?? '').split(SEPARATOR).filter((text) => text !== '');
  return {
    lun,
    type: 'passthrough',
    device: resolve(directory, device),
    allow: opcodes.map((text) => parseAllowed(action, text)),
  };
}

/** The object form `readPassthrough` reads. */
export function passthroughObject({
  lun,
  device,
  allow,
}: PassthroughConfig): Record<string, unknown> {
  return {
    lun,
    type: 'passthrough',
    device,
    ...(allow.length === 0 ? {} : { allow: allow.map(allowedText).join(SEPARATOR) }),
  };
}
