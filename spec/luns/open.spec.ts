/** Opening disk images: creation, checks, locks, and what each refusal says. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { holderInLocks } from '../../src/luns/lock-holder.ts';
import { DiskFileError, growFile, type OpenOptions, openDiskFile } from '../../src/luns/open.ts';
import { isZero, temporaryDirectory } from './store-request.ts';

const MIB = 1024 * 1024;

describe('luns/open', () => {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory, name);
  const opened: number[] = [];

  function open(path: string, options: Partial<OpenOptions> = {}): ReturnType<typeof openDiskFile> {
    const result = openDiskFile({ lun: 3, path, blockBytes: 512, readOnly: false, ...options });
    opened.push(result.fd);
    return result;
  }

  function refusal(path: string, options: Partial<OpenOptions> = {}): DiskFileError {
    const before = readdirSync('/proc/self/fd').length;
    try {
      open(path, options);
    } catch (error) {
      assert(error instanceof DiskFileError, String(error));
      assert.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor stays open');
      return error;
    }
    return assert.fail(`"${path}" was opened`);
  }

  function file(name: string, bytes: number): string {
    writeFileSync(at(name), '');
    truncateSync(at(name), bytes);
    return at(name);
  }

  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  it('creates a missing image of the given size, sparse, for its owner alone', () => {
    const result = open(at('new.img'), { sizeBytes: 64 * MIB });
    assert.deepEqual(
      { ...result, fd: 0, thinCapable: true },
      {
        fd: 0,
        path: realpathSync(at('new.img')),
        bytes: 64 * MIB,
        kind: 'file',
        thinCapable: true,
        created: true,
      },
    );
    const stats = statSync(at('new.img'));
    assert.deepEqual([stats.size, stats.mode & 0o777], [64 * MIB, 0o600]);
    assert(stats.blocks < 64, 'it is a hole');
    assert(isZero(readFileSync(at('new.img')).subarray(0, MIB)));
  });

  it('opens an existing image, with its size or without, and says its path without links', () => {
    file('old.img', MIB);
    symlinkSync(at('old.img'), at('link.img'));
    const result = open(at('link.img'));
    assert.deepEqual(
      [result.path, result.bytes, result.created],
      [realpathSync(at('old.img')), MIB, false],
    );
    closeSync(opened.pop() as number);
    assert.equal(open(at('old.img'), { sizeBytes: MIB }).bytes, MIB);
  });

  it('finds out whether discards work without changing the image', () => {
    const path = file('probe.img', 0);
    writeFileSync(path, Buffer.alloc(6000 * 512, 0x5a));
    const before = readFileSync(path);
    open(path);
    assert(Buffer.compare(readFileSync(path), before) === 0);
  });

  it('refuses a size that is no multiple of the block', () => {
    const path = file('odd.img', 2047);
    const error = refusal(path);
    assert.equal(error.code, 'ERR_IMAGE_SIZE');
    assert.equal(
      error.message,
      `Cannot attach LUN 3: "${path}" is 2047 bytes, a disk image needs a multiple of 512`,
    );
    file('half.img', 4096 + 512);
    assert.equal(refusal(at('half.img'), { blockBytes: 4096 }).code, 'ERR_IMAGE_SIZE');
    assert.equal(refusal(at('none.img'), { sizeBytes: 1000 }).code, 'ERR_IMAGE_SIZE');
    assert.equal(existsSync(at('none.img')), false);
  });

  it('refuses an empty image, and a size it does not have', () => {
    assert.match(refusal(file('empty.img', 0)).message, /is empty/);
    const path = file('sized.img', MIB);
    for (const sizeBytes of [MIB / 2, MIB * 2]) {
      const error = refusal(path, { sizeBytes });
      assert.equal(error.code, 'ERR_IMAGE_SIZE');
      assert.match(error.message, new RegExp(`is ${MIB} bytes, not the ${sizeBytes} of size=`));
    }
    assert.match(refusal(path, { sizeBytes: MIB * 2 }).message, /lun resize/);
    assert.equal(statSync(path).size, MIB);
  });

  it('refuses what is missing and says how to have it', () => {
    const error = refusal(at('missing.img'));
    assert.equal(error.code, 'ERR_IMAGE_MISSING');
    assert.match(error.message, /does not exist, add size= to have it created/);
    const readOnly = { readOnly: true, sizeBytes: MIB };
    assert.equal(refusal(at('missing.img'), readOnly).code, 'ERR_IMAGE_MISSING');
    const nowhere = refusal(at('no/such/dir.img'), { sizeBytes: MIB });
    assert.equal(nowhere.code, 'ERR_IMAGE_MISSING');
    assert.match(nowhere.message, /the directory ".*no\/such" does not exist/);
  });

  it('refuses what is no disk, and does not wait for a pipe', () => {
    mkdirSync(at('directory'));
    assert.equal(refusal(at('directory')).code, 'ERR_IMAGE_KIND');
    assert.match(refusal(at('directory')).message, /is a directory/);
    execFileSync('mkfifo', [at('pipe')]);
    assert.equal(refusal(at('pipe')).code, 'ERR_IMAGE_KIND');
    assert.equal(refusal('/dev/null').code, 'ERR_IMAGE_KIND');
    assert.equal(refusal(join(file('plain.img', 512), 'below')).code, 'ERR_IMAGE_ACCESS');
  });

  it('leaves nothing behind when a new image cannot have its size', () => {
    const error = refusal(at('huge.img'), { sizeBytes: 2 ** 53 - 512 });
    assert.equal(error.code, 'ERR_IMAGE_ACCESS');
    assert.equal(existsSync(at('huge.img')), false);
  });

  it('suggests ro for an image that cannot be written', () => {
    // Regular files of 4096 bytes that nobody may open for writing, the superuser included.
    const error = refusal('/sys/kernel/uevent_seqnum');
    assert.equal(error.code, 'ERR_IMAGE_READ_ONLY');
    assert.match(error.message, /\((EACCES|EROFS)\), add ro to attach it read-only/);
  });

  describe('locks', () => {
    it('refuses an image that is attached here already, under any name', () => {
      const path = file('locked.img', MIB);
      linkSync(path, at('hard.img'));
      symlinkSync(path, at('soft.img'));
      open(path);
      for (const name of [path, at('hard.img'), at('soft.img')]) {
        const error = refusal(name);
        assert.equal(error.code, 'ERR_IMAGE_LOCKED');
        assert.equal(error.holderProcessId, process.pid);
      }
      assert.equal(refusal(path, { readOnly: true }).code, 'ERR_IMAGE_LOCKED');
    });

    it('shares an image that everybody only reads', () => {
      const path = file('shared.img', MIB);
      open(path, { readOnly: true });
      open(path, { readOnly: true });
      assert.equal(refusal(path).code, 'ERR_IMAGE_LOCKED');
    });

    it('names the other process that holds it, and takes over when that has ended', async () => {
      const path = file('theirs.img', MIB);
      const holder = await holdingChild(path);
      try {
        const error = refusal(path);
        assert.equal(error.code, 'ERR_IMAGE_LOCKED');
        assert.equal(error.holderProcessId, holder.pid);
        assert.match(error.message, new RegExp(`is in use by process ${holder.pid} \\(node`));
      } finally {
        const ended = new Promise((resolve) => holder.once('exit', resolve));
        holder.kill('SIGKILL');
        await ended;
      }
      assert.equal(open(path).bytes, MIB);
    });

    it('finds the holder in /proc/locks by device and inode', () => {
      const locks = [
        '1: POSIX  ADVISORY  WRITE 100 fe:00:42 0 EOF',
        '2: FLOCK  ADVISORY  WRITE 200 fe:01:42 0 EOF',
        '3: FLOCK  ADVISORY  WRITE 300 fe:00:42 0 EOF',
        '3: -> FLOCK  ADVISORY  WRITE 400 fe:00:42 0 EOF',
        '4: FLOCK  ADVISORY  READ  0 00:1f:77 0 EOF',
        '',
      ].join('\n');
      assert.equal(holderInLocks(locks, 0xfe00n, 42n), 300);
      assert.equal(holderInLocks(locks, 0xfe05n, 42n), 200, 'a device number of its own');
      assert.equal(holderInLocks(locks, 0x1fn, 77n), 0, 'a process of another namespace');
      assert.equal(holderInLocks(locks, 0xfe00n, 43n), undefined);
    });
  });

  describe('growFile', () => {
    it('extends by a hole and refuses to cut', () => {
      const path = file('grow.img', MIB);
      const { fd } = open(path);
      growFile(fd, 8 * MIB);
      assert.equal(fstatSync(fd).size, 8 * MIB);
      assert.throws(() => growFile(fd, 4 * MIB), { code: 'ERR_IMAGE_SIZE' });
      assert.throws(() => growFile(fd, 2 ** 53 - 512), { code: 'ERR_IMAGE_ACCESS' });
      assert.equal(fstatSync(fd).size, 8 * MIB);
    });
  });
});

/** Another process that has opened `path` for a disk. */
function holdingChild(path: string): Promise<ChildProcess> {
  const code = `
    import { openDiskFile } from '${new URL('../../src/luns/open.js', import.meta.url)}';
    openDiskFile({ lun: 0, path: '${path}', blockBytes: 512, readOnly: false });
    process.stdout.write('held');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve(child));
    child.once('exit', (status) => reject(new Error(`the holder ended with ${status}`)));
  });
}
