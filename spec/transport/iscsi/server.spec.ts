/** The iSCSI server from the wire: login, commands, data, task management, logout, and initiators that break the rules. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { IscsiServer } from '../../../src/transport/iscsi/server.ts';
import { header, openServer, RawInitiator, TARGET } from './rig.ts';

const TUR = '00 00 00 00 00 00';
const WRITE_8 = '2a 00 00 00 00 10 00 00 08 00';
const READ_8 = '28 00 00 00 00 10 00 00 08 00';

describe('iSCSI server', () => {
  let server: IscsiServer;
  let log: string[];
  const open = async (options: Parameters<typeof openServer>[0] = {}): Promise<void> => {
    ({ server, log } = await openServer(options));
  };
  afterEach(() => server.stop(0));

  const login = (keys = '', isid?: string): Promise<RawInitiator> =>
    RawInitiator.login(server.port, isid, keys);

  it('login, unit attention, write with immediate data and R2T, read back, residual, logout', async () => {
    await open();
    const raw = await login(
      'InitialR2T=Yes\0FirstBurstLength=512\0MaxRecvDataSegmentLength=1024\0',
    );
    raw.command(1, 0, 0, TUR);
    const attention = await raw.next();
    assert.equal(attention.header.toString('hex', 0, 4), '21800002');
    assert.equal(attention.data.toString('hex', 0, 5), '0012700006');
    const payload = Buffer.from(Array.from({ length: 4096 }, (_, i) => i & 0xff));
    raw.command(2, 0x20, 4096, WRITE_8, payload.subarray(0, 512));
    const r2t = (await raw.next()).header;
    assert.equal(r2t[0], 0x31);
    assert.deepEqual(
      [r2t.readUInt32BE(36), r2t.readUInt32BE(40), r2t.readUInt32BE(44)],
      [0, 512, 3584],
    );
    const data = header(0x05, 0x80, [16, 2], [20, r2t.readUInt32BE(20)], [36, 0], [40, 512]);
    raw.send(data, payload.subarray(512));
    assert.equal((await raw.next()).header.toString('hex', 0, 4), '21800000');
    raw.command(3, 0x40, 5000, READ_8);
    const parts: Buffer[] = [];
    for (let i = 0; i < 4; i += 1) {
      const part = await raw.next();
      assert.equal(part.header[0], 0x25);
      assert.equal(part.header.readUInt32BE(36), i);
      assert.equal(part.header[1], i === 3 ? 0x83 : 0, 'F, S and U with the last');
      if (i === 3) assert.equal(part.header.readUInt32BE(44), 904);
      parts.push(part.data);
    }
    assert.deepEqual(Buffer.concat(parts), payload);
    raw.send(header(0x46, 0x80, [16, 4], [24, raw.cmdSN]));
    assert.equal((await raw.next()).header.toString('hex', 0, 3), '268000');
    await raw.closed();
  });

  const refusals: readonly (readonly [string, Buffer, string, number])[] = [
    ['no InitiatorName', header(0x43, 0x87), `TargetName=${TARGET}\0`, 0x0207],
    ['no TargetName', header(0x43, 0x87), 'InitiatorName=iqn.x:a\0', 0x0207],
    ['another target', header(0x43, 0x87), 'InitiatorName=iqn.x:a\0TargetName=iqn.y\0', 0x0203],
    ['a version above 0', header(0x43, 0x87, [2, '0101']), '', 0x0205],
    ['a session that is not there', header(0x43, 0x87, [14, '0009']), '', 0x020a],
    ['a command instead', header(0x01, 0x80), '', 0x020b],
    ['stage 2', header(0x43, 0x8b), `InitiatorName=iqn.x:a\0TargetName=${TARGET}\0`, 0x0200],
    ['C and T at once', header(0x43, 0xc7), 'InitiatorName=iqn.x:a\0', 0x0200],
    ['a key twice', header(0x43, 0x87), 'InitiatorName=a\0InitiatorName=b\0', 0x0200],
  ];
  for (const [what, bhs, text, status] of refusals) {
    it(`refuses a login with ${what}: ${status.toString(16)}`, async () => {
      await open();
      const raw = await RawInitiator.connect(server.port);
      raw.send(Buffer.from(bhs), text);
      const answer = (await raw.next()).header;
      assert.equal(answer[0], 0x23);
      assert.equal(answer.readUInt16BE(36), status);
      await raw.closed();
    });
  }

  it('CHAP: no way around it, in with the secret, and the secret is not in the log', async () => {
    const secret = 'open-sesame-2026';
    await open({ chap: { incoming: { name: 'host', secret }, outgoing: null } });
    await assert.rejects(login());
    const text = `InitiatorName=iqn.x:a\0TargetName=${TARGET}\0AuthMethod=CHAP,None\0`;
    const raw = await RawInitiator.connect(server.port);
    raw.send(header(0x43, 0x81, [16, 1]), text);
    const chosen = await raw.next();
    assert.match(chosen.data.toString(), /AuthMethod=CHAP\0/);
    assert.equal(chosen.header[1], 0, 'it stays in the security stage');
    raw.send(header(0x43, 0x01, [16, 1]), 'CHAP_A=5\0');
    const asked = (await raw.next()).data.toString();
    const id = Number(/CHAP_I=(\d+)/.exec(asked)?.[1]);
    const challenge = Buffer.from(/CHAP_C=0x([0-9a-f]+)/.exec(asked)?.[1] ?? '', 'hex');
    const proof = createHash('md5').update(Buffer.of(id)).update(secret).update(challenge);
    raw.send(header(0x43, 0x83, [16, 1]), `CHAP_N=host\0CHAP_R=0x${proof.digest('hex')}\0`);
    const entered = (await raw.next()).header;
    assert.deepEqual([entered[1], entered.readUInt16BE(36)], [0x83, 0]);
    raw.end();
    assert.ok(!log.join('\n').includes(secret));
  });

  it('the same initiator port again replaces the session; another ISID does not', async () => {
    await open();
    const first = await login();
    const other = await login('', '800000000002');
    const second = await login();
    await first.closed();
    await second.settle();
    await other.settle();
    second.end();
    other.end();
  });

  it('a command outside the window is ignored, one after a gap waits for the gap', async () => {
    await open();
    const raw = await login();
    await raw.settle();
    raw.cmdSN = 5000;
    raw.command(1, 0, 0, TUR);
    raw.cmdSN = 3;
    raw.command(2, 0, 0, TUR);
    raw.cmdSN = 2;
    raw.command(3, 0, 0, TUR);
    assert.equal((await raw.next()).header.readUInt32BE(16), 3);
    assert.equal((await raw.next()).header.readUInt32BE(16), 2);
    raw.end();
  });

  it('ABORT TASK of a write that waits for its data; then its task does not exist', async () => {
    await open();
    const raw = await login();
    await raw.settle();
    raw.command(9, 0x20, 4096, WRITE_8);
    assert.equal((await raw.next()).header[0], 0x31);
    for (const response of [0, 1]) {
      raw.send(header(0x42, 0x81, [16, 10], [20, 9], [24, raw.cmdSN], [32, 2]));
      assert.equal((await raw.next()).header.toString('hex', 0, 3), `22800${response}`);
    }
    raw.end();
  });

  it('task management: reset, warm reset and CLEAR ACA complete, reassignment is not supported', async () => {
    await open();
    const raw = await login();
    for (const [asked, response] of [
      [5, 0],
      [6, 0],
      [3, 0],
      [8, 4],
    ] as const) {
      raw.send(header(0x42, 0x80 | asked, [16, 10], [24, raw.cmdSN]));
      assert.deepEqual((await raw.next()).header[2], response, `function ${asked}`);
    }
    raw.end();
  });

  it('the functions of RFC 7144 are not supported before protocol level 2 is agreed on', async () => {
    await open();
    const raw = await login();
    for (const asked of [9, 10, 11, 12]) {
      raw.send(header(0x42, 0x80 | asked, [16, 10], [24, raw.cmdSN]));
      assert.equal((await raw.next()).header.toString('hex', 0, 3), '228005', `function ${asked}`);
    }
    raw.end();
  });

  it('QUERY ASYNCHRONOUS EVENT tells the pending unit attention, and then that there is none', async () => {
    await open();
    const raw = await login('iSCSIProtocolLevel=2\0');
    const query = async (): Promise<string> => {
      raw.send(header(0x42, 0x8c, [16, 10], [24, raw.cmdSN]));
      return (await raw.next()).header.toString('hex', 0, 12);
    };
    // UADE DEPTH 01b, sense key 6h, 29/00 in bytes 8 to 10.
    assert.equal(await query(), '228007000000000016290000');
    await raw.settle();
    assert.equal(await query(), '228000000000000000000000');
    raw.end();
  });

  it('QUERY TASK and QUERY TASK SET find a write that waits for its data, and no other', async () => {
    await open();
    const raw = await login('iSCSIProtocolLevel=2\0');
    await raw.settle();
    const ask = async (asked: number, task: number): Promise<number | undefined> => {
      raw.send(header(0x42, 0x80 | asked, [16, 10], [20, task], [24, raw.cmdSN]));
      return (await raw.next()).header[2];
    };
    assert.equal(await ask(10, -1), 0);
    raw.command(9, 0x20, 4096, WRITE_8);
    assert.equal((await raw.next()).header[0], 0x31);
    assert.deepEqual([await ask(9, 9), await ask(9, 8), await ask(10, -1)], [7, 0, 7]);
    raw.end();
  });

  it('I_T NEXUS RESET ends every command of the session, which stays and is told 29/07', async () => {
    await open();
    const raw = await login('iSCSIProtocolLevel=2\0');
    await raw.settle();
    raw.command(9, 0x20, 4096, WRITE_8);
    assert.equal((await raw.next()).header[0], 0x31);
    raw.send(header(0x42, 0x8b, [16, 10], [24, raw.cmdSN]));
    assert.equal((await raw.next()).header.toString('hex', 0, 3), '228000');
    raw.command(11, 0, 0, TUR);
    const { header: answer, data } = await raw.next();
    assert.equal(answer.readUInt32BE(16), 11);
    assert.equal(data.toString('hex', 14, 16), '2907');
    raw.end();
  });

  it('NOP-Out comes back with its data; SNACK and unknown opcodes are rejected', async () => {
    await open();
    const raw = await login();
    raw.send(header(0x40, 0x80, [16, 5], [20, -1], [24, raw.cmdSN]), 'ping');
    const pong = await raw.next();
    assert.deepEqual([pong.header[0], pong.data.toString()], [0x20, 'ping']);
    for (const [opcode, reason] of [
      [0x10, 3],
      [0x1c, 5],
    ] as const) {
      raw.send(header(opcode, 0x80, [16, 6]));
      const reject = await raw.next();
      assert.deepEqual(
        [reject.header[0], reject.header[2], reject.data[0]],
        [0x3f, reason, opcode],
      );
    }
    raw.end();
  });

  it('a bidirectional command: read length in its AHS, Data-In, then both residuals (RFC 7143 11.2.2.4, 11.4.1)', async () => {
    await open();
    const raw = await login();
    await raw.settle();
    const xdWriteRead = (blocks: string, readBytes: number): Buffer => {
      const bhs = header(0x01, 0xe1, [4, '02'], [16, 7], [20, 1536], [24, raw.cmdSN]);
      raw.cmdSN += 1;
      Buffer.from(`53000000000400${blocks}00`, 'hex').copy(bhs, 32);
      const ahs = Buffer.from('0005020000000000', 'hex');
      ahs.writeUInt32BE(readBytes, 4);
      return Buffer.concat([bhs, ahs]);
    };
    raw.send(xdWriteRead('0001', 1024), Buffer.alloc(1536, 0x3c));
    const under = await raw.next();
    assert.deepEqual([under.header[0], under.header[1], under.data.length], [0x25, 0x80, 512]);
    assert.ok(under.data.every((byte) => byte === 0x3c));
    const ended = (await raw.next()).header;
    assert.deepEqual([ended[0], ended[1], ended[3]], [0x21, 0x8a, 0]);
    assert.deepEqual([ended.readUInt32BE(40), ended.readUInt32BE(44)], [512, 1024]);
    raw.send(xdWriteRead('0004', 100), Buffer.alloc(1536, 0x3c));
    assert.equal((await raw.next()).data.length, 100);
    const over = (await raw.next()).header;
    assert.deepEqual([over[0], over[1], over[3]], [0x21, 0x94, 0]);
    assert.deepEqual([over.readUInt32BE(40), over.readUInt32BE(44)], [1948, 512]);
    raw.end();
  });

  it('discovery: SendTargets=All names the target and where it is', async () => {
    await open();
    const raw = await RawInitiator.connect(server.port);
    raw.send(header(0x43, 0x87, [24, 1]), 'InitiatorName=iqn.x:a\0SessionType=Discovery\0');
    await raw.next();
    raw.send(header(0x04, 0x80, [16, 2], [20, -1], [24, 1]), 'SendTargets=All\0');
    const { data } = await raw.next();
    assert.equal(
      data.toString(),
      `TargetName=${TARGET}\0TargetAddress=127.0.0.1:${server.port},1\0`,
    );
    raw.end();
  });

  it('T21 over-long, truncated and random PDUs end the connection, never the server', async () => {
    await open({ loginMs: 1000 });
    let seed = 20_261_126;
    const next = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed >>> 24;
    };
    for (let i = 0; i < 40; i += 1) {
      const raw = i % 2 === 0 ? await login() : await RawInitiator.connect(server.port);
      raw.socket.write(Buffer.from(Array.from({ length: 48 + next() * 4 }, next)));
      if (i % 4 < 2) raw.socket.end();
      else raw.end();
    }
    const storm = await Promise.all(
      Array.from({ length: 60 }, () => RawInitiator.connect(server.port)),
    );
    await Promise.all(storm.map((one) => one.closed()));
    const raw = await login('', '80000000000f');
    await raw.settle();
    raw.end();
  });
});
