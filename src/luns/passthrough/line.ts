/** The line in front of a device: commands of initiators and chores of the daemon, one at a time. */
import {
  type DeviceLink,
  type DeviceReply,
  type DeviceRequest,
  FROM_DEVICE,
  NO_DATA,
} from './device.ts';
import { type DeviceOutcome, outcomeOf } from './outcome.ts';

/** Something that wants to talk to the device. */
export interface Turn {
  /** It is its turn: what is sent, its data-out in place; null: nothing any more, and `ended` is not called. */
  begin(data: Uint8Array): DeviceRequest | null;
  ended(outcome: DeviceOutcome, reply: DeviceReply): void;
}

/** Bytes of data that came, never more than were asked for. */
export function movedBytes(length: number, { errno, residual }: DeviceReply): number {
  if (errno !== 0) return 0;
  return Math.min(length, Math.max(0, length - residual));
}

const CHORE_MS = 30_000;

/** A command of the daemon's own. `heard` gets the data that came; a view that is good inside the call. */
export function chore(
  cdb: readonly number[],
  inBytes: number,
  heard: (outcome: DeviceOutcome, data: Uint8Array) => void,
): (link: Uint8Array) => Turn {
  const request: DeviceRequest = {
    cdb: Uint8Array.from(cdb),
    direction: inBytes === 0 ? NO_DATA : FROM_DEVICE,
    length: inBytes,
    timeoutMs: CHORE_MS,
  };
  return (data) => ({
    begin: () => request,
    ended: (outcome, reply) => heard(outcome, data.subarray(0, movedBytes(inBytes, reply))),
  });
}

export class Line {
  readonly #link: DeviceLink;
  readonly #waiting: Turn[] = [];
  #busy = false;
  #closing: (() => void) | null = null;

  constructor(link: DeviceLink) {
    this.#link = link;
  }

  get data(): Uint8Array {
    return this.#link.data;
  }

  /** Behind everything that waits. */
  last(turn: Turn): void {
    this.#waiting.push(turn);
    this.#go();
  }

  /** In front of everything that waits, in this order. */
  first(...turns: readonly Turn[]): void {
    this.#waiting.unshift(...turns);
    this.#go();
  }

  /** Drops what waits; `closed` is called when the device is idle and let go of. */
  close(closed: () => void): void {
    this.#waiting.length = 0;
    this.#closing = () => {
      this.#link.close();
      closed();
    };
    this.#go();
  }

  #go(): void {
    while (!this.#busy) {
      const turn = this.#waiting.shift();
      if (turn === undefined) {
        const closing = this.#closing;
        this.#closing = null;
        closing?.();
        return;
      }
      const request = turn.begin(this.#link.data);
      if (request === null) continue;
      this.#busy = true;
      this.#link.start(request, (reply) => {
        // Still busy: what `ended` asks for goes to its place in the line first.
        turn.ended(outcomeOf(reply), reply);
        this.#busy = false;
        this.#go();
      });
    }
  }
}
