/** The QMP client against a real QEMU, and against a socket that says what no QEMU should. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QmpClient, QmpError, type QmpErrorCode } from '../../src/qmp/client.ts';
import type { QmpEvent } from '../../src/qmp/messages.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';

/** What QEMU 7.2 says first (docs/interop/qmp-spec.txt, "2.2 Server Greeting"). */
const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}\r\n';

function isQmp(code: QmpErrorCode, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof QmpError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

const real = needsQemu('a real QEMU');

describe(`QMP client with ${real.title}`, function () {
  this.timeout(30_000);
  let qemu: QemuProcess;
  let client: QmpClient;
  const events: QmpEvent[] = [];

  before(async function () {
    if (real.missing) this.skip();
    qemu = QemuProcess.start(['-machine', 'none']);
    client = await qemu.connect({ onEvent: (event) => events.push(event) });
  });

  after(async () => {
    client?.close();
    await qemu?.end();
  });

  it('knows the version of the greeting', () => {
    assert.ok(client.version.major >= 5);
  });

  it('resolves with what a command returns', async () => {
    assert.deepEqual(await client.execute('query-block'), []);
    const { running, status } = await client.execute('query-status');
    assert.deepEqual({ running, status }, { running: false, status: 'prelaunch' });
  });

  it('answers many commands at once, each its own', async () => {
    const [blocks, state, nodes] = await Promise.all([
      client.execute('query-block'),
      client.execute('query-status'),
      client.execute('query-named-block-nodes', { flat: true }),
    ]);
    assert.deepEqual([blocks, state.running, nodes], [[], false, []]);
  });

  it('rejects with the class of the error and the name of the command', async () => {
    const refused = client.execute('device_del', { id: 'nothing' });
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof QmpError);
      assert.equal(error.errorClass, 'DeviceNotFound');
      return isQmp('ERR_QMP_REFUSED', /device_del.*'nothing'/)(error);
    });
    await assert.rejects(
      client.execute('no-such-command'),
      isQmp('ERR_QMP_REFUSED', /no-such-command/),
    );
  });

  it('tells events to who waits and to the listener', async () => {
    const resumed = client.waitFor('RESUME');
    await client.execute('cont');
    const event = await resumed;
    assert.equal(event.event, 'RESUME');
    assert.ok(event.timestampMs > 1.6e12);
    assert.ok(events.some((seen) => seen.event === 'RESUME'));
    const stopped = client.waitFor('STOP');
    await client.execute('stop');
    await stopped;
  });

  it('ends the wait for an event that does not come', async () => {
    const never = client.waitFor('DEVICE_DELETED', () => true, 30);
    await assert.rejects(never, isQmp('ERR_QMP_TIMEOUT', /DEVICE_DELETED.*30 ms/));
  });

  it('rejects what waits when QEMU ends', async () => {
    const never = client.waitFor('DEVICE_DELETED');
    await client.execute('quit');
    await client.closed;
    await assert.rejects(never, isQmp('ERR_QMP_CLOSED', /closed/));
    await assert.rejects(client.execute('query-block'), isQmp('ERR_QMP_CLOSED', /query-block/));
    assert.equal(await qemu.ended(), 0);
  });
});

describe('QMP client with a scripted socket', () => {
  let directory: string;
  let path: string;
  let server: Server | null = null;
  const sockets = new Set<Socket>();

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-qmp-'));
    path = join(directory, 'q.sock');
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    const listening = server;
    server = null;
    await new Promise<void>((resolve) => {
      if (listening === null) resolve();
      else listening.close(() => resolve());
    });
    rmSync(directory, { recursive: true, force: true });
  });

  /** A server that greets with `greeting` and answers each command by `answer`. */
  async function script(
    greeting: string,
    answer: (command: { execute: string; id: number }, socket: Socket) => void,
  ): Promise<void> {
    const listening = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.write(greeting);
      socket.setEncoding('utf8');
      socket.on('data', (text: string) => {
        for (const line of text.trim().split('\n')) answer(JSON.parse(line), socket);
      });
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(path, resolve));
  }

  function agree({ execute, id }: { execute: string; id: number }, socket: Socket): boolean {
    if (execute !== 'qmp_capabilities') return false;
    socket.write(`{"return": {}, "id": ${id}}\r\n`);
    return true;
  }

  it('says so when nobody listens', async () => {
    await assert.rejects(
      QmpClient.connect({ path }),
      isQmp('ERR_QMP_ADDRESS', /q\.sock": no QEMU listens there/),
    );
  });

  it('says so when no greeting comes, as from a monitor somebody else uses', async () => {
    await script('', () => undefined);
    await assert.rejects(
      QmpClient.connect({ path, timeoutMs: 30 }),
      isQmp('ERR_QMP_TIMEOUT', /greeting.*one client/),
    );
  });

  it('refuses a peer that does not speak QMP', async () => {
    await script('SSH-2.0-OpenSSH_9.2\r\n', () => undefined);
    await assert.rejects(QmpClient.connect({ path }), isQmp('ERR_QMP_MESSAGE', /SSH-2\.0/));
  });

  it('ends the wait for an answer and takes a late one for nobody', async () => {
    await script(GREETING, (command, socket) => {
      if (agree(command, socket)) return;
      if (command.execute === 'query-status') return;
      socket.write(`{"return": {"late": true}, "id": ${command.id - 1}}\r\n`);
      socket.write(`{"return": [], "id": ${command.id}}\r\n`);
    });
    const client = await QmpClient.connect({ path });
    await assert.rejects(
      client.execute('query-status', {}, 20),
      isQmp('ERR_QMP_TIMEOUT', /query-status.*20 ms/),
    );
    assert.deepEqual(await client.execute('query-block'), []);
    client.close();
  });

  it('puts together what comes in pieces and takes apart what comes at once', async () => {
    await script(GREETING, (command, socket) => {
      if (agree(command, socket)) return;
      const answer = `{"event": "STOP", "timestamp": {"seconds": 2, "microseconds": 5000}}\r\n{"return": "\u00fc", "id": ${command.id}}\r\n`;
      const bytes = Buffer.from(answer);
      const middle = bytes.indexOf(0xc3) + 1;
      socket.write(bytes.subarray(0, middle));
      setImmediate(() => socket.write(bytes.subarray(middle)));
    });
    const client = await QmpClient.connect({ path });
    const stop = client.waitFor('STOP');
    assert.equal(await client.execute('anything'), 'ü');
    assert.equal((await stop).timestampMs, 2005);
    client.close();
  });

  it('keeps 64-bit numbers exact in both directions, and strings that look like them', async () => {
    let asked = '';
    const listening = createServer((socket) => {
      sockets.add(socket);
      socket.write(GREETING);
      socket.setEncoding('utf8');
      socket.on('data', (text: string) => {
        const { execute, id } = JSON.parse(text);
        if (agree({ execute, id }, socket)) return;
        asked = text;
        socket.write(
          `{"return": [3540750043037027823, -1, "3540750043037027823", 9007199254740991, 1e300], "id": ${id}}\r\n`,
        );
      });
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(path, resolve));
    const client = await QmpClient.connect({ path });
    const wwn = 3540750043037027823n;
    const answer = await client.execute('device_add', { driver: 'scsi-hd', wwn, serial: '17' });
    assert.deepEqual(answer, [wwn, -1, '3540750043037027823', Number.MAX_SAFE_INTEGER, 1e300]);
    assert.match(asked, /"wwn":3540750043037027823,"serial":"17"/);
    client.close();
  });

  /** QEMU prints doubles by `%.17g` (qobject/json-writer.c); a live migration has such rates under `mbps`. */
  it('reads doubles as QEMU prints them: 17 digits, inf and nan', async () => {
    await script(GREETING, (command, socket) => {
      if (agree(command, socket)) return;
      socket.write(
        `{"return": {"mbps": 0.98765432109876539, "a": [-1.234567890123457e-05, inf, -nan, "nan"]}, "id": ${command.id}}\r\n`,
      );
    });
    const client = await QmpClient.connect({ path });
    assert.deepEqual(await client.execute('query-migrate'), {
      mbps: 0.9876543210987654,
      a: [-1.234567890123457e-5, null, null, 'nan'],
    });
    client.close();
  });

  it('rejects every command when the connection ends under them', async () => {
    await script(GREETING, (command, socket) => {
      if (!agree(command, socket)) socket.destroy();
    });
    const client = await QmpClient.connect({ path });
    await assert.rejects(
      client.execute('device_del', { id: 'emu0' }),
      isQmp('ERR_QMP_CLOSED', /device_del has no answer/),
    );
    await client.closed;
    await assert.rejects(client.waitFor('STOP'), isQmp('ERR_QMP_CLOSED', /event STOP/));
  });

  it('gives up on an answer that is no message', async () => {
    await script(GREETING, (command, socket) => {
      if (!agree(command, socket)) socket.write('{"return": \r\n');
    });
    const client = await QmpClient.connect({ path });
    await assert.rejects(client.execute('stop'), isQmp('ERR_QMP_MESSAGE', /stop has no answer/));
  });
});
