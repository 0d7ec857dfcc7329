/** The comparator between two processes: attach, write, read back, sleep and wake, disconnect. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attach } from '../../../bench/blkif/attachment.ts';
import { Frontend } from '../../../bench/blkif/frontend.ts';
import { ClientRing } from '../../../bench/blkif/ring.ts';
import { close, drainEventFd, Poller, signalEventFd, unmap } from '../../../src/libc.ts';

const SERVER = fileURLToPath(new URL('../../../bench/blkif/server.js', import.meta.url));

describe('blkif between two processes', () => {
  it('moves the right bytes and ends when the client goes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'blkif-'));
    const file = join(directory, 'disk.img');
    writeFileSync(file, '');
    truncateSync(file, 1024 * 1024);
    const socket = join(directory, 'ring.sock');
    const server = fork(SERVER, [socket, file]);
    const ended = once(server, 'exit');
    try {
      await once(server, 'message');
      const attached = attach(socket, 1, 8);
      assert.equal(attached.sectors, 2048);
      assert.equal(attached.readOnly, false);
      const data = new Uint8Array(attached.mapping.buffer);
      const statuses: number[] = [];
      const ring = new ClientRing(attached.ring, attached.abi.requestBytes);
      const frontend = new Frontend(ring, attached.abi, 0xca00, (_index, status) => {
        statuses.push(status);
      });
      const poller = new Poller();
      poller.add(attached.clientDoorbell);
      const run = (): void => {
        if (ring.push()) signalEventFd(attached.serverDoorbell);
        while (frontend.poll() === 0) {
          if (!ring.arm()) assert.equal(poller.wait(1000), 1, 'the server answers');
          drainEventFd(attached.clientDoorbell);
        }
      };
      for (let i = 0; i < 4096; i += 1) data[4096 + i] = i * 7;
      frontend.transfer(0, 1, 64, 1, 4096);
      run();
      frontend.transfer(1, 0, 64, 5, 4096);
      run();
      assert.deepEqual(statuses, [0, 0]);
      assert.deepEqual(data.subarray(5 * 4096, 6 * 4096), data.subarray(4096, 8192));
      assert.deepEqual(
        Buffer.from(data.subarray(4096, 8192)),
        readFileSync(file).subarray(64 * 512, 64 * 512 + 4096),
      );
      for (const fd of [attached.socket, attached.clientDoorbell, attached.serverDoorbell])
        close(fd);
      poller.close();
      unmap(attached.mapping);
      const [code] = await ended;
      assert.equal(code, 0);
    } finally {
      server.kill();
      rmSync(directory, { recursive: true });
    }
  });
});
