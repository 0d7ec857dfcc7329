/** Limits of the block commands, as the Block Limits VPD page states them and the handlers enforce them (SBC-3 6.6). */

/** MAXIMUM WRITE SAME LENGTH, in logical blocks. */
export const MAX_WRITE_SAME_BLOCKS = 65_535;
/** MAXIMUM UNMAP LBA COUNT: sum over the descriptors of one UNMAP. */
export const MAX_UNMAP_BLOCKS = 1_048_576;
/** MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const MAX_UNMAP_DESCRIPTORS = 256;
/** WSNZ: a WRITE SAME of zero blocks means "to the end of the medium", so the bit is 0. */
export const WRITE_SAME_NON_ZERO = false;
