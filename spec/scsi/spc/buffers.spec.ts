/** READ BUFFER and WRITE BUFFER (SPC-4 6.16, 6.49). */
import { strict as assert } from 'node:assert';
import { disk, type TestNexus } from '../../support/target.ts';

const three = (value: number): number[] => [value >> 16, (value >> 8) & 0xff, value & 0xff];
const read = (a: TestNexus, mode: number, bytes: number, offset = 0, id = 0) =>
  a.run([0x3c, mode, id, ...three(offset), ...three(bytes), 0], { in: bytes });
const write = (a: TestNexus, mode: number, out: Uint8Array, offset = 0, id = 0) =>
  a.run([0x3b, mode, id, ...three(offset), ...three(out.length), 0], { out });

const COMBINED = 0x00;
const DATA = 0x02;
const DESCRIPTOR = 0x03;
const ECHO = 0x0a;
const ECHO_DESCRIPTOR = 0x0b;

describe('READ BUFFER, WRITE BUFFER', () => {
  it('the data buffer is one, of 64 KiB, shared, and takes any offset', () => {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.deepEqual([...read(a, DESCRIPTOR, 4).dataIn], [0, 1, 0, 0]);
    assert.deepEqual([...read(a, DESCRIPTOR, 4, 0, 1).dataIn], [0, 0, 0, 0], 'no other buffer');
    assert.equal(write(a, DATA, Uint8Array.of(1, 2, 3), 65_533).status, 0);
    assert.deepEqual([...read(b, DATA, 8, 65_530).dataIn], [0, 0, 0, 1, 2, 3]);
    assert.equal(read(a, DATA, 8, 65_536).dataIn.length, 0);
  });

  it('offsets and lengths past its end, and other buffers, are refused with a pointer', () => {
    const a = disk().nexus('a').clear();
    const cases = [
      [read(a, DATA, 1, 65_537), 'cdb 3'],
      [read(a, DATA, 1, 0, 1), 'cdb 2'],
      [write(a, DATA, new Uint8Array(1), 65_537), 'cdb 3'],
      [write(a, DATA, new Uint8Array(2), 65_535), 'cdb 6'],
      [write(a, DATA, new Uint8Array(1), 0, 1), 'cdb 2'],
      [write(a, ECHO, new Uint8Array(4097)), 'cdb 6'],
    ] as const;
    for (const [result, pointer] of cases) {
      assert.deepEqual([result.sense, result.pointer], ['5/24/00', pointer]);
    }
    const short = a.run([0x3b, DATA, 0, 0, 0, 0, 0, 0, 8, 0], { out: new Uint8Array(7) });
    assert.equal(short.sense, '5/1a/00');
  });

  it('an echo is each initiator’s own, as long as what it wrote, whatever identifier and offset', () => {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.deepEqual([...read(a, ECHO_DESCRIPTOR, 4).dataIn], [1, 0, 0x10, 0]);
    assert.equal(read(a, ECHO, 8).sense, '5/2c/00', 'nothing was written');
    assert.equal(write(a, ECHO, Uint8Array.of(1, 2, 3), 7, 9).status, 0);
    assert.equal(write(b, ECHO, Uint8Array.of(4)).status, 0);
    assert.deepEqual([...read(a, ECHO, 8).dataIn], [1, 2, 3]);
    assert.deepEqual([...read(b, ECHO, 8).dataIn], [4]);
    a.manage(0x08);
    for (const n of [a, b]) n.run('00 00 00 00 00 00');
    assert.equal(read(a, ECHO, 8).sense, '5/2c/00', 'a reset ends it');
  });

  it('echoes are bounded: who loses one is told 3F/0F', () => {
    const bed = disk();
    const all = Array.from({ length: 65 }, (_, i) => bed.nexus(`n${i}`).clear());
    for (const n of all) assert.equal(write(n, ECHO, Uint8Array.of(1)).status, 0);
    const [first, second] = all as [TestNexus, TestNexus];
    assert.equal(first.run('00 00 00 00 00 00').sense, '6/3f/0f');
    assert.equal(second.run('00 00 00 00 00 00').status, 0);
    assert.deepEqual([...read(second, ECHO, 8).dataIn], [1]);
  });

  it('microcode and every other mode is refused at MODE', () => {
    const a = disk().nexus('a').clear();
    for (let mode = 0; mode < 32; mode += 1) {
      if (![COMBINED, DATA, DESCRIPTOR, ECHO, ECHO_DESCRIPTOR].includes(mode)) {
        const result = read(a, mode, 4);
        assert.deepEqual([result.sense, result.pointer], ['5/24/00', 'cdb 1.4'], `read ${mode}`);
      }
      if (mode === DATA || mode === ECHO) continue;
      const result = write(a, mode, new Uint8Array(4));
      assert.deepEqual([result.sense, result.pointer], ['5/24/00', 'cdb 1.4'], `write ${mode}`);
    }
  });

  it('mode 0 is the header, which names 64 KiB, and the data behind it (wodim asks for four bytes)', () => {
    const a = disk().nexus('a').clear();
    write(a, DATA, Uint8Array.of(7, 8));
    assert.deepEqual([...read(a, COMBINED, 6).dataIn], [0, 1, 0, 0, 7, 8]);
    assert.equal(a.run('3c 00 01 00 00 00 00 00 04 00', { in: 4 }).pointer, 'cdb 2');
    assert.equal(a.run('3c 00 00 00 00 01 00 00 04 00', { in: 4 }).pointer, 'cdb 3');
  });

  it('reads what the initiator sent once: it may change its memory afterwards', () => {
    const a = disk().nexus('a').clear();
    const out = Uint8Array.of(1, 2);
    write(a, ECHO, out);
    out.fill(9);
    assert.deepEqual([...read(a, ECHO, 2).dataIn], [1, 2]);
  });
});
