/** Reads the transcripts of spec/vectors/unplug.json. */
import type { PortWindow, Width } from '../../src/unplug/ports.ts';
import type { Dialect, Place } from '../../src/unplug/selection.ts';
import { jsonVector } from '../support/vectors.ts';

export interface Access {
  readonly dir: 'R' | 'W';
  readonly width: Width;
  readonly port: string;
  readonly value: string;
  readonly window?: PortWindow;
  readonly times?: number;
}

/** A line of so many characters, written `times` times at time `t`. */
export interface LineStep {
  readonly t: number;
  readonly line: number;
  readonly times: number;
  readonly holdMs?: number;
}

export interface ResetStep {
  readonly reset: 'line' | 'domain';
}

export interface Transcript {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly (Access | LineStep | ResetStep)[];
  readonly dialect?: Dialect;
  readonly version?: 0 | 1;
  readonly throttled?: boolean;
  readonly device?: boolean;
  readonly blacklist?: readonly string[];
  /** Expected afterwards. */
  readonly left?: readonly Place[];
  readonly product?: number;
  readonly build?: number;
  readonly blacklisted?: boolean;
  readonly lines?: readonly (string | { readonly text: string; readonly times: number })[];
  readonly notes?: number;
}

interface File {
  readonly devices: readonly Place[];
  readonly transcripts: readonly Transcript[];
}

export const { devices: DEVICES, transcripts: TRANSCRIPTS } = jsonVector<File>('unplug.json');

export const isAccess = (step: Access | LineStep | ResetStep): step is Access => 'dir' in step;
