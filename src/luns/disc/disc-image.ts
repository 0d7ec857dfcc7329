/** Disc images: which files a disc is in, and what they say of it. */
import type { DiscLayout } from '../../scsi/mmc/disc.ts';

/** A disc and the files it is in. A position of `layout` counts through the bytes of all files, one file behind the other. */
export interface DiscImage {
  readonly layout: DiscLayout;
  readonly files: readonly DiscFile[];
}

export interface DiscFile {
  readonly path: string;
  readonly bytes: number;
}

/** Why an image cannot be used. The message says which, what is wrong with it, and what would do. */
export class DiscImageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DiscImageError';
  }
}
