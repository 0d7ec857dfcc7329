/** The state directory (F18): whole files or none, refused by name when torn, foreign, swapped or newer. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLunSpec } from '../../src/daemon/config.ts';
import { type Inventory, StateDirectory } from '../../src/daemon/state.ts';

const INVENTORY: Inventory = {
  installation: '5c1b7c52-0c0e-4b5e-9d5c-6b1a2b3c4d5e',
  luns: [
    {
      disk: parseLunSpec(
        '0:disk,path=a.img,size=1G,ro,block=4096,serial=X1,cache=writethrough,thin,standby',
        '/vm',
      ),
      resizedBytes: 2 ** 31,
      serial: 'X1',
      naa: Uint8Array.of(0x31, 2, 3, 4, 5, 6, 7, 8),
      active: true,
      medium: null,
    },
    {
      disk: parseLunSpec('300:disk,memory=64M', '/vm'),
      resizedBytes: null,
      serial: '0123456789abcdef0123',
      naa: Uint8Array.of(0x3f, 2, 3, 4, 5, 6, 7, 9),
      active: false,
      medium: { path: '/b.img', readOnly: true, place: 'tray', generation: 7, locked: true },
    },
  ],
};

describe('state directory (F18)', () => {
  let root = '';
  let path = '';
  let state: StateDirectory;
  let inventory = '';

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ringscsi-state-'));
    path = join(root, 'state');
    inventory = join(path, 'inventory');
    state = StateDirectory.open(path);
  });

  afterEach(() => {
    state.close();
    rmSync(root, { recursive: true });
  });

  it('is made for its owner only and starts empty', () => {
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(state.readInventory(), null);
    assert.deepEqual(state.readUnit(0, 'S'), {
      pages: null,
      reservations: null,
      sanitize: null,
      information: null,
      logs: null,
    });
  });

  it('gives back every option of every LUN', () => {
    state.writeInventory(INVENTORY);
    state.close();
    state = StateDirectory.open(path);
    assert.deepEqual(state.readInventory(), INVENTORY);
    assert.equal(statSync(inventory).mode & 0o777, 0o600);
  });

  it('gives back saved mode pages, and forgets them on demand', () => {
    const pages = Uint8Array.of(0x08, 0x12, 0x04, ...new Uint8Array(17));
    const kept = Uint8Array.of(9, 8);
    state.writeUnit(7, 'S', 'pages', pages);
    state.writeUnit(7, 'S', 'reservations', kept);
    assert.deepEqual(state.readUnit(7, 'S'), {
      pages,
      reservations: kept,
      sanitize: null,
      information: null,
      logs: null,
    });
    assert.deepEqual(state.readUnit(7, 'OTHER'), {
      pages: null,
      reservations: null,
      sanitize: null,
      information: null,
      logs: null,
    });
    assert.deepEqual(state.readUnit(8, 'S'), {
      pages: null,
      reservations: null,
      sanitize: null,
      information: null,
      logs: null,
    });
    state.removeUnit(7);
    state.removeUnit(7);
    assert.deepEqual(state.readUnit(7, 'S'), {
      pages: null,
      reservations: null,
      sanitize: null,
      information: null,
      logs: null,
    });
  });

  it('replaces a file whole, and leaves no other behind', () => {
    state.writeInventory(INVENTORY);
    state.writeInventory({ ...INVENTORY, luns: [] });
    assert.deepEqual(state.readInventory(), { ...INVENTORY, luns: [] });
    assert.deepEqual(readdirSync(path).sort(), ['inventory', 'lock']);
  });

  it('keeps the old file when a daemon died while it wrote the new one', () => {
    state.writeInventory(INVENTORY);
    writeFileSync(`${inventory}.new`, readFileSync(inventory).subarray(0, 60));
    assert.deepEqual(state.readInventory(), INVENTORY);
    state.writeInventory({ ...INVENTORY, luns: [] });
    assert.equal(existsSync(`${inventory}.new`), false);
  });

  it('refuses a file torn at any length, by name', () => {
    state.writeInventory(INVENTORY);
    const whole = readFileSync(inventory);
    assert.ok(whole.length > 300);
    for (let n = 0; n < whole.length; n++) {
      writeFileSync(inventory, whole.subarray(0, n));
      assert.throws(
        () => state.readInventory(),
        (error: Error & { code?: string }) =>
          error.code === 'ERR_STATE' &&
          error.message.startsWith(`Cannot use state file "${inventory}": it is torn`) &&
          error.message.endsWith('or move it away to start without what it kept'),
        `${n} of ${whole.length} bytes`,
      );
    }
    writeFileSync(inventory, whole);
    assert.deepEqual(state.readInventory(), INVENTORY);
  });

  it('refuses a file with any one byte changed', () => {
    state.writeInventory(INVENTORY);
    const whole = readFileSync(inventory);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      writeFileSync(inventory, damaged);
      assert.throws(() => state.readInventory(), { code: 'ERR_STATE' }, `byte ${at}`);
    }
  });

  const foreign: readonly (readonly [string, (whole: Buffer) => Uint8Array, RegExp])[] = [
    ['another program wrote', () => Buffer.from('{"luns":[]}'), /it is no state file of ringscsi/],
    ['has zeros instead of content', (whole) => Buffer.alloc(whole.length), /it is no state file/],
    ['has bytes after its end', (whole) => Buffer.concat([whole, Buffer.of(0)]), /it is torn/],
    [
      'a later version wrote',
      (whole) => {
        const later = Buffer.from(whole);
        later.writeUInt32BE(2, 8);
        return later;
      },
      /it has version 2, this ringscsi reads version 1/,
    ],
  ];
  for (const [name, make, message] of foreign) {
    it(`refuses a file that ${name}`, () => {
      state.writeInventory(INVENTORY);
      writeFileSync(inventory, make(readFileSync(inventory)));
      assert.throws(() => state.readInventory(), { code: 'ERR_STATE', message });
    });
  }

  const medium = {
    name: 'a',
    path: '/a.iso',
    kind: 'iso',
    readOnly: true,
    generation: 3,
    writer: '0.2',
    stamp: '1:2:3',
  };

  it('gives back the media of the library', () => {
    assert.deepEqual(state.readLibrary(), []);
    const media = [medium, { ...medium, name: 'b', writer: null }];
    state.writeLibrary(media);
    assert.deepEqual(state.readLibrary(), media);
  });

  it('refuses a library that another program wrote, and one with a name twice', () => {
    const library = join(path, 'library');
    writeFileSync(library, 'books');
    assert.throws(() => state.readLibrary(), {
      code: 'ERR_STATE',
      message: /^Cannot use state file ".*library": it is no state file of ringscsi; put a good/,
    });
    state.writeLibrary([medium, medium]);
    assert.throws(() => state.readLibrary(), /two media in it have one name/);
  });

  it('refuses a state file in the place of another', () => {
    state.writeUnit(1, 'S', 'pages', Uint8Array.of(1));
    copyFileSync(join(path, 'mode-pages-1'), join(path, 'mode-pages-2'));
    assert.throws(() => state.readUnit(2, 'S'), /mode-pages-2": it is a copy of "mode-pages-1"/);
  });

  it('is laid out as documented: magic, version, length, SHA-256, payload', () => {
    state.writeInventory({ installation: 'i', luns: [] });
    const whole = readFileSync(inventory);
    assert.equal(whole.toString('latin1', 0, 8), 'RSCSIST\n');
    assert.equal(whole.readUInt32BE(8), 1);
    assert.equal(whole.readUInt32BE(12), whole.length - 48);
    const sum = createHash('sha256').update(whole.subarray(0, 16)).update(whole.subarray(48));
    assert.equal(whole.toString('hex', 16, 48), sum.digest('hex'));
  });

  it('belongs to one daemon at a time', () => {
    assert.throws(() => StateDirectory.open(path), {
      code: 'ERR_STATE',
      message: `Cannot use state directory "${path}": another daemon uses it; stop it or choose another directory`,
    });
    state.close();
    state = StateDirectory.open(path);
  });

  it('says which directory cannot be used', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    assert.throws(() => StateDirectory.open(file), {
      code: 'ERR_STATE',
      message: /^Cannot use state directory ".*\/file": /,
    });
  });

  it('says which file cannot be written', () => {
    // A directory in the place of the new file: nobody can open that for writing, root included.
    mkdirSync(`${inventory}.new`);
    assert.throws(
      () => state.writeInventory(INVENTORY),
      /Cannot write state file ".*inventory": EISDIR/,
    );
  });
});
