/** A WRITE that runs: its plan, and how far it is. There is one at a time, they all exclude each other. */
import type { DiscState } from './disc-state.ts';
import type { Recording } from './recording.ts';
import type { WritePlan } from './write-plan.ts';

export interface WriteUnderWay {
  readonly plan: WritePlan;
  /** What it goes on with. When the burner has another, this one was interrupted. */
  readonly recording: Recording | null;
  /** Nothing reaches the disc. */
  readonly test: boolean;
  /** The piece that comes next, and how many of its blocks are done. */
  piece: number;
  blocks: number;
  /** Bytes of data-out that are done. */
  bytes: number;
  /** The disc with the session closed that ends here; null: none does, or it is not known yet. */
  closed: DiscState | null;
}
