/** Every row that does not run at a station. */
import { RESTART } from './restart.ts';
import { SHARED } from './shared-drive.ts';
import type { Suite } from './suite.ts';

export const SUITES: readonly Suite[] = [SHARED, RESTART];
