/** SRP port identifiers (16 bytes: identifier extension, then EUI-64 or GUID) and the TransportID made of one (SPC-4 7.6.4). */
import { Buffer } from 'node:buffer';
import { record } from '../../record.ts';

export const PORT_IDENTIFIER_BYTES = 16;

/** The identifier of a port that has none: virtual SCSI initiators log in with it. */
export const NO_PORT_IDENTIFIER = '0'.repeat(2 * PORT_IDENTIFIER_BYTES);

const SRP_PROTOCOL_IDENTIFIER = 0x04;

/** TransportID of an SRP initiator port. */
export const TRANSPORT_ID = record(24, {
  protocol: 'u8',
  pad1: ['pad', 7],
  initiatorPort: ['bytes', PORT_IDENTIFIER_BYTES],
});

/** 32 hexadecimal digits. */
export function formatPortIdentifier(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Bytes of an identifier given as 32 hexadecimal digits. Throws RangeError. */
export function parsePortIdentifier(text: string): Buffer {
  if (!/^[0-9a-f]{32}$/i.test(text)) {
    throw new RangeError(
      `Cannot use port identifier "${text}": it must be 32 hexadecimal digits (16 bytes)`,
    );
  }
  return Buffer.from(text, 'hex');
}

export function encodeTransportId(initiatorPort: string): Buffer {
  const bytes = Buffer.alloc(TRANSPORT_ID.size);
  const protocol = SRP_PROTOCOL_IDENTIFIER;
  TRANSPORT_ID.layout.encode(
    { protocol, initiatorPort: parsePortIdentifier(initiatorPort) },
    bytes,
  );
  return bytes;
}

/** The initiator port identifier in an SRP TransportID, or null when it is not one. */
export function decodeTransportId(bytes: Buffer): string | null {
  if (bytes.length < TRANSPORT_ID.size || bytes[0] !== SRP_PROTOCOL_IDENTIFIER) return null;
  return formatPortIdentifier(TRANSPORT_ID.layout.decode(bytes).initiatorPort);
}
