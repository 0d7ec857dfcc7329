/** A guest as the house sees it, whatever transport it came by; and what the house does for a guest. */
import type { Reactor } from '../reactor/reactor.ts';
import type { Target } from '../scsi/target.ts';
import type { Task } from '../scsi/task.ts';
import type { GuestStatus, ReactorEvent } from './reactor-messages.ts';

/** What a guest is given when it is let in. */
export interface GuestTerms {
  readonly id: number;
  readonly reactor: Reactor;
  readonly target: Target;
  readonly log: (text: string, level: 'info' | 'warn') => void;
  /** It is to be broken off, for this reason: not at once, since that would pull the ground from under its own poll. */
  readonly doom: (reason: string) => void;
  /** It has something to do every turn: `tidy` is called until it returns false. */
  readonly untidy: () => void;
}

export interface Guest {
  readonly name: string;
  status(): Omit<GuestStatus, 'id'>;
  /** Doorbells rung, or interrupts sent, so far. */
  readonly doorbells: number;
  /** Whether no command of it is being served. */
  idle(): boolean;
  /** Takes no new commands; what was taken goes on and is answered. */
  mute(): void;
  /** Work of its own, every turn. False: there is none now. */
  tidy(): boolean;
  /** It is gone: polled no more, its commands are aborted. Its memory stays until it is idle. */
  breakOff(reason: string): void;
  /** Lets go of its memory and descriptors. Only when broken off and idle. */
  close(): void;
  /** Says goodbye, as far as the transport has words for it. */
  logOut(): void;
  /** Hands every command it ends to `record`, with the time; null: no more. */
  setTracing(record: ((task: Task, nowUs: number) => void) | null): void;
  /** A unit attention was posted for every nexus but one: tells the initiator if it asked to be told at once. */
  announce(lun: number, sense: number, exceptNexus: number): void;
  /** A logical unit was added, or has another capacity. */
  unitAdded(lun: number): void;
  capacityChanged(lun: number): void;
  /** A logical unit is about to be taken away. Index of the nexus that will flush it first, or -1. */
  unitLeaving(lun: number): number;
}

/** Where guests come in: a listening socket. */
export interface Door {
  /** Readable when somebody waits. */
  readonly fd: number;
  /** Lets in whoever waits. */
  open(): void;
  /** Stops listening; who is in stays. */
  close(): void;
}

/** What a door needs of the house. */
export interface Doorkeeper {
  readonly reactor: Reactor;
  readonly target: Target;
  readonly emit: (event: ReactorEvent) => void;
  /** Lets a guest in; `make` gets its terms. */
  readonly admit: (make: (terms: GuestTerms) => Guest) => void;
}
