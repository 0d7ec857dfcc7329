/** VPD page 8Fh, Third-party Copy (SPC-4 7.8.17, SBC-3 6.5.6): the commands, descriptors and ROD types of the copy manager. */
import { assert } from '../../assert.ts';
import type { BlockDevice } from '../sbc/block-device.ts';
import type { VpdPage } from '../spc/vpd.ts';
import {
  ABORT_COPY,
  ALL_TOKENS,
  BLOCK_DEVICE_ZERO,
  BLOCK_TO_BLOCK,
  CONCURRENT_COPIES,
  COPY_DATA_LID4,
  COPY_MANAGER_CSCD,
  COPY_STATUS,
  COPY_STATUS_LID4,
  DEFAULT_INACTIVITY_S,
  EXTENDED_COPY_LID1,
  EXTENDED_COPY_LID4,
  FAILURE_DETAILS,
  GRANULARITY,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_INACTIVITY_S,
  MAX_RANGES,
  MAX_ROD_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
  OPCODE_COPY_IN,
  OPCODE_COPY_OUT,
  OPERATING_PARAMETERS,
  OPTIMAL_ROD_BYTES,
  POINT_IN_TIME_CHANGE_VULNERABLE,
  POPULATE,
  ROD_TOKEN_CSCD,
  TOKEN_INFORMATION,
  WRITE_USING,
} from './limits.ts';

const BLOCK_DEVICE_ROD_TOKEN_LIMITS = 0x0000;
const SUPPORTED_COMMANDS = 0x0001;
const PARAMETER_DATA = 0x0004;
const SUPPORTED_DESCRIPTORS = 0x0008;
const SUPPORTED_CSCD_IDS = 0x000c;
const ROD_TOKEN_FEATURES = 0x0106;
const SUPPORTED_ROD_TYPES = 0x0108;
const GENERAL_COPY_OPERATIONS = 0x8001;
const HELD_DATA = 0xc001;

/** TOKEN_IN and TOKEN_OUT of a ROD type: tokens of it are taken, and made. */
const TOKEN_IN = 0x02;
const TOKEN_OUT = 0x01;
const ROD_TYPE_BYTES = 64;
/** DEVICE TYPE SPECIFIC FEATURES: of a block device. */
const BLOCK_FEATURES_BYTES = 48;
/** A token may be invalid at once, or live as long as it is used. */
const MIN_LIFETIME_S = 1;
const MAX_LIFETIME_S = 0xffff_ffff;

/** A third-party copy descriptor: type, length, and a body filled up to whole words. */
function descriptor(type: number, body: readonly number[] | Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + body.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type);
  view.setUint16(2, bytes.length - 4);
  bytes.set(body, 4);
  return bytes;
}

function listed(entries: readonly number[]): number[] {
  return [entries.length, ...entries];
}

/** In logical blocks of the unit. */
function rodTokenLimits({ blockBytes }: BlockDevice): Uint8Array {
  const body = new Uint8Array(32);
  const view = new DataView(body.buffer);
  view.setUint16(6, MAX_RANGES);
  view.setUint32(8, MAX_INACTIVITY_S);
  view.setUint32(12, DEFAULT_INACTIVITY_S);
  view.setBigUint64(16, BigInt(MAX_ROD_BYTES / blockBytes));
  view.setBigUint64(24, BigInt(OPTIMAL_ROD_BYTES / blockBytes));
  return body;
}

function parameterData(): Uint8Array {
  const body = new Uint8Array(28);
  const view = new DataView(body.buffer);
  view.setUint16(4, MAX_CSCD_DESCRIPTORS);
  view.setUint16(6, MAX_SEGMENT_DESCRIPTORS);
  view.setUint32(8, MAX_DESCRIPTOR_LIST_BYTES);
  return body;
}

/**
 * IDs besides those of the list. F800h has to be there where a ROD type has TOKEN_IN; it means something in a ROD CSCD descriptor
 * only, which is not among the descriptors.
 */
function supportedCscdIds(): Uint8Array {
  const ids = [ROD_TOKEN_CSCD, COPY_MANAGER_CSCD];
  const body = new Uint8Array(2 + 2 * ids.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, 2 * ids.length);
  for (const [i, id] of ids.entries()) view.setUint16(2 + 2 * i, id);
  return body;
}

/** HELD DATA LIMIT 0: none is held. */
const heldData = (): Uint8Array => new Uint8Array(28);

/** REMOTE TOKENS is 0: those of other copy managers are not known here. */
function rodTokenFeatures(): Uint8Array {
  const body = new Uint8Array(44 + BLOCK_FEATURES_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(12, MIN_LIFETIME_S);
  view.setUint32(16, MAX_LIFETIME_S);
  view.setUint32(20, MAX_INACTIVITY_S);
  view.setUint16(42, BLOCK_FEATURES_BYTES);
  view.setUint16(44 + 2, BLOCK_FEATURES_BYTES - 4);
  view.setBigUint64(44 + 8, BigInt(MAX_ROD_BYTES));
  view.setBigUint64(44 + 16, BigInt(OPTIMAL_ROD_BYTES));
  return body;
}

function supportedRodTypes(): Uint8Array {
  const types = [
    [POINT_IN_TIME_CHANGE_VULNERABLE, TOKEN_IN | TOKEN_OUT],
    [BLOCK_DEVICE_ZERO, TOKEN_IN],
  ] as const;
  const body = new Uint8Array(4 + types.length * ROD_TYPE_BYTES);
  const view = new DataView(body.buffer);
  view.setUint16(2, types.length * ROD_TYPE_BYTES);
  for (const [i, [type, flags]] of types.entries()) {
    view.setUint32(4 + i * ROD_TYPE_BYTES, type);
    view.setUint8(8 + i * ROD_TYPE_BYTES, flags);
  }
  return body;
}

function generalCopyOperations(): Uint8Array {
  const body = new Uint8Array(32);
  const view = new DataView(body.buffer);
  view.setUint32(0, CONCURRENT_COPIES);
  view.setUint32(4, CONCURRENT_COPIES);
  view.setUint32(8, MAX_SEGMENT_BYTES);
  view.setUint8(12, GRANULARITY);
  return body;
}

export const THIRD_PARTY_COPY: VpdPage = {
  code: 0x8f,
  name: 'Third party copy',
  body: ({ block }) => {
    assert(block !== null, 'the page belongs to units with blocks');
    const out = [EXTENDED_COPY_LID1, EXTENDED_COPY_LID4, POPULATE, WRITE_USING, ABORT_COPY];
    const lid1 = [COPY_STATUS, OPERATING_PARAMETERS, FAILURE_DETAILS];
    const into = [...lid1, COPY_STATUS_LID4, COPY_DATA_LID4, TOKEN_INFORMATION, ALL_TOKENS];
    const commands = listed([OPCODE_COPY_OUT, ...listed(out), OPCODE_COPY_IN, ...listed(into)]);
    const parts = [
      descriptor(BLOCK_DEVICE_ROD_TOKEN_LIMITS, rodTokenLimits(block)),
      descriptor(SUPPORTED_COMMANDS, commands),
      descriptor(PARAMETER_DATA, parameterData()),
      descriptor(SUPPORTED_DESCRIPTORS, listed([BLOCK_TO_BLOCK, IDENTIFICATION_CSCD])),
      descriptor(SUPPORTED_CSCD_IDS, supportedCscdIds()),
      descriptor(ROD_TOKEN_FEATURES, rodTokenFeatures()),
      descriptor(SUPPORTED_ROD_TYPES, supportedRodTypes()),
      descriptor(GENERAL_COPY_OPERATIONS, generalCopyOperations()),
      descriptor(HELD_DATA, heldData()),
    ];
    return Uint8Array.from(parts.flatMap((part) => [...part]));
  },
};
