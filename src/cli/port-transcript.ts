/** Transcripts of port accesses as people write them: `R.w 10=49d2`, `W.l 10=00000001`, `W.b +8=01`. */
import { UsageError } from './verb.ts';

export interface TranscriptStep {
  /** As it was written. */
  readonly text: string;
  readonly direction: 'read' | 'write';
  readonly window: 'fixed' | 'legacy';
  readonly port: number;
  readonly width: 'b' | 'w' | 'l';
  /** What is written, or has to be read; null: a read that may give anything. */
  readonly value: number | null;
}

const STEP = /^([RW])\.([bwl]) (\+?)([0-9a-f]{1,4})(?:=([0-9a-f]{1,8}))?$/i;

function step(text: string): TranscriptStep {
  const [, direction = '', width = '', plus, port = '', value] = STEP.exec(text) ?? [];
  if (direction === '' || (direction.toUpperCase() === 'W' && value === undefined)) {
    throw new UsageError(`"${text}" is no port access, R.w 10 or W.w 12=0003 is one`);
  }
  return {
    text,
    direction: direction.toUpperCase() === 'R' ? 'read' : 'write',
    window: plus === '+' ? 'legacy' : 'fixed',
    port: Number.parseInt(port, 16),
    width: width.toLowerCase() as TranscriptStep['width'],
    value: value === undefined ? null : Number.parseInt(value, 16),
  };
}

/** Reads accesses separated by semicolons or lines; `#` starts a comment. Throws UsageError. */
export function readTranscript(text: string): TranscriptStep[] {
  return text
    .replace(/#.*$/gm, '')
    .split(/[;\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(step);
}
