/** Why something cannot be done with the disks of a reactor. */

export type InventoryErrorCode =
  | 'ERR_LUN_IN_USE'
  | 'ERR_LUN_RANGE'
  | 'ERR_LUN_MISSING'
  /** Another disk has this serial number or designator: initiators would take both for two paths to one disk. */
  | 'ERR_LUN_IDENTITY'
  | 'ERR_LUN_SIZE'
  /** What was saved of its mode pages cannot be used. */
  | 'ERR_LUN_SAVED_PAGES'
  | 'ERR_LUN_SAVED_RESERVATIONS'
  | 'ERR_LUN_SAVED_SANITIZE'
  | 'ERR_LUN_SAVED_INFORMATION'
  | 'ERR_LUN_SAVED_LOGS'
  /** It does something to its medium that must end first. */
  | 'ERR_LUN_BUSY'
  /** It is no drive: its medium cannot be removed. */
  | 'ERR_LUN_FIXED'
  /** A fault that it cannot have. */
  | 'ERR_FAULT_RULE'
  /** It lets through what is let through anyway. */
  | 'ERR_LUN_ALLOW'
  | 'ERR_MEDIUM_MISSING'
  /** Somebody prevents the removal of the medium. */
  | 'ERR_MEDIUM_PREVENTED'
  /** An initiator burns the disc that is in the drive. */
  | 'ERR_MEDIUM_BURNT'
  /** Initiators of a disk have no way to be asked for its medium. */
  | 'ERR_MEDIUM_UNASKED'
  /** What was written last did not reach the medium. */
  | 'ERR_FLUSH';

export class InventoryError extends Error {
  readonly code: InventoryErrorCode;
  constructor(code: InventoryErrorCode, message: string) {
    super(message);
    this.name = 'InventoryError';
    this.code = code;
  }
}
