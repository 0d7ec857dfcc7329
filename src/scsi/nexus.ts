/** I_T nexus: one initiator port seen through one target port (SAM-5 4.6). */

/** Most nexuses a target remembers; unit attention state is indexed by `Nexus.index`. */
export const MAX_NEXUSES = 1024;
/** Index of the commands that the copy manager sends; nothing is ever posted for it. */
export const COPY_MANAGER_INDEX = MAX_NEXUSES;

export interface Nexus {
  /** Small stable number, the index of per-nexus state. */
  readonly index: number;
  /** What identifies the initiator: nexuses with one identity are one nexus, over reconnects too. */
  readonly identity: string;
  /** Initiator port identifier, 16 bytes as hexadecimal digits: what persistent reservations know it by. */
  readonly port: string;
  /** Text for people: the guest's own name. */
  readonly name: string;
  /** Whether an initiator is logged in through it now. */
  present: boolean;
  /** Has a nexus record only as long as it is logged in: its identity will not come again. */
  readonly anonymous: boolean;
}
