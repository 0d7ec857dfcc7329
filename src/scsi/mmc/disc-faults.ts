/** Faults on purpose: what an optical drive cannot read or write of whatever disc is in it, and burns that go wrong. */

/**
 * What fails:
 *   read         reading a block (3/11/05)
 *   write        writing a block (3/0C/00)
 *   calibration  SEND OPC INFORMATION (3/73/03)
 *   close        closing a session (3/72/00)
 */
export type DiscOperation = 'read' | 'write' | 'calibration' | 'close';

export interface DiscFault {
  readonly operation: DiscOperation;
  /** Blocks [first, end); absent: all. */
  readonly first?: number;
  readonly end?: number;
  /** How often it fails; absent: always. */
  readonly count?: number;
}

interface ActiveFault {
  readonly operation: DiscOperation;
  readonly first: number;
  readonly end: number;
  left: number;
}

export class DiscFaults {
  readonly #lasting: readonly DiscFault[];
  #faults: readonly ActiveFault[] = [];

  /** `lasting`: those that the drive always has. */
  constructor(lasting: readonly DiscFault[]) {
    this.#lasting = lasting;
    this.set([]);
  }

  /** Replaces all others. */
  set(faults: readonly DiscFault[]): void {
    this.#faults = [...this.#lasting, ...faults].map(({ operation, first, end, count }) => ({
      operation,
      first: first ?? Number.NEGATIVE_INFINITY,
      end: end ?? Number.POSITIVE_INFINITY,
      left: count ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** The first block of [lba, lba + blocks) that fails, or null. */
  firstIn(operation: DiscOperation, lba: number, blocks: number): number | null {
    let first: number | null = null;
    for (const fault of this.#faults) {
      if (fault.operation !== operation || fault.left === 0) continue;
      const at = Math.max(fault.first, lba);
      if (at < Math.min(fault.end, lba + blocks) && (first === null || at < first)) first = at;
    }
    return first;
  }

  /** The block at `lba` has failed: one that fails so often only has done so once more. */
  met(operation: DiscOperation, lba: number): void {
    const fault = this.#faults.find(
      (each) =>
        each.operation === operation && each.left > 0 && each.first <= lba && lba < each.end,
    );
    if (fault !== undefined) fault.left -= 1;
  }

  /** Whether what has no block fails, this time. */
  fails(operation: 'calibration' | 'close'): boolean {
    if (this.firstIn(operation, 0, 1) === null) return false;
    this.met(operation, 0);
    return true;
  }
}
