/** The 16-byte CRQ element as bytes, for vectors, traces and whoever is not a ring (LoPAR appendix B, CRQ entry). */
import { Buffer } from 'node:buffer';
import { record } from '../../record.ts';
import type { CrqElement } from './channel.ts';

export const CRQ_ELEMENT = record(16, {
  valid: 'u8',
  format: 'u8',
  reserved: 'u8',
  status: 'u8',
  timeout: 'u16',
  length: 'u16',
  high: 'u32',
  low: 'u32',
});

/** An element with every field zero. */
export function emptyElement(): CrqElement {
  return { valid: 0, format: 0, reserved: 0, status: 0, timeout: 0, length: 0, high: 0, low: 0 };
}

export function decodeElement(bytes: Buffer): CrqElement {
  return CRQ_ELEMENT.layout.decode(bytes);
}

export function encodeElement(element: CrqElement): Buffer {
  const bytes = Buffer.alloc(CRQ_ELEMENT.size);
  CRQ_ELEMENT.layout.encode(element, bytes);
  return bytes;
}
