/** System calls that are done and recorded: what the real file store does to its descriptors, as events of a medium. */
import { readSync } from 'node:fs';
import type { FileState } from '../../src/libc.ts';
import { type IoEngine, systemCalls } from '../../src/luns/store/io-engine.ts';
import type { Medium } from './medium.ts';

/** Mistakes that the test must find. */
export type Mutation =
  | 'none'
  /** No sync reaches the medium: a store that forgot its fdatasync. */
  | 'no-sync'
  /** Durable writes are plain ones: a store that forgot RWF_DSYNC. */
  | 'no-durable-write'
  /** Atomic writes are written in place at once. */
  | 'no-record'
  /** The record of an atomic write is ignored when the image is opened. */
  | 'no-replay';

/** Index of the journal of atomic writes among the files. */
const JOURNAL_FILE = 1;

export class RecordingEngine implements IoEngine {
  readonly #medium: Medium;
  readonly #files: readonly number[];
  readonly #mutation: Mutation;

  /** `files`: descriptors, in the order of the medium's files. */
  constructor(medium: Medium, files: readonly number[], mutation: Mutation) {
    this.#medium = medium;
    this.#files = files;
    this.#mutation = mutation;
  }

  read(fd: number, iovAddress: number, count: number, position: number): number {
    return systemCalls.read(fd, iovAddress, count, position);
  }

  /** The bytes are read back from the file: they are what the kernel took. */
  write(fd: number, iovAddress: number, count: number, position: number, wanted: boolean): number {
    if (this.#mutation === 'no-record' && this.#file(fd) === JOURNAL_FILE) {
      return systemCalls.write(fd, iovAddress, count, position, false);
    }
    const put = systemCalls.write(fd, iovAddress, count, position, false);
    if (put <= 0) return put;
    const bytes = new Uint8Array(put);
    readSync(fd, bytes, 0, put, position);
    const durable = wanted && this.#mutation !== 'no-durable-write';
    this.#medium.events.push({ kind: 'write', file: this.#file(fd), position, bytes, durable });
    return put;
  }

  sync(fd: number): number {
    if (this.#mutation === 'no-sync') return 0;
    const { events } = this.#medium;
    events.push({ kind: 'sync', file: this.#file(fd), from: events.length });
    return 0;
  }

  discard(fd: number, position: number, bytes: number): number {
    return this.#zeroed(fd, position, bytes, systemCalls.discard(fd, position, bytes));
  }

  zero(fd: number, position: number, bytes: number): number {
    return this.#zeroed(fd, position, bytes, systemCalls.zero(fd, position, bytes));
  }

  state(fd: number, state: FileState): number {
    return systemCalls.state(fd, state);
  }

  #zeroed(fd: number, position: number, length: number, result: number): number {
    if (result === 0) {
      this.#medium.events.push({ kind: 'zero', file: this.#file(fd), position, length });
    }
    return result;
  }

  #file(fd: number): number {
    return this.#files.indexOf(fd);
  }
}
