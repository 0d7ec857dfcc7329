/** Hostile initiators on the SRP port: each gets an answer the standard names or is closed, and harms nobody. */
import { strict as assert } from 'node:assert';
import {
  commandBytes,
  DATA_AT,
  type Decoded,
  decodeResponse,
  IU_AT,
  indirectBytes,
  RawInitiator,
  REGION_BYTES,
} from './raw-initiator.ts';

const READ_8 = [0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0];
const POISON = 0xa5;

/** mulberry32: small, seeded, good enough to pick bytes. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Sends a READ with some bytes and some fields of its element changed. */
function sendGarbage(mad: RawInitiator, next: () => number): void {
  const oneIn = (n: number, otherwise: number, value: number): number =>
    next() % n === 0 ? value : otherwise;
  const iu = commandBytes({ cdb: READ_8, dataIn: { address: DATA_AT, length: 4096 } });
  for (let flips = next() % 6; flips > 0; flips -= 1) iu[next() % iu.length] = next();
  mad.memory.set(iu, IU_AT);
  mad.element({
    valid: oneIn(50, 0x80, next() % 256),
    format: oneIn(20, 1, next() % 256),
    length: oneIn(10, iu.length, next() % 0x10000),
    low: oneIn(10, IU_AT, next()),
    high: oneIn(50, 0, next()),
  });
  mad.receive();
}

describe('hostile initiator', () => {
  let raw: RawInitiator;
  beforeEach(() => {
    raw = new RawInitiator();
  });
  afterEach(() => {
    assert.deepEqual(raw.internalErrors, []);
    raw.close();
  });

  it('T2: a descriptor table that lies inside itself, the IU or the data is a table of lengths like any other', () => {
    const self = IU_AT + 68;
    const table = { address: self, length: 16 };
    const iu = indirectBytes(READ_8, table, 4096, [{ address: IU_AT, length: 4096 }]);
    const [answer] = raw.send(iu);
    assert.equal(decodeResponse(answer?.bytes as Uint8Array).status, 0);
    raw.smoke();
  });

  it('T2: a table of too many entries, of no whole entries, or elsewhere ends in B/0E/03 and no loop', () => {
    for (const table of [
      { address: DATA_AT, length: 257 * 16 },
      { address: DATA_AT, length: 0xfffffff0 },
      { address: DATA_AT, length: 17 },
      { address: REGION_BYTES - 16, length: 32 },
      { address: 2 ** 53, length: 16 },
      { address: DATA_AT, length: 16, handle: 9 },
    ]) {
      const [answer] = raw.send(indirectBytes(READ_8, table, 4096, []));
      assert.equal(
        decodeResponse(answer?.bytes as Uint8Array).sense,
        'b/e/03',
        JSON.stringify(table),
      );
    }
    raw.smoke();
  });

  it('T2: entries whose lengths overflow 2^32 in sum are refused', () => {
    const entry = { address: 0, length: 0xffffffff };
    const iu = indirectBytes(READ_8, { address: IU_AT + 68, length: 32 }, 0xfffffffe, [
      entry,
      entry,
    ]);
    const [answer] = raw.send(iu);
    assert.equal(decodeResponse(answer?.bytes as Uint8Array).sense, 'b/e/03');
    raw.smoke();
  });

  it('T4: an initiator that never reads its responses is broken off when its queue is full', () => {
    const other = new RawInitiator(raw, 'other');
    raw.memory.set(commandBytes({ cdb: [0, 0, 0, 0, 0, 0] }), IU_AT);
    for (let i = 0; i < 100_000 && raw.broken === ''; i += 1) {
      raw.memory.set(commandBytes({ cdb: [0, 0, 0, 0, 0, 0], tag: i }), IU_AT);
      raw.element({ length: 48, low: IU_AT });
      raw.port.poll(32);
    }
    assert.match(raw.broken, /response queue is full/);
    other.smoke();
    other.close();
  });

  it('T4: requests beyond the request limit close the channel, and only it', () => {
    const other = new RawInitiator(raw, 'other');
    raw.inventory.inject(0, [{ operation: 'read', delayMs: 1000 }]);
    for (let i = 0; i < 140; i += 1) {
      const at = IU_AT + i * 512;
      const iu = commandBytes({ cdb: READ_8, tag: i, dataIn: { address: DATA_AT, length: 4096 } });
      raw.memory.set(iu, at);
      raw.element({ length: iu.length, low: at });
    }
    const answers = raw.receive();
    assert.deepEqual(
      answers.map((a) => [a.element.valid, a.element.format]),
      [[0xff, 0x02]],
    );
    assert.match(raw.logged.join(), /more requests than the request limit/);
    raw.nowMs += 2000;
    raw.inventory.inject(0, []);
    raw.timers.run();
    assert.equal(raw.port.outstanding, 0);
    other.smoke();
    other.close();
  });

  it('T10: every opcode with every CDB length is answered once, by GOOD or CHECK CONDITION', () => {
    const answersBy = new Map<number, number>();
    for (let opcode = 0; opcode < 256; opcode += 1) {
      for (let extra = 0; extra <= 252; extra += 12) {
        const cdb = new Uint8Array(16 + extra);
        cdb[0] = opcode;
        if (opcode === 0x7f) cdb[7] = cdb.length - 8;
        const { status } = raw.command({
          cdb,
          dataIn: { address: DATA_AT, length: 512 },
          dataOut: { address: DATA_AT + 4096, length: 512 },
        });
        answersBy.set(status, (answersBy.get(status) ?? 0) + 1);
      }
    }
    assert.deepEqual([...answersBy.keys()].sort(), [0x00, 0x02]);
    raw.command({ cdb: [0x1b, 0, 0, 0, 1, 0] });
    raw.smoke();
  });

  it('T10: an additional CDB length that leaves the IU is B/0E/01', () => {
    for (const additional of [4, 0x80, 0xfc]) {
      const iu = commandBytes({ cdb: [0, 0, 0, 0, 0, 0] });
      iu[31] = additional;
      const [answer] = raw.send(iu);
      assert.equal(decodeResponse(answer?.bytes as Uint8Array).sense, 'b/e/01');
    }
    raw.smoke();
  });

  it('T11: no data-in command writes past its buffer, whatever the allocation length', () => {
    const commands: readonly (readonly [string, (length: number) => number[]])[] = [
      ['INQUIRY', (n) => [0x12, 0, 0, n >> 8, n & 255, 0]],
      ['VPD 00', (n) => [0x12, 1, 0, n >> 8, n & 255, 0]],
      ['VPD 83', (n) => [0x12, 1, 0x83, n >> 8, n & 255, 0]],
      ['VPD B0', (n) => [0x12, 1, 0xb0, n >> 8, n & 255, 0]],
      ['REPORT LUNS', (n) => [0xa0, 0, 2, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0]],
      ['MODE SENSE(10)', (n) => [0x5a, 0, 0x3f, 0xff, 0, 0, 0, n >> 8, n & 255, 0]],
      ['RSOC', (n) => [0xa3, 0x0c, 0x80, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0]],
      [
        'READ CAPACITY(16)',
        (n) => [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0],
      ],
    ];
    for (const [name, cdb] of commands) {
      for (let allocation = 0; allocation <= 4096; allocation += allocation < 300 ? 1 : 97) {
        const room = Math.min(allocation, 200);
        raw.memory.fill(POISON, DATA_AT, DATA_AT + 8192);
        const { status, flags, inResidual } = raw.command({
          cdb: cdb(allocation),
          ...(room > 0 ? { dataIn: { address: DATA_AT, length: room } } : {}),
        });
        assert.equal(status, 0, `${name} ${allocation}`);
        const used = (flags & 0x20) !== 0 ? room - inResidual : room;
        const after = raw.memory.subarray(DATA_AT + used, DATA_AT + 8192);
        assert.ok(
          after.every((byte) => byte === POISON),
          `${name} with allocation length ${allocation} wrote past ${used} bytes`,
        );
      }
    }
  });

  it('T12: MODE SELECT of anything leaves a disk that works', () => {
    const seed = 20_061;
    const next = random(seed);
    for (let i = 0; i < 3000; i += 1) {
      const length = next() % 64;
      for (let at = 0; at < length; at += 1) raw.memory[DATA_AT + at] = next();
      if (next() % 2 === 0) raw.memory.set([0, 0, 0, 8], DATA_AT);
      if (next() % 3 === 0)
        raw.memory[DATA_AT + 12] = [0x01, 0x08, 0x0a, 0x1c][next() % 4] as number;
      const { status } = raw.command({
        cdb: [0x15, 0x10, 0, 0, length, 0],
        ...(length > 0 ? { dataOut: { address: DATA_AT, length } } : {}),
      });
      assert.ok(status === 0 || status === 2, `seed ${seed}, round ${i}`);
    }
    const capacity = raw.run([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8);
    assert.equal(capacity.status, 0);
    assert.equal(Buffer.from(raw.memory.slice(DATA_AT + 4, DATA_AT + 8)).readUInt32BE(), 512);
    raw.smoke();
  });

  it('T14: every command with no, short, long and wrong-direction buffers is answered, and nothing stale is written', () => {
    const shapes = [
      {},
      { dataIn: { address: DATA_AT, length: 1 } },
      { dataOut: { address: DATA_AT, length: 1 } },
      { dataIn: { address: DATA_AT, length: 100_000 } },
      { dataOut: { address: DATA_AT, length: 100_000 } },
      { dataIn: { address: DATA_AT, length: 7 }, dataOut: { address: DATA_AT + 64, length: 9 } },
    ];
    raw.memory.fill(POISON, DATA_AT, DATA_AT + 200_000);
    for (let opcode = 0; opcode < 256; opcode += 1) {
      for (const shape of shapes) {
        const cdb = [opcode, 0, 0, 0, 0, 3, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0];
        const { status } = raw.command({ cdb, ...shape });
        // CONDITION MET is how PRE-FETCH (34h, 90h) says that the blocks fit (SBC-3 5.7, 5.8).
        const met = status === 4 && (opcode === 0x34 || opcode === 0x90);
        assert.ok(status === 0 || status === 2 || met, `opcode ${opcode.toString(16)}`);
      }
    }
    raw.command({ cdb: [0x1b, 0, 0, 0, 1, 0] });
    raw.smoke();
  });

  it('T16: a response shows no byte that was not made for it', () => {
    for (const cdb of [
      [0x00, 0, 0, 0, 0, 0],
      [0xff, 0, 0, 0, 0, 0],
      [0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0],
      [0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0],
    ]) {
      raw.memory.fill(POISON, IU_AT, IU_AT + 512);
      const [answer] = raw.send(commandBytes({ cdb }));
      const bytes = answer?.bytes as Uint8Array;
      for (const reserved of [2, 3, 16, 17]) assert.equal(bytes[reserved], 0);
      assert.ok(!bytes.includes(POISON), 'no poison inside');
      const after = raw.memory.subarray(IU_AT + Math.max(bytes.length, 48), IU_AT + 512);
      assert.ok(
        after.every((byte) => byte === POISON),
        'nothing behind',
      );
    }
  });

  it('T18: aborting one tag again and again, before and after it ends, is answered every time and harms no block', () => {
    raw.inventory.inject(0, [{ operation: 'write', delayMs: 50 }]);
    raw.memory.fill(0x77, DATA_AT, DATA_AT + 512);
    const write = commandBytes({
      cdb: [0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0],
      tag: 42,
      dataOut: { address: DATA_AT, length: 512 },
    });
    raw.memory.set(write, IU_AT);
    raw.element({ length: write.length, low: IU_AT });
    raw.receive();
    const abort = new Uint8Array(48);
    abort.set([0x01]);
    abort[30] = 0x01;
    abort[39] = 42;
    let answered = 0;
    for (let i = 0; i < 50; i += 1) {
      abort[15] = 100 + i;
      raw.memory.set(abort, IU_AT + 1024 + i * 512);
      raw.element({ length: 48, low: IU_AT + 1024 + i * 512 });
      answered += raw.receive().length;
      if (i === 25) {
        raw.nowMs += 100;
        raw.timers.run();
      }
    }
    answered += raw.receive().length;
    assert.equal(answered, 50);
    raw.inventory.inject(0, []);
    assert.equal(raw.run([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], 512).status, 0);
    assert.ok(
      raw.memory.subarray(DATA_AT, DATA_AT + 512).every((byte) => byte === 0),
      'LBA 0 is untouched',
    );
    raw.smoke();
  });

  it('T19: data buffers that overlap the IU, its response or each other: the copy is what counts', () => {
    const over: Decoded[] = [];
    for (const address of [IU_AT, IU_AT + 8, IU_AT + 36, IU_AT - 256]) {
      over.push(raw.command({ cdb: READ_8, tag: 7, dataIn: { address, length: 4096 } }));
    }
    for (const answer of over) {
      assert.equal(answer.status, 0);
      assert.equal(answer.tag, 7);
      assert.equal(answer.delta, 1);
    }
    raw.smoke();
  });

  it('T24: every fault a store can report ends in sense, never in an exception', () => {
    const faults = ['medium', 'full', 'gone', 'read-only'] as const;
    const operations = ['read', 'write', 'flush', 'discard', 'any'] as const;
    const block = { address: DATA_AT, length: 512 };
    const commands = [
      { cdb: [0x28, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataIn: block },
      { cdb: [0x2a, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x2f, 0, 0, 0, 0, 1, 0, 0, 1, 0] },
      { cdb: [0x2f, 2, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
      { cdb: [0x41, 0, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x41, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x1b, 0, 0, 0, 0, 0] },
      { cdb: [0x1b, 0, 0, 0, 1, 0] },
    ];
    const seen = new Set<string>();
    for (const fault of faults) {
      for (const operation of operations) {
        raw.inventory.inject(0, [{ operation, fault }]);
        for (const command of commands) {
          const answer = raw.command(command);
          assert.ok(answer.status === 0 || answer.sense !== '', 'CHECK CONDITION carries sense');
          seen.add(answer.sense);
        }
      }
    }
    raw.inventory.inject(0, []);
    for (const expected of ['3/11/00', '3/c/00', '7/27/07', '4/44/00', '7/27/00']) {
      assert.ok(seen.has(expected), `${expected} among ${[...seen]}`);
    }
    raw.smoke();
  });

  it('garbage of every kind never stops another initiator', () => {
    const seed = 4_242;
    const next = random(seed);
    const other = new RawInitiator(raw, 'other');
    for (let round = 0; round < 300; round += 1) {
      const mad = new RawInitiator(raw, `mad${round}`);
      for (let i = 0; i < 20 && mad.broken === ''; i += 1) sendGarbage(mad, next);
      mad.close();
    }
    assert.deepEqual(raw.internalErrors, [], `seed ${seed}`);
    // What they wrote by accident is theirs; what matters is that everything still answers.
    other.command({ cdb: [0x1b, 0, 0, 0, 1, 0] });
    other.smoke();
    other.close();
  });
});
