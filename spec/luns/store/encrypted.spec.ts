/** The encrypted store: what lies in the image, what is read back, and what is left when the key is erased. */
import { strict as assert } from 'node:assert';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EncryptedStore } from '../../../src/luns/store/encrypted.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { type IoEngine, systemCalls } from '../../../src/luns/store/io-engine.ts';
import { createKey, KEY_FILE_BYTES, MediumKey } from '../../../src/luns/store/medium-key.ts';
import { DONE, MEDIUM_READ, MEDIUM_WRITE, PENDING } from '../../../src/scsi/contracts.ts';
import { Seeded } from '../../transport/control/seeded.ts';
import { engineWith, StoreRequest, temporaryDirectory } from '../store-request.ts';

const EIO = 5;
const MIB = 1024 * 1024;

/** IEEE Std 1619-2007 annex B, vector 10: XTS-AES-256, data unit of 512 bytes, number FFh. */
const KEY =
  '27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592';
const PLAIN = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
const CIPHER =
  '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd5776926c49a3095eb108fd1098baec70aaa66999a72a82f27d848b21d4a741b0c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf1000020887891429ca2a3e7a7d7df7b10355165c8b9a6d0a7de8b062c4500dc4cd120c0f7418dae3d0b5781c34803fa75421c790dfe1de1834f280d7667b327f6c8cd7557e12ac3a0f93ec05c52e0493ef31a12d3d9260f79a289d6a379bc70c50841473d1a8cc81ec583e9645e07b8d9670655ba5bbcfecc6dc3966380ad8fecb17b6ba02469a020a84e18e8f84252070c13e9f1f289be54fbc481457778f616015e1327a02b140f1505eb309326d68378f8374595c849d84f4c333ec4423885143cb47bd71c5edae9be69a2ffeceb1bec9de244fbe15992b11b77c040f12bd8f6a975a44a0f90c29a9abc3d4d893927284c58754cce294529f8614dcd2aba991925fedc4ae74ffac6e333b93eb4aff0479da9a410e4450e0dd7ae4c6e2910900575da401fc07059f645e8b7e9bfdef33943054ff84011493c27b3429eaedb4ed5376441a77ed43851ad77f16f541dfd269d50d6a5f14fb0aab1cbb4c1550be97f7ab4066193c4caa773dad38014bd2092fa755c824bb5e54c4f36ffda9fcea70b9c6e693e148c151';

describe('luns/store/encrypted', () => {
  const directory = temporaryDirectory();
  const open: EncryptedStore[] = [];
  let files = 0;

  function bench(options: {
    bytes?: number;
    blockBytes?: number;
    engine?: IoEngine;
    key?: string;
  }) {
    files += 1;
    const image = join(directory, `${files}.img`);
    const keyFile = join(directory, `${files}.key`);
    writeFileSync(image, '');
    const fd = openSync(image, 'r+');
    ftruncateSync(fd, options.bytes ?? MIB);
    writeFileSync(keyFile, '');
    const keyFd = openSync(keyFile, 'r+');
    createKey(keyFd);
    if (options.key !== undefined) {
      const content = readFileSync(keyFile);
      content.write(options.key, 64, 'hex');
      writeFileSync(keyFile, content);
    }
    const bytes = statSync(image).size;
    const engine = options.engine ?? systemCalls;
    const inner = new FileStore({ fd, bytes, readOnly: false, engine });
    const store = new EncryptedStore(inner, MediumKey.read(keyFd), options.blockBytes ?? 512);
    open.push(store);
    return { store, inner, image, keyFile };
  }

  function read(store: EncryptedStore, position: number, length: number): Uint8Array {
    const back = new StoreRequest(length, 4096);
    assert.equal(store.read(back.task, position, length, back.segments), DONE);
    return back.bytes;
  }

  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  it('holds blocks as IEEE 1619 has them: XTS-AES-256, each a data unit with its LBA as number', () => {
    const { store, image } = bench({ key: KEY });
    const out = new StoreRequest(512, 100);
    out.bytes.set(PLAIN);
    assert.equal(store.write(out.task, 0xff * 512, 512, out.segments, false), DONE);
    assert.deepEqual(out.bytes, PLAIN, 'the memory of the initiator is left alone');
    const at = 0xff * 512;
    assert.equal(
      readFileSync(image)
        .subarray(at, at + 512)
        .toString('hex'),
      CIPHER,
    );
    assert.deepEqual(read(store, at, 512), PLAIN);
  });

  for (const blockBytes of [512, 4096]) {
    it(`reads what was written, whatever the pieces (blocks of ${blockBytes})`, () => {
      const seeded = new Seeded();
      const random = (bound: number): number => seeded.below(bound);
      const blocks = MIB / blockBytes;
      const { store } = bench({ blockBytes });
      const model = new Uint8Array(MIB);
      const whole = new StoreRequest(MIB).fill(9);
      store.write(whole.task, 0, MIB, whole.segments, false);
      model.set(whole.bytes);
      for (let round = 0; round < 40; round += 1) {
        const first = random(blocks);
        const length = (1 + random(Math.min(blocks - first, 160))) * blockBytes;
        const position = first * blockBytes;
        if (random(3) === 0) {
          assert.equal(store.writeZeroes(whole.task, position, length, false), DONE);
          model.fill(0, position, position + length);
        } else {
          const out = new StoreRequest(length, 1 + random(5000)).fill(round);
          assert.equal(
            store.write(out.task, position, length, out.segments, round % 4 === 0),
            DONE,
          );
          model.set(out.bytes, position);
        }
      }
      assert.deepEqual(read(store, 0, MIB), model, `RINGSCSI_SEED=${seeded.seed}`);
      const now = new StoreRequest(MIB, 100_000);
      assert.equal(store.readNow(now.task, 0, MIB, now.segments), DONE);
      assert.deepEqual(now.bytes, model);
    });
  }

  it('an erased key leaves noise: on the medium, in what is read, and nothing of the old key in its file', () => {
    const { store, image, keyFile } = bench({});
    const out = new StoreRequest(64 * 1024).fill(1);
    store.write(out.task, 0, 64 * 1024, out.segments, true);
    const old = readFileSync(keyFile);
    const cipher = readFileSync(image);
    const { ino } = statSync(keyFile);
    assert.equal(store.key.erase(), DONE);
    assert.deepEqual(readFileSync(image), cipher, 'the blocks are not touched');
    const back = read(store, 0, 64 * 1024);
    for (let at = 0; at < back.length; at += 512) {
      const block = back.subarray(at, at + 512);
      assert.notDeepEqual(block, out.bytes.subarray(at, at + 512));
      assert.ok(new Set(block).size > 100, 'noise has most byte values');
    }
    const now = readFileSync(keyFile);
    assert.equal(now.length, KEY_FILE_BYTES);
    assert.equal(statSync(keyFile).ino, ino, 'overwritten in place');
    assert.ok(now.indexOf(old.subarray(64, 128)) < 0);
    store.write(out.task, 0, 64 * 1024, out.segments, false);
    assert.deepEqual(read(store, 0, 64 * 1024), out.bytes);
  });

  it('reads what an earlier run wrote, with the key of the file', () => {
    const { store, image, keyFile } = bench({});
    const out = new StoreRequest(8192).fill(3);
    store.write(out.task, 4096, 8192, out.segments, true);
    open.splice(0);
    store.close();
    const inner = new FileStore({ fd: openSync(image, 'r'), bytes: MIB, readOnly: true });
    const again = new EncryptedStore(inner, MediumKey.read(openSync(keyFile, 'r')), 512);
    open.push(again);
    assert.deepEqual(read(again, 4096, 8192), out.bytes);
  });

  it('a key that cannot be written is a fault', () => {
    const { image, keyFile } = bench({});
    const inner = new FileStore({ fd: openSync(image, 'r+'), bytes: MIB, readOnly: false });
    const store = new EncryptedStore(inner, MediumKey.read(openSync(keyFile, 'r')), 512);
    open.push(store);
    assert.equal(store.key.erase(), MEDIUM_WRITE);
  });

  it('atomic writes are as long as one piece, and encrypted', () => {
    const { store } = bench({});
    assert.equal(store.atomicBytes, 0, 'the inner store has no journal');
    const fd = openSync(join(directory, 'atomic.img'), 'w+');
    ftruncateSync(fd, MIB);
    fsyncSync(fd);
    const traits = { canDiscard: false, discardBytes: 4096, watched: false, transient: true };
    const inner = new FileStore({ fd, bytes: MIB, readOnly: false }, traits);
    const keyFd = openSync(join(directory, 'atomic.key'), 'w+');
    createKey(keyFd);
    const atomic = new EncryptedStore(inner, MediumKey.read(keyFd), 512);
    open.push(atomic);
    assert.equal(atomic.atomicBytes, 256 * 1024);
    const out = new StoreRequest(256 * 1024, 1000).fill(5);
    assert.equal(atomic.writeAtomic(out.task, 512, 256 * 1024, out.segments), DONE);
    assert.deepEqual(read(atomic, 512, 256 * 1024), out.bytes);
    const image = readFileSync(join(directory, 'atomic.img'));
    assert.equal(image.indexOf(out.bytes.subarray(0, 64)), -1);
  });

  it('a fault in the middle leaves the good blocks before it', () => {
    const bad = 300 * 1024 + 100;
    const engine = engineWith({
      read: (fd, address, count, position) => {
        if (position >= bad) return -EIO;
        return Math.min(systemCalls.read(fd, address, count, position), bad - position);
      },
      write: (fd, address, count, position, durable) => {
        if (position >= 300 * 1024) return -EIO;
        const put = systemCalls.write(fd, address, count, position, durable);
        return Math.min(put, 300 * 1024 - position);
      },
    });
    const { store } = bench({ engine });
    const out = new StoreRequest(MIB).fill(8);
    assert.equal(store.write(out.task, 0, MIB, out.segments, false), MEDIUM_WRITE);
    assert.equal(out.task.storedBytes, 300 * 1024);
    const back = new StoreRequest(MIB, 4096);
    assert.equal(store.read(back.task, 0, MIB, back.segments), MEDIUM_READ);
    assert.equal(back.task.storedBytes, 300 * 1024, 'whole blocks');
    assert.deepEqual(back.bytes.subarray(0, 300 * 1024), out.bytes.subarray(0, 300 * 1024));
    assert.ok(back.bytes.subarray(300 * 1024).every((byte) => byte === 0));
    const now = new StoreRequest(MIB);
    assert.equal(store.readNow(now.task, 0, MIB, now.segments), MEDIUM_READ);
    assert.equal(now.task.storedBytes, 300 * 1024);
  });

  it('many reads that have to wait are served in their order, each with its own data', () => {
    const { store, inner } = bench({});
    const whole = new StoreRequest(MIB).fill(4);
    store.write(whole.task, 0, MIB, whole.segments, false);
    const held: (() => void)[] = [];
    const order: number[] = [];
    inner.read = (task, position, length, into) => {
      held.push(() => task.stored(inner.readNow(task, position, length, into)));
      return PENDING;
    };
    const reads = Array.from({ length: 9 }, (_, i) => {
      const one = new StoreRequest(300 * 1024, 65536);
      one.task.await(store.read(one.task, i * 65536, 300 * 1024, one.segments), (_task, reply) => {
        assert.equal(reply, DONE);
        order.push(i);
      });
      return one;
    });
    assert.equal(held.length, 4, 'as many as there are lanes');
    while (held.length > 0) held.shift()?.();
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const [i, one] of reads.entries()) {
      assert.deepEqual(one.bytes, whole.bytes.subarray(i * 65536, i * 65536 + 300 * 1024));
    }
  });

  it('a file that is no key file is none', () => {
    const path = join(directory, 'none.key');
    for (const content of ['', 'x'.repeat(KEY_FILE_BYTES), 'ringscsi medium key 1\n']) {
      writeFileSync(path, content);
      const fd = openSync(path, 'r');
      assert.throws(() => MediumKey.read(fd), RangeError);
      closeSync(fd);
    }
  });
});
