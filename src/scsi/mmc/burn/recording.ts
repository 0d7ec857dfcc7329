/** A session that is written at once: it goes on from WRITE to WRITE, says itself where it ends, and closes itself there. */
import type { DiscState } from './disc-state.ts';
import type { WritePlan } from './write-plan.ts';

export interface Recording {
  /** Nothing reaches the disc. */
  readonly test: boolean;
  /** Plans a WRITE, or sense that says why it must not be. */
  plan(state: DiscState, lba: number, blocks: number): WritePlan | number;
  /** Looks at what the host sends of a sector, before it is kept, and may change what is kept of it. */
  look(lba: number, sector: Uint8Array): void;
  /** A WRITE has ended well. */
  took(plan: WritePlan): void;
  /** Something was written. */
  readonly begun: boolean;
  /** All of the session is written. */
  readonly complete: boolean;
  /** The disc with the session closed; `nextSession`: another may follow, as far as this one does not say so itself. */
  closed(state: DiscState, nextSession: boolean): DiscState;
}
