/** What is done about a journal of atomic writes when its image is opened, by name. Runs in the main thread. */
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import {
  atomicJournalPath,
  hasRecord,
  type ReplayOutcome,
  replayAtomic,
} from './atomic-journal.ts';

function openJournal(path: string, flags: number): number | null {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Finishes the atomic write that was under way when the power went, if there was one. `needs-writing`: there was, and the image is
 * open for reading only. Throws when the image or the journal cannot be read or written.
 */
export function settleJournal(
  imagePath: string,
  imageFd: number,
  readOnly: boolean,
): ReplayOutcome | 'none' | 'needs-writing' {
  const path = atomicJournalPath(imagePath);
  const fd = openJournal(path, readOnly ? constants.O_RDONLY : constants.O_RDWR);
  if (fd === null) return 'none';
  try {
    if (readOnly) return hasRecord(fd, imageFd) ? 'needs-writing' : 'none';
    const outcome = replayAtomic(fd, imageFd);
    unlinkSync(path);
    return outcome;
  } finally {
    closeSync(fd);
  }
}

/** Takes away a journal whose image somebody else has written since: its record would undo that. Throws when it cannot. */
export function dropJournal(imagePath: string): void {
  const path = atomicJournalPath(imagePath);
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
