/** What the main thread asks of a reactor thread and what it hears back. Plain data: it crosses threads by structured clone. */
import type { DiskOptions } from '../luns/disk.ts';
import type { DriveStatus, MediumSpec } from '../luns/drive.ts';
import type { UnitStatistics } from '../luns/inventory.ts';
import type { DeviceSpec } from '../luns/passthrough/units.ts';
import type { FaultRule } from '../luns/store/fault.ts';
import type { DrainedEntry } from '../trace.ts';
import type { ListenKind, SocketListenConfig } from './config.ts';

/** Everything a reactor needs to serve one disk. The main thread has opened, checked and locked the file. */
export type DiskSpec = DiskOptions;

/** One fault-injection rule: what happens to the requests of a disk that match. */
export type InjectRule = FaultRule;

export type ReactorRequest =
  | { readonly kind: 'addDisk'; readonly disk: DiskSpec }
  /** The main thread has opened it; `removeUnit` lets go of it. */
  | { readonly kind: 'addDevice'; readonly device: DeviceSpec }
  | { readonly kind: 'removeUnit'; readonly lun: number }
  | { readonly kind: 'resizeUnit'; readonly lun: number; readonly bytes: number }
  /** The main thread owns the image from now on: the unit leaves standby with this size. */
  | { readonly kind: 'activateUnit'; readonly lun: number; readonly bytes: number }
  /** Answered when nothing touches the medium any more and it is flushed. */
  | { readonly kind: 'standbyUnit'; readonly lun: number }
  /** Puts a medium into a drive; `asked`: for the START STOP UNIT that waits for it. The descriptors are the reactor's then. */
  | {
      readonly kind: 'loadMedium';
      readonly lun: number;
      readonly spec: MediumSpec;
      readonly force: boolean;
      readonly asked: boolean;
    }
  /** Answered when nothing touches the medium any more and its descriptors are closed. */
  | { readonly kind: 'ejectMedium'; readonly lun: number; readonly force: boolean }
  | { readonly kind: 'requestMedium'; readonly lun: number; readonly silently: boolean }
  | { readonly kind: 'lockMedium'; readonly lun: number; readonly locked: boolean }
  /** What a START STOP UNIT waits for is done; or there is nothing in the tray; or it cannot be done. */
  | {
      readonly kind: 'mediumAnswered';
      readonly lun: number;
      readonly outcome: 'done' | 'none' | 'failed';
    }
  | { readonly kind: 'drives' }
  | { readonly kind: 'inject'; readonly lun: number; readonly rules: readonly InjectRule[] }
  | { readonly kind: 'listen'; readonly listen: SocketListenConfig }
  | { readonly kind: 'guests' }
  /** Whether initiators of this name may log in (SRP; virtio has no names). */
  | { readonly kind: 'namePort'; readonly port: string; readonly transportId: Uint8Array }
  | { readonly kind: 'admitGuest'; readonly name: string; readonly admitted: boolean }
  | { readonly kind: 'kickGuest'; readonly id: number }
  | { readonly kind: 'stats' }
  | { readonly kind: 'trace'; readonly on: boolean }
  | { readonly kind: 'saved'; readonly ticket: number; readonly ok: boolean }
  /** Stop taking commands, finish what runs (at most `graceMs`), flush every store, log guests out, end. */
  | { readonly kind: 'shutdown'; readonly graceMs: number };

export interface GuestStatus {
  readonly id: number;
  readonly name: string;
  readonly transport: ListenKind;
  readonly processId: number;
  readonly listener: string;
  /** Queue pairs, or rings that are served. */
  readonly queuePairs: number;
  /** Bytes of its memory that are mapped here. */
  readonly regionBytes: number;
  /** Initiator port identifiers (32 hex digits) of the nexuses that are logged in. */
  readonly initiatorPorts: readonly string[];
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Commands being served now. */
  readonly outstanding: number;
}

export type UnitStatus = UnitStatistics;

export interface ReactorStatus {
  readonly commands: number;
  readonly loops: number;
  readonly sleeps: number;
  readonly doorbells: number;
  readonly units: readonly UnitStatus[];
  readonly guests: readonly GuestStatus[];
}

/** One traced command, as the reactor drains its trace ring. */
export type TraceEntry = DrainedEntry;

/** What has become of the medium that was in a drive: everything it was given is on it, or (by force) not. */
export interface MediumOutcome {
  readonly flushed: boolean;
}

export type ReactorReply =
  | {
      readonly ok: true;
      readonly value?:
        | ReactorStatus
        | readonly GuestStatus[]
        | readonly DriveStatus[]
        | MediumOutcome;
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** A logical unit has something to keep over a restart; `saved` with this ticket says how it went. */
export interface SaveEvent {
  readonly kind: 'save';
  readonly ticket: number;
  readonly lun: number;
  /** Mode pages of MODE SELECT with SP = 1, reservations with APTPL = 1, a SANITIZE under way (empty: nothing is to be kept), identifying information, logs. */
  readonly what: 'pages' | 'reservations' | 'sanitize' | 'information' | 'logs';
  readonly bytes: Uint8Array;
}

/** Unasked for, from the reactor. */
export type ReactorEvent =
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }
  | { readonly kind: 'guestAttached'; readonly guest: GuestStatus }
  | { readonly kind: 'guestLost'; readonly id: number; readonly name: string; readonly why: string }
  | SaveEvent
  /** A START STOP UNIT has sent the tray out with the medium of this generation: `mediumAnswered` lets it end. */
  | { readonly kind: 'mediumEjected'; readonly lun: number; readonly generation: number }
  /** A START STOP UNIT wants what lies in the tray: `loadMedium` or `mediumAnswered` lets it end. */
  | { readonly kind: 'mediumWanted'; readonly lun: number }
  | { readonly kind: 'traced'; readonly entries: readonly TraceEntry[] };

/** The main thread's handle on a reactor thread. */
export interface ReactorHandle {
  /** Sends a request; resolves with the reply. Rejects only when the thread is dead. */
  call(request: ReactorRequest): Promise<ReactorReply>;
  /** Resolves with the thread's exit code. */
  readonly ended: Promise<number>;
}
