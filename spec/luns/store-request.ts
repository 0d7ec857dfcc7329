/** A task with mapped memory behind its buffer, for specs that call a store without a target. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapAnonymous } from '../../src/libc.ts';
import { type IoEngine, systemCalls } from '../../src/luns/store/io-engine.ts';
import { PENDING, type StoreReply, type TargetPort } from '../../src/scsi/contracts.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { ENABLED, Task } from '../../src/scsi/task.ts';

const unexpected = (): never => assert.fail('a store does not answer initiators');
const port: TargetPort = {
  lunPresentation: 'native',
  respond: unexpected,
  drop: unexpected,
  taskManagementDone: unexpected,
};

export class StoreRequest {
  readonly task: Task;
  readonly bytes: Uint8Array;
  readonly segments: Segments;
  /** Replies that came by `task.stored`. */
  readonly late: StoreReply[] = [];

  /** A buffer of `length` bytes in segments of `split` bytes. */
  constructor(length: number, split = length) {
    const count = Math.max(1, Math.ceil(length / split));
    const iovecBytes = Segments.iovecBytes(count);
    const memory = mapAnonymous(iovecBytes + length);
    this.segments = new Segments({
      words: new Uint32Array(memory.buffer, 0, iovecBytes / 4),
      address: memory.address,
    });
    const view = new Uint8Array(memory.buffer);
    for (let at = 0; at < length; at += split) {
      const offset = iovecBytes + at;
      const { address } = memory;
      assert(this.segments.append({ view, address }, offset, Math.min(split, length - at)));
    }
    this.bytes = view.subarray(iovecBytes);
    const none = (): Segments => new Segments({ words: new Uint32Array(4), address: 0 });
    this.task = new Task(port, 0, none(), none());
    this.task.state = ENABLED;
  }

  /** Every byte is a number made of its position and `seed`, never 0. */
  fill(seed: number): this {
    for (let i = 0; i < this.bytes.length; i += 1) this.bytes[i] = 1 + ((i * 7 + seed * 31) % 255);
    return this;
  }

  /** What a handler does with a reply; a late one lands in `late`. */
  await(reply: StoreReply): void {
    assert.equal(reply, PENDING);
    this.task.await(reply, (_task, late) => this.late.push(late));
  }
}

/** The real system calls except for what a spec replaces. */
export function engineWith(replaced: Partial<IoEngine>): IoEngine {
  return { ...systemCalls, ...replaced };
}

/** A directory for this spec file, removed when its `describe` ends. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'ringscsi-luns-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** True when every byte is zero. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
