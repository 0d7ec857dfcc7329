/** Reads test data of the project: JSON and hex vectors made by others, and golden dumps. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** dist/spec/support/vectors.js → the project. */
const SPEC = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'spec');

/** Rows of spec/vectors/`path`; the caller names their shape. */
export function jsonVector<T>(path: string): T {
  return JSON.parse(readFileSync(join(SPEC, 'vectors', path), 'utf8')) as T;
}

/** Bytes of a hex file: digits by twos, `#` starts a comment. */
function hexFile(...path: string[]): Uint8Array {
  const text = readFileSync(join(SPEC, ...path), 'utf8').replace(/#.*$/gm, '');
  return new Uint8Array(Buffer.from(text.replace(/\s+/g, ''), 'hex'));
}

/** Bytes of spec/vectors/`path`. */
export function hexVector(path: string): Uint8Array {
  return hexFile('vectors', path);
}

/** Bytes of spec/golden/`name`.hex. */
export function golden(name: string): Uint8Array {
  return hexFile('golden', `${name}.hex`);
}

/**
 * Writes spec/golden/`name`.hex anew, with `comment` above: 16 bytes a line, or the header and then one entry of
 * `entryBytes` a line. Nothing is written when the bytes are there already.
 */
export function writeGolden(
  name: string,
  comment: string,
  bytes: Uint8Array,
  entryBytes = 16,
): void {
  if (Buffer.compare(golden(name), bytes) === 0) return;
  const digits = Buffer.from(bytes).toString('hex').match(/../g) ?? [];
  const lines = [`# ${comment}`];
  let at = digits.length % entryBytes;
  if (at > 0 && entryBytes < 16) lines.push(digits.slice(0, at).join(' '));
  else at = 0;
  for (; at < digits.length; at += entryBytes) {
    lines.push(digits.slice(at, at + entryBytes).join(' '));
  }
  writeFileSync(join(SPEC, 'golden', `${name}.hex`), `${lines.join('\n')}\n`);
}

/** One row of a capture of another target's answers. */
export interface Capture {
  readonly name: string;
  readonly cdb: string;
  readonly status: number;
  readonly dataIn?: string;
  readonly sense?: string;
}

/** The captured answer of another target to the command called `name`. */
export function capture(peer: string, name: string): Capture {
  const rows = jsonVector<readonly Capture[]>(`peer-captures/${peer}.json`);
  const row = rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`Cannot find capture "${name}" of ${peer}`);
  return row;
}
