/** `ringscsi qemu-args`: what it prints, and that a real QEMU takes it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libvirtXml, qemuWords, shellLine } from '../../src/cli/qemu-command.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';
import { ringscsi, ringscsiJson, Serving } from './command.ts';

const MIB = 1024 * 1024;

describe('ringscsi qemu-args', function () {
  this.timeout(20_000);
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-args-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('prints one line that a shell takes apart again', async () => {
    const { code, out } = await ringscsi(directory, 'qemu-args', '--socket', '/run/r/vu.sock');
    assert.equal(code, 0);
    assert.equal(
      out,
      '-m 1024M -smp 1,maxcpus=2 -object memory-backend-memfd,id=ringscsi-memory,size=1024M,share=on ' +
        '-machine memory-backend=ringscsi-memory -chardev socket,id=ringscsi-socket,path=/run/r/vu.sock ' +
        '-device vhost-user-scsi-pci,id=ringscsi,chardev=ringscsi-socket,num_queues=1\n',
    );
  });

  it('follows --memory, --cpus, --queues and --id, and doubles commas in the path', async () => {
    const words = await ringscsiJson<string[]>(
      directory,
      ...['qemu-args', '--socket', 'a,b.sock', '--memory', '3G'],
      ...['--cpus', '4', '--queues', '2', '--id', 'hba1'],
    );
    assert.deepEqual(words.slice(0, 4), ['-m', '3072M', '-smp', '4']);
    assert.ok(words.includes(`socket,id=hba1-socket,path=${directory}/a,,b.sock`));
    assert.ok(words.includes('vhost-user-scsi-pci,id=hba1,chardev=hba1-socket,num_queues=2'));
  });

  it('quotes for a shell only what needs it', () => {
    assert.equal(shellLine(['-m', '1G', 'path=/a b', "it's"]), `-m 1G 'path=/a b' 'it'\\''s'`);
  });

  it('prints a libvirt domain with shared memory and the device in the QEMU namespace', async () => {
    const words = ['qemu-args', '--socket', "/r/o'x&y.sock", '--libvirt', '--memory', '512M'];
    const { code, out } = await ringscsi(directory, ...words);
    assert.equal(code, 0);
    assert.match(out, /xmlns:qemu='http:\/\/libvirt\.org\/schemas\/domain\/qemu\/1\.0'/);
    assert.match(out, /<source type='memfd'\/>\s+<access mode='shared'\/>/);
    assert.match(out, /path=\/r\/o&apos;x&amp;y\.sock'/);
    assert.match(out, /<vcpu current='1'>2<\/vcpu>/);
    const four = libvirtXml({ socket: '/s', memoryBytes: MIB, cpus: 4, queues: 4, id: 'x' });
    assert.match(four, /<vcpu>4<\/vcpu>/);
  });

  for (const [words, message] of [
    [['--memory', '1000'], /whole MiB/],
    [['--memory', 'much'], /a size above 0/],
    [['--cpus', '0'], /1 to 1024/],
    [['--id', '9x'], /letter/],
  ] as const) {
    it(`refuses ${words.join(' ')}`, async () => {
      const outcome = await ringscsi(directory, 'qemu-args', '--socket', '/s', ...words);
      assert.equal(outcome.code, 2);
      assert.match(outcome.err, message);
    });
  }

  it('says what to do when the daemon has no port for stock guests', async () => {
    const serving = new Serving(directory, '--listen', 'srp:./a.sock', '--control', './c.sock');
    await serving.ready();
    const outcome = await ringscsi(directory, 'qemu-args', '--control', './c.sock');
    assert.equal(outcome.code, 2);
    assert.match(outcome.err, /srp:.*a\.sock.*--listen vhost-user:SOCK/);
    assert.equal(await serving.stop(), 0);
  });

  it('waits for a daemon that is just being started', async () => {
    const asked = ringscsi(directory, 'qemu-args', '--control', './soon.sock');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const ports = ['--listen', 'vhost-user:./soon-vu.sock', '--control', './soon.sock'];
    const serving = new Serving(directory, ...ports);
    const { code, out, err } = await asked;
    assert.equal(code, 0, err);
    assert.match(out, /soon-vu\.sock/);
    assert.equal(await serving.stop(), 0);
  });

  it('asks which socket when the daemon listens at several', async () => {
    const ports = ['--listen', 'vhost-user:./1.sock', '--listen', 'vhost-user:./2.sock'];
    const serving = new Serving(directory, ...ports, '--control', './several.sock');
    await serving.ready();
    const outcome = await ringscsi(directory, 'qemu-args', '--control', './several.sock');
    assert.equal(outcome.code, 2);
    assert.match(outcome.err, /1\.sock, .*2\.sock: choose one of them with --socket/);
    assert.equal(await serving.stop(), 0);
  });

  const attached = needsQemu(
    'QEMU attaches to the daemon with the line it prints, taken apart by a shell',
  );
  it(attached.title, async function () {
    if (attached.missing) this.skip();
    const ports = ['--listen', 'vhost-user:./vu.sock', '--control', './q.sock'];
    const serving = new Serving(directory, ...ports, '--lun', '0:disk,memory=16M');
    await serving.ready();
    const words = ['qemu-args', '--control', './q.sock', '--memory', '256M', '--cpus', '2'];
    const { out } = await ringscsi(directory, ...words);
    const qemu = QemuProcess.start(['-machine', 'q35', ...out.trim().split(' ')]);
    try {
      const client = await qemu.connect();
      const devices = await client.execute('qom-list', { path: '/machine/peripheral' });
      assert.ok(devices.some(({ type }) => type === 'child<vhost-user-scsi-pci>'));
      const queues = { path: '/machine/peripheral/ringscsi', property: 'num_queues' };
      assert.equal(await client.execute('qom-get', queues), 2);
      const guests = await ringscsiJson<unknown[]>(
        directory,
        'guest',
        'list',
        '--control',
        './q.sock',
      );
      assert.equal(guests.length, 1);
      client.close();
    } finally {
      await qemu.end();
      await serving.stop();
    }
  });

  const real = needsQemu('QEMU knows every option it prints');
  it(real.title, async function () {
    if (real.missing) this.skip();
    // Whoever accepts and closes is no vhost-user back end: QEMU gets as far as asking it.
    const socket = join(directory, 'closing.sock');
    const server = createServer((peer) => peer.destroy());
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const words = qemuWords({ socket, memoryBytes: 256 * MIB, cpus: 1, queues: 1, id: 'ringscsi' });
    const qemu = QemuProcess.start(['-machine', 'q35', ...words]);
    try {
      assert.equal(await qemu.ended(), 1);
      assert.match(qemu.errors, /vhost_backend_init failed/);
      assert.doesNotMatch(qemu.errors, /invalid|unknown|not found|unexpected property/i);
    } finally {
      await qemu.end();
      server.close();
    }
  });
});
