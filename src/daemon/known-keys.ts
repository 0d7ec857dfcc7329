/** Unknown words in what a person wrote: an error that names the nearest known one. */

/** Configuration, a LUN or listen specification, or an argument that cannot be used as it stands. */
export class ConfigError extends Error {
  readonly code = 'ERR_CONFIG';
}

/** Single-character insertions, deletions, substitutions and swaps of neighbours between two words. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(substituted, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** The known word that was probably meant, or null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `unknown key "pth", did you mean "path"? Known: path, size`, for the end of a message. */
export function unknownWord(what: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const hint = near === null ? '.' : `, did you mean "${near}"?`;
  return `unknown ${what} "${word}"${hint} Known: ${known.join(', ')}`;
}

/** Throws ConfigError at the first key of `value` that is not known; `action` begins its message. */
export function checkKeys(
  action: string,
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new ConfigError(`${action}: ${unknownWord('key', key, known)}`);
  }
}

/** Whether something is on. Throws ConfigError. */
export function parseFlag(action: string, key: string, value: unknown): boolean {
  if (value === true || value === 'yes' || value === 'on' || value === 'true') return true;
  if (value === false || value === 'no' || value === 'off' || value === 'false') return false;
  throw new ConfigError(`${action}: ${key} is ${JSON.stringify(value)}, yes or no is needed`);
}
