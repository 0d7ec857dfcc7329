/** Port accesses as the unplug protocol sees them. */

/** `fixed`: the I/O ports 10h to 1Fh. `legacy`: the first I/O window of the Xen platform PCI device, by offset. */
export type PortWindow = 'fixed' | 'legacy';
/** 1, 2 or 4 bytes. */
export type Width = 'b' | 'w' | 'l';

const ALL_ONES: Readonly<Record<Width, number>> = { b: 0xff, w: 0xffff, l: 0xffffffff };

/** What reads where nothing answers. */
export function allOnes(width: Width): number {
  return ALL_ONES[width];
}

/** Whoever answers port accesses. */
export interface Ports {
  read(port: number, width: Width): number;
  write(port: number, width: Width, value: number): void;
}

/** A machine without the device. */
export const NO_DEVICE: Ports = {
  read: (_port, width) => allOnes(width),
  write: () => undefined,
};

export const MAGIC_PORT = 0x10;
export const PROTOCOL_PORT = 0x12;
export const MAGIC = 0x49d2;
export const MAGIC_BLACKLISTED = 0xd249;
