/** Product numbers of guest drivers (Xen's hvm-emulated-unplug document), by which drivers of one make are told apart. */

export const PRODUCTS: ReadonlyMap<number, string> = new Map([
  [0x0001, 'xensource-windows'],
  [0x0002, 'gplpv-windows'],
  [0x0003, 'linux'],
  [0x0004, 'xenserver-windows-v7.0+'],
  [0x0005, 'xenserver-windows-v7.2+'],
  [0xffff, 'experimental'],
]);

/** Those the traditional device model of Xen knew. */
export const TRADITIONAL_PRODUCTS: ReadonlyMap<number, string> = new Map(
  [...PRODUCTS].filter(([number]) => number === 1 || number === 2 || number === 0xffff),
);
