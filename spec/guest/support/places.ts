/** Where the guest tests find things and keep what they fetch. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** dist/spec/guest/support/places.js → the project. */
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Packages, kernel, initramfs images: made once, not committed, safe to delete. */
export const CACHE = join(ROOT, '.cache', 'guest');

export const MAIN = join(ROOT, 'dist', 'src', 'cli', 'main.js');
