/** The helper thread of a device, for real: its ioctl goes to a node that is no SCSI device. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { close, createEventFd, Poller } from '../../../src/libc.ts';
import type { DeviceReply } from '../../../src/luns/passthrough/device.ts';
import { newSharedWords, SgLink } from '../../../src/luns/passthrough/sg-link.ts';

const ENOTTY = 25;
const WAIT_MS = 10_000;

describe('passthrough: the helper thread', () => {
  it('carries out what it is given, one after the other, and ends with the link', async () => {
    const fd = openSync('/dev/null', 'r+');
    const doneFd = createEventFd();
    const shared = newSharedWords();
    const poller = new Poller();
    let done: () => void = () => undefined;
    const link = new SgLink(
      { shared, doneFd, limitBytes: 65536 },
      {
        watch: (watched, readable) => {
          poller.add(watched);
          done = readable;
        },
        unwatch: (watched) => poller.remove(watched),
      },
    );
    const thread = new Worker(
      new URL('../../../src/luns/passthrough/device-thread.js', import.meta.url),
      { workerData: { shared, fd, doneFd } },
    );
    const exit = once(thread, 'exit');
    const replies: DeviceReply[] = [];
    const cdb = new Uint8Array(6);
    for (let i = 0; i < 3; i += 1) {
      link.start({ cdb, direction: -1, length: 0, timeoutMs: 1000 }, (reply) =>
        replies.push(reply),
      );
      assert.equal(replies.length, i, 'never from inside the call');
      poller.wait(WAIT_MS);
      done();
    }
    assert.deepEqual(
      replies.map(({ errno }) => errno),
      [ENOTTY, ENOTTY, ENOTTY],
    );
    link.close();
    assert.equal((await exit)[0], 0);
    poller.close();
    close(doneFd);
    closeSync(fd);
  });
});
