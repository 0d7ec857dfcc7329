/** The log of a recorded daemon: events of a medium, one after the other, in a file. */
import { readFileSync } from 'node:fs';
import type { MediumEvent } from './medium.ts';

export type RecordedEvent = MediumEvent;

const KINDS = ['write', 'zero', 'sync'] as const;
/** kind, file, durable (u32 each), data length (u32), position, length or `from` (f64 each). */
const HEADER_BYTES = 32;

export function encodeEvent(event: RecordedEvent): Uint8Array[] {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  view.setUint32(0, KINDS.indexOf(event.kind));
  view.setUint32(4, event.file);
  const header = new Uint8Array(view.buffer);
  if (event.kind === 'sync') {
    view.setFloat64(24, event.from);
    return [header];
  }
  view.setFloat64(16, event.position);
  if (event.kind === 'zero') {
    view.setFloat64(24, event.length);
    return [header];
  }
  view.setUint32(8, event.durable ? 1 : 0);
  view.setUint32(12, event.bytes.length);
  return [header, event.bytes];
}

/** Reads a log; a last event that is not whole is left out. */
export function readRecording(path: string): RecordedEvent[] {
  const log = readFileSync(path);
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const events: RecordedEvent[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= log.length) {
    const kind = KINDS[view.getUint32(at)];
    const file = view.getUint32(at + 4);
    const dataBytes = view.getUint32(at + 12);
    const position = view.getFloat64(at + 16);
    const length = view.getFloat64(at + 24);
    const durable = view.getUint32(at + 8) === 1;
    const bytes = log.subarray(at + HEADER_BYTES, at + HEADER_BYTES + dataBytes);
    if (bytes.length < dataBytes || kind === undefined) break;
    at += HEADER_BYTES + dataBytes;
    if (kind === 'sync') events.push({ kind, file, from: length });
    else if (kind === 'zero') events.push({ kind, file, position, length });
    else events.push({ kind, file, position, bytes, durable });
  }
  return events;
}
