/** One script on our disk and on QEMU's own: what a guest sees of each, and where the two differ. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { CACHE } from './support/places.ts';
import { note } from './support/report.ts';
import { QemuStorage, type Storage } from './support/storage.ts';

const DISK = [{ lun: 0, sizeMiB: 64, serial: 'COMPARISON' }] as const;

/** A heading line and what a tool says, for each part of what a guest can ask. */
const SCRIPT = `
part() { echo "## $*"; "$@" 2>&1 | sed 's/[[:space:]]*$//'; }
device=$(sg 0)
part sg_inq $device
for page in 00 80 83 b0 b1 b2; do part sg_vpd -p 0x$page $device; done
part sg_readcap -l $device
part sg_modes -a $device
part sg_opcodes $device
block=$(basename $(disk 0))
for name in logical_block_size physical_block_size discard_granularity discard_max_bytes write_zeroes_max_bytes max_hw_sectors_kb max_segments rotational write_cache; do
  echo "## queue/$name"
  cat /sys/block/$block/queue/$name
done
echo '## dmesg'
dmesg | sed -n 's/^\\[[ 0-9.]*\\] //; /s[dg] *[a-z]*.*[0-9]*:0:0:0\\|scsi [0-9]*:0:0:0/p' | sed 's/[0-9]*:0:0:0/H:0:0:0/'
`;

async function look(storage: Storage): Promise<Map<string, string>> {
  const guest = await Guest.boot({ options: storage.adapter() });
  try {
    const said = (await guest.run(SCRIPT)).output;
    const parts = said.split(/^## /m).slice(1);
    return new Map(
      parts.map((part) => {
        const end = part.indexOf('\n');
        return [part.slice(0, end).replace(/\/dev\/\S+/, ''), part.slice(end + 1).trimEnd()];
      }),
    );
  } finally {
    await guest.kill();
    await storage.end();
  }
}

describe('comparison with QEMU’s own disk', () => {
  it('lists what a guest sees differently', async () => {
    const ours = await look(await DaemonStorage.start(DISK));
    const theirs = await look(new QemuStorage(DISK));
    const titles = [...new Set([...ours.keys(), ...theirs.keys()])];
    const different = titles.filter((title) => ours.get(title) !== theirs.get(title));
    const path = join(CACHE, 'comparison.txt');
    writeFileSync(
      path,
      different
        .map(
          (title) =>
            `## ${title}\n-- ringscsi\n${ours.get(title) ?? '(not there)'}\n-- QEMU scsi-hd\n${theirs.get(title) ?? '(not there)'}\n`,
        )
        .join('\n'),
    );
    note(
      `what a guest sees: ${titles.length} parts asked for, ${different.length} differ (all of it in .cache/guest/comparison.txt):\n  ${different.join('\n  ')}`,
    );
    const inquiry = [...ours].find(([title]) => title.startsWith('sg_inq'))?.[1] ?? '';
    assert.match(inquiry, /RINGSCSI/);
    for (const [title, text] of ours) assert.doesNotMatch(text, /too short|bad |malformed/i, title);
    const blocks = (parts: Map<string, string>): string | undefined =>
      /Number of logical blocks=(\d+)/.exec(
        [...parts].find(([title]) => title.startsWith('sg_readcap'))?.[1] ?? '',
      )?.[1];
    assert.equal(blocks(ours), '131072');
    assert.equal(blocks(theirs), '131072');
    assert.match(ours.get('dmesg') ?? '', /Attached SCSI disk/);
  });
});
