/** What lies behind a logical unit, as plain data that crosses threads, and the store that is made of it. */
import { fstatSync } from 'node:fs';
import { blockDeviceBytes } from '../libc.ts';
import type { DiscLayout } from '../scsi/mmc/disc.ts';
import { AtomicJournal, journalBeside } from './store/atomic-journal.ts';
import { DeviceStore } from './store/block.ts';
import { type DiskStore, StoreCounters } from './store/disk-store.ts';
import { EmptyStore } from './store/empty.ts';
import { EncryptedStore } from './store/encrypted.ts';
import { FileStore } from './store/file.ts';
import type { IoQueue } from './store/io-queue.ts';
import { JoinedStore } from './store/joined.ts';
import { MediumKey } from './store/medium-key.ts';
import { MemoryStore } from './store/memory.ts';

/** A file that was opened, checked and locked before. */
export interface BackingFile {
  readonly fd: number;
  readonly bytes: number;
}

/** A disc: what is on it, and the files its sectors are in, one behind the other. Only in optical drives. */
export interface DiscBacking {
  readonly kind: 'disc';
  readonly files: readonly BackingFile[];
  readonly layout: DiscLayout;
}

export type Backing =
  | (BackingFile & {
      readonly kind: 'file' | 'block';
      /** Name of the image, beside which atomic writes have their journal; null or absent: there are none. */
      readonly journalled?: string | null;
      /** An open key file (`isKeyFile`): everything in it is encrypted. Null or absent: nothing is. */
      readonly keyFd?: number | null;
    })
  | { readonly kind: 'memory'; readonly bytes: number }
  | DiscBacking
  /** A drive without a medium. */
  | { readonly kind: 'none' };

/** What a store is made of. */
export interface StoreOptions {
  readonly backing: Backing;
  readonly readOnly: boolean;
  readonly blockBytes: number;
}

/** The store of a backing, its reads and syncs queued where that pays. It owns the descriptors. Throws SystemError. */
export function openStore(options: StoreOptions, queue: IoQueue | null): DiskStore {
  const { backing, readOnly } = options;
  if (backing.kind === 'none') return new EmptyStore();
  if (backing.kind === 'memory') return MemoryStore.create(backing.bytes, readOnly);
  if (backing.kind === 'disc') return openDiscStore(backing, queue);
  const { fd, bytes, journalled = null, keyFd = null } = backing;
  const journal = journalled === null ? null : new AtomicJournal(fd, journalBeside(journalled));
  const fileOptions = { fd, bytes, readOnly, queue, journal };
  const store =
    backing.kind === 'block' ? new DeviceStore(fileOptions) : new FileStore(fileOptions);
  if (keyFd === null) return store;
  return new EncryptedStore(store, MediumKey.read(keyFd), options.blockBytes);
}

function openDiscStore({ files }: DiscBacking, queue: IoQueue | null): JoinedStore {
  const counters = new StoreCounters();
  const stores = files.map(
    ({ fd, bytes }) => new FileStore({ fd, bytes, readOnly: true, queue, counters }),
  );
  return new JoinedStore(stores, counters);
}

/** What lies behind it now, which may be more than it says: the file was extended, or the device grew. */
export function backingBytes(backing: Backing): number {
  switch (backing.kind) {
    case 'none':
      return 0;
    case 'memory':
      return Number.POSITIVE_INFINITY;
    case 'disc':
      return backing.files.reduce((sum, { bytes }) => sum + bytes, 0);
    case 'block':
      return blockDeviceBytes(backing.fd);
    case 'file':
      return fstatSync(backing.fd).size;
  }
}
