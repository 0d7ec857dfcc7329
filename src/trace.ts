/** A fixed-size ring of traced commands: recording allocates nothing, draining copies out; when full, the oldest go. */

/** CDB bytes kept per entry. */
export const TRACED_CDB_BYTES = 32;

/** What the recorder reads of a command that has ended. */
export interface TracedCommand {
  readonly lun: number;
  /** The logical unit, or what stands for a missing one. */
  readonly unit: { readonly deviceType: { readonly peripheralType: number } } | null;
  readonly cdb: Uint8Array;
  readonly cdbBytes: number;
  readonly status: number;
  readonly sense: number;
  readonly dataInMoved: number;
  readonly dataOutMoved: number;
  readonly startedUs: number;
}

export interface DrainedEntry {
  readonly sequence: number;
  /** Monotonic microseconds at the end of the command. */
  readonly atUs: number;
  readonly guest: number;
  readonly lun: number;
  /** Peripheral device type of the logical unit (SPC-4 6.4.2); -1: it had come to none. */
  readonly peripheralType: number;
  readonly cdb: Uint8Array;
  readonly status: number;
  /** Packed sense: key << 16 | asc << 8 | ascq, 0 when there is none. */
  readonly sense: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationUs: number;
}

/** Numbers per entry: atUs, guest, lun, cdbBytes, status, sense, bytesIn, bytesOut, durationUs, peripheralType. */
const NUMBERS = 10;
const NO_UNIT = -1;

export class TraceRing {
  readonly #capacity: number;
  readonly #numbers: Float64Array;
  readonly #cdbs: Uint8Array;
  /** Entries ever recorded, and ever drained or overwritten. */
  #recorded = 0;
  #drained = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#numbers = new Float64Array(capacity * NUMBERS);
    this.#cdbs = new Uint8Array(capacity * TRACED_CDB_BYTES);
  }

  /** Whether entries wait to be drained. */
  get waiting(): boolean {
    return this.#recorded > this.#drained;
  }

  record(guest: number, command: TracedCommand, nowUs: number): void {
    const slot = this.#recorded % this.#capacity;
    const n = slot * NUMBERS;
    const numbers = this.#numbers;
    const bytes = Math.min(command.cdbBytes, TRACED_CDB_BYTES);
    numbers[n] = nowUs;
    numbers[n + 1] = guest;
    numbers[n + 2] = command.lun;
    numbers[n + 3] = bytes;
    numbers[n + 4] = command.status;
    numbers[n + 5] = command.sense;
    numbers[n + 6] = command.dataInMoved;
    numbers[n + 7] = command.dataOutMoved;
    numbers[n + 8] = nowUs - command.startedUs;
    numbers[n + 9] = command.unit === null ? NO_UNIT : command.unit.deviceType.peripheralType;
    for (let i = 0; i < bytes; i += 1) {
      this.#cdbs[slot * TRACED_CDB_BYTES + i] = command.cdb[i] as number;
    }
    this.#recorded += 1;
    if (this.#recorded - this.#drained > this.#capacity) this.#drained += 1;
  }

  /** Takes every waiting entry, oldest first. A gap in `sequence` says how many were overwritten. */
  drain(): DrainedEntry[] {
    const entries: DrainedEntry[] = [];
    for (; this.#drained < this.#recorded; this.#drained += 1)
      entries.push(this.#entry(this.#drained));
    return entries;
  }

  #entry(sequence: number): DrainedEntry {
    const slot = sequence % this.#capacity;
    const at = (i: number): number => this.#numbers[slot * NUMBERS + i] as number;
    const cdbAt = slot * TRACED_CDB_BYTES;
    return {
      sequence,
      atUs: at(0),
      guest: at(1),
      lun: at(2),
      peripheralType: at(9),
      cdb: this.#cdbs.slice(cdbAt, cdbAt + at(3)),
      status: at(4),
      sense: at(5),
      bytesIn: at(6),
      bytesOut: at(7),
      durationUs: at(8),
    };
  }
}
