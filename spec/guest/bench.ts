/** `npm run bench:guest`: fio in one guest on our daemon's disk and on QEMU's own, in turn, and the ratio of the medians. */
import { loadavg } from 'node:os';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { missingNeeds } from './support/needs.ts';
import { QemuStorage } from './support/storage.ts';

const ROUNDS = 5;
const SECONDS = 6;
const SIZE_MIB = 256;
const OURS = 0;
const THEIRS = 1;

interface Workload {
  readonly name: string;
  readonly options: string;
}

const WORKLOADS: readonly Workload[] = [
  { name: 'random reads 4 KiB, depth 32', options: '--rw=randread --bs=4k --iodepth=32' },
  { name: 'random reads 4 KiB, depth 1', options: '--rw=randread --bs=4k --iodepth=1' },
  { name: 'random writes 4 KiB, depth 32', options: '--rw=randwrite --bs=4k --iodepth=32' },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** IOPS of one run on the disk with this LUN; both are in one guest, on adapters of their own. */
async function run(guest: Guest, lun: number, { options }: Workload): Promise<number> {
  const said = await guest.sh(
    `fio --name=x --filename=$(disk ${lun}) --ioengine=libaio --direct=1 --size=${SIZE_MIB}m ${options} ` +
      `--runtime=${SECONDS} --time_based --randrepeat=1 --output-format=terse`,
    (SECONDS + 60) * 1000,
  );
  const fields = said.trim().split('\n').at(-1)?.split(';') ?? [];
  // Terse format 3: field 8 is the IOPS of reads, field 49 that of writes.
  const iops = Number(fields[options.includes('randread') ? 7 : 48]);
  if (!(iops > 0)) throw new Error(`Cannot read the IOPS out of what fio said:\n${said}`);
  return iops;
}

async function measure(guest: Guest, workload: Workload): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const lun of round % 2 === 0 ? [OURS, THEIRS] : [THEIRS, OURS]) {
      (lun === OURS ? ours : theirs).push(await run(guest, lun, workload));
    }
  }
  const each = (values: readonly number[]): string => values.map((v) => v.toFixed(0)).join(' ');
  const ratio = (median(ours) / median(theirs)).toFixed(2);
  process.stdout.write(
    `${workload.name}: ${ratio} of QEMU's own\n  ringscsi ${each(ours)}\n  QEMU     ${each(theirs)}\n`,
  );
}

const missing = missingNeeds();
if (missing !== null) {
  process.stderr.write(`${missing}\n`);
  process.exit(1);
}
const only = process.argv[2] ?? '';
const daemon = await DaemonStorage.start([{ lun: OURS, sizeMiB: SIZE_MIB }]);
const qemu = new QemuStorage([{ lun: THEIRS, sizeMiB: SIZE_MIB }]);
const options = [...daemon.adapter({ id: 'ours' }), ...qemu.adapter({ id: 'theirs' })];
const guest = await Guest.boot({ image: 'fio', options });
try {
  process.stdout.write(
    `fio in a guest under TCG, ${ROUNDS} runs of ${SECONDS} s each in turn, load ${(loadavg()[0] ?? 0).toFixed(1)}\n`,
  );
  // Written once, so that neither reads holes.
  for (const lun of [OURS, THEIRS]) {
    await guest.sh(`dd if=/dev/zero of=$(disk ${lun}) bs=1M count=${SIZE_MIB} conv=fsync`, 300_000);
  }
  for (const workload of WORKLOADS.filter(({ name }) => name.includes(only))) {
    await measure(guest, workload);
  }
} finally {
  await guest.kill();
  await daemon.end();
  await qemu.end();
}
