/** Two disks and an initiator for specs of ROD tokens: LUN 0 has 512-byte blocks, LUN 1 others if asked for. */
import { strict as assert } from 'node:assert';
import type { Outcome, Pending } from './direct-port.ts';
import { type DiskOptions, disk } from './target.ts';
import {
  type Information,
  informationCdb,
  type PopulateOptions,
  populateCdb,
  populateList,
  type Range,
  readInformation,
  type WriteOptions,
  writeCdb,
  writeList,
} from './token-list.ts';

export const BLOCKS = 4096;

export function tokenBench(first: DiskOptions = {}, second: DiskOptions = {}) {
  const bed = disk({ blocks: BLOCKS, ...first });
  bed.add({ blocks: BLOCKS, ...second, lun: 1 });
  const a = bed.nexus('a').clear();
  const other = bed.stores.get(1);
  assert(other !== undefined);
  const { store } = bed;
  store.memory.forEach((_, at) => {
    store.memory[at] = (Math.floor(at / 512) * 7 + at) & 0xff;
  });

  function finish(pending: Pending): Outcome {
    while (!pending.done && bed.timers.run());
    return pending.result;
  }
  /** POPULATE TOKEN. */
  function populate(
    ranges: readonly Range[],
    options: PopulateOptions & { id?: number; lun?: number } = {},
  ): Outcome {
    const list = populateList(ranges, options);
    return a.run(populateCdb(list.length, options.id ?? 1), { out: list, lun: options.lun ?? 0 });
  }
  function information(id: number, lun = 0): Information {
    const r = a.run(informationCdb(id), { in: 4096, lun });
    assert.equal(r.status, 0, r.sense);
    return readInformation(r.dataIn);
  }
  /** The token for blocks of LUN 0. */
  function tokenFor(ranges: readonly Range[], options: PopulateOptions = {}): Uint8Array {
    assert.equal(populate(ranges, options).status, 0);
    const { token } = information(1);
    assert.equal(token.length, 512);
    return token;
  }
  /** Sends WRITE USING TOKEN, to LUN 1 unless told otherwise. */
  function start(
    token: Uint8Array,
    ranges: readonly Range[],
    options: WriteOptions & { id?: number; lun?: number } = {},
  ): Pending {
    const list = writeList(token, ranges, options);
    return a.start(writeCdb(list.length, options.id ?? 2), { out: list, lun: options.lun ?? 1 });
  }
  function write(
    token: Uint8Array,
    ranges: readonly Range[],
    options: WriteOptions & { id?: number; lun?: number } = {},
  ): Outcome {
    return finish(start(token, ranges, options));
  }
  /** Lets everything that waits happen. */
  function settle(): void {
    do {
      for (const each of bed.stores.values()) each.releaseAll();
    } while (bed.timers.run());
  }
  return { bed, a, store, other, finish, populate, information, tokenFor, start, write, settle };
}

export type TokenBench = ReturnType<typeof tokenBench>;
