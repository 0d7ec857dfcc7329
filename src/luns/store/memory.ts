/** A disk in memory: the file store over a memory file, whose flush has nothing to wait for and whose discard frees pages. */
import { addSeals, createMemoryFile, F_SEAL_SHRINK, truncate } from '../../libc.ts';
import { FileStore } from './file.ts';

const PAGE_BYTES = 4096;

export class MemoryStore extends FileStore {
  readonly #memory: number;

  private constructor(fd: number, bytes: number, readOnly: boolean) {
    const options = { fd, bytes, readOnly };
    super(options, {
      canDiscard: !readOnly,
      discardBytes: PAGE_BYTES,
      watched: false,
      transient: true,
    });
    this.#memory = fd;
  }

  /** A store of `bytes` zeros that costs memory where it is written. Throws SystemError. */
  static create(bytes: number, readOnly = false): MemoryStore {
    const fd = createMemoryFile('ringscsi-disk', bytes);
    addSeals(fd, F_SEAL_SHRINK);
    return new MemoryStore(fd, bytes, readOnly);
  }

  override grow(bytes: number): void {
    truncate(this.#memory, bytes);
    super.grow(bytes);
  }
}
