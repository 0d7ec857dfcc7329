/** Front ends of every kind at a daemon: the messages that QEMU sends, and those that others may send instead. */
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FrontEndOptions, perform } from '../../../src/initiator/vhost/front-end.ts';
import { VhostInitiator } from '../../../src/initiator/vhost/initiator.ts';
import { lunField, QUERY_TASK } from '../../../src/initiator/vhost/scsi-driver.ts';
import { DaemonProcess } from '../../support/daemon-process.ts';

const BLOCKS = 512;

/** Block `lba` of round `round`. */
function pattern(lba: number, round: number): Uint8Array {
  return new Uint8Array(512).map((_, i) => (lba * 31 + i * 7 + round) & 0xff);
}

async function ready(initiator: VhostInitiator): Promise<void> {
  for (let i = 0; i < 8; i += 1) {
    const { status } = await initiator.execute({ lun: 0, cdb: new Uint8Array(6) });
    if (status === 0) return;
  }
}

/** 256 KiB, in one command and in many, written and read back. */
async function check(initiator: VhostInitiator, round: number): Promise<void> {
  const disk = await initiator.disk(0);
  const data = new Uint8Array(BLOCKS * 512);
  for (let lba = 0; lba < BLOCKS; lba += 1) data.set(pattern(lba, round), lba * 512);
  await disk.write(0, data);
  assert.deepEqual(await disk.read(0, BLOCKS), data);
  const reads = Array.from({ length: 32 }, (_, i) => disk.read(i * 8, 8));
  for (const [i, read] of reads.entries()) {
    assert.deepEqual(await read, data.subarray(i * 4096, (i + 1) * 4096));
  }
}

describe('vhost-user front ends at a daemon', function () {
  this.timeout(15_000);
  let daemon: DaemonProcess;
  let round = 0;
  before(async () => {
    daemon = await DaemonProcess.start(['0:disk,memory=4M'], ['vhost-user:v.sock']);
  });
  after(() => daemon.end());

  const open = (options: FrontEndOptions = {}): Promise<VhostInitiator> =>
    VhostInitiator.open(daemon.path('v.sock'), options);

  const kinds: readonly FrontEndOptions[] = [
    {},
    { memoryTable: true },
    { layout: 'hole' },
    { layout: 'hole', memoryTable: true },
    { layout: 'shuffled' },
    { layout: 'shuffled', memoryTable: true, indirect: false },
    { eventIndex: false },
    { indirect: false },
    { eventIndex: false, indirect: false, memoryTable: true },
    { requestQueues: 2 },
    { requestQueues: 4, layout: 'shuffled' },
    { requestQueues: 3, eventIndex: false },
    { enableLate: true },
    { queueSize: 256, requestQueues: 2 },
  ];
  for (const options of kinds) {
    it(`data are right with ${JSON.stringify(options)}`, async () => {
      round += 1;
      const initiator = await open(options);
      await ready(initiator);
      await check(initiator, round);
      await initiator.close();
    });
  }

  it('a second start after a stop: firmware hands over to a kernel, memory is not sent again', async () => {
    const initiator = await open();
    const { frontEnd } = initiator;
    await ready(initiator);
    await check(initiator, 100);
    const bases: number[] = [];
    await perform(frontEnd, frontEnd.stop(bases));
    const [control, , requests] = bases;
    assert.equal(control, 0, 'no control request was sent');
    assert.ok((requests ?? 0) > 32, `${requests} requests were taken`);
    await perform(frontEnd, frontEnd.reset());
    await perform(frontEnd, frontEnd.start());
    frontEnd.driver.postEvents();
    await ready(initiator);
    await check(initiator, 101);
    await initiator.close();
  });

  it('events: a LUN that came, one that grew, one that went; with the LUN below 256 in peripheral format', async () => {
    const initiator = await open();
    const { events } = initiator.frontEnd.driver;
    const next = async (count: number): Promise<void> => {
      for (let i = 0; i < 200 && events.length < count; i += 1) {
        initiator.look();
        await sleep(10);
      }
      assert.equal(events.length, count);
    };
    await daemon.call('lun.add', { lun: 5, type: 'disk', memory: 2 ** 20 });
    await next(1);
    await daemon.call('lun.resize', { lun: 5, size: 2 ** 21 });
    await next(2);
    await daemon.call('lun.remove', { lun: 5 });
    await next(3);
    const lun = lunField(5);
    assert.deepEqual(events, [
      { event: 1, lun, reason: 1 },
      { event: 3, lun, reason: 0x2a | (9 << 8) },
      { event: 1, lun, reason: 2 },
    ]);
    await initiator.close();
  });

  it('AN query and subscribe answer that no event will come, QUERY TASK that the task is not there', async () => {
    const initiator = await open();
    const { frontEnd } = initiator;
    const answers: number[][] = [];
    for (const type of [1, 2] as const) {
      frontEnd.driver.notification(type, 0x7e, (...answer) => answers.push(answer));
    }
    frontEnd.driver.manage(QUERY_TASK, lunField(0), 999n, (response) => answers.push([response]));
    frontEnd.kick();
    for (let i = 0; i < 200 && answers.length < 3; i += 1) {
      initiator.look();
      await sleep(5);
    }
    assert.deepEqual(answers, [[0, 0], [0, 0], [0]]);
    await initiator.close();
  });
});
