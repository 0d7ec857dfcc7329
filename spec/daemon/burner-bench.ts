/** A bench for specs about the burners of a running daemon. */
import { closeSync } from 'node:fs';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import { openDiskFile } from '../../src/luns/open.ts';
import { MediaBench } from './media-bench.ts';

export class BurnerBench extends MediaBench {
  /** Somebody else who has the file for writing; throws when it is locked. */
  override own(path: string): () => void {
    const { fd } = openDiskFile({ lun: 9, path, blockBytes: 1, readOnly: false });
    return () => closeSync(fd);
  }

  async drive(lun = 0): Promise<MediaStatus | undefined> {
    return (await this.media()).find((each) => each.lun === lun);
  }
}
