/** The library of a running daemon: names of media, what is known of them, loads by name, restarts. One daemon for all. */
import { strict as assert } from 'node:assert';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { Library, type LibraryAddition, type LibraryStatus } from '../../src/daemon/library.ts';
import { createBurnStore } from '../../src/luns/disc/burn-store.ts';
import { type Outcome, ringscsiHere } from '../cli/command.ts';
import { blocks, burn, LAST_TRACK_AT_ONCE } from '../support/burn-commands.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense } from '../support/ports.ts';
import { EJECT, LOAD, MediaBench, MIB } from './media-bench.ts';

const SECTOR = 2048;
const [DISK, OTHER_DISK, CD, OTHER_CD, BURNER] = [0, 1, 2, 3, 4] as const;
const CUE = 'FILE "sheet.bin" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n';

describe('library of a daemon', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let bench: MediaBench;

  before(async () => {
    const luns = ['0:disk,removable', '1:disk,removable', '2:cdrom', '3:cdrom', '4:burner'];
    daemon = await DaemonProcess.start(luns, [], ['--state', 'state']);
    bench = new MediaBench(daemon);
  });
  after(() => daemon.end());

  const list = (): Promise<LibraryStatus[]> =>
    daemon.call('library.list') as Promise<LibraryStatus[]>;
  const entry = async (name: string): Promise<LibraryStatus | undefined> =>
    (await list()).find((each) => each.name === name);
  const add = (path: string, args: Record<string, unknown> = {}): Promise<LibraryAddition> =>
    daemon.call('library.add', { path, ...args }) as Promise<LibraryAddition>;
  const remove = (name: string): Promise<unknown> => daemon.call('library.remove', { name });
  const load = (lun: number, name: string) => bench.load({ lun, name });
  const cli = (...words: readonly string[]): Promise<Outcome> =>
    ringscsiHere(...words, '--control', daemon.path('c.sock'));

  /** An image with a volume descriptor in block 16 (ECMA-119 8.1). */
  const iso = (name: string, sectors = 20): string => {
    const path = daemon.path(name);
    const bytes = Buffer.alloc(sectors * SECTOR);
    bytes.write('\x01CD001\x01', 16 * SECTOR, 'latin1');
    writeFileSync(path, bytes);
    return path;
  };
  const files = ['a.iso', 'b.iso', 'c.iso', 'a.img', 'b.img', 'w', 'sheet.cue', 'sheet.bin', 'l'];

  afterEach(async () => {
    await bench.detach();
    for (const { lun, state } of await bench.media()) {
      if (state !== 'empty') await bench.eject({ lun, force: true });
    }
    for (const { name } of await list()) await remove(name);
    for (const name of files) rmSync(daemon.path(name), { force: true });
  });

  describe('entries', () => {
    it('a file is called as it is named, without its ending', async () => {
      const path = iso('a.iso');
      assert.deepEqual(await add(path), {
        name: 'a',
        path,
        kind: 'iso',
        bytes: 20 * SECTOR,
        status: 'present',
        why: null,
        readOnly: false,
        luns: [],
        generation: 1,
        added: true,
      });
    });

    it('a symbolic link and a hard link of a file mean the entry that is there', async () => {
      const path = iso('a.iso');
      await add(path, { name: 'first' });
      for (const link of [symlinkSync, linkSync]) {
        link(path, daemon.path('l'));
        const { name, added, path: canonical } = await add(daemon.path('l'), { name: 'second' });
        assert.deepEqual([name, added, canonical], ['first', false, path], link.name);
        rmSync(daemon.path('l'));
      }
      assert.equal((await list()).length, 1);
    });

    it('the path of an entry has no symbolic links', async () => {
      const path = iso('a.iso');
      symlinkSync(path, daemon.path('l'));
      assert.equal((await add(daemon.path('l'))).path, path);
    });

    it('what each of them is', async () => {
      iso('a.iso');
      bench.image('a.img', MIB, 0);
      writeFileSync(daemon.path('sheet.bin'), Buffer.alloc(5 * SECTOR));
      writeFileSync(daemon.path('sheet.cue'), CUE);
      createBurnStore(daemon.path('w'), 'dvd+rw');
      for (const name of ['a.iso', 'sheet.cue', 'w']) await add(daemon.path(name));
      await add(daemon.path('a.img'), { name: 'disk' });
      assert.deepEqual(
        (await list()).map(({ name, kind, bytes, status }) => [name, kind, bytes, status]),
        [
          ['a', 'iso', 20 * SECTOR, 'present'],
          ['disk', 'disk', MIB, 'present'],
          ['sheet', 'cue', 5 * SECTOR, 'present'],
          ['w', 'dvd+rw', 2_295_104 * SECTOR, 'blank'],
        ],
      );
    });

    it('a name that is taken is refused, and says by what', async () => {
      const path = iso('a.iso');
      await add(path, { name: 'x' });
      await assert.rejects(add(iso('b.iso'), { name: 'x' }), {
        code: 'ERR_LIBRARY',
        message: `Cannot add "${daemon.path('b.iso')}" to the library: "x" is the name of "${path}", choose another with --name`,
      });
    });

    for (const name of ['a/b', '-a', 'a b', 'x'.repeat(33)]) {
      it(`"${name}" is no name`, async () => {
        await assert.rejects(add(iso('a.iso'), { name }), { message: /is no name; a name is 1/ });
      });
    }

    it('a file that is missing, empty or a directory is refused', async () => {
      mkdirSync(daemon.path('folder'), { recursive: true });
      const cases = [
        ['none.iso', 'ERR_IMAGE_MISSING', 'does not exist'],
        ['folder', 'ERR_IMAGE_KIND', 'is a directory, a medium has to be a regular file'],
        ['a.img', 'ERR_IMAGE_SIZE', 'is empty'],
      ] as const;
      writeFileSync(daemon.path('a.img'), '');
      for (const [name, code, what] of cases) {
        const path = daemon.path(name);
        const message = `Cannot add "${path}" to the library: "${path}" ${what}`;
        await assert.rejects(add(path), { code, message });
      }
    });

    it('a sheet whose files are missing is refused', async () => {
      writeFileSync(daemon.path('sheet.cue'), CUE);
      await assert.rejects(add(daemon.path('sheet.cue')), {
        code: 'ERR_IMAGE_FORMAT',
        message: /^Cannot add ".*sheet\.cue" to the library: .*no file "sheet\.bin"/,
      });
    });

    it('a relative path, and a path beside a name, are refused', async () => {
      await assert.rejects(add('a.iso'), { message: /"a\.iso" must be an absolute path/ });
      await assert.rejects(bench.load({ lun: CD, path: '/a', name: 'a' }), {
        message: /give one of them/,
      });
    });
  });

  describe('in drives', () => {
    it('many drives read one, and its generation stays', async () => {
      await add(iso('a.iso'));
      assert.deepEqual([(await load(CD, 'a')).name, (await load(OTHER_CD, 'a')).name], ['a', 'a']);
      const { luns, generation } = (await entry('a')) ?? {};
      assert.deepEqual([luns, generation], [[CD, OTHER_CD], 1]);
    });

    it('one that a drive writes is in no other, and each load of it counts', async () => {
      await add(bench.image('a.img', MIB, 0), { name: 'd' });
      await load(DISK, 'd');
      assert.equal((await entry('d'))?.generation, 2);
      await assert.rejects(load(OTHER_DISK, 'd'), { message: /is LUN 0 of this daemon/ });
      assert.equal((await entry('d'))?.generation, 2);
      await bench.eject({ lun: DISK });
      assert.equal((await entry('d'))?.generation, 2);
      await load(OTHER_DISK, 'd');
      assert.equal((await entry('d'))?.generation, 3);
    });

    it('what a drive has written is one change', async () => {
      await add(bench.image('a.img', MIB, 0), { name: 'd' });
      await load(DISK, 'd');
      const a = await bench.attach('a', DISK);
      assert.equal(sense(await a.write(3, 0x33)), '');
      await bench.eject({ lun: DISK });
      assert.equal((await entry('d'))?.generation, 2);
    });

    it('a guest that loads it again is another load', async () => {
      await add(bench.image('a.img', MIB, 0), { name: 'd' });
      await load(DISK, 'd');
      const a = await bench.attach('a', DISK);
      for (const cdb of [EJECT, LOAD]) assert.equal(sense(await a.run(cdb)), '');
      assert.equal((await entry('d'))?.generation, 3);
    });

    it('the image of a disk whose medium is fixed is in its LUN', async () => {
      const path = bench.image('a.img', MIB, 0);
      await add(path, { name: 'd' });
      await daemon.call('lun.add', { lun: 5, type: 'disk', path });
      const { luns, generation } = (await entry('d')) ?? {};
      await assert.rejects(remove('d'), { message: /it is in LUN 5/ });
      await daemon.call('lun.remove', { lun: 5 });
      assert.deepEqual([luns, generation], [[5], 2]);
      assert.deepEqual((await entry('d'))?.luns, []);
    });

    it('one that is read-only is write protected in many, by whatever path it is loaded', async () => {
      await add(bench.image('a.img', MIB, 0), { name: 'd', ro: true });
      assert.equal((await load(DISK, 'd')).writeProtected, true);
      symlinkSync(daemon.path('a.img'), daemon.path('l'));
      assert.equal(
        (await bench.load({ lun: OTHER_DISK, path: daemon.path('l') })).writeProtected,
        true,
      );
      const { luns, generation } = (await entry('d')) ?? {};
      assert.deepEqual([luns, generation], [[DISK, OTHER_DISK], 1]);
      const a = await bench.attach('a', DISK);
      assert.equal(sense(await a.write(0, 1)), '7/27/00');
    });

    it('a recordable one that is read-only is for cdroms', async () => {
      createBurnStore(daemon.path('w'), 'cd-r');
      await add(daemon.path('w'), { ro: true });
      await assert.rejects(load(BURNER, 'w'), { message: /load it into a cdrom/ });
      assert.equal((await load(CD, 'w')).name, 'w');
    });

    it('a disc image that is read-only is a pressed disc in a burner', async () => {
      await add(iso('a.iso'), { ro: true });
      assert.equal((await load(BURNER, 'a')).name, 'a');
    });

    it('what is in a drive already, by another name of its file, changes nothing', async () => {
      await add(iso('a.iso'));
      const { generation } = await load(CD, 'a');
      linkSync(daemon.path('a.iso'), daemon.path('l'));
      assert.equal((await bench.load({ lun: CD, path: daemon.path('l') })).generation, generation);
    });

    it('what has the name of what is in a drive, and is another file or was written since, is a new medium', async () => {
      const path = iso('a.iso');
      await add(path);
      const { generation } = await load(CD, 'a');
      assert.equal((await load(CD, 'a')).generation, generation);
      renameSync(iso('c.iso', 30), path);
      const other = await load(CD, 'a');
      assert.deepEqual([other.generation, other.bytes], [generation + 1, 30 * SECTOR]);
      iso('a.iso', 40);
      const { generation: last, bytes } = await bench.load({ lun: CD, path });
      assert.deepEqual([last, bytes], [generation + 2, 40 * SECTOR]);
    });

    it('a sheet whose other file was written since is a new medium', async () => {
      writeFileSync(daemon.path('sheet.bin'), Buffer.alloc(5 * SECTOR));
      writeFileSync(daemon.path('sheet.cue'), CUE);
      const sheet = { lun: CD, path: daemon.path('sheet.cue') };
      const { generation } = await bench.load(sheet);
      writeFileSync(daemon.path('sheet.bin'), Buffer.alloc(6 * SECTOR));
      assert.equal((await bench.load(sheet)).generation, generation + 1);
      assert.equal((await bench.load(sheet)).generation, generation + 1);
    });

    it('a writable one is the same however much was written to it, until another file has its name', async () => {
      const path = bench.image('a.img', MIB, 0);
      const disk = { lun: DISK, path };
      const { generation } = await bench.load(disk);
      const a = await bench.attach('a', DISK);
      assert.equal(sense(await a.write(0, 1)), '');
      assert.equal((await bench.load(disk)).generation, generation);
      // What was written last to a file that has no name any more cannot be kept.
      linkSync(path, daemon.path('l'));
      renameSync(bench.image('b.img', MIB, 0), path);
      assert.equal((await bench.load(disk)).generation, generation + 1);
    });

    it('is not removed while it is in a drive or its tray', async () => {
      await add(iso('a.iso'));
      await load(CD, 'a');
      const message =
        'Cannot remove "a" from the library: it is in LUN 2, eject it there (or remove a LUN whose medium is fixed) first';
      await assert.rejects(remove('a'), { code: 'ERR_LIBRARY', message });
      const a = await bench.attach('a', CD);
      assert.equal(sense(await a.run(EJECT)), '');
      await assert.rejects(remove('a'), { message });
      await bench.eject({ lun: CD });
      await remove('a');
      assert.deepEqual(await list(), []);
      assert.ok(existsSync(daemon.path('a.iso')), 'the file stays');
    });

    it('a name that is not there is refused, with those that are near', async () => {
      await add(iso('a.iso'), { name: 'debian' });
      await assert.rejects(load(CD, 'debain'), {
        code: 'ERR_LIBRARY',
        message:
          'Cannot load "debain" into LUN 2: unknown medium "debain", did you mean "debian"? Known: debian',
      });
    });
  });

  describe('files that change', () => {
    it('one that has vanished is missing, cannot be loaded, and can be forgotten', async () => {
      const path = iso('a.iso');
      await add(path);
      rmSync(path);
      const { status, kind, bytes } = (await entry('a')) ?? {};
      assert.deepEqual([status, kind, bytes], ['missing', 'iso', 0]);
      await assert.rejects(load(CD, 'a'), {
        code: 'ERR_LIBRARY',
        message: `Cannot load "a" into LUN 2: "a" is missing, there is no "${path}"; bring it back, or remove the name`,
      });
      await remove('a');
      assert.deepEqual(await list(), []);
    });

    it('one that comes back unchanged has the generation it had', async () => {
      const path = iso('a.iso');
      await add(path);
      renameSync(path, daemon.path('c.iso'));
      assert.equal((await entry('a'))?.status, 'missing');
      renameSync(daemon.path('c.iso'), path);
      const { status, generation } = (await entry('a')) ?? {};
      assert.deepEqual([status, generation], ['present', 1]);
    });

    it('another file in its place is another generation', async () => {
      const path = iso('a.iso');
      await add(path);
      renameSync(iso('c.iso', 30), path);
      const { bytes, generation } = (await entry('a')) ?? {};
      assert.deepEqual([bytes, generation], [30 * SECTOR, 2]);
    });

    it('a file that a sheet names counts, too; without it the medium is unusable', async () => {
      writeFileSync(daemon.path('sheet.bin'), Buffer.alloc(5 * SECTOR));
      writeFileSync(daemon.path('sheet.cue'), CUE);
      await add(daemon.path('sheet.cue'));
      writeFileSync(daemon.path('sheet.bin'), Buffer.alloc(6 * SECTOR));
      assert.equal((await entry('sheet'))?.generation, 2);
      rmSync(daemon.path('sheet.bin'));
      const { status, why } = (await entry('sheet')) ?? {};
      assert.equal(status, 'unusable');
      assert.match(why ?? '', /no file "sheet\.bin"/);
    });
  });

  it('is there after a kill, with generations and what is in drives', async () => {
    await add(iso('a.iso'), { ro: true });
    await add(bench.image('a.img', MIB, 0), { name: 'd' });
    await load(CD, 'a');
    await load(DISK, 'd');
    const before = await list();
    assert.deepEqual(
      before.map(({ luns, generation }) => [luns, generation]),
      [
        [[CD], 1],
        [[DISK], 2],
      ],
    );
    await daemon.kill();
    await daemon.restart();
    assert.deepEqual(await list(), before);
  });

  describe('the command', () => {
    it('library add, list and remove', async () => {
      const path = iso('a.iso');
      symlinkSync(path, daemon.path('l'));
      const added = await cli('library', 'add', path, '--name', 'disc', '--ro');
      assert.deepEqual([added.code, added.out], [0, '"disc": iso, present\n'], added.err);
      const again = await cli('library', 'add', daemon.path('l'));
      assert.equal(again.out, '"disc": iso, present; the file had this name before\n');
      await load(CD, 'disc');
      const [titles, line] = (await cli('library', 'list')).out.split('\n');
      assert.match(titles ?? '', /^NAME +KIND +SIZE +STATUS +WRITE +LUN +GENERATION +FILE$/);
      assert.match(line ?? '', /^disc +iso +40 KiB +present +protected +2 +1 +\/.*a\.iso$/);
      const [json] = JSON.parse((await cli('library', 'list', '--json')).out);
      assert.deepEqual([json.name, json.luns], ['disc', [CD]]);
      await bench.eject({ lun: CD });
      const removed = await cli('library', 'remove', 'disc');
      assert.deepEqual(
        [removed.code, removed.out],
        [0, `"disc" is removed; the file "${path}" stays\n`],
      );
    });

    it('media load takes a name, media list shows it', async () => {
      await add(iso('a.iso'), { name: 'disc' });
      const { code, out } = await cli('media', 'load', String(CD), 'disc');
      assert.equal(code, 0);
      assert.match(out, /^LUN 2: disc loaded, generation \d+\n$/);
      const lines = (await cli('media', 'list')).out.split('\n');
      assert.match(lines[0] ?? '', / NAME +DISC +MEDIUM$/);
      assert.match(lines[1 + CD] ?? '', / disc +cd-rom, complete +\/.*a\.iso$/);
    });

    it('media load takes a word that is a file here, or has a slash, as a path', async () => {
      await add(iso('a.iso'), { name: 'b.iso' });
      iso('b.iso');
      const home = process.cwd();
      process.chdir(daemon.directory);
      try {
        await cli('media', 'load', String(CD), 'b.iso');
        await cli('media', 'load', String(OTHER_CD), './b.iso');
      } finally {
        process.chdir(home);
      }
      const drives = await bench.media();
      const paths = [CD, OTHER_CD].map((lun) => drives.find((each) => each.lun === lun)?.path);
      assert.deepEqual(paths, [daemon.path('b.iso'), daemon.path('b.iso')]);
    });

    it('a word that is neither a name nor a file is told as both', async () => {
      const { code, err } = await cli('media', 'load', String(CD), 'nothing');
      assert.equal(code, 1);
      assert.equal(
        err,
        'ringscsi: Cannot load "nothing" into LUN 2: "nothing" is not in the library (there is no file "nothing" here)\n',
      );
    });

    it('library export makes an ISO image of what was burnt', async () => {
      createBurnStore(daemon.path('w'), 'cd-r');
      await add(daemon.path('w'), { name: 'burnt' });
      await load(BURNER, 'burnt');
      const a = await bench.attach('a', BURNER);
      await burn(a, 0, blocks(0, 40), LAST_TRACK_AT_ONCE);
      await bench.eject({ lun: BURNER });
      const { status, generation } = (await entry('burnt')) ?? {};
      assert.deepEqual([status, generation], ['complete', 2]);
      const target = daemon.path('c.iso');
      const { code, out, err } = await cli('library', 'export', 'burnt', '--iso', target);
      assert.deepEqual([code, out], [0, `"${target}" written\n`], err);
      assert.deepEqual(readFileSync(target), Buffer.from(blocks(0, 40)));
    });

    it('library export refuses images, missing files and unknown names', async () => {
      await add(iso('a.iso'));
      await add(iso('b.iso'));
      rmSync(daemon.path('b.iso'));
      const cases = [
        ['a', /Cannot export "a": ".*a\.iso" is an image already \(iso\), only recordable discs/],
        ['b', /Cannot export "b": it is missing, there is no ".*b\.iso"/],
        ['c', /Cannot export "c": it is not in the library/],
      ] as const;
      for (const [name, message] of cases) {
        const { code, err } = await cli('library', 'export', name, '--iso', daemon.path('c.iso'));
        assert.equal(code, 1);
        assert.match(err, message);
      }
    });
  });

  it('a daemon without a state directory has none, and says so', () => {
    const library = new Library(new Map(), { write: () => undefined });
    assert.throws(() => library.add({ path: '/a', name: null, readOnly: false }), {
      code: 'ERR_LIBRARY',
      message:
        'Cannot add "/a" to the library: the daemon has no library, as it has no state directory to keep one; serve with --state DIR',
    });
  });
});
