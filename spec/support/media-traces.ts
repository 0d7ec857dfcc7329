/** The reference traces of shared media (seeds 5.1, 5.2), as they are played over every transport and by real guests. */
import { jsonVector } from './vectors.ts';

/** Steps: who, what, and what comes of it: nothing (GOOD), sense, `!status` or `=` the first bytes of the data. */
export interface Trace {
  readonly name: string;
  readonly t10: readonly string[];
  /** Absent: the same. */
  readonly maxfield?: readonly string[];
}

export const TRACES: readonly Trace[] = jsonVector<readonly Trace[]>('media-traces.json');

/** CDBs of what A, B and C do. */
export const TRACE_CDBS: Readonly<Record<string, string>> = {
  ready: '00 00 00 00 00 00',
  eject: '1b 00 00 00 02 00',
  load: '1b 00 00 00 03 00',
  allow: '1e 00 00 00 00 00',
  prevent: '1e 00 00 00 01 00',
  reserve: '16 00 00 00 00 00',
  release: '17 00 00 00 00 00',
  read: '28 00 00 00 00 00 00 00 01 00',
  write: '2a 00 00 00 00 00 00 00 01 00',
  capacity: '25 00 00 00 00 00 00 00 00 00',
};
