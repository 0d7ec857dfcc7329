/** What the conformance suites need of an initiator, whatever its transport. */
import type { BlockAccess } from '../../src/initiator/block-access.ts';
import type { ExecuteRequest } from '../../src/initiator/initiator.ts';
import type { PendingEvent } from '../../src/initiator/pending-event.ts';
import type { CommandResult } from '../../src/initiator/request.ts';

export interface ConformanceInitiator {
  execute(request: ExecuteRequest): Promise<CommandResult>;
  /** Aborts a command, given by the promise of `execute`, which rejects with TaskAbortedError unless it ended first. */
  abortTask(execution: Promise<CommandResult>): Promise<void>;
  logicalUnitReset(lun: number): Promise<void>;
  abortTaskSet(lun: number): Promise<void>;
  clearTaskSet(lun: number): Promise<void>;
  clearAca(lun: number): Promise<void>;
  queryAsynchronousEvent(lun: number): Promise<PendingEvent | null>;
  luns(): Promise<number[]>;
  disk(lun: number): Promise<BlockAccess>;
  /** Commands the transport would take now. */
  readonly requestLimit: number;
  close(): Promise<void>;
}
