/** The command window of a session: which CmdSN comes next, which are let in, how far the initiator may go (RFC 7143 4.2.2.1). */
import { addSN, compareSN } from './pdu.ts';

/** The next one: deliver it. */
export const NEXT = 0;
/** Inside the window, but others before it are missing: hold it. */
export const EARLY = 1;
/** Outside the window, or here already: ignore it in silence. */
export const OUTSIDE = 2;
export type Admission = typeof NEXT | typeof EARLY | typeof OUTSIDE;

export class CommandWindow {
  expCmdSN: number;
  /** Never goes back: an initiator may have acted on it. */
  maxCmdSN: number;
  readonly #depth: number;

  /** `depth`: commands that may be outstanding. `first`: CmdSN of the first command. */
  constructor(depth: number, first: number) {
    this.#depth = depth;
    this.expCmdSN = first;
    this.maxCmdSN = addSN(first, depth - 1);
  }

  admit(cmdSN: number): Admission {
    if (cmdSN === this.expCmdSN) return compareSN(cmdSN, this.maxCmdSN) <= 0 ? NEXT : OUTSIDE;
    const inside = compareSN(cmdSN, this.expCmdSN) > 0 && compareSN(cmdSN, this.maxCmdSN) <= 0;
    return inside ? EARLY : OUTSIDE;
  }

  /** The next one was taken. */
  advance(): void {
    this.expCmdSN = addSN(this.expCmdSN, 1);
  }

  /** So many commands are outstanding now; the window opens as far as there is room. */
  open(outstanding: number): void {
    const room = Math.max(0, this.#depth - outstanding);
    const most = addSN(this.expCmdSN, room - 1);
    if (compareSN(most, this.maxCmdSN) > 0) this.maxCmdSN = most;
  }
}
