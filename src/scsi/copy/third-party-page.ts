/** VPD page 8Fh, Third-party Copy (SPC-4 7.8.17): the commands and descriptors of the copy manager. */
import type { VpdPage } from '../spc/vpd.ts';
import {
  BLOCK_TO_BLOCK,
  COPY_STATUS,
  GRANULARITY,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
  OPCODE_EXTENDED_COPY,
  OPCODE_RECEIVE_COPY_RESULTS,
  OPERATING_PARAMETERS,
} from './limits.ts';

const SUPPORTED_COMMANDS = 0x0001;
const PARAMETER_DATA = 0x0004;
const SUPPORTED_DESCRIPTORS = 0x0008;
const GENERAL_COPY_OPERATIONS = 0x8001;
const CONCURRENT_COPIES = 16;

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

function parameterData(): Uint8Array {
  const body = new Uint8Array(28);
  const view = new DataView(body.buffer);
  view.setUint16(4, MAX_CSCD_DESCRIPTORS);
  view.setUint16(6, MAX_SEGMENT_DESCRIPTORS);
  view.setUint32(8, MAX_DESCRIPTOR_LIST_BYTES);
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
  body: () => {
    const commands = listed([
      ...[OPCODE_EXTENDED_COPY, 1, 0x00],
      ...[OPCODE_RECEIVE_COPY_RESULTS, 2, COPY_STATUS, OPERATING_PARAMETERS],
    ]);
    const parts = [
      descriptor(SUPPORTED_COMMANDS, commands),
      descriptor(PARAMETER_DATA, parameterData()),
      descriptor(SUPPORTED_DESCRIPTORS, listed([BLOCK_TO_BLOCK, IDENTIFICATION_CSCD])),
      descriptor(GENERAL_COPY_OPERATIONS, generalCopyOperations()),
    ];
    return Uint8Array.from(parts.flatMap((part) => [...part]));
  },
};
