/** How long a ROD token is worth something: writes, time, number, units that go, and tokens nobody made (SPC-4 5.17.6). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { type TokenBench, tokenBench } from '../support/token-bench.ts';
import {
  populateCdb,
  populateList,
  writeCdb,
  writeList,
  zeroToken,
} from '../support/token-list.ts';

const BLOCK = 512;
/** Valid tokens of a target, and remembered ones that are not: 256 each. */
const MAX_TOKENS = 256;

function be(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) & 0xff);
}
const ten = (opcode: number, lba: number, blocks: number): number[] => [
  opcode,
  0,
  ...be(lba, 4),
  0,
  ...be(blocks, 2),
  0,
];
const sixteen = (opcode: number, flags: number, lba: number, blocks: number): number[] => [
  opcode,
  flags,
  ...be(lba, 8),
  ...be(blocks, 4),
  0,
  0,
];
function unmapList(lba: number, blocks: number): number[] {
  return [...be(22, 2), ...be(16, 2), 0, 0, 0, 0, ...be(lba, 8), ...be(blocks, 4), 0, 0, 0, 0];
}

/** What using the token ends with; nothing is written to LUN 1 when it is no good. */
function use(all: TokenBench, token: Uint8Array): string {
  const before = all.other.requests.length;
  const r = all.write(token, [[0, 1]]);
  if (r.status !== 0) assert.equal(all.other.requests.length, before);
  return r.status === 0 ? 'good' : r.sense;
}

describe('a ROD token and writes', () => {
  /** The token is for blocks 100 to 109 and 200. */
  const RANGES = [
    [100, 10],
    [200, 1],
  ] as const;
  const data = (blocks: number): Uint8Array => new Uint8Array(blocks * BLOCK).fill(0x5a);

  for (const [name, cdb, out] of [
    ['WRITE(6)', [0x0a, 0, 0, 109, 1, 0], data(1)],
    ['WRITE(10) of the last block', ten(0x2a, 200, 1), data(1)],
    ['WRITE(10) across its first block', ten(0x2a, 99, 2), data(2)],
    ['WRITE(16)', sixteen(0x8a, 0, 0, 200), data(200)],
    ['WRITE SAME(16), zeros', sixteen(0x93, 1, 105, 1), data(0)],
    ['COMPARE AND WRITE', [...sixteen(0x89, 0, 100, 0).slice(0, 13), 1, 0, 0], null],
    ['UNMAP', [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], Uint8Array.from(unmapList(200, 1))],
  ] as const) {
    it(`is revoked by ${name}: 5/23/06`, () => {
      const all = tokenBench({ thin: true });
      const token = all.tokenFor(RANGES);
      const same = all.store.memory.slice(100 * BLOCK, 101 * BLOCK);
      const r = all.a.run(cdb, { out: out ?? Uint8Array.from([...same, ...same]) });
      assert.equal(r.status, 0, r.sense);
      assert.equal(use(all, token), '5/23/06');
    });
  }

  it('is not touched by writes beside its blocks, reads, or writes to another unit', () => {
    const all = tokenBench();
    const token = all.tokenFor(RANGES);
    assert.equal(all.a.run(ten(0x2a, 99, 1), { out: data(1) }).status, 0);
    assert.equal(all.a.run(ten(0x2a, 110, 90), { out: data(90) }).status, 0);
    assert.equal(all.a.run(ten(0x2a, 201, 1), { out: data(1) }).status, 0);
    assert.equal(all.a.run(ten(0x2a, 105, 0)).status, 0);
    assert.equal(all.a.run(ten(0x2a, 100, 10), { out: data(10), lun: 1 }).status, 0);
    assert.equal(all.a.run(ten(0x28, 100, 10), { in: 10 * BLOCK }).status, 0);
    assert.equal(all.a.run(ten(0x35, 0, 0)).status, 0);
    assert.equal(use(all, token), 'good');
  });

  it('is not revoked by a write that is refused at the gate', () => {
    const all = tokenBench();
    const token = all.tokenFor(RANGES);
    const b = all.bed.nexus('b').clear();
    b.run('16 00 00 00 00 00');
    assert.equal(all.a.run(ten(0x2a, 100, 1), { out: data(1) }).status, 0x18);
    b.run('17 00 00 00 00 00');
    assert.equal(use(all, token), 'good');
  });

  it('is revoked by what a copy writes', () => {
    const all = tokenBench();
    const token = all.tokenFor(RANGES);
    assert.equal(all.write(zeroToken(), [[100, 1]], { lun: 0 }).status, 0);
    assert.equal(use(all, token), '5/23/06');
  });

  it('stands for what was written before it: it waits for writes under way', () => {
    const all = tokenBench();
    all.store.hold = true;
    const write = all.a.start(ten(0x2a, 100, 1), { out: data(1) });
    const list = populateList([[100, 1]]);
    const populate = all.a.start(populateCdb(list.length), { out: list });
    assert.equal(populate.done, false);
    all.store.hold = false;
    all.settle();
    assert.deepEqual([write.result.status, populate.result.status], [0, 0]);
    assert.equal(all.write(all.information(1).token, [[7, 1]]).status, 0);
    assert.equal(all.other.memory[7 * BLOCK], 0x5a);
  });

  it('does not wait for reads', () => {
    const all = tokenBench();
    all.store.hold = true;
    all.a.start(ten(0x28, 100, 1), { in: BLOCK });
    assert.equal(all.populate([[100, 1]]).status, 0);
    all.settle();
  });

  it('revoked while it is used, ends the copy with 5/23/06 before anything newer is copied', () => {
    const all = tokenBench();
    const before = all.store.memory.slice(0, 1024 * BLOCK);
    const token = all.tokenFor([[0, 1024]]);
    all.other.hold = true;
    const copy = all.start(token, [[0, 1024]]);
    assert.equal(all.a.run(ten(0x2a, 1000, 1), { out: data(1) }).status, 0);
    all.other.hold = false;
    all.settle();
    assert.equal(copy.result.sense, '5/23/06');
    const { transferCount } = all.information(2, 1);
    assert.equal(transferCount, 128);
    assert.deepEqual(all.other.memory.subarray(0, 128 * BLOCK), before.subarray(0, 128 * BLOCK));
    assert.ok(all.other.memory.subarray(128 * BLOCK).every((byte) => byte === 0));
  });

  it('is revoked by a write that waits for the last read of a copy, which copies what was there before', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 8]]);
    all.store.hold = true;
    const copy = all.start(token, [[0, 8]]);
    const write = all.a.start(ten(0x2a, 4, 1), { out: data(1) });
    all.store.hold = false;
    all.settle();
    assert.deepEqual([copy.result.status, write.result.status], [0, 0]);
    assert.notEqual(all.other.memory[4 * BLOCK], 0x5a, 'what was read first is older');
    assert.equal(use(all, token), '5/23/06');
  });

  it('may not be written onto its own blocks', () => {
    const all = tokenBench();
    const token = all.tokenFor([[100, 10]]);
    const r = all.write(
      token,
      [
        [0, 1],
        [109, 9],
      ],
      { lun: 0 },
    );
    assert.deepEqual([r.sense, r.pointer], ['5/26/00', 'list 552']);
    assert.equal(all.write(token, [[110, 10]], { lun: 0 }).status, 0);
  });
});

describe('a ROD token and its unit', () => {
  it('survives resets and nexus loss, and any nexus may use it', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    all.a.manage(0x08);
    all.bed.target.nexusLost(all.a.nexus);
    const b = all.bed.nexus('b').clear();
    const list = writeList(token, [[0, 1]]);
    const copy = b.start(writeCdb(list.length), { out: list, lun: 1 });
    assert.equal(all.finish(copy).status, 0);
  });

  it('is revoked when its unit goes, even if another one takes its LUN and its name', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    all.bed.target.removeUnit(0, () => undefined);
    all.bed.add({ lun: 0, blocks: 4096 });
    all.a.clear();
    assert.equal(use(all, token), '5/23/06');
  });

  it('is revoked when somebody else owns the medium', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    all.bed.unit.standBy(() => undefined);
    all.bed.unit.activate();
    all.a.clear();
    assert.equal(use(all, token), '5/23/06');
  });

  it('is revoked when the medium leaves the drive', () => {
    const all = tokenBench({ removable: true });
    const token = all.tokenFor([[0, 1]]);
    all.a.run('1b 00 00 00 02 00');
    all.a.run('1b 00 00 00 03 00');
    assert.equal(use(all, token), '5/23/06');
  });
});

describe('a ROD token and time', () => {
  function timed() {
    const all = tokenBench();
    const at = (seconds: number): void => {
      all.bed.target.rodTokens.now = () => seconds * 1000;
    };
    at(0);
    return { all, at };
  }

  it('expires when it was not used for its inactivity timeout: 5/23/07', () => {
    const { all, at } = timed();
    const token = all.tokenFor([[0, 1]], { timeout: 10 });
    at(10);
    assert.equal(use(all, token), 'good');
    at(20);
    assert.equal(use(all, token), 'good', 'its use began the time anew');
    at(31);
    assert.equal(use(all, token), '5/23/07');
  });

  it('has 60 seconds when none are asked for, as VPD page 8Fh says', () => {
    const { all, at } = timed();
    const token = all.tokenFor([[0, 1]]);
    at(60);
    assert.equal(use(all, token), 'good');
    at(121);
    assert.equal(use(all, token), '5/23/07');
  });

  it('does not expire under a copy', () => {
    const { all, at } = timed();
    const token = all.tokenFor([[0, 256]], { timeout: 1 });
    all.other.hold = true;
    const copy = all.start(token, [[0, 256]]);
    at(100);
    all.other.hold = false;
    const second = all.start(token, [[1000, 256]], { id: 5 });
    all.settle();
    assert.deepEqual([copy.result.status, second.result.status], [0, 0]);
  });
});

describe('many ROD tokens', () => {
  it('cancel the oldest: 5/23/08', () => {
    const all = tokenBench();
    const oldest = all.tokenFor([[0, 1]]);
    const second = all.tokenFor([[0, 1]]);
    for (let i = 2; i <= MAX_TOKENS; i += 1) all.populate([[0, 1]]);
    assert.equal(use(all, oldest), '5/23/08');
    assert.equal(use(all, second), 'good');
    assert.equal(all.bed.unit.tokens.size, MAX_TOKENS);
  });

  it('that are invalid are forgotten in the end: 5/23/04', () => {
    const all = tokenBench();
    const oldest = all.tokenFor([[0, 1]]);
    for (let i = 1; i <= 2 * MAX_TOKENS; i += 1) all.populate([[0, 1]]);
    assert.equal(use(all, oldest), '5/23/04');
  });

  it('one that is in use is not cancelled', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 256]]);
    all.other.hold = true;
    const copy = all.start(token, [[0, 256]]);
    for (let i = 0; i < 2 * MAX_TOKENS; i += 1) all.populate([[0, 1]]);
    all.other.hold = false;
    all.settle();
    assert.equal(copy.result.status, 0);
  });
});

describe('a ROD token that is shown', () => {
  it('with DEL_TKN is deleted when the copy has ended: 5/23/09', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    assert.equal(all.write(token, [[0, 1]], { deletes: true }).status, 0);
    assert.equal(use(all, token), '5/23/09');
  });

  it('with DEL_TKN stays when the copy has failed', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    all.other.fail('write', MEDIUM_WRITE);
    assert.equal(all.write(token, [[0, 1]], { deletes: true }).sense, 'a/0d/01');
    assert.equal(use(all, token), 'good');
  });

  it('of another type is 5/23/01, of another length 5/23/0A', () => {
    const all = tokenBench();
    const other = Uint8Array.from(all.tokenFor([[0, 1]]));
    other[1] = 0x01;
    other[3] = 0x00;
    assert.equal(use(all, other), '5/23/01');
    for (const make of [() => Uint8Array.from(all.tokenFor([[0, 1]])), zeroToken]) {
      const token = make();
      token[7] = 0xf7;
      const r = all.write(token, [[0, 1]]);
      assert.deepEqual([r.sense, r.pointer], ['5/23/0a', 'list 16']);
    }
  });

  it('that nobody made is 5/23/04', () => {
    const all = tokenBench();
    const token = Uint8Array.from(all.tokenFor([[0, 1]]));
    token[8] = (token[8] as number) ^ 1;
    assert.equal(use(all, token), '5/23/04');
  });

  it('with a bit changed anywhere behind its identifier is 5/23/05', () => {
    const all = tokenBench();
    const token = all.tokenFor([[0, 1]]);
    for (const at of [16, 63, 100, 128, 160, 511]) {
      const changed = Uint8Array.from(token);
      changed[at] = (changed[at] as number) ^ 0x80;
      assert.equal(use(all, changed), '5/23/05', `byte ${at}`);
    }
    assert.equal(use(all, token), 'good');
  });

  it('of another target is unknown here', () => {
    const token = tokenBench().tokenFor([[0, 1]]);
    assert.equal(use(tokenBench(), token), '5/23/04');
  });
});
