import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { decodeLun, encodeLun } from '../../../src/scsi/lun.ts';
import { decodeElement, encodeElement } from '../../../src/transport/srp/crq-element.ts';
import { decodeIu, encodeIu, type SrpIu } from '../../../src/transport/srp/iu-codec.ts';
import {
  ADAPTER_INFO,
  BUFFER_MAD,
  CAPABILITIES,
  decodeAdapterInfo,
  EMPTY_IU_MAD,
  encodeAdapterInfo,
  MAD_HEADER,
} from '../../../src/transport/srp/mad-codec.ts';
import {
  decodeTransportId,
  encodeTransportId,
} from '../../../src/transport/srp/port-identifier.ts';
import { bytes, hex, patched, VECTORS, type Vector, vector } from './raw-guest.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What each SRP vector says when decoded: the fields its description names. Bytes are hex, descriptors in full. */
const SAYS: Readonly<Record<string, Fields>> = {
  V01: { type: 0x00, requestedLength: 256, formats: 6, flags: 0, tagLow: 0x0a01 },
  V02: { requestedLength: 8260, flags: 0x81, immediateOffset: 68 },
  V03: {
    requestedLength: 580,
    initiatorPort: 'd949560e4ff0030100237dffff95169d',
    targetPort: '0002c903005051740002c90300505174',
  },
  V04: { requestedLength: 0, formats: 0, immediateOffset: 3, reserved: 256 },
  V05: { requestedLength: 63 },
  V06: { type: 0xc0, delta: 22, maxInitiatorIu: 256, maxTargetIu: 256, formats: 6, flags: 0 },
  V07: { delta: 64, flags: 0x11 },
  V08: { type: 0xc2, reason: 0x00010002, formats: 6 },
  V09: { reason: 0x00010004 },
  V10: { reason: 0x00010005 },
  V11: { type: 0x03, tagLow: 0x0a0b },
  V12: { type: 0x80, reason: 2, flags: 0 },
  V13: { reason: 4, flags: 1 },
  V14: { type: 0x01, function: 1, managedTagLow: 0x0c01, tagLow: 0x80000001 },
  V15: { function: 8, flags: 6 },
  V16: { function: 0x40 },
  V17: { function: 4 },
  V18: { function: 0x20 },
  V19: { type: 0x02, lun: '8100000000000000', attribute: 0, dataIn: { format: 0 } },
  V20: {
    dataIn: {
      format: 1,
      memory: { addressHigh: 0, addressLow: 0x10000000, handle: 0, length: 36 },
    },
  },
  V21: { dataInCount: 1, cdb: '12000000240000000000000000000000' },
  V22: {
    attribute: 2,
    flags: 4,
    dataOut: {
      format: 1,
      memory: { addressHigh: 0, addressLow: 0x10000000, handle: 0xcafe0001, length: 4096 },
    },
  },
  V23: {
    dataIn: {
      format: 2,
      table: { addressHigh: 0, addressLow: 0x20000044, handle: 0, tableLength: 32 },
      totalLength: 8192,
      partial: [
        { addressHigh: 0, addressLow: 0x10000000, handle: 0, length: 4096 },
        { addressHigh: 0, addressLow: 0x10008000, handle: 0, length: 4096 },
      ],
    },
  },
  V24: { dataInCount: 2, fault: 0 },
  V25: { dataInCount: 0, fault: 0 },
  V26: {
    dataOut: {
      format: 1,
      memory: { addressHigh: 0, addressLow: 0x10000000, handle: 0, length: 512 },
    },
    dataIn: {
      format: 1,
      memory: { addressHigh: 0, addressLow: 0x10004000, handle: 0, length: 512 },
    },
  },
  V27: { cdb: '7f0000000000001800090000000000000000100000001000' + '0000000000000008' },
  V28: { dataOut: { format: 3, length: 16 } },
  V29: { attribute: 1 },
  V30: { attribute: 4 },
  V31: { attribute: 3, fault: 0x0b0e03 },
  V32: { fault: 0 },
  V33: { fault: 0x0b0e01 },
  V34: { fault: 0x0b0e03 },
  V35: { fault: 0x0b0e03 },
  V36: { fault: 0x0b0e03 },
  V38: { type: 0xc1, delta: 1, valid: 0, status: 0 },
  V39: { valid: 2, status: 2, sense: '700005000000000a00000000250000000000' },
  V40: { valid: 0x20, dataInResidual: 216 },
  V41: { valid: 0x0a, dataOutResidual: 4096 },
  V42: { valid: 0x10, dataInResidual: 512 },
  V43: { valid: 0x28, dataOutResidual: 12, dataInResidual: 100 },
  V44: { status: 0x28, flags: 1 },
  V45: { status: 0x30 },
  V46: { valid: 1, responseData: '00000000', delta: 1 },
  V47: { valid: 1, delta: 2 },
  V48: { responseData: '00000004' },
  V49: { delta: 0xfffffffd },
  V50: { type: 0x81, delta: 8 },
  V51: { type: 0x41, tagLow: 0x0b03 },
  V52: {
    type: 0x82,
    delta: 1,
    lun: '0000000000000000',
    sense: '700006000000000a000000003f0e00000000',
  },
  V53: { type: 0x42 },
};

/** What the LUN vectors name to each kind of initiator, and whether this target spells LUNs that way itself. */
const LUNS: Readonly<
  Record<string, { native: number; vscsi: number; spells?: 'native' | 'vscsi' }>
> = {
  L01: { native: 5, vscsi: -1, spells: 'native' },
  L02: { native: 300, vscsi: -1, spells: 'native' },
  L03: { native: -1, vscsi: 1, spells: 'vscsi' },
  L04: { native: -1, vscsi: -1 },
  L05: { native: -2, vscsi: -2, spells: 'native' },
  L06: { native: 0x778899aabb, vscsi: 0x778899aabb },
  L07: { native: -1, vscsi: -1 },
  L08: { native: 0x040b03, vscsi: 0x040b03 },
};

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function decoded(id: string): SrpIu {
  const iu = decodeIu(vector(id), id === 'V28' ? 68 : undefined);
  assert(iu, `${id} can be decoded`);
  return iu;
}

function checkIu({ id, hex: wire }: Vector): void {
  const iu = decoded(id);
  const fields = plain(iu) as Fields;
  const says = SAYS[id] as Fields;
  for (const [name, value] of Object.entries(says)) assert.deepEqual(fields[name], value, name);
  if (id < 'V31' || id > 'V36') assert.equal(hex(encodeIu(iu)), wire);
}

function checkMad({ id, hex: wire }: Vector): void {
  const source = vector(id);
  if (id === 'M02' || id === 'M03') {
    const info = decodeAdapterInfo(source);
    assert.equal(info.srpVersion, '16.a');
    assert.equal(info.partitionName, id === 'M02' ? 'client-7' : 'vdisk-target');
    assert.equal(info.partitionNumber, id === 'M02' ? 7 : 1);
    assert.equal(info.osType, 2);
    assert.equal(info.maxTransferBytes, id === 'M02' ? 0 : 0x100000);
    assert.equal(ADAPTER_INFO.size, 148);
    assert.equal(hex(encodeAdapterInfo(info)), wire);
    return;
  }
  const layouts = { M04: MAD_HEADER, M07: MAD_HEADER, M06: CAPABILITIES, M08: EMPTY_IU_MAD };
  const { layout, size } = layouts[id as keyof typeof layouts] ?? BUFFER_MAD;
  assert.equal(size, source.length);
  const again = Buffer.alloc(size);
  layout.encode(layout.decode(source) as never, again);
  assert.equal(hex(again), wire);
  if (id === 'M06') {
    const said = CAPABILITIES.layout.decode(source);
    assert.deepEqual([said.flags, said.migrationSupport, said.reservationSupport], [4, 1, 1]);
  } else {
    const { type, status } = MAD_HEADER.layout.decode(source);
    const types = { M01: 3, M04: 3, M05: 5, M07: 8, M08: 1, M09: 2 };
    assert.equal(type, types[id as keyof typeof types]);
    assert.equal(status, id === 'M04' ? 0x00f1 : 0);
  }
}

function checkLun({ id, hex: wire }: Vector): void {
  const view = new DataView(new Uint8Array(vector(id)).buffer);
  const { native, vscsi, spells } = LUNS[id] as (typeof LUNS)[string];
  assert.equal(decodeLun(view, 0, 'native'), native);
  assert.equal(decodeLun(view, 0, 'vscsi'), vscsi);
  if (spells === undefined) return;
  const again = new Uint8Array(8);
  encodeLun(again, 0, spells === 'native' ? native : vscsi, spells);
  assert.equal(hex(again), wire);
}

describe('SRP codec: every vector decoded and encoded again byte for byte', () => {
  for (const v of VECTORS) {
    if (v.id === 'V37') {
      it('V37 MALFORMED IU, SRP_CMD truncated to 40 bytes: not decoded', () => {
        assert.equal(decodeIu(vector('V37')), null);
      });
    } else if (v.id >= 'V31' && v.id <= 'V36') {
      it(`${v.id} ${v.name}: decoded as far as defined, the fault named`, () => checkIu(v));
    } else if (v.id.startsWith('V')) {
      it(`${v.id} ${v.name}`, () => checkIu(v));
    } else if (v.id.startsWith('C')) {
      it(`${v.id} ${v.name}`, () => {
        assert.equal(hex(encodeElement(decodeElement(vector(v.id)))), v.hex);
        assert.equal(decodeElement(vector(v.id)).valid, vector(v.id)[0]);
      });
    } else if (v.id.startsWith('M')) {
      it(`${v.id} ${v.name}`, () => checkMad(v));
    } else if (v.id.startsWith('L')) {
      const spelled =
        LUNS[v.id]?.spells === undefined ? ' (decoded; this target never spells a LUN so)' : '';
      it(`${v.id} ${v.name}${spelled}`, () => checkLun(v));
    } else {
      it(`${v.id} ${v.name}`, () => {
        const port = decodeTransportId(vector(v.id));
        assert.equal(port, 'd949560e4ff0030100237dffff95169d');
        assert.equal(hex(encodeTransportId(port)), v.hex);
      });
    }
  }

  it('are 82', () => {
    assert.equal(new Set(VECTORS.map((v) => v.id)).size, 82);
  });
});

describe('SRP codec: what is not a whole IU', () => {
  it('every IU cut at every byte is refused or carries a fault, and nothing throws', () => {
    for (const { id } of VECTORS.filter((v) => /^V(?!37)/.test(v.id))) {
      const whole = vector(id);
      for (let length = 0; length < whole.length; length += 1) {
        const iu = decodeIu(whole.subarray(0, length), id === 'V28' ? 68 : undefined);
        if (iu === null) continue;
        assert.equal(iu.type, 0x02, `${id} cut to ${length}`);
        assert('fault' in iu && iu.fault !== 0, `${id} cut to ${length} has a fault`);
      }
    }
  });

  it('an unknown type is refused', () => {
    for (const type of ['04', '40', '43', '7f', '83', 'bf', 'c3', 'ff']) {
      assert.equal(decodeIu(bytes(type.padEnd(256, '0'))), null);
    }
  });

  it('a response whose lengths run past its end is refused, 2^32 included', () => {
    assert.equal(decodeIu(patched(vector('V39'), 28, '00000013')), null);
    assert.equal(decodeIu(patched(vector('V39'), 28, 'ffffffff')), null);
    assert.equal(decodeIu(patched(vector('V39'), 32, 'ffffffff')), null);
    assert.equal(decodeIu(patched(vector('V52'), 28, 'ffffffff')), null);
  });

  it('immediate data-in does not exist', () => {
    const iu = decodeIu(patched(vector('V20'), 5, '03'));
    assert(iu !== null && 'fault' in iu);
    assert.equal(iu.fault, 0x0b0e03);
  });

  it('a port identifier must be 32 digits', () => {
    assert.throws(() => encodeTransportId('12'), /Cannot use port identifier "12"/);
    assert.equal(decodeTransportId(Buffer.alloc(24)), null);
  });
});
