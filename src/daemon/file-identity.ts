/** Whether two names are one file, and whether files are still what they were. */
import { statSync } from 'node:fs';

/** The same for every name of one file; of a file that is missing: its path. */
export function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}

/** Names of one file, links as well; a file that is missing has one name. */
export function isSameFile(one: string, other: string): boolean {
  return one === other || identityOf(one) === identityOf(other);
}

/** Inode, size and time of files; null: one is missing. */
export function stampOf(files: readonly string[]): string | null {
  try {
    const stats = files.map((path) => statSync(path, { bigint: true }));
    return stats.map(({ ino, size, mtimeNs }) => `${ino}:${size}:${mtimeNs}`).join(' ');
  } catch {
    return null;
  }
}
