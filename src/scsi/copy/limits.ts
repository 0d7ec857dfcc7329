/** What the copy manager takes: RECEIVE COPY RESULTS and VPD page 8Fh say so, the commands hold to it. */

export const MAX_CSCD_DESCRIPTORS = 16;
/** A segment's number has to fit a segment pointer (MAX_SEGMENT_NUMBER). */
export const MAX_SEGMENT_DESCRIPTORS = 64;
/** CSCD and segment descriptors together. */
export const MAX_DESCRIPTOR_LIST_BYTES = 4096;
export const MAX_SEGMENT_BYTES = 256 * 1024 * 1024;
/** DATA SEGMENT GRANULARITY, as a power of two: a block of 512 bytes. */
export const GRANULARITY = 9;
/** Copies that one logical unit works on at a time, whoever asked for them. */
export const CONCURRENT_COPIES = 16;

/** Descriptor type codes (SPC-4 table 130): block to block, and identification descriptor CSCD. */
export const BLOCK_TO_BLOCK = 0x02;
export const IDENTIFICATION_CSCD = 0xe4;

/**
 * CSCD descriptor IDs above those of the list (SPC-4 table 148): the unit that the ROD token of a ROD CSCD descriptor stands for, and
 * the unit that has the copy manager.
 */
export const ROD_TOKEN_CSCD = 0xf800;
export const COPY_MANAGER_CSCD = 0xffff;

/** THIRD-PARTY COPY OUT, and its service actions. */
export const OPCODE_COPY_OUT = 0x83;
export const EXTENDED_COPY_LID1 = 0x00;
export const EXTENDED_COPY_LID4 = 0x01;
export const POPULATE = 0x10;
export const WRITE_USING = 0x11;
export const ABORT_COPY = 0x1c;

/** THIRD-PARTY COPY IN, and its service actions. */
export const OPCODE_COPY_IN = 0x84;
export const COPY_STATUS = 0x00;
export const OPERATING_PARAMETERS = 0x03;
export const FAILURE_DETAILS = 0x04;
export const COPY_STATUS_LID4 = 0x05;
export const COPY_DATA_LID4 = 0x06;
export const TOKEN_INFORMATION = 0x07;
export const ALL_TOKENS = 0x08;

/** ROD types (SPC-4 table 119): the one that is made here, and the well-known one that stands for zeros (SBC-3 4.28.4). */
export const POINT_IN_TIME_CHANGE_VULNERABLE = 0x00800001;
export const BLOCK_DEVICE_ZERO = 0xffff0001;

/** ROD tokens that are valid at a time in the whole target; past it the oldest is cancelled. */
export const MAX_ROD_TOKENS = 256;
/** MAXIMUM RANGE DESCRIPTORS of one POPULATE TOKEN or WRITE USING TOKEN. */
export const MAX_RANGES = 64;
/** MAXIMUM TOKEN TRANSFER SIZE and MAXIMUM BYTES IN BLOCK ROD, in bytes: a multiple of every block length. */
export const MAX_ROD_BYTES = 1024 * 1024 * 1024;
/** OPTIMAL TRANSFER COUNT, in bytes. */
export const OPTIMAL_ROD_BYTES = 64 * 1024 * 1024;
/** INACTIVITY TIMEOUT of a token, in seconds: without one, and the longest. */
export const DEFAULT_INACTIVITY_S = 60;
export const MAX_INACTIVITY_S = 600;
