/** The journal of a burner: keeps the state of the recordable disc that is in it, in that disc's own file. */
import { type BlockStore, type DiscJournal, GONE, type StoreReply } from '../../scsi/contracts.ts';
import type { Task } from '../../scsi/task.ts';
import type { Backing } from '../backing.ts';
import { SlotJournal, type SlotMemory } from './burn-store.ts';

export class BurnerJournal implements DiscJournal {
  readonly memory: SlotMemory;
  readonly #store: BlockStore;
  #slots: SlotJournal | null = null;

  /** `store`: that of the drive, whichever disc is behind it. */
  constructor(store: BlockStore, memory: SlotMemory, backing: Backing) {
    this.#store = store;
    this.memory = memory;
    this.change(backing);
  }

  /** Another medium is in the drive, or none. */
  change(backing: Backing): void {
    this.#slots =
      backing.kind === 'recordable'
        ? new SlotJournal(this.#store, backing.burnt, this.memory)
        : null;
  }

  save(task: Task, state: Uint8Array): StoreReply {
    return this.#slots?.save(task, state) ?? GONE;
  }

  /** As `SlotJournal.saveUnsynced`. */
  saveUnsynced(task: Task, state: Uint8Array): boolean {
    return this.#slots?.saveUnsynced(task, state) ?? false;
  }
}
