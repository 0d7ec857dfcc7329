/** The store over a block device: the file store with what the kernel says about the device's discards. */
import { fstatSync, readFileSync } from 'node:fs';
import { FileStore, type FileStoreOptions, type FileTraits } from './file.ts';

const DEFAULT_GRANULE_BYTES = 4096;

/** Major and minor numbers of a dev_t as the C library packs it (makedev(3)). */
export function deviceNumbers(dev: bigint): { readonly major: number; readonly minor: number } {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

/** A number of the device's request queue; a partition has its queue one directory up. 0 when the kernel does not say. */
function queueNumber(device: string, name: string): number {
  for (const queue of ['queue', '../queue']) {
    try {
      return Number(readFileSync(`/sys/dev/block/${device}/${queue}/${name}`, 'latin1'));
    } catch {
      // Not there: a partition, or a kernel that does not have this attribute.
    }
  }
  return 0;
}

/** Whether the open block device gives space back when zeroed with deallocation, and in which units. */
export function deviceTraits(fd: number, readOnly: boolean): FileTraits {
  const { major, minor } = deviceNumbers(fstatSync(fd, { bigint: true }).rdev);
  const device = `${major}:${minor}`;
  const granule = queueNumber(device, 'discard_granularity');
  // Punching a hole in a block device is a WRITE ZEROES that may deallocate: the device must have both.
  const canDiscard =
    !readOnly &&
    queueNumber(device, 'discard_max_bytes') > 0 &&
    queueNumber(device, 'write_zeroes_max_bytes') > 0;
  const usable = granule >= 512 && Number.isInteger(Math.log2(granule));
  return { canDiscard, discardBytes: usable ? granule : DEFAULT_GRANULE_BYTES, watched: false };
}

/** A device has no length to lose and no name to be deleted by: what is gone shows as ENXIO, ENODEV or a short read. */
export class DeviceStore extends FileStore {
  constructor(options: FileStoreOptions) {
    super(options, deviceTraits(options.fd, options.readOnly));
  }
}
