/** Addresses at which people manage the target, told by VPD page 85h (SPC-4 7.8.9). */

/** SERVICE TYPE by name (SPC-4 table 470). */
export const SERVICE_TYPES: ReadonlyMap<string, number> = new Map([
  ['unspecified', 0x00],
  ['storage configuration', 0x01],
  ['diagnostics', 0x02],
  ['status', 0x03],
  ['logging', 0x04],
  ['code download', 0x05],
  ['copy', 0x06],
  ['administrative configuration', 0x07],
]);

/** Longest address, so that a page holds all of them. */
export const MAX_ADDRESS_BYTES = 255;
export const MAX_ADDRESSES = 16;

export interface ManagementAddress {
  /** SERVICE TYPE. */
  readonly service: number;
  /** A URL, in ASCII, at most MAX_ADDRESS_BYTES. */
  readonly url: string;
}
