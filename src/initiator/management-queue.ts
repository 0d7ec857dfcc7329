/** Task management functions of one connection: few at a time, in order, with deadlines. */
import { encodeLun } from '../scsi/lun.ts';
import { ANSWERED, SrpManagement } from '../transport/srp/initiator-command.ts';
import type { SrpInitiatorPort } from '../transport/srp/initiator-port.ts';
import type { ManagementRequest } from './request.ts';

const COMPLETE = 0;
const NO_ANSWER = -1;

interface Entry {
  readonly request: ManagementRequest;
  readonly srp: SrpManagement;
  /** The deadline has passed and its owner was told; the slot stays taken until the target answers. */
  expired: boolean;
}

export class ManagementQueue {
  readonly #portOf: (lun: number) => SrpInitiatorPort;
  readonly #waiting: ManagementRequest[] = [];
  readonly #sent = new Set<Entry>();

  constructor(portOf: (lun: number) => SrpInitiatorPort) {
    this.#portOf = portOf;
  }

  /** Whether something waits or is with the target. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#sent.size > 0;
  }

  add(request: ManagementRequest): void {
    this.#waiting.push(request);
  }

  /** Sends what can be sent. */
  dispatch(): void {
    while (this.#waiting.length > 0 && this.#send(this.#waiting[0] as ManagementRequest)) {
      this.#waiting.shift();
    }
  }

  /** Ends those whose time is up; returns the nearest deadline that is left. */
  expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#sent) {
      if (entry.expired) continue;
      if (entry.request.deadlineMs <= nowMs) {
        entry.expired = true;
        entry.request.done(NO_ANSWER, 0);
      } else nextMs = Math.min(nextMs, entry.request.deadlineMs);
    }
    for (const request of this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)) {
      this.#waiting.splice(this.#waiting.indexOf(request), 1);
      request.done(NO_ANSWER, 0);
    }
    for (const request of this.#waiting) nextMs = Math.min(nextMs, request.deadlineMs);
    return nextMs;
  }

  /** The connection is over. */
  fail(): void {
    for (const request of this.#waiting.splice(0)) request.done(NO_ANSWER, 0);
  }

  /** False when it must wait. */
  #send(request: ManagementRequest): boolean {
    const managed = request.managed?.command ?? null;
    if (request.managed !== null && managed === null) {
      // The command has ended meanwhile: a task that is not there is aborted.
      request.done(COMPLETE, 0);
      return true;
    }
    const srp = new SrpManagement();
    srp.managementFunction = request.managementFunction;
    encodeLun(srp.lun, 0, request.lun, 'native');
    srp.managed = managed;
    const entry: Entry = { request, srp, expired: false };
    srp.done = () => {
      this.#sent.delete(entry);
      if (entry.expired) return;
      request.done(srp.outcome === ANSWERED ? srp.responseCode : NO_ANSWER, srp.information);
    };
    if (!this.#portOf(request.lun).manage(srp)) return false;
    this.#sent.add(entry);
    return true;
  }
}
