/**
 * The copies of a logical unit, under way and over, by I_T nexus and list identifier: what the RECEIVE COPY commands and RECEIVE ROD
 * TOKEN INFORMATION tell, and what ends copies that outlive their command (SPC-4 5.17.4).
 */
import type { Nexus } from '../nexus.ts';
import type { CopyFault } from './copy-operation.ts';
import { CONCURRENT_COPIES } from './limits.ts';

/** Copies of one nexus that are remembered; the newest. */
export const RESULTS_PER_NEXUS = 16;

export type CopyState = 'in progress' | 'completed' | 'failed' | 'terminated';

export interface CopyRequest {
  readonly nexus: Nexus;
  readonly serviceAction: number;
  /** Null: it has none, and nothing of the copy is kept. */
  readonly listIdentifier: number | null;
  /** Its command waits for its end. */
  readonly foreground: boolean;
}

export class CopyRecord {
  readonly request: CopyRequest;
  state: CopyState = 'in progress';
  /** Segments that are wholly copied, and those that were begun. */
  segments = 0;
  segmentsBegun = 0;
  /** Logical blocks that are copied, or that the token stands for. */
  blocks = 0;
  /** Bytes that are copied, and none behind them that are not. */
  bytes = 0;
  /** Commands that the copy manager sent, and that ended GOOD. */
  commands = 0;
  fault: CopyFault | null = null;
  /** The ROD token that was made. */
  token: Uint8Array | null = null;
  /** What is told once was told. */
  statusTold = false;
  detailsTold = false;
  /** Somebody wants its end. */
  stopping = false;
  readonly #waiting: (() => void)[] = [];
  readonly #over: (record: CopyRecord) => void;

  constructor(request: CopyRequest, over: (record: CopyRecord) => void) {
    this.request = request;
    this.#over = over;
  }

  /** Ends it soon; `stopped` is called when nothing of it reaches a medium any more. */
  stop(stopped: () => void): void {
    if (this.state !== 'in progress') {
      stopped();
      return;
    }
    this.stopping = true;
    this.#waiting.push(stopped);
  }

  /** It has ended. */
  end(state: CopyState, fault: CopyFault | null): void {
    this.state = state;
    this.fault = fault;
    this.#over(this);
    for (const stopped of this.#waiting.splice(0)) stopped();
  }
}

export class CopyResults {
  readonly #byNexus = new Map<Nexus, Map<number, CopyRecord>>();
  readonly #running = new Set<CopyRecord>();

  /** There are as many copies under way as there may be. */
  get full(): boolean {
    return this.#running.size >= CONCURRENT_COPIES;
  }

  /** Remembers a copy that begins; null when its identifier is that of one under way. */
  begin(request: CopyRequest): CopyRecord | null {
    const { nexus, listIdentifier } = request;
    if (listIdentifier !== null && this.find(nexus, listIdentifier)?.state === 'in progress') {
      return null;
    }
    const record = new CopyRecord(request, (over) => this.#running.delete(over));
    this.#running.add(record);
    if (listIdentifier !== null) this.#keep(nexus, listIdentifier, record);
    return record;
  }

  find(nexus: Nexus, listIdentifier: number): CopyRecord | undefined {
    return this.#byNexus.get(nexus)?.get(listIdentifier);
  }

  /** Its results have been told. */
  forget({ request: { nexus, listIdentifier } }: CopyRecord): void {
    if (listIdentifier !== null) this.#byNexus.get(nexus)?.delete(listIdentifier);
  }

  /** The nexus is lost: nobody can ask for its results, and its copies end. */
  lose(nexus: Nexus, stopped: () => void): void {
    this.#byNexus.delete(nexus);
    this.#stop((record) => record.request.nexus === nexus, stopped);
  }

  /** Logical unit reset, or the unit goes away. */
  reset(stopped: () => void): void {
    this.#byNexus.clear();
    this.#stop(() => true, stopped);
  }

  #keep(nexus: Nexus, listIdentifier: number, record: CopyRecord): void {
    const known = this.#byNexus.get(nexus) ?? new Map<number, CopyRecord>();
    this.#byNexus.set(nexus, known);
    known.delete(listIdentifier);
    known.set(listIdentifier, record);
    for (const [identifier, { state }] of known) {
      if (known.size <= RESULTS_PER_NEXUS) break;
      if (state !== 'in progress') known.delete(identifier);
    }
  }

  #stop(which: (record: CopyRecord) => boolean, stopped: () => void): void {
    const victims = [...this.#running].filter(which);
    let waiting = victims.length + 1;
    const one = (): void => {
      waiting -= 1;
      if (waiting === 0) stopped();
    };
    for (const victim of victims) victim.stop(one);
    one();
  }
}
