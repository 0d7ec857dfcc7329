/** A real kernel's ext4 on a disk of a recorded daemon: what it writes and flushes, and what it told its programs is durable. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DaemonStorage } from '../guest/support/daemon-storage.ts';
import { Guest } from '../guest/support/guest.ts';
import { type RecordedEvent, readRecording } from './recording.ts';

export const DISK_MIB = 32;
const MARKER_MIB = 1;
const MARKER_BYTES = 4096;
const FILES = 48;
const GUEST_MS = 200_000;

const sizeOf = (file: number): number => 1 + ((file * file * 977) % 70_000);
const textOf = (file: number | string): string => `what file ${file} of the power cut test holds`;

/** Bytes of `yes TEXT | head -c SIZE`. */
export function contentOf(file: number): Buffer {
  return Buffer.alloc(sizeOf(file), `${textOf(file)}\n`);
}

/**
 * Each file is synced (on ext4 that takes its name along), then a marker is written to the second disk, whose order among all events
 * is in the log. The file `current` is replaced by rename(2); around them are files that nobody syncs, and deletions with discards.
 */
const WORKLOAD = `
quiet() { dd "$@" 2> /dev/null; }
mark() { printf marker | quiet of=$markers bs=${MARKER_BYTES} seek=$1 conv=sync,fsync,notrunc; }
content() { yes "${textOf('$1')}" | head -c $((1 + $1 * $1 * 977 % 70000)); }
markers=$(disk 1)
mke2fs -q -t ext4 -b 1024 $(disk 0) 2> /dev/null
mount -t ext4 -o discard $(disk 0) /mnt
mkdir /mnt/d0 /mnt/d1 /mnt/d2 /mnt/d3
sync
mark ${2 * FILES}
i=0
while [ $i -lt ${FILES} ]; do
  content $i | quiet of=/mnt/d$((i % 4))/f$i bs=16k conv=fsync
  mark $i
  yes noise | head -c $((1 + i * 31337 % 150000)) > /mnt/noise$i
  if [ $((i % 3)) = 2 ]; then rm /mnt/noise$((i - 1)) /mnt/noise$((i - 2)); fi
  content $i | quiet of=/mnt/next bs=16k conv=fsync
  mv /mnt/next /mnt/current
  sync
  mark $((${FILES} + i))
  i=$((i + 1))
done`;

export interface Ext4Recording {
  readonly events: RecordedEvent[];
  /** Event from which on the file system is there. */
  readonly first: number;
  /** Event from which on each file is there with its content. */
  readonly files: readonly number[];
  /** Event from which on `current` is the content of this file or a later one. */
  readonly replaced: readonly number[];
}

/** Boots, runs the workload, pulls the plug. */
export async function recordExt4(): Promise<Ext4Recording> {
  const log = join(tmpdir(), `ringscsi-power-cut-${process.pid}.log`);
  const preload = fileURLToPath(new URL('./preload.js', import.meta.url));
  const { NODE_OPTIONS } = process.env;
  process.env['NODE_OPTIONS'] = `--import=${preload}`;
  process.env['POWER_CUT_LOG'] = log;
  let storage: DaemonStorage | null = null;
  let guest: Guest | null = null;
  try {
    storage = await DaemonStorage.start([
      { lun: 0, sizeMiB: DISK_MIB },
      { lun: 1, sizeMiB: MARKER_MIB },
    ]);
    if (NODE_OPTIONS === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = NODE_OPTIONS;
    guest = await Guest.boot({ options: storage.adapter() });
    await guest.sh(WORKLOAD, GUEST_MS);
    await guest.kill();
    await storage.stop();
    return withMarkers(readRecording(log));
  } finally {
    await guest?.kill();
    await storage?.end();
    rmSync(log, { force: true });
  }
}

function withMarkers(events: RecordedEvent[]): Ext4Recording {
  const marked = (marker: number): number => {
    const position = marker * MARKER_BYTES;
    const at = events.findIndex(
      (event) =>
        event.kind === 'write' &&
        event.file === 1 &&
        event.position <= position &&
        position < event.position + event.bytes.length &&
        event.bytes[position - event.position] === 'm'.charCodeAt(0),
    );
    if (at < 0) throw new Error(`marker ${marker} is not in the recording`);
    return at;
  };
  const numbers = Array.from({ length: FILES }, (_, i) => i);
  return {
    events,
    first: marked(2 * FILES),
    files: numbers.map(marked),
    replaced: numbers.map((i) => marked(FILES + i)),
  };
}
