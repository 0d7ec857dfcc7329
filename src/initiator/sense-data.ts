/** Sense data as an initiator reads it: fixed and descriptor format (SPC-4 4.5). */

export interface SenseData {
  readonly format: 'fixed' | 'descriptor';
  /** The error belongs to an earlier command (response codes 71h and 73h). */
  readonly deferred: boolean;
  readonly key: number;
  readonly asc: number;
  readonly ascq: number;
  /** INFORMATION when it is valid: for most disk errors the LBA. */
  readonly information: number | null;
  /** Field the target objects to; `bit` is null when it means the whole byte. */
  readonly fieldPointer: {
    readonly inCdb: boolean;
    readonly byte: number;
    readonly bit: number | null;
  } | null;
  readonly bytes: Uint8Array;
}

const ILLEGAL_REQUEST = 5;
const INFORMATION_DESCRIPTOR = 0x00;
const SENSE_KEY_SPECIFIC_DESCRIPTOR = 0x02;

function pointer(view: DataView, at: number, key: number): SenseData['fieldPointer'] {
  const first = view.getUint8(at);
  if ((first & 0x80) === 0 || key !== ILLEGAL_REQUEST) return null;
  return {
    inCdb: (first & 0x40) !== 0,
    byte: view.getUint16(at + 1),
    bit: (first & 0x08) !== 0 ? first & 0x07 : null,
  };
}

function decodeFixed(bytes: Uint8Array, view: DataView): SenseData | null {
  if (bytes.length < 8) return null;
  const key = view.getUint8(2) & 0x0f;
  const end = Math.min(bytes.length, 8 + view.getUint8(7));
  return {
    format: 'fixed',
    deferred: (view.getUint8(0) & 0x7f) === 0x71,
    key,
    asc: end > 12 ? view.getUint8(12) : 0,
    ascq: end > 13 ? view.getUint8(13) : 0,
    information: (view.getUint8(0) & 0x80) !== 0 ? view.getUint32(3) : null,
    fieldPointer: end >= 18 ? pointer(view, 15, key) : null,
    bytes,
  };
}

function decodeDescriptors(bytes: Uint8Array, view: DataView): SenseData | null {
  if (bytes.length < 8) return null;
  const key = view.getUint8(1) & 0x0f;
  const end = Math.min(bytes.length, 8 + view.getUint8(7));
  let information: number | null = null;
  let fieldPointer: SenseData['fieldPointer'] = null;
  for (let at = 8; at + 2 <= end; at += 2 + view.getUint8(at + 1)) {
    const type = view.getUint8(at);
    if (at + 2 + view.getUint8(at + 1) > end) break;
    if (type === INFORMATION_DESCRIPTOR && at + 12 <= end && (view.getUint8(at + 2) & 0x80) !== 0) {
      information = view.getUint32(at + 4) * 2 ** 32 + view.getUint32(at + 8);
    }
    if (type === SENSE_KEY_SPECIFIC_DESCRIPTOR && at + 8 <= end) {
      fieldPointer = pointer(view, at + 4, key);
    }
  }
  return {
    format: 'descriptor',
    deferred: (view.getUint8(0) & 0x7f) === 0x73,
    key,
    asc: view.getUint8(2),
    ascq: view.getUint8(3),
    information,
    fieldPointer,
    bytes,
  };
}

/** Decodes sense data; null when there is none or it is neither format. `bytes` becomes part of the result. */
export function decodeSense(bytes: Uint8Array): SenseData | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const responseCode = bytes.length === 0 ? 0 : view.getUint8(0) & 0x7f;
  if (responseCode === 0x70 || responseCode === 0x71) return decodeFixed(bytes, view);
  if (responseCode === 0x72 || responseCode === 0x73) return decodeDescriptors(bytes, view);
  return null;
}
