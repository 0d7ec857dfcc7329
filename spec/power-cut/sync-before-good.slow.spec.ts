/**
 * K01: between what a command writes and its GOOD lies a sync (SBC-3 4.15; sam-rules 13). Seen from outside the daemon, by strace
 * with io_uring refused, and below its stores with io_uring. The initiator sends a marker when it has GOOD: what is durable before
 * GOOD is synced before the marker is written.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';
import { readRecording } from './recording.ts';

const MARKER_LBA = 4096;
const BLOCK_BYTES = 512;
const IMAGE = 'lun-0.img';

interface Case {
  readonly name: string;
  readonly cdb: string;
  readonly blocks: number;
}

/** With what has to be seen before the marker; a durable write counts as both. */
const CASES: readonly (Case & { readonly seen: string })[] = [
  { name: 'WRITE(10)', cdb: '2a 00 00 00 00 08 00 00 08 00', blocks: 8, seen: 'write' },
  { name: 'FUA', cdb: '2a 08 00 00 00 10 00 00 08 00', blocks: 8, seen: 'write, sync' },
  { name: 'SYNCHRONIZE CACHE(10)', cdb: '35 00 00 00 00 00 00 00 00 00', blocks: 0, seen: 'sync' },
  {
    name: 'SYNCHRONIZE CACHE(16) with IMMED',
    cdb: '91 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
    blocks: 0,
    seen: 'sync',
  },
  {
    name: 'WRITE AND VERIFY(10)',
    cdb: '2e 00 00 00 00 18 00 00 08 00',
    blocks: 8,
    seen: 'write, sync',
  },
];

/** Runs the cases, each followed by its marker: a plain write of block MARKER_LBA + n. */
async function drive(daemon: DaemonProcess, cases: readonly Case[]): Promise<void> {
  const initiator = await openInitiator({ connect: daemon.connect });
  try {
    const a = new TestInitiator(initiator, 0);
    await a.attentions();
    for (const [i, { name, cdb, blocks }] of cases.entries()) {
      const dataOut = new Uint8Array(blocks * BLOCK_BYTES).fill(i + 1);
      const { status } = await a.run(cdb, { dataOut });
      assert.equal(status, 0, name);
      const marker = await a.write(MARKER_LBA + i, 0xff);
      assert.equal(marker.status, 0);
    }
  } finally {
    await initiator.close();
  }
}

const wanted = CASES.map(({ seen }) => seen);

interface Seen {
  readonly what: string;
  readonly position: number;
}

/** What was seen before each marker. */
function perCase(seen: readonly Seen[], cases: readonly Case[]): string[] {
  const found: string[] = [];
  let before: string[] = [];
  for (const { what, position } of seen) {
    if (what.endsWith('write') && position >= MARKER_LBA * BLOCK_BYTES) {
      found.push(before.join(', '));
      before = [];
    } else {
      before.push(...(what === 'durable write' ? ['write', 'sync'] : [what]));
    }
  }
  return found.slice(0, cases.length);
}

/** System calls of a log of `strace -f -y`, in the order in which they began (writes) or ended (syncs). */
function straced(log: string): Seen[] {
  const seen: Seen[] = [];
  const waiting = new Map<string, string>();
  const nameOf = (path: string): string => (path.endsWith('.atomic') ? ' journal' : '');
  for (const line of log.split('\n')) {
    const thread = /^\d+/.exec(line)?.[0] ?? '';
    const write = /pwritev2?\(\d+<([^>]*)>.*\], \d+, (\d+)(.*)/.exec(line);
    if (write !== null && /lun-0\.img/.test(write[1] ?? '')) {
      const durable = write[3]?.includes('RWF_DSYNC') === true;
      const what = `${durable ? 'durable write' : 'write'}${nameOf(write[1] ?? '')}`;
      seen.push({ what, position: Number(write[2]) });
    }
    const sync = /f(?:data)?sync\(\d+<([^>]*)>/.exec(line);
    if (sync !== null) waiting.set(thread, sync[1] ?? '');
    const path = waiting.get(thread) ?? '';
    if (/f(?:data)?sync.*\) += 0$/.test(line) && /lun-0\.img/.test(path)) {
      seen.push({ what: `sync${nameOf(path)}`, position: 0 });
    }
  }
  // Before the first write the image was made, and its size synced.
  return seen.slice(seen.findIndex(({ what }) => what.includes('write')));
}

/** The log, when strace has written the end of the process. */
async function wholeLog(path: string, processId: number): Promise<string> {
  const end = new RegExp(`^${processId} +\\+\\+\\+ `, 'm');
  for (let i = 0; i < 250; i += 1) {
    const log = readFileSync(path, 'latin1');
    if (end.test(log)) return log;
    await sleep(20);
  }
  return assert.fail('strace did not see the end of the daemon');
}

/** Why strace cannot watch here, or null. */
function straceTrouble(): string | null {
  const { error, status } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']);
  if (error !== undefined) return 'strace is not installed (apt-get install strace)';
  return status === 0 ? null : 'strace may not trace here';
}

describe('K01: a sync before GOOD', function () {
  this.timeout(60_000);
  let daemon: DaemonProcess | null = null;
  afterEach(async () => {
    await daemon?.end();
  });

  const trouble = straceTrouble();
  const LUN = `0:disk,path=${IMAGE},size=4M,physical=512`;

  async function underStrace(lun: string, cases: readonly Case[]): Promise<string[]> {
    const calls = 'pwritev,pwritev2,fdatasync,fsync,io_uring_setup';
    const refuse = 'inject=io_uring_setup:error=ENOSYS';
    const words = ['-D', '-f', '-y', '-s', '0', '-e', `trace=${calls}`, '-e', refuse];
    daemon = await DaemonProcess.start([lun], [], [], ['strace', ...words, '-o', 'strace.log']);
    const { processId } = daemon;
    await drive(daemon, cases);
    await daemon.kill('SIGTERM');
    return perCase(straced(await wholeLog(daemon.path('strace.log'), processId)), cases);
  }

  /** A test that needs strace; says why in its title when it cannot run. */
  const straceIt = (name: string, body: () => Promise<void>): void => {
    if (trouble === null) it(name, body);
    else it(`${name} (skipped: ${trouble})`);
  };

  straceIt('for FUA, WRITE AND VERIFY and SYNCHRONIZE CACHE, not for a plain WRITE', async () => {
    assert.deepEqual(await underStrace(LUN, CASES), wanted);
  });

  straceIt('K24: with the write cache off, for a plain WRITE and for WRITE SAME', async () => {
    const cases = [
      { name: 'WRITE(10)', cdb: '2a 00 00 00 00 08 00 00 08 00', blocks: 8 },
      { name: 'WRITE SAME(10)', cdb: '41 00 00 00 00 10 00 00 08 00', blocks: 1 },
    ];
    const found = await underStrace(`${LUN},cache=writethrough`, cases);
    assert.deepEqual(found, ['write, sync', 'write, sync']);
  });

  straceIt('WRITE ATOMIC(16): record, image and cleared record, each before the next', async () => {
    const cdb = '9c 00 00 00 00 00 00 00 00 08 00 00 00 08 00 00';
    const [found] = await underStrace(LUN, [{ name: 'WRITE ATOMIC(16)', cdb, blocks: 8 }]);
    const order = 'write journal, sync journal, write, sync, write journal, sync journal';
    assert.equal(found, order);
  });

  it('the same with io_uring, seen below the stores', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-sync-'));
    const log = join(directory, 'log');
    const { NODE_OPTIONS } = process.env;
    process.env['POWER_CUT_LOG'] = log;
    process.env['NODE_OPTIONS'] =
      `--import=${fileURLToPath(new URL('./preload.js', import.meta.url))}`;
    try {
      daemon = await DaemonProcess.start([LUN]);
    } finally {
      delete process.env['POWER_CUT_LOG'];
      if (NODE_OPTIONS === undefined) delete process.env['NODE_OPTIONS'];
      else process.env['NODE_OPTIONS'] = NODE_OPTIONS;
    }
    await drive(daemon, CASES);
    await daemon.kill('SIGTERM');
    // Zeros are the probe for holes when the image is opened.
    const events = readRecording(log).filter(({ kind }) => kind !== 'zero');
    const seen = events.map((event) => ({
      what: event.kind === 'write' && event.durable ? 'durable write' : event.kind,
      position: event.kind === 'sync' ? 0 : event.position,
    }));
    rmSync(directory, { recursive: true });
    assert.deepEqual(perCase(seen, CASES), wanted);
  });
});
