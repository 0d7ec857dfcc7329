/** libiscsi's iscsi-dd copies one of our LUNs to another, through itself and by having the target do it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { iscsiDd } from './support/iscsi-dd.ts';
import { Portal } from './support/portal.ts';
import { note } from './support/report.ts';

const runTool = promisify(execFile);
const TOOL_MS = 60_000;
const SIZE_MIB = 16;
/** Without it iscsi-dd takes the last LBA of READ CAPACITY(10) for the number of blocks. */
const SIXTEEN = '--16';

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

describe('iSCSI, libiscsi’s iscsi-dd', function () {
  this.timeout(600_000);
  let portal: Portal;
  let tool = '';

  before(async function () {
    const made = iscsiDd();
    if ('missing' in made) {
      note(`skipped: iscsi-dd copies a LUN to another (${made.missing})`);
      this.skip();
    }
    tool = made.path;
    portal = await Portal.open([0, 1, 2].map((lun) => ({ lun, sizeMiB: SIZE_MIB })));
    const { storage } = portal;
    await storage.stop();
    writeFileSync(storage.image(0), randomBytes(SIZE_MIB * 1024 * 1024));
    await storage.restart();
  });
  after(() => portal?.storage.end());

  const copy = async (to: number, ...options: string[]): Promise<void> => {
    const words = [SIXTEEN, ...options, '--src', portal.url(0), '--dst', portal.url(to)];
    const { stdout } = await runTool(tool, words, { timeout: TOOL_MS });
    assert.match(stdout, /32768 blocks \(512 sized\) copied/);
    assert.equal(digest(portal.storage.image(to)), digest(portal.storage.image(0)));
  };

  it('copies a LUN to another by READ(16) and WRITE(16)', () => copy(1));

  // One at a time: it gives each copy the list identifier 1, and those of copies under way have to differ (5/00/16).
  it('has the target copy it by EXTENDED COPY', () => copy(2, '--xcopy', '--max', '1'));
});
