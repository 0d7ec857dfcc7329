/** House rules that a linter cannot state: hot files, opening sentences, links, leftovers. */
import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** dist/spec/tidy.spec.js → the project. */
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function filesBelow(folder: string, ending: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(join(ROOT, folder))) {
    const path = join(folder, name);
    if (statSync(join(ROOT, path)).isDirectory()) found.push(...filesBelow(path, ending));
    else if (name.endsWith(ending)) found.push(path);
  }
  return found;
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Everything a READ or WRITE passes from the ring to the store and back. */
const HOT = [
  'src/reactor/reactor.ts',
  'src/transport/memory.ts',
  'src/transport/ring/queue.ts',
  'src/transport/ring/queue-pair.ts',
  'src/transport/srp/descriptors.ts',
  'src/transport/srp/response.ts',
  'src/transport/vhost/chain-reader.ts',
  'src/transport/vhost/dirty-log.ts',
  'src/transport/vhost/guest-memory.ts',
  'src/transport/vhost/response.ts',
  'src/transport/vhost/scsi-device.ts',
  'src/transport/vhost/virtqueue.ts',
  'src/scsi/task.ts',
  'src/scsi/gates.ts',
  'src/scsi/device-server.ts',
  'src/scsi/sense.ts',
  'src/scsi/sbc/read.ts',
  'src/scsi/sbc/write.ts',
  'src/luns/store/file.ts',
  'src/luns/store/io-queue.ts',
  'src/reactor/io-uring.ts',
];

const sources = filesBelow('src', '.ts').filter((path) => !path.endsWith('.d.ts'));
const specs = filesBelow('spec', '.ts');
const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...filesBelow('docs', '.md')];

describe('house rules', () => {
  for (const path of HOT) {
    it(`${path} is hot: no promises, no timers, no array methods that allocate`, () => {
      const code = text(path)
        .replace(/\/\*[\s\S]*?\*\//g, '')
        .replace(/\/\/.*$/gm, '');
      for (const word of [
        /\basync\b/,
        /\bawait (?!\()/,
        /\bPromise\b/,
        /setTimeout|setImmediate|nextTick/,
        /\.map\(|\.filter\(|\.reduce\(|\.slice\(/,
        /\bBuffer\.allocUnsafe/,
      ]) {
        assert.ok(!word.test(code), `${path} contains ${word}`);
      }
    });
  }

  it('every source file opens with one sentence saying what it is', () => {
    const silent = sources.filter((path) => !/^(#!.*\n)?\/\*\*[^*]*\S/.test(text(path)));
    assert.deepEqual(silent, []);
  });

  it('uninitialised memory is never asked for', () => {
    const found = sources.filter((path) => /allocUnsafe/.test(text(path)));
    assert.deepEqual(found, []);
  });

  it('nothing is left for later and no check is switched off', () => {
    const words = new RegExp(
      ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'c8 ' + 'ignore', 'istanbul ' + 'ignore'].join('|'),
    );
    assert.deepEqual(
      [...sources, ...specs].filter((path) => words.test(text(path))),
      [],
    );
  });

  it('no test is skipped without a reason or run alone', () => {
    const found = specs.filter((path) => /\b(it|describe)\.(skip|only)\(/.test(text(path)));
    assert.deepEqual(found, []);
  });

  it('no file is longer than 600 lines', () => {
    const long = [...sources, ...specs, ...filesBelow('bench', '.ts')].filter(
      (path) => text(path).split('\n').length > 601,
    );
    assert.deepEqual(long, []);
  });

  it('every link in the documents leads somewhere', () => {
    const broken: string[] = [];
    for (const path of documents) {
      for (const match of text(path).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)) {
        const link = match[1] as string;
        if (/^[a-z]+:/.test(link)) continue;
        const to = join(dirname(path), link);
        if (!existsSync(join(ROOT, to))) broken.push(`${path} → ${relative('.', to)}`);
      }
    }
    assert.deepEqual(broken, []);
  });

  it('every file the documents name in code marks exists', () => {
    const missing: string[] = [];
    for (const path of documents) {
      for (const match of text(path).matchAll(
        /`((?:src|spec|bench|docs)\/[\w./-]+\.(?:ts|md|json))`/g,
      )) {
        if (!existsSync(join(ROOT, match[1] as string))) missing.push(`${path} names ${match[1]}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('versions are pinned', () => {
    const manifest = JSON.parse(text('package.json')) as Record<string, Record<string, string>>;
    const loose = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] })
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name]) => name);
    assert.deepEqual(loose, []);
  });
});
