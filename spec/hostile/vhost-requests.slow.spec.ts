/** Hostile requests in rings that are right: every command, buffers that overlap, aborts that race, faults of the store. */
import { strict as assert } from 'node:assert';
import {
  type DriverAnswer,
  lunField,
  RESPONSE_BYTES,
} from '../../src/initiator/vhost/scsi-driver.ts';
import { INDIRECT, NEXT, WRITE } from '../../src/initiator/vhost/split-queue.ts';
import { HostileBench, Pair } from '../support/vhost/back-end.ts';
import { performNow } from '../support/vhost/perform-now.ts';
import { header, POISON, READ_1, ring, room, writeDescriptor } from './vhost-chains.ts';

const CHECK_CONDITION = 2;
const CLEAR_ACA = 2;

describe('hostile virtio-scsi requests', function () {
  this.timeout(20_000);
  let bench: HostileBench;
  beforeEach(() => {
    bench = new HostileBench();
  });
  afterEach(() => {
    assert.deepEqual(bench.backEnd.internalErrors, []);
    bench.end();
  });

  it('T10: every opcode with every shape of CDB is answered once', () => {
    const pair = new Pair(bench.backEnd).attach();
    const codes = new Set<string>();
    for (let opcode = 0; opcode < 256; opcode += 1) {
      for (const fill of [0, 1, 0xff, opcode]) {
        const cdb = new Uint8Array(32).fill(fill);
        cdb[0] = opcode;
        if (opcode === 0x7f) cdb[7] = fill;
        const buffer = fill === 1 ? { dataOut: new Uint8Array(512) } : { dataInBytes: 512 };
        const { status, response } = pair.run({ lun: lunField(0), cdb, ...buffer });
        codes.add(`${response}/${status}`);
        // Bytes of ones have NACA = 1: the next command would only hear of the ACA.
        if (status === CHECK_CONDITION) assert.equal(pair.manage(CLEAR_ACA, lunField(0)), 0);
      }
    }
    // OK or OVERRUN with GOOD, CHECK CONDITION, or CONDITION MET of PRE-FETCH.
    const known = ['0/0', '1/0', '0/2', '0/4', '1/4'];
    assert.deepEqual(
      [...codes].filter((code) => !known.includes(code)),
      [],
    );
    pair.end();
    bench.check();
  });

  it('T11: no data-in command writes past its buffer, whatever the allocation length', () => {
    const commands: readonly ((n: number) => number[])[] = [
      (n) => [0x12, 0, 0, n >> 8, n & 255, 0],
      (n) => [0x12, 1, 0, n >> 8, n & 255, 0],
      (n) => [0x12, 1, 0x83, n >> 8, n & 255, 0],
      (n) => [0x12, 1, 0xb0, n >> 8, n & 255, 0],
      (n) => [0xa0, 0, 2, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0],
      (n) => [0x5a, 0, 0x3f, 0xff, 0, 0, 0, n >> 8, n & 255, 0],
      (n) => [0xa3, 0x0c, 0x80, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0],
      (n) => [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n >> 8, n & 255, 0, 0],
    ];
    const pair = new Pair(bench.backEnd).attach();
    const { ram } = pair.frontEnd;
    for (const cdb of commands) {
      for (let allocation = 0; allocation <= 4096; allocation += allocation < 260 ? 1 : 97) {
        const before = room(pair, 64);
        const dataInBytes = Math.min(allocation, 200);
        const answer = pair.run({
          lun: lunField(0),
          cdb: Uint8Array.from(cdb(allocation)),
          dataInBytes,
        });
        assert.equal(answer.status, 0);
        const used = answer.written - RESPONSE_BYTES;
        assert.ok(used <= dataInBytes && used === dataInBytes - answer.residual);
        assert.ok(
          answer.dataIn.subarray(used).every((byte) => byte === POISON),
          'nothing behind',
        );
        assert.ok(
          ram.read(before.address, 64).every((byte) => byte === POISON),
          'nothing before',
        );
        ram.release(before.address, 64);
      }
    }
    pair.end();
    bench.check();
  });

  it('T16: a response shows no byte that was not made for it', () => {
    for (const cdb of [
      [0x00, 0, 0, 0, 0, 0],
      [0xff, 0, 0, 0, 0, 0],
      [0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0],
      [0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0],
    ]) {
      const pair = new Pair(bench.backEnd).attach();
      const { ram } = pair.frontEnd;
      // The answer before this one left its sense wherever it is made.
      pair.run({
        lun: lunField(0),
        cdb: new Uint8Array([0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0]),
      });
      const response = room(pair, 4096);
      ring(pair).add([header(pair, cdb)], [response]);
      pair.served.pump();
      const bytes = ram.read(response.address, 4096);
      const senseLength = new DataView(bytes.buffer).getUint32(0, true);
      assert.ok(bytes.subarray(12 + senseLength, RESPONSE_BYTES).every((byte) => byte === 0));
      assert.ok(!bytes.subarray(0, RESPONSE_BYTES).includes(POISON), 'no poison inside');
      assert.ok(bytes.subarray(RESPONSE_BYTES + 512).every((byte) => byte === POISON));
      pair.end();
      bench.check();
    }
  });

  /** A slow write, aborted thirty times; halfway through it ends, or the device is reset, or the guest goes. */
  function abortAgain(pair: Pair, ends: boolean, dataOut: Uint8Array): void {
    const { driver } = pair.frontEnd;
    const answers: DriverAnswer[] = [];
    const cdb = new Uint8Array([0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0]);
    const tag = driver.submit({ lun: lunField(0), cdb, dataOut }, (answer) => answers.push(answer));
    pair.turn();
    let responses = 0;
    for (let i = 0; i < 30; i += 1) {
      driver.manage(0, lunField(0), tag, () => {
        responses += 1;
      });
      if (i === 10) driver.manage(5, lunField(0), 0n, () => undefined);
      if (i === 20 && ends) bench.backEnd.advance(100);
      if (i % 4 === 0) pair.turn();
    }
    if (!ends) return;
    pair.turn();
    assert.equal(responses, 30);
    assert.equal(answers.length, 1);
    assert.ok([2, 4].includes(answers[0]?.response as number), 'ABORTED or RESET');
  }

  it('T18: aborts of one tag again and again, resets under a transfer, and a guest that goes meanwhile', () => {
    const stamp = new Uint8Array(512).fill(0x77);
    const write = new Uint8Array([0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    bench.healthy.run({ lun: lunField(0), cdb: write, dataOut: stamp });
    for (const end of ['time', 'reset', 'gone'] as const) {
      const pair = new Pair(bench.backEnd).attach();
      bench.backEnd.inventory.inject(0, [{ operation: 'write', delayMs: 50 }]);
      abortAgain(pair, end === 'time', stamp);
      if (end === 'reset') {
        performNow(pair.frontEnd, pair.frontEnd.reset(), () => pair.served.pump());
        assert.equal(pair.served.connection.isSuspended, true, 'the reset waits for the store');
        bench.backEnd.advance(100);
        pair.served.pump();
        assert.equal(pair.served.connection.isSuspended, false);
      }
      pair.end();
      bench.backEnd.inventory.inject(0, []);
      bench.check();
    }
    bench.healthy.smoke(0);
    const cdb = Uint8Array.from(READ_1);
    const zero = bench.healthy.run({ lun: lunField(0), cdb, dataInBytes: 512 });
    assert.deepEqual(zero.dataIn, stamp, 'LBA 0 is untouched');
  });

  it('T19: data-in over the header, the response, the table, the rings and itself', () => {
    for (const what of [
      'header',
      'response',
      'table',
      'desc',
      'avail',
      'used',
      'itself',
    ] as const) {
      const pair = new Pair(bench.backEnd).attach();
      const read = header(pair, [0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0]);
      const response = room(pair, RESPONSE_BYTES);
      const table = room(pair, 64);
      const queue = ring(pair);
      const places = { header: read, response, table, itself: room(pair, 4096) };
      const address =
        what === 'desc' || what === 'avail' || what === 'used' ? queue[what] : places[what].address;
      writeDescriptor(pair, table.address, read, NEXT, 1);
      writeDescriptor(pair, table.address + 16, response, NEXT | WRITE, 2);
      writeDescriptor(pair, table.address + 32, { address, length: 2048 }, NEXT | WRITE, 3);
      writeDescriptor(pair, table.address + 48, { address, length: 2048 }, WRITE, 0);
      queue.describe(0, { address: table.address, length: 64 }, INDIRECT, 0);
      queue.offer(0);
      pair.served.pump();
      assert.ok(pair.served.broken.length <= 1);
      pair.end();
      bench.check();
    }
  });

  it('T24: every fault a store can report ends in sense, never in an exception', () => {
    const pair = new Pair(bench.backEnd).attach();
    const block = new Uint8Array(512);
    const commands = [
      { cdb: [0x28, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataInBytes: 512 },
      { cdb: [0x2a, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x2f, 2, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
      { cdb: [0x41, 8, 0, 0, 0, 1, 0, 0, 1, 0], dataOut: block },
      { cdb: [0x1b, 0, 0, 0, 1, 0] },
    ];
    const seen = new Set<string>();
    for (const fault of ['medium', 'full', 'gone', 'read-only'] as const) {
      for (const operation of ['read', 'write', 'flush', 'discard', 'any'] as const) {
        bench.backEnd.inventory.inject(0, [{ operation, fault }]);
        for (const { cdb, ...buffers } of commands) {
          const { status, sense } = pair.run({
            lun: lunField(0),
            cdb: Uint8Array.from(cdb),
            ...buffers,
          });
          assert.ok(status === 0 || sense.length >= 14, 'CHECK CONDITION carries sense');
          if (status !== 0) seen.add([(sense[2] as number) & 15, sense[12], sense[13]].join('/'));
        }
      }
    }
    bench.backEnd.inventory.inject(0, []);
    for (const expected of ['3/17/0', '3/12/0', '7/39/7', '4/68/0', '7/39/0']) {
      assert.ok(seen.has(expected), `${expected} among ${[...seen]}`);
    }
    pair.end();
    bench.check();
  });
});
