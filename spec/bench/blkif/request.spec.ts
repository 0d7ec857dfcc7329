/** The byte vectors of blkif requests and responses, decoded field by field and encoded again. */
import assert from 'node:assert/strict';
import { type Abi, Request, Response, X86_32, X86_64 } from '../../../bench/blkif/request.ts';

interface RequestVector {
  readonly name: string;
  readonly abi: Abi;
  readonly hex: string;
  readonly fields: Readonly<Partial<Record<keyof Request, number | readonly number[]>>>;
}

const ID = { idHigh: 0x11223344, idLow: 0x55667788 };
const READ_FIELDS = {
  operation: 0,
  segments: 2,
  handle: 51712,
  ...ID,
  sectorHigh: 0,
  sectorLow: 0x10,
  gref: [8, 9],
  first: [0, 0],
  last: [7, 3],
};
const DISCARD_FIELDS = {
  operation: 5,
  handle: 51712,
  idHigh: 0,
  idLow: 9,
  sectorLow: 0x1000,
  countHigh: 0,
  countLow: 0x800,
};
const INDIRECT_FIELDS = { operation: 6, handle: 51712, sectorLow: 0x2000, listGref: [0x200, 0] };

const REQUESTS: readonly RequestVector[] = [
  {
    name: 'READ x86_64',
    abi: X86_64,
    hex: '000200ca000000008877665544332211100000000000000008000000000700000900000000030000',
    fields: READ_FIELDS,
  },
  {
    name: 'READ x86_32',
    abi: X86_32,
    hex: '000200ca8877665544332211100000000000000008000000000700000900000000030000',
    fields: READ_FIELDS,
  },
  {
    name: 'WRITE x86_64',
    abi: X86_64,
    hex: '010100ca00000000050000000000000000080000000000000500000001070000',
    fields: {
      operation: 1,
      segments: 1,
      idLow: 5,
      sectorLow: 0x800,
      gref: [5],
      first: [1],
      last: [7],
    },
  },
  {
    name: 'BARRIER x86_64, empty',
    abi: X86_64,
    hex: '020000ca0000000008000000000000000000000000000000',
    fields: { operation: 2, segments: 0, idLow: 8, sectorLow: 0 },
  },
  {
    name: 'FLUSH x86_64, empty',
    abi: X86_64,
    hex: '030000ca0000000007000000000000000000000000000000',
    fields: { operation: 3, segments: 0, idLow: 7, sectorLow: 0 },
  },
  {
    name: 'DISCARD x86_64, secure',
    abi: X86_64,
    hex: '050100ca00000000090000000000000000100000000000000008000000000000',
    fields: { ...DISCARD_FIELDS, flag: 1 },
  },
  {
    name: 'DISCARD x86_32',
    abi: X86_32,
    hex: '050000ca090000000000000000100000000000000008000000000000',
    fields: { ...DISCARD_FIELDS, flag: 0 },
  },
  {
    name: 'INDIRECT x86_64, read',
    abi: X86_64,
    hex: `06002000000000000a00000000000000002000000000000000ca000000020000${'00'.repeat(32)}`,
    fields: { ...INDIRECT_FIELDS, inner: 0, segments: 32, idLow: 10 },
  },
  {
    name: 'INDIRECT x86_32, write',
    abi: X86_32,
    hex: `060100010b00000000000000002000000000000000ca000000020000${'00'.repeat(36)}`,
    fields: { ...INDIRECT_FIELDS, inner: 1, segments: 256, idLow: 11 },
  },
];

interface ResponseVector {
  readonly name: string;
  readonly abi: Abi;
  readonly hex: string;
  readonly fields: readonly [idHigh: number, idLow: number, operation: number, status: number];
}

const RESPONSES: readonly ResponseVector[] = [
  {
    name: 'x86_64 read ok',
    abi: X86_64,
    hex: '88776655443322110000000000000000',
    fields: [0x11223344, 0x55667788, 0, 0],
  },
  {
    name: 'x86_64 flush not supported',
    abi: X86_64,
    hex: '07000000000000000300feff00000000',
    fields: [0, 7, 3, -2],
  },
  {
    name: 'x86_32 discard error',
    abi: X86_32,
    hex: '09000000000000000500ffff',
    fields: [0, 9, 5, -1],
  },
];

function padded(hex: string, bytes: number): DataView {
  const buffer = new ArrayBuffer(bytes);
  new Uint8Array(buffer).set(Buffer.from(hex, 'hex'));
  return new DataView(buffer);
}

describe('blkif requests', () => {
  it('are 112 bytes on x86_64 and 108 on x86_32', () => {
    assert.equal(X86_64.requestBytes, 112);
    assert.equal(X86_32.requestBytes, 108);
    assert.equal(X86_64.responseBytes, 16);
    assert.equal(X86_32.responseBytes, 12);
  });

  for (const { name, abi, hex, fields } of REQUESTS) {
    it(`${name}: decoded`, () => {
      const request = new Request();
      abi.decodeRequest(padded(hex, abi.requestBytes), 0, request);
      for (const [field, expected] of Object.entries(fields)) {
        const got: unknown = request[field as keyof Request];
        const seen = ArrayBuffer.isView(got)
          ? Array.from(got as Uint8Array).slice(0, (expected as number[]).length)
          : got;
        assert.deepEqual(seen, expected, field);
      }
    });

    it(`${name}: encoded over a used slot`, () => {
      const request = new Request();
      abi.decodeRequest(padded(hex, abi.requestBytes), 0, request);
      const slot = new Uint8Array(128).fill(0xa5);
      const bytes = abi.encodeRequest(new DataView(slot.buffer), 8, request);
      assert.equal(Buffer.from(slot.subarray(8, 8 + bytes)).toString('hex'), hex);
    });
  }

  it('with too many segments decode only those the layout has', () => {
    const request = new Request();
    X86_64.decodeRequest(padded('00ff00ca', 112), 0, request);
    assert.equal(request.segments, 255);
  });
});

describe('blkif responses', () => {
  for (const { name, abi, hex, fields } of RESPONSES) {
    it(`${name}: decoded and encoded`, () => {
      const response = new Response();
      abi.decodeResponse(padded(hex, 16), 0, response);
      const { idHigh, idLow, operation, status } = response;
      assert.deepEqual([idHigh, idLow, operation, status], fields);
      const slot = new Uint8Array(abi.responseBytes).fill(0xa5);
      abi.encodeResponse(new DataView(slot.buffer), 0, ...fields);
      assert.equal(Buffer.from(slot).toString('hex'), hex);
    });
  }
});
