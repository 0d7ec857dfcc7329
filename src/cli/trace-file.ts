/** Trace files: a header, then one traced command after the other, in the frames of the control socket. */

import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { TraceEntry } from '../daemon/reactor-messages.ts';
import { isMap, packValue, unpackValue } from '../transport/control/packed.ts';
import { FrameReader } from '../transport/control/protocol.ts';

const NAME = 'ringscsi-trace';
const VERSION = 2;
const READ_BYTES = 64 * 1024;

/** A trace file that cannot be read. */
export class TraceFileError extends Error {
  readonly code = 'ERR_TRACE_FILE';
}

function frame(value: unknown): Buffer {
  const body = packValue(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length, 0);
  return Buffer.concat([length, body]);
}

/** Appends entries to a new file. */
export class TraceWriter {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'w', 0o600);
    writeSync(this.#fd, frame({ name: NAME, version: VERSION }));
  }

  write(entry: TraceEntry): void {
    writeSync(this.#fd, frame(entry));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const NUMBERS = [
  'sequence',
  'atUs',
  'guest',
  'lun',
  'peripheralType',
  'status',
  'sense',
  'bytesIn',
  'bytesOut',
  'durationUs',
] as const;

/** Checks one entry that came out of a file or a socket; null when it is none. */
export function readEntry(value: unknown): TraceEntry | null {
  if (!isMap(value) || !(value['cdb'] instanceof Uint8Array)) return null;
  const numbers: Record<string, number> = {};
  for (const key of NUMBERS) {
    const number = value[key];
    if (typeof number !== 'number') return null;
    numbers[key] = number;
  }
  return { ...(numbers as Record<(typeof NUMBERS)[number], number>), cdb: value['cdb'] };
}

function readHeader(path: string, body: Uint8Array): void {
  const header = unpackValue(body);
  if (isMap(header) && header['name'] === NAME && header['version'] === VERSION) return;
  throw new TraceFileError(
    `Cannot show "${path}": it is no trace of this version; ringscsi trace --save makes one`,
  );
}

/** Reads a trace file and hands over its entries in order. Throws TraceFileError, or what the file system says. */
export function readTrace(path: string, onEntry: (entry: TraceEntry) => void): void {
  const fd = openSync(path, 'r');
  const reader = new FrameReader();
  const chunk = Buffer.alloc(READ_BYTES);
  let frames = 0;
  const onFrame = (body: Uint8Array): void => {
    frames += 1;
    if (frames === 1) {
      readHeader(path, body);
      return;
    }
    const entry = readEntry(unpackValue(body));
    if (entry === null)
      throw new TraceFileError(`Cannot show "${path}": entry ${frames - 1} is none`);
    onEntry(entry);
  };
  try {
    for (let got = readSync(fd, chunk); got > 0; got = readSync(fd, chunk)) {
      reader.push(chunk.subarray(0, got), onFrame);
    }
  } catch (error) {
    if (error instanceof TraceFileError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new TraceFileError(`Cannot show "${path}": ${why}`);
  } finally {
    closeSync(fd);
  }
  if (frames === 0) throw new TraceFileError(`Cannot show "${path}": it is empty`);
}
