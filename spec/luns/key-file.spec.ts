/** The key file of an encrypted disk: made with the image, its own, closed to others, locked. */
import { strict as assert } from 'node:assert';
import { chmodSync, closeSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openKeyFile } from '../../src/luns/key-file.ts';
import { DiskFileError } from '../../src/luns/open.ts';
import { isKeyFile } from '../../src/luns/store/medium-key.ts';
import { temporaryDirectory } from './store-request.ts';

describe('luns/key-file', () => {
  const directory = temporaryDirectory();
  const path = (name: string): string => join(directory, name);
  const make = (name: string): void =>
    closeSync(openKeyFile({ lun: 0, path: path(name), imageIsNew: true, readOnly: false }));
  const refuses = (name: string, text: RegExp, imageIsNew = false): void => {
    assert.throws(
      () => openKeyFile({ lun: 3, path: path(name), imageIsNew, readOnly: false }),
      (error) => {
        assert.ok(error instanceof DiskFileError);
        assert.equal(error.code, 'ERR_KEY_FILE');
        assert.match(error.message, /^Cannot attach LUN 3: its key ".*" /);
        assert.match(error.message, text);
        return true;
      },
    );
  };

  it('is made with a new image, for its owner alone', () => {
    make('new.key');
    assert.equal(statSync(path('new.key')).mode & 0o777, 0o600);
    const fd = openKeyFile({ lun: 0, path: path('new.key'), imageIsNew: false, readOnly: true });
    assert.ok(isKeyFile(fd));
    closeSync(fd);
  });

  it('a new image does not take a key that is there, nor an old one a key that is not', () => {
    make('there.key');
    refuses('there.key', /there already.*name another file/, true);
    refuses('missing.key', /does not exist.*no other reads it/);
    refuses('no-directory/a.key', /cannot be made: ENOENT/, true);
    assert.ok(existsSync(path('there.key')));
  });

  it('belongs to one disk', () => {
    make('one.key');
    const options = { lun: 0, path: path('one.key'), imageIsNew: false };
    const first = openKeyFile({ ...options, readOnly: false });
    refuses('one.key', /in use.*its own/);
    closeSync(first);
    const readers = [0, 1].map(() => openKeyFile({ ...options, readOnly: true }));
    refuses('one.key', /in use/);
    for (const fd of readers) closeSync(fd);
  });

  it('is refused when others can read it, or when it is something else', () => {
    make('open.key');
    chmodSync(path('open.key'), 0o640);
    refuses('open.key', /chmod 600/);
    mkdirSync(path('directory.key'));
    refuses('directory.key', /EISDIR/);
    writeFileSync(path('text.key'), 'a password', { mode: 0o600 });
    refuses('text.key', /no key file/);
  });
});
