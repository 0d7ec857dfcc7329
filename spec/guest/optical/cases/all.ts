/** Every row that one guest runs. */
import type { OpticalCase } from '../case.ts';
import { BD_CASES } from './bd.ts';
import { CD_CASES } from './cd.ts';
import { DVD_CASES } from './dvd.ts';
import { PASSTHROUGH_CASES } from './passthrough.ts';
import { READING_CASES } from './reading.ts';

export const CASES: readonly OpticalCase[] = [
  ...READING_CASES,
  ...CD_CASES,
  ...DVD_CASES,
  ...BD_CASES,
  ...PASSTHROUGH_CASES,
];
