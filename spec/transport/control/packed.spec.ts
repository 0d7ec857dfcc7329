/** MessagePack from strangers: well-formed or refused, and never expensive. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { PackedError, packValue, unpackValue } from '../../../src/transport/control/packed.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('control socket: MessagePack', () => {
  // The bytes are those of the MessagePack specification's own format tables.
  const known: readonly (readonly [string, string, unknown])[] = [
    ['positive fixint', '07', 7],
    ['negative fixint', 'ff', -1],
    ['nil', 'c0', null],
    ['false', 'c2', false],
    ['true', 'c3', true],
    ['uint 8', 'cc c8', 200],
    ['uint 16', 'cd 01 00', 256],
    ['uint 32', 'ce 00 01 00 00', 65536],
    ['uint 64', 'cf 00 00 00 01 00 00 00 00', 4294967296],
    ['int 8', 'd0 80', -128],
    ['int 16', 'd1 80 00', -32768],
    ['int 32', 'd2 80 00 00 00', -2147483648],
    ['float 64', 'cb 3f f8 00 00 00 00 00 00', 1.5],
    ['fixstr', 'a2 68 69', 'hi'],
    ['str 8', 'd9 02 68 69', 'hi'],
    ['str 16', 'da 00 02 68 69', 'hi'],
    ['fixarray', '93 01 02 03', [1, 2, 3]],
    ['array 16', 'dc 00 01 05', [5]],
    ['fixmap', '81 a1 61 01', { a: 1 }],
    ['map 16', 'de 00 01 a1 61 01', { a: 1 }],
    ['nested', '82 a1 61 91 80 a1 62 c0', { a: [{}], b: null }],
  ];
  for (const [name, hex, value] of known) {
    it(`reads ${name}`, () => assert.deepEqual(unpackValue(bytes(hex)), value));
    it(`refuses ${name} cut off at every length`, () => {
      const whole = bytes(hex);
      for (let n = 0; n < whole.length; n++) {
        assert.throws(() => unpackValue(whole.subarray(0, n)), PackedError, `${n} bytes`);
      }
    });
  }

  it('reads bin as bytes', () => {
    const value = unpackValue(bytes('c4 03 01 02 03'));
    assert.ok(value instanceof Uint8Array);
    assert.deepEqual([...value], [1, 2, 3]);
  });

  it('refuses bytes after the value', () => {
    assert.throws(() => unpackValue(bytes('01 02')), /1 bytes follow the value/);
  });

  const refused: readonly (readonly [string, string])[] = [
    ['an array of 4 294 967 295 members in five bytes', 'dd ff ff ff ff'],
    ['a map of 4 294 967 295 members in five bytes', 'df ff ff ff ff'],
    ['arrays that together claim more than there is', '93 dc 00 03 01 01'],
    ['a string longer than the frame', 'db 7f ff ff ff 41'],
    ['bin longer than the frame', 'c6 ff ff ff ff'],
    ['the unused type', 'c1'],
    ['fixext 1 (undefined)', 'd4 00 00'],
    ['a record definition (msgpackr)', 'd4 72 40 91 a1 61 01'],
    ['a regular expression (msgpackr)', 'd4 78 00'],
    ['ext 8', 'c7 00 01'],
    ['a timestamp', 'd6 ff 00 00 00 00'],
    ['17 arrays inside each other', `${'91 '.repeat(17)}01`],
  ];
  for (const [name, hex] of refused) {
    it(`refuses ${name}`, () => assert.throws(() => unpackValue(bytes(hex)), PackedError));
  }

  it('accepts 16 arrays inside each other', () => {
    let value = unpackValue(bytes(`${'91 '.repeat(16)}05`));
    for (let i = 0; i < 16; i++) value = Array.isArray(value) ? value[0] : 'too shallow';
    assert.equal(value, 5);
  });

  it('does not let a key reach the prototype', () => {
    // { "__proto__": { "polluted": true } }
    const value = unpackValue(bytes('81 a9 5f5f70726f746f5f5f 81 a8 706f6c6c75746564 c3'));
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('packs what it reads, undefined as nil', () => {
    const value = { id: 1, list: [true, -5, 1.25, 'ä'], gone: undefined };
    assert.deepEqual(unpackValue(packValue(value)), { ...value, gone: null });
  });
});
