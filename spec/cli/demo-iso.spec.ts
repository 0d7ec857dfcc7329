/** The ISO 9660 image of the demo: by ECMA-119, and as tools of Linux read it. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isoImage } from '../../src/cli/demo-iso.ts';
import { readDisc } from '../../src/cli/demo-iso-reader.ts';

const BLOCK = 2048;
const RECORDED = new Date(Date.UTC(2024, 1, 29, 12, 34, 56));
const FILES = [
  { path: 'README.TXT', data: Buffer.from('read me\n') },
  { path: 'EMPTY.BIN', data: Buffer.alloc(0) },
  { path: 'DATA/ODD.BIN', data: Buffer.alloc(5000, 'odd') },
  { path: 'DATA/EVEN.BIN', data: Buffer.alloc(2 * BLOCK, 'even') },
  { path: 'AUX/A.B', data: Buffer.from('a') },
];

/** The title of a test that needs a tool, with the reason when it cannot run here. */
function needs(tool: string, title: string): { readonly title: string; readonly missing: boolean } {
  const missing = spawnSync(tool, ['--version']).error !== undefined;
  return { title: missing ? `${title} (skipped: ${tool} is not installed)` : title, missing };
}

describe('the ISO 9660 image of the demo', function () {
  this.timeout(30_000);
  const image = Buffer.from(isoImage('LABEL_1', FILES, RECORDED));
  let directory: string;
  let path: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-iso-'));
    path = join(directory, 'a.iso');
    writeFileSync(path, image);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has a primary volume descriptor at block 16 and a terminator behind it (ECMA-119 8.3, 8.4)', () => {
    const descriptor = image.subarray(16 * BLOCK, 17 * BLOCK);
    assert.equal(descriptor.toString('latin1', 0, 7), '\x01CD001\x01');
    assert.equal(descriptor.toString('latin1', 40, 72), 'LABEL_1'.padEnd(32));
    assert.equal(descriptor.readUInt32LE(80), image.length / BLOCK);
    assert.equal(descriptor.readUInt32BE(84), image.length / BLOCK);
    assert.equal(descriptor.toString('hex', 128, 132), '00080800');
    assert.equal(descriptor.toString('latin1', 813, 830), '2024022912345600\0');
    assert.equal(image.toString('latin1', 17 * BLOCK, 17 * BLOCK + 7), '\xffCD001\x01');
  });

  it('records files by name with version 1, size and date (ECMA-119 9.1)', () => {
    const root = image.readUInt32LE(16 * BLOCK + 156 + 2) * BLOCK;
    const names: string[] = [];
    let at = root;
    while (image[at] !== 0) {
      const end = at + 33 + (image[at + 32] ?? 0);
      names.push(image.toString('latin1', at + 33, end));
      assert.equal(image.toString('hex', at + 18, at + 25), '7c021d0c223800');
      at += image[at] ?? 0;
    }
    assert.deepEqual(names, ['\0', '\x01', 'AUX', 'DATA', 'EMPTY.BIN;1', 'README.TXT;1']);
  });

  it('is read by a guest as it was written', async () => {
    const read = (lba: number, blocks: number): Promise<Uint8Array> =>
      Promise.resolve(image.subarray(lba * BLOCK, (lba + blocks) * BLOCK));
    const { label, blocks, files } = await readDisc(read);
    assert.deepEqual([label, blocks], ['LABEL_1', image.length / BLOCK]);
    assert.deepEqual(
      files.map(({ path: name, bytes }) => `${name} ${bytes}`),
      ['AUX/A.B 1', 'DATA/EVEN.BIN 4096', 'DATA/ODD.BIN 5000', 'EMPTY.BIN 0', 'README.TXT 8'],
    );
  });

  for (const name of ['readme.txt', 'NODOT', 'A/B/C.TXT', 'NINELETTR.TXT']) {
    it(`${name} is refused`, () => {
      const files = [{ path: name, data: Buffer.alloc(1) }];
      assert.throws(() => isoImage('LABEL', files, RECORDED), RangeError);
    });
  }

  const isoinfo = needs('isoinfo', 'isoinfo lists it and reads its files');
  it(isoinfo.title, function () {
    if (isoinfo.missing) this.skip();
    const listed = spawnSync('isoinfo', ['-i', path, '-f'], { encoding: 'utf8' });
    const expected = [...FILES.map((file) => `/${file.path};1`), '/AUX', '/DATA'].sort();
    assert.deepEqual(listed.stdout.trim().split('\n').sort(), expected);
    assert.equal(listed.stderr, '');
    for (const file of FILES) {
      const { stdout } = spawnSync('isoinfo', ['-i', path, '-x', `/${file.path};1`]);
      assert.deepEqual(stdout, file.data, file.path);
    }
  });

  const xorriso = needs('xorriso', 'xorriso extracts it, without a warning');
  it(xorriso.title, function () {
    if (xorriso.missing) this.skip();
    const out = join(directory, 'out');
    mkdirSync(out);
    const words = ['-osirrox', 'on', '-indev', `stdio:${path}`, '-extract', '/', out];
    const { status, stderr } = spawnSync('xorriso', words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /WARNING|SORRY|FAILURE|FATAL/);
    for (const file of FILES) {
      const extracted = readFileSync(join(out, file.path));
      assert.deepEqual(extracted, file.data, file.path);
    }
  });
});
