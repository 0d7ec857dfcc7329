/** The two contracts of the core: what it asks of a transport and of a backing store. Both are implemented elsewhere. */
import type { LogicalUnit } from './logical-unit.ts';
import type { Segments } from './segments.ts';
import type { Task } from './task.ts';

/**
 * What the core asks of a transport. A task arrives with its CDB, tag, LUN, attribute and both data buffers filled in
 * (`task.dataIn`, `task.dataOut`: checked segments); the transport gets it back exactly once, by one of these calls.
 */
export interface TargetPort {
  /** How REPORT LUNS spells logical units to this initiator: `native` LUN n = 00 nn, `vscsi` unit n = target n (8n 00). */
  readonly lunPresentation: 'native' | 'vscsi';
  /** The command has ended: send status, sense and residuals, then free the task. */
  respond(task: Task): void;
  /** The task was aborted and SAM sends no status for it: free the task, keep its credit for the initiator. */
  drop(task: Task): void;
  /** The task management function in `task` has ended (`task.managementOutcome`): answer it, then free the task. */
  taskManagementDone(task: Task): void;
}

/** Replies of a store. Everything but DONE and PENDING is a fault; faults never name a SCSI code. */
export const DONE = 0;
/** The store will call `task.stored(reply)` later, exactly once. */
export const PENDING = 1;
/** The medium could not be read at byte `task.storedBytes` of the request. */
export const MEDIUM_READ = 2;
/** The medium could not be written at byte `task.storedBytes` of the request. */
export const MEDIUM_WRITE = 3;
/** No space left behind a thin store. */
export const FULL = 4;
/** What is behind the store shrank, vanished or is otherwise not what was attached. */
export const GONE = 5;
/** The store cannot be written. */
export const READ_ONLY = 6;
/** The initiator's memory could not be reached (a hole in a region, EFAULT). */
export const BUFFER = 7;
export type StoreReply =
  | typeof DONE
  | typeof PENDING
  | typeof MEDIUM_READ
  | typeof MEDIUM_WRITE
  | typeof FULL
  | typeof GONE
  | typeof READ_ONLY
  | typeof BUFFER;

/** What bytes of a store take. DATA: they hold what was written. */
export const DATA = 0;
/** They read as zeros and take no space. */
export const HOLE = 1;
/** They read as zeros, and writing them takes no more space: it is kept for them. */
export const RESERVED = 2;

/** Bytes that take the same, up to the one at `end`, which is not one of them. The next run may be alike. */
export interface AllocationRun {
  readonly state: typeof DATA | typeof HOLE | typeof RESERVED;
  readonly end: number;
}

/** The key that everything a store holds is encrypted with. */
export interface EncryptionKey {
  /** Replaces it, durably: what was written before reads as noise from now on. Done inside the call: DONE or a fault. */
  erase(): StoreReply;
}

/**
 * A random-access store of bytes behind a disk. Positions and lengths are bytes; the caller has checked that
 * [position, position + length) lies below `bytes`. On a fault `task.storedBytes` says how many bytes from the start
 * of the request were good. Requests of one task come one at a time.
 */
export interface BlockStore {
  /** Capacity. May grow between requests (the core is told by a capacity change). */
  readonly bytes: number;
  readonly readOnly: boolean;
  /** Whether `discard` gives space back; `discard` works (as zeroes) either way. */
  readonly canDiscard: boolean;
  /** Whether space is kept for what `writeZeroes` has zeroed, so that writing it is never FULL, and `allocation` tells it from holes. */
  readonly canReserve: boolean;
  /** Granularity of useful discards, a power of two. */
  readonly discardBytes: number;
  /** Whether completed writes may still be lost at a power cut (a volatile cache stands in front of the medium). */
  readonly volatileCache: boolean;
  /** Longest `writeAtomic`; 0: the store has none. */
  readonly atomicBytes: number;
  /** Null: it is not encrypted. An encrypted store reads as noise where nothing was written. */
  readonly key: EncryptionKey | null;
  /** Reads `length` bytes into the first `length` bytes of `into`. Holes read as zeros, or as noise when the store is encrypted. */
  read(task: Task, position: number, length: number, into: Segments): StoreReply;
  /** Writes the first `length` bytes of `from`. `durable`: they are on stable storage when this is DONE. */
  write(task: Task, position: number, length: number, from: Segments, durable: boolean): StoreReply;
  /**
   * Writes the first `length` bytes of `from`, all or nothing: over a power cut, and when it ends with a fault. They are on stable
   * storage when this is DONE.
   */
  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply;
  /** Everything whose write was DONE before this call reaches stable storage. A failed flush stays failed (MEDIUM_WRITE). */
  flush(task: Task): StoreReply;
  /** The range is a hole afterwards; space is given back where the store can. */
  discard(task: Task, position: number, length: number): StoreReply;
  /** The range reads as zeros afterwards and stays allocated where the store can. */
  writeZeroes(task: Task, position: number, length: number, durable: boolean): StoreReply;
  /** The run of equal allocation that holds byte `position`; a store that does not know says DATA to its end. */
  allocation(position: number): AllocationRun;
  /** Hint: the task was aborted; a PENDING request should end soon. It still ends by `task.stored`. */
  cancel(task: Task): void;
}

/** Who takes media out of drives and brings them: it has their files and their locks. */
export interface MediumChanger {
  /** The tray is out with the medium, which is flushed, and nothing works on its store. DONE, or PENDING then `task.stored`. */
  ejected(task: Task, unit: LogicalUnit): StoreReply;
  /**
   * The tray is to go in with what lies in it. DONE: a medium is in the drive (`Medium.insert`); GONE: nothing lay in the
   * tray; another fault: it cannot be used. Or PENDING then `task.stored`.
   */
  load(task: Task, unit: LogicalUnit): StoreReply;
}

/** Where savable mode pages go. Absent when the daemon has no state directory. */
export interface ParameterStore {
  /** Makes `pages` (the concatenated current values) durable. DONE, or PENDING then `task.stored`. */
  save(task: Task, lun: number, pages: Uint8Array): StoreReply;
}

/** Where a unit keeps what it is doing to its medium, so that it goes on after a restart. */
export interface OperationStore {
  /** Makes `state` durable (empty: it is done). DONE, or PENDING then `task.stored`. */
  save(task: Task, lun: number, state: Uint8Array): StoreReply;
}

/** Where identifying information goes. Absent when there is no such place. */
export interface InformationStore {
  /** Makes `state` durable. DONE, or PENDING then `task.stored`. */
  save(task: Task, lun: number, state: Uint8Array): StoreReply;
}

/** Where the logs of a unit go. Absent when there is no such place. */
export interface LogStore {
  /** Makes `state` durable. DONE, or PENDING then `task.stored`. */
  save(task: Task, lun: number, state: Uint8Array): StoreReply;
}

/** Where the state of a recordable disc is kept: with the disc. */
export interface DiscJournal {
  /** Makes `state` durable, all or nothing, in the place of the one before. DONE, or PENDING then `task.stored`. */
  save(task: Task, state: Uint8Array): StoreReply;
}

/** Calls things later. */
export interface Timers {
  /** Calls `callback` once, `delayMs` from now, never from inside this call. */
  after(delayMs: number, callback: () => void): object;
  cancel(timer: object): void;
}

/** Where persistent reservations go that asked to persist through power loss (APTPL). Absent when there is no such place. */
export interface ReservationStore {
  /** Makes `state` durable (empty: nothing is to be kept). DONE, or PENDING then `task.stored`. */
  save(task: Task, lun: number, state: Uint8Array): StoreReply;
}
