/** Finding out what a disc image is. Runs in the main thread. */
import { statSync } from 'node:fs';
import { type DiscImage, DiscImageError } from './disc-image.ts';
import { isoImage } from './iso.ts';

/** Finds out what a disc image is and reads its description. Throws DiscImageError. */
export function readDiscImage(path: string): DiscImage {
  let bytes: number;
  try {
    bytes = statSync(path).size;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DiscImageError(`Cannot use the disc image "${path}": ${why}`);
  }
  return isoImage(path, bytes);
}
