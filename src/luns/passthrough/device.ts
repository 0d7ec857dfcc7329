/** A real SCSI device as passthrough sees it: one command at a time, started here, ended later. */

/** Values of dxfer_direction (scsi/sg.h). */
export const NO_DATA = -1;
export const TO_DEVICE = -2;
export const FROM_DEVICE = -3;
export type Direction = typeof NO_DATA | typeof TO_DEVICE | typeof FROM_DEVICE;

export interface DeviceRequest {
  readonly cdb: Uint8Array;
  readonly direction: Direction;
  /** Bytes of `DeviceLink.data` that are moved. */
  readonly length: number;
  readonly timeoutMs: number;
}

/** How a command ended, as the kernel says it. */
export interface DeviceReply {
  /** Of the call itself: 0 or an errno; then nothing else means anything. */
  readonly errno: number;
  /** SCSI status. */
  readonly status: number;
  readonly hostStatus: number;
  readonly driverStatus: number;
  /** As much as the device gave; valid until the next `start`. */
  readonly sense: Uint8Array;
  /** Bytes of `length` that were not moved. */
  readonly residual: number;
}

export interface DeviceLink {
  /** Data-out before `start`, data-in after. As long as the longest transfer. */
  readonly data: Uint8Array;
  /** Sends a command; `ended` is called once, never from inside this call. One at a time. */
  start(request: DeviceRequest, ended: (reply: DeviceReply) => void): void;
  /** No command is under way: lets go of everything. */
  close(): void;
}
