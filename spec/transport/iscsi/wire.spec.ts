/** What the wire of iSCSI has besides commands: digests, NOP, resets of the target, a session that replaces another (RFC 7143). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { NexusLostError } from '../../../src/initiator/errors.ts';
import {
  IscsiInitiator,
  TARGET_COLD_RESET,
  TARGET_WARM_RESET,
  type Task,
} from '../../../src/initiator/iscsi/initiator.ts';
import { openSession, type SessionOptions } from '../../../src/initiator/iscsi/session.ts';
import { digestOf } from '../../../src/initiator/iscsi/wire.ts';
import type { IscsiServer } from '../../../src/transport/iscsi/server.ts';
import { transfer10 } from '../../support/ports.ts';
import { openServer } from './rig.ts';

const NAME = 'iqn.2026-11.example.org:spec';
const DATA_DIGEST_ERROR = 2;
const TUR = new Uint8Array(6);
const BLOCKS = 200;

function pattern(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + seed + (i >> 9)) & 0xff);
}

/** One that breaks what it sends, or keeps it. */
class FaultyInitiator extends IscsiInitiator {
  withholdData = false;

  static async connect(port: number, options: SessionOptions): Promise<FaultyInitiator> {
    return new FaultyInitiator(await openSession({ host: '127.0.0.1', port }, options));
  }

  protected override sendData(task: Task, r2t: Buffer): void {
    if (!this.withholdData) super.sendData(task, r2t);
  }

  /** WRITE(10) of one block at `lba`, a bit of it flipped after the digests were made. */
  sendDamaged(lba: number, data: Uint8Array, where: 'header' | 'data'): void {
    const bhs = this.header(0x01, 0xa1, this.nextTag());
    bhs.writeUInt32BE(data.length, 20);
    bhs.set(transfer10(0x2a, lba, 1), 32);
    const bytes = this.wire.frame(bhs, data);
    // The last byte of the header is of the CDB; behind the data is their digest.
    const at = where === 'header' ? 47 : bytes.length - 5;
    bytes[at] = (bytes[at] as number) ^ 1;
    this.wire.socket.write(bytes);
  }
}

describe('iSCSI on the wire', () => {
  let server: IscsiServer;
  const opened: FaultyInitiator[] = [];
  beforeEach(async () => {
    ({ server } = await openServer());
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await server.stop(0);
  });

  const open = async (digests = false, isid = '800000000001'): Promise<FaultyInitiator> => {
    const one = await FaultyInitiator.connect(server.port, { initiatorName: NAME, digests, isid });
    opened.push(one);
    return one;
  };
  const settle = (one: IscsiInitiator) => one.execute({ lun: 0, cdb: TUR });
  const read = (one: IscsiInitiator, lba: number, blocks: number) =>
    one.execute({ lun: 0, cdb: transfer10(0x28, lba, blocks), dataInBytes: blocks * 512 });

  it('the digest of the specs is that of RFC 7143', () => {
    assert.equal(digestOf(Buffer.alloc(32)).toString(16), '8a9136aa');
  });

  it('header and data digests: negotiated, right in both directions, with immediate and requested data', async () => {
    const one = await open(true);
    assert.equal(one.parameters.get('HeaderDigest'), 'CRC32C');
    assert.equal(one.parameters.get('DataDigest'), 'CRC32C');
    await settle(one);
    for (let seed = 0; seed < 4; seed += 1) {
      const dataOut = pattern(BLOCKS * 512, seed);
      const cdb = transfer10(0x2a, seed, BLOCKS);
      assert.equal((await one.execute({ lun: 0, cdb, dataOut })).status, 0);
      assert.deepEqual((await read(one, seed, BLOCKS)).dataIn, dataOut);
    }
    one.ping('abc');
    await settle(one);
    assert.deepEqual(
      one.pongs.map(({ data }) => data.toString()),
      ['abc'],
      'padded data, too',
    );
  });

  it('a wrong data digest of immediate data is rejected and nothing is written', async () => {
    const one = await open(true);
    await settle(one);
    one.sendDamaged(7, new Uint8Array(512).fill(0xee), 'data');
    await one.ended;
    assert.deepEqual(one.rejects, [DATA_DIGEST_ERROR]);
    const again = await open();
    await settle(again);
    assert.deepEqual((await read(again, 7, 1)).dataIn, new Uint8Array(512));
  });

  it('a wrong header digest ends the connection without an answer, and nothing is written', async () => {
    const one = await open(true);
    await settle(one);
    one.sendDamaged(7, new Uint8Array(512).fill(0xee), 'header');
    await one.ended;
    assert.deepEqual(one.rejects, []);
    const again = await open();
    await settle(again);
    assert.deepEqual((await read(again, 7, 1)).dataIn, new Uint8Array(512));
  });

  it('TARGET WARM RESET is a reset for every nexus; the sessions stay', async () => {
    const a = await open(false, '800000000001');
    const b = await open(false, '800000000002');
    await settle(a);
    await settle(b);
    assert.equal(await a.manage(TARGET_WARM_RESET, 0), 0);
    for (const one of [a, b]) {
      const { sense } = await settle(one);
      assert.deepEqual([sense?.key, sense?.asc], [6, 0x29]);
    }
  });

  it('TARGET COLD RESET completes and ends every session, that of its initiator too', async () => {
    const a = await open(false, '800000000001');
    const b = await open(false, '800000000002');
    await settle(a);
    assert.equal(await a.manage(TARGET_COLD_RESET, 0), 0);
    await Promise.all([a.ended, b.ended]);
    const { sense } = await settle(await open());
    assert.deepEqual([sense?.key, sense?.asc], [6, 0x29]);
  });

  it('the same initiator port again: the older session ends with what it had, the new one works', async () => {
    const older = await open();
    await settle(older);
    const fate = Promise.all([older.ended, assert.rejects(lostWrite(older), NexusLostError)]);
    const newer = await open();
    await fate;
    const { sense } = await settle(newer);
    assert.deepEqual([sense?.key, sense?.asc], [6, 0x29]);
    assert.deepEqual((await read(newer, 9, 1)).dataIn, new Uint8Array(512));
  });

  /** A write whose data never come: its initiator is gone before the target has asked for them. */
  function lostWrite(one: FaultyInitiator): Promise<unknown> {
    one.withholdData = true;
    const cdb = transfer10(0x2a, 9, 20);
    return one.execute({ lun: 0, cdb, dataOut: new Uint8Array(20 * 512).fill(0xdd) });
  }
});
