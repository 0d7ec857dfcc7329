/** What the copy manager takes: RECEIVE COPY RESULTS and VPD page 8Fh say so, EXTENDED COPY holds to it. */

export const MAX_CSCD_DESCRIPTORS = 16;
export const MAX_SEGMENT_DESCRIPTORS = 64;
/** CSCD and segment descriptors together. */
export const MAX_DESCRIPTOR_LIST_BYTES = 4096;
export const MAX_SEGMENT_BYTES = 256 * 1024 * 1024;
/** DATA SEGMENT GRANULARITY, as a power of two: a block of 512 bytes. */
export const GRANULARITY = 9;

/** Descriptor type codes (SPC-4 table 121): block to block, and identification descriptor CSCD. */
export const BLOCK_TO_BLOCK = 0x02;
export const IDENTIFICATION_CSCD = 0xe4;

export const OPCODE_EXTENDED_COPY = 0x83;
export const OPCODE_RECEIVE_COPY_RESULTS = 0x84;
export const COPY_STATUS = 0x00;
export const OPERATING_PARAMETERS = 0x03;
