/** A held store as the medium of a drive. */
import { strict as assert } from 'node:assert';
import { type DiskStore, StoreCounters } from '../../src/luns/store/disk-store.ts';
import { DONE, type StoreReply } from '../../src/scsi/contracts.ts';
import type { Task } from '../../src/scsi/task.ts';
import { HeldStore } from './held-store.ts';

export class HeldMedium extends HeldStore implements DiskStore {
  readonly counters = new StoreCounters();
  closed = false;
  turn(): void {}
  grow(bytes: number): void {
    this.resize(bytes);
  }
  syncNow(): StoreReply {
    return DONE;
  }
  readNow(task: Task, position: number, length: number, into: Task['dataIn']): StoreReply {
    return this.read(task, position, length, into);
  }
  close(): void {
    assert.equal(this.held.length, 0, 'nothing works on a store that is closed');
    this.closed = true;
  }
}
