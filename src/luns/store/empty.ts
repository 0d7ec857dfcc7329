/** What is behind a drive while there is no medium in it: nothing. Commands meet the medium gate first; what works past it finds this. */
import { type AllocationRun, DATA, DONE, GONE, type StoreReply } from '../../scsi/contracts.ts';
import { type DiskStore, StoreCounters } from './disk-store.ts';

const GRANULE_BYTES = 4096;

export class EmptyStore implements DiskStore {
  readonly bytes = 0;
  readonly readOnly = false;
  readonly canDiscard = false;
  readonly canReserve = false;
  readonly discardBytes = GRANULE_BYTES;
  /** As the media have it that come: VPD page 86h does not change with them. */
  readonly volatileCache = true;
  readonly atomicBytes = 0;
  readonly key = null;
  readonly counters = new StoreCounters();

  turn(): void {}
  grow(): void {}
  close(): void {}
  cancel(): void {}

  /** Nothing was written that could be lost. */
  syncNow(): StoreReply {
    return DONE;
  }
  flush(): StoreReply {
    return DONE;
  }

  read(): StoreReply {
    return GONE;
  }
  readNow(): StoreReply {
    return GONE;
  }
  write(): StoreReply {
    return GONE;
  }
  writeAtomic(): StoreReply {
    return GONE;
  }
  discard(): StoreReply {
    return GONE;
  }
  writeZeroes(): StoreReply {
    return GONE;
  }
  allocation(): AllocationRun {
    return { state: DATA, end: 1 };
  }
}
