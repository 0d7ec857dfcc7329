/** The public surface of ringscsi: a target in this process, and the initiator that talks to one. */
export { createTarget, type TargetOptions } from './daemon/create-target.ts';
export type { Daemon } from './daemon/daemon.ts';
export type { BlockAccess, BlockRange, WriteOptions } from './initiator/block-access.ts';
export {
  ClosedError,
  LoginRefusedError,
  NexusLostError,
  RequestError,
  ScsiError,
  ScsiTimeoutError,
  TaskAbortedError,
  TaskManagementError,
} from './initiator/errors.ts';
export {
  type Attention,
  type AttributeName,
  type ExecuteRequest,
  type Initiator,
  type InitiatorOptions,
  openInitiator,
  type TargetIdentity,
} from './initiator/initiator.ts';
export type { PendingEvent } from './initiator/pending-event.ts';
export type { CommandResult } from './initiator/request.ts';
export type { SenseData } from './initiator/sense-data.ts';
export type { Link, LinkQueue, OpenLink } from './transport/link.ts';
