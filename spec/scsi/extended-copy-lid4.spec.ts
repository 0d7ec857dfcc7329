/** EXTENDED COPY(LID4) and what is told of copies by list identifiers of 32 bits (SPC-4 6.4, 6.20, 6.24, 6.31). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import {
  copyCdb,
  copyDataCdb,
  copyList,
  copyListLid4,
  copyStatusCdb,
  cscd,
  segment,
} from '../support/copy-list.ts';
import type { Outcome, Pending } from '../support/direct-port.ts';
import { disk } from '../support/target.ts';
import { tokenBench } from '../support/token-bench.ts';
import { abortCdb } from '../support/token-list.ts';

const BLOCK = 512;
const SELF = 0xffff;
const ID = 0xfeedf00d;
const HOLD = { listIdentifier: ID, immediate: true };

function bench() {
  const bed = disk({ blocks: 4096 });
  bed.add({ lun: 1, blocks: 4096 });
  const a = bed.nexus('a').clear();
  const [zero, one] = bed.target.units().map(({ identity }) => cscd(identity.naa));
  const other = bed.stores.get(1);
  assert(zero !== undefined && one !== undefined && other !== undefined);
  for (let lba = 0; lba < 4096; lba += 1) {
    bed.store.memory.fill(lba & 0xff, lba * BLOCK, (lba + 1) * BLOCK);
  }
  function start(list: Uint8Array, action: 0 | 1 = 1): Pending {
    return a.start(copyCdb(list.length, action), { out: list });
  }
  function settle(): void {
    do bed.store.releaseAll();
    while (bed.timers.run());
  }
  function run(list: Uint8Array, action: 0 | 1 = 1): Outcome {
    const pending = start(list, action);
    settle();
    return pending.result;
  }
  const status = (id: number): Buffer => {
    const r = a.run(copyStatusCdb(id), { in: 1024 });
    assert.equal(r.sense, '');
    return Buffer.from(r.dataIn);
  };
  return { bed, a, zero, one, other, store: bed.store, start, run, settle, status };
}

/** Within the unit, named by itself. */
const own = (from: number, to: number, blocks = 1): Buffer =>
  segment({ source: SELF, destination: SELF, from, to, blocks });

describe('EXTENDED COPY(LID4)', () => {
  it('copies; the first CSCD descriptor has ID 1', () => {
    const { run, zero, one, store, other } = bench();
    const way = segment({ source: 1, destination: 2, from: 7, to: 30, blocks: 3 });
    assert.equal(run(copyListLid4([zero, one], [way])).status, 0);
    const copied = other.memory.subarray(30 * BLOCK, 33 * BLOCK);
    assert.deepEqual(copied, store.memory.subarray(7 * BLOCK, 10 * BLOCK));
  });

  it('with ID 0, which would be in the header, reaches no unit', () => {
    const { run, zero } = bench();
    const way = segment({ source: 0, destination: 1, from: 0, to: 9, blocks: 1 });
    assert.equal(run(copyListLid4([zero], [way])).sense, 'a/08/04');
  });

  it('without a list is GOOD', () => {
    assert.equal(bench().a.run(copyCdb(0, 1)).status, 0);
  });

  const good = (): Buffer => copyListLid4([], [own(0, 9)]);
  const wrong: readonly (readonly [string, (list: Buffer) => Uint8Array, string, string])[] = [
    ['too short for its header', (list) => list.subarray(0, 47), '5/1a/00', ''],
    ['not all there', (list) => list.subarray(0, -1), '5/1a/00', ''],
    ['another PARAMETER LIST FORMAT', (list) => list.fill(0, 0, 1), '5/26/00', 'list 0'],
    ['LIST ID USAGE 01b', (list) => list.fill(0x08, 1, 2), '5/26/00', 'list 1.4'],
    [
      'another HEADER CSCD DESCRIPTOR LIST LENGTH',
      (list) => list.fill(0, 2, 4),
      '5/26/00',
      'list 2',
    ],
    ['G_SENSE', (list) => list.fill(0x02, 15, 16), '5/26/00', 'list 15.1'],
    ['G_SENSE with IMMED', (list) => list.fill(0x03, 15, 16), '5/24/00', ''],
    [
      'another HEADER CSCD DESCRIPTOR TYPE CODE',
      (list) => list.fill(0xe4, 16, 17),
      '5/26/00',
      'list 16',
    ],
    ['LIST ID USAGE 11b with an identifier', (list) => list.fill(0x18, 1, 2), '5/26/00', 'list 20'],
    ['inline data', (list) => list.fill(4, 47, 48), '5/26/0b', ''],
  ];
  for (const [what, change, sense, pointer] of wrong) {
    it(`refuses ${what}`, () => {
      const { run, store } = bench();
      const r = run(change(good()));
      assert.deepEqual([r.sense, r.pointer], [sense, pointer]);
      assert.equal(store.requests.length, 0);
    });
  }

  it('refuses IMMED of a copy that nobody can ask for: 5/24/00', () => {
    const { run } = bench();
    const list = copyListLid4([], [own(0, 9)], { usage: 3, listIdentifier: 0, immediate: true });
    assert.equal(run(list).sense, '5/24/00');
  });

  it('LIST ID USAGE 11b keeps nothing', () => {
    const { run, a } = bench();
    assert.equal(run(copyListLid4([], [own(0, 9)], { usage: 3, listIdentifier: 0 })).status, 0);
    assert.equal(a.run(copyStatusCdb(0), { in: 64 }).sense, '5/24/00');
  });

  it('with an identifier that is taken is 5/00/16, by a list of the other format 5/26/00', () => {
    const { start, run, store, settle } = bench();
    store.hold = true;
    const first = start(copyListLid4([], [own(0, 9)], { listIdentifier: 5 }));
    assert.equal(run(copyListLid4([], [own(0, 10)], { listIdentifier: 5 })).sense, '5/00/16');
    store.hold = true;
    const again = start(copyListLid4([], [own(0, 9)], { listIdentifier: 6 }));
    assert.equal(
      start(copyList([], [own(0, 10)], { listIdentifier: 6 }), 0).result.sense,
      '5/26/00',
    );
    settle();
    assert.deepEqual([first.result.status, again.result.status], [0, 0]);
  });
});

describe('CSCD descriptor ID FFFFh', () => {
  for (const [name, action, list] of [
    ['LID1', 0, copyList([], [own(7, 30, 3)])],
    ['LID4', 1, copyListLid4([], [own(7, 30, 3)])],
  ] as const) {
    it(`is the unit that EXTENDED COPY(${name}) was sent to`, () => {
      const { run, store } = bench();
      assert.equal(run(list, action).status, 0);
      const copied = store.memory.subarray(30 * BLOCK, 33 * BLOCK);
      assert.deepEqual(copied, store.memory.subarray(7 * BLOCK, 10 * BLOCK));
    });
  }

  for (const id of [0xc000, 0xf800, 0xfffe]) {
    it(`${id.toString(16)}h is nobody here: A/08/04`, () => {
      const { run } = bench();
      const way = segment({ source: id, destination: SELF, from: 0, to: 9, blocks: 1 });
      assert.equal(run(copyListLid4([], [way])).sense, 'a/08/04');
    });
  }
});

describe('RECEIVE COPY STATUS(LID4)', () => {
  it('of a copy that is over (table 248), as often as it is asked', () => {
    const { run, status } = bench();
    const list = copyListLid4([], [own(0, 9), own(1, 20, 2)], { listIdentifier: ID });
    assert.equal(run(list).status, 0);
    const expected = Buffer.from(
      // 28 bytes follow; service action, status, four commands; no other status; GOOD; bytes; 1536 of them; two segments
      '0000001c 01010004 fffffffe 00000000 0000000000000600 0002 000000000000'.replaceAll(' ', ''),
      'hex',
    );
    assert.deepEqual(status(ID), expected);
    assert.deepEqual(status(ID), expected);
  });

  it('of one in the background: its command is over, it is not', () => {
    const { start, status, store, settle } = bench();
    store.hold = true;
    const copy = start(copyListLid4([], [own(7, 30)], HOLD));
    assert.equal(copy.result.status, 0);
    const data = status(ID);
    assert.deepEqual([data[5], data.readUInt16BE(24)], [0x12, 1]);
    assert.ok(data.readUInt32BE(8) < 0xfffffffe);
    settle();
    assert.equal(status(ID)[5], 0x01);
    assert.equal(store.memory[30 * BLOCK], 7);
  });

  it('of one that its command waits for', () => {
    const { start, status, store, settle } = bench();
    store.hold = true;
    start(copyListLid4([], [own(7, 30)], { listIdentifier: ID }));
    assert.equal(status(ID)[5], 0x11);
    settle();
  });

  it('of one that failed has its sense data, and counts the segment that failed', () => {
    const { run, status, store } = bench();
    store.fail('write', MEDIUM_WRITE);
    const r = run(copyListLid4([], [own(0, 9), own(1, 10)], { listIdentifier: ID }));
    assert.equal(r.sense, 'a/0d/01');
    const data = status(ID);
    assert.deepEqual([data[5], data[12], data.readUInt16BE(24)], [0x02, 0x02, 1]);
    assert.deepEqual(data.subarray(32, 32 + (data[14] as number)), Buffer.from(r.senseBytes));
    assert.equal((data[13] as number) % 4, 0);
    assert.equal(data.length, 32 + (data[13] as number));
  });

  it('of one that was aborted says TASK ABORTED, without sense data', () => {
    const { start, status, store, a, settle } = bench();
    store.hold = true;
    start(copyListLid4([], [own(7, 30)], HOLD));
    const abort = a.start(abortCdb(ID));
    settle();
    assert.equal(abort.result.status, 0);
    const data = status(ID);
    assert.deepEqual([data[5], data[12], data[14]], [0x60, 0x40, 0]);
  });

  it('counts no bytes of a segment that is copied from its end', () => {
    const { start, status, store, settle } = bench();
    store.hold = true;
    start(copyListLid4([], [own(100, 300, 1000)], HOLD));
    // A piece is read and written, the next one read.
    for (let i = 0; i < 3; i += 1) store.release();
    const data = status(ID);
    assert.ok(data.readUInt16BE(6) >= 2, 'commands have ended');
    assert.equal(data.readBigUInt64BE(16), 0n);
    settle();
    assert.equal(status(ID).readBigUInt64BE(16), 512_000n);
  });

  it('of one that nobody knows is 5/24/00', () => {
    const r = bench().a.run(copyStatusCdb(ID), { in: 64 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2']);
  });

  it('of EXTENDED COPY(LID1): list identifiers are 32 bits wide wherever they come from', () => {
    const { run, status } = bench();
    assert.equal(run(copyList([], [own(0, 9)], { listIdentifier: 0xfd }), 0).status, 0);
    const data = status(0xfd);
    assert.deepEqual([data[4], data[5]], [0x00, 0x01]);
  });
});

describe('RECEIVE COPY DATA(LID4)', () => {
  it('is the status, and no held data', () => {
    const { run, a, status } = bench();
    assert.equal(run(copyListLid4([], [own(0, 9)], { listIdentifier: ID })).status, 0);
    const data = Buffer.from(a.run(copyDataCdb(ID), { in: 1024 }).dataIn);
    const expected = Buffer.concat([status(ID), Buffer.alloc(4)]);
    expected.writeUInt32BE(32, 0);
    assert.deepEqual(data, expected);
  });

  it('of a copy that nobody knows is 5/24/00', () => {
    assert.equal(bench().a.run(copyDataCdb(ID), { in: 64 }).sense, '5/24/00');
  });
});

describe('REPORT ALL ROD TOKENS', () => {
  const CDB = '84 08 00 00 00 00 00 00 00 00 00 00 04 00 00 00';

  it('has none at first', () => {
    const { dataIn } = tokenBench().a.run(CDB, { in: 1024 });
    assert.deepEqual([...dataIn], [0, 0, 0, 4, 0, 0, 0, 0]);
  });

  it('has header and body of each token, in 96 bytes, oldest first', () => {
    const { a, tokenFor } = tokenBench();
    const tokens = [tokenFor([[0, 4]]), tokenFor([[8, 4]])];
    const { dataIn } = a.run(CDB, { in: 1024 });
    assert.equal(Buffer.from(dataIn).readUInt32BE(0), 4 + 2 * 96);
    const heads = tokens.map((token) => Buffer.from(token.subarray(0, 96)));
    assert.deepEqual(Buffer.from(dataIn.subarray(8)), Buffer.concat(heads));
  });

  it('has those that the copy manager of the unit has made, and no others', () => {
    const { a, tokenFor } = tokenBench();
    tokenFor([[0, 4]]);
    assert.equal(a.run(CDB, { in: 1024, lun: 1 }).dataIn.length, 8);
  });

  it('has none that was revoked', () => {
    const { a, tokenFor } = tokenBench();
    tokenFor([[0, 4]]);
    a.run('2a 00 00 00 00 03 00 00 01 00', { out: new Uint8Array(BLOCK) });
    assert.equal(a.run(CDB, { in: 1024 }).dataIn.length, 8);
  });

  it('has none whose time is over', () => {
    const { a, bed, tokenFor } = tokenBench();
    let now = 0;
    bed.target.rodTokens.now = () => now;
    tokenFor([[0, 4]], { timeout: 1 });
    now = 1001;
    assert.equal(a.run(CDB, { in: 1024 }).dataIn.length, 8);
  });
});
