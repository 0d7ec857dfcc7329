/** iSCSI codecs against bytes of the RFCs: CRC32C, CHAP, text, names, the command window, data sequences. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  type ChapConfig,
  ChapExchange,
  chapResponse,
  decodeBinary,
} from '../../../src/transport/iscsi/chap.ts';
import {
  CommandWindow,
  EARLY,
  NEXT,
  OUTSIDE,
} from '../../../src/transport/iscsi/command-window.ts';
import { crc32c } from '../../../src/transport/iscsi/crc32c.ts';
import {
  DataOutTransfer,
  INCORRECT_AMOUNT_OF_DATA,
  PROTOCOL_SERVICE_CRC_ERROR,
  UNEXPECTED_UNSOLICITED_DATA,
} from '../../../src/transport/iscsi/data-out.ts';
import {
  encodeIscsiTransportId,
  initiatorPortIdentifier,
  isTargetName,
} from '../../../src/transport/iscsi/names.ts';
import { defaultParameters, Negotiation } from '../../../src/transport/iscsi/negotiation.ts';
import { NO_TAG, type Pdu } from '../../../src/transport/iscsi/pdu.ts';
import { PduReader } from '../../../src/transport/iscsi/pdu-reader.ts';
import { decodeText } from '../../../src/transport/iscsi/text-keys.ts';

describe('CRC32C (RFC 3720 B.4)', () => {
  const read = Buffer.from(
    '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' +
      '0200000000000000',
    'hex',
  );
  const vectors: readonly (readonly [string, Buffer, string])[] = [
    ['32 bytes of zeroes', Buffer.alloc(32), 'aa36918a'],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), '43aba862'],
    ['32 bytes, 00 to 1f', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), '4e79dd46'],
    ['32 bytes, 1f to 00', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), '5cdb3f11'],
    ['an iSCSI SCSI Read (10) command PDU', read, '563a96d9'],
  ];
  for (const [what, bytes, wire] of vectors) {
    it(what, () => {
      const digest = Buffer.alloc(4);
      digest.writeUInt32LE(crc32c(bytes));
      assert.equal(digest.toString('hex'), wire);
      assert.equal(crc32c(bytes.subarray(7), crc32c(bytes.subarray(0, 7))), crc32c(bytes));
    });
  }
});

describe('CHAP', () => {
  const config: ChapConfig = {
    incoming: { name: 'host', secret: 'secret-of-host' },
    outgoing: { name: 'disks', secret: 'secret-of-disks' },
  };
  const challenge = Buffer.alloc(32, 0x5a);
  const exchange = (c = config): ChapExchange =>
    new ChapExchange(c, (bytes) => (bytes === 1 ? Buffer.of(7) : challenge));
  const answer = (secret: string, id = 7, of: Buffer = challenge): string =>
    `0x${createHash('md5').update(Buffer.of(id)).update(secret).update(of).digest('hex')}`;

  it('a response is the hash of identifier, secret, challenge (RFC 1994 4.1)', () => {
    const own = createHash('md5').update('\x01abcdefghijkl').update(challenge).digest();
    assert.deepEqual(chapResponse('md5', 1, 'abcdefghijkl', challenge), own);
  });

  it('one way: challenge, proof, done', () => {
    const chap = exchange();
    assert.deepEqual(chap.answer(new Map([['CHAP_A', '5']])), [
      ['CHAP_A', '5'],
      ['CHAP_I', '7'],
      ['CHAP_C', `0x${'5a'.repeat(32)}`],
    ]);
    const proof = new Map([
      ['CHAP_N', 'host'],
      ['CHAP_R', answer('secret-of-host')],
    ]);
    assert.deepEqual(chap.answer(proof), []);
    assert.ok(chap.done);
  });

  const failures: readonly (readonly [string, Record<string, string>])[] = [
    ['a wrong secret', { CHAP_N: 'host', CHAP_R: answer('secret-of-hosT') }],
    ['a wrong name', { CHAP_N: 'hosts', CHAP_R: answer('secret-of-host') }],
    ['no response', { CHAP_N: 'host' }],
    ['a short response', { CHAP_N: 'host', CHAP_R: '0x00' }],
    [
      'its own challenge reflected',
      {
        CHAP_N: 'host',
        CHAP_R: answer('secret-of-host'),
        CHAP_I: '9',
        CHAP_C: `0x${'5a'.repeat(32)}`,
      },
    ],
    [
      'a challenge without identifier',
      { CHAP_N: 'host', CHAP_R: answer('secret-of-host'), CHAP_C: '0x0102' },
    ],
  ];
  for (const [what, keys] of failures) {
    it(`fails, for good, with ${what}`, () => {
      const chap = exchange();
      chap.answer(new Map([['CHAP_A', '5']]));
      assert.equal(chap.answer(new Map(Object.entries(keys))), null);
      const right = { CHAP_N: 'host', CHAP_R: answer('secret-of-host') };
      assert.equal(chap.answer(new Map(Object.entries(right))), null);
      assert.ok(!chap.done);
    });
  }

  it('mutual: proves its own secret', () => {
    const chap = exchange();
    chap.answer(new Map([['CHAP_A', '5']]));
    const theirs = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    const keys = new Map([
      ['CHAP_N', 'host'],
      ['CHAP_R', answer('secret-of-host')],
      ['CHAP_I', '9'],
      ['CHAP_C', `0x${theirs.toString('hex')}`],
    ]);
    assert.deepEqual(chap.answer(keys), [
      ['CHAP_N', 'disks'],
      ['CHAP_R', answer('secret-of-disks', 9, theirs)],
    ]);
  });

  it('T22 challenges are never the same and every bit of them changes', () => {
    const seen = new Set<string>();
    const ones = new Uint32Array(256);
    for (let i = 0; i < 2000; i += 1) {
      const text = new ChapExchange(config).answer(new Map([['CHAP_A', '5']]))?.[2]?.[1] ?? '';
      seen.add(text);
      const bytes = decodeBinary(text, 64) ?? Buffer.alloc(0);
      for (let bit = 0; bit < 256; bit += 1) {
        (ones[bit] as number) += ((bytes[bit >> 3] as number) >> (bit & 7)) & 1;
      }
    }
    assert.equal(seen.size, 2000);
    // 1000 ± 10 standard deviations.
    assert.ok(ones.every((count) => count > 776 && count < 1224));
  });

  it('binary values: hexadecimal and base64, nothing else, nothing too long', () => {
    assert.equal(decodeBinary('0x0aFf', 16)?.toString('hex'), '0aff');
    assert.equal(decodeBinary('0bYWJj', 16)?.toString(), 'abc');
    for (const bad of ['', '0x', '0x0', 'abc', '0xzz', '0b!!', `0x${'00'.repeat(17)}`]) {
      assert.equal(decodeBinary(bad, 16), null, bad);
    }
  });
});

describe('text keys', () => {
  it('pairs ended by zero bytes', () => {
    const pairs = decodeText(Buffer.from('InitiatorName=iqn.x:a\0AuthMethod=CHAP,None\0'));
    assert.deepEqual(
      [...(pairs ?? [])],
      [
        ['InitiatorName', 'iqn.x:a'],
        ['AuthMethod', 'CHAP,None'],
      ],
    );
  });
  for (const [what, text] of [
    ['no equals sign', 'InitiatorName\0'],
    ['an empty key', '=x\0'],
    ['a key of 64 bytes', `${'K'.repeat(64)}=x\0`],
    ['a value of 8193 bytes', `Key=${'v'.repeat(8193)}\0`],
    ['a key twice', 'A=1\0A=2\0'],
    ['65 keys', Array.from({ length: 65 }, (_, i) => `K${i}=1\0`).join('')],
  ] as const) {
    it(`refuses ${what}`, () => assert.equal(decodeText(Buffer.from(text)), null));
  }
});

describe('operational parameters', () => {
  const ask = (key: string, value: string, discovery = false): string | undefined => {
    const answers = new Negotiation(discovery).answer(new Map([[key, value]]), true) ?? [];
    return answers.find(([name]) => name === key)?.[1];
  };
  const rows: readonly (readonly [string, string, string])[] = [
    ['HeaderDigest', 'CRC32C,None', 'CRC32C'],
    ['DataDigest', 'None,CRC32C', 'None'],
    ['DataDigest', 'X-hash', 'Reject'],
    ['MaxConnections', '8', '1'],
    ['InitialR2T', 'No', 'No'],
    ['ImmediateData', 'Yes', 'Yes'],
    ['MaxBurstLength', '262144', '262144'],
    ['MaxBurstLength', '16776192', '1048576'],
    ['MaxBurstLength', '511', 'Reject'],
    ['FirstBurstLength', '0x10000', '65536'],
    ['MaxOutstandingR2T', '65535', '8'],
    ['ErrorRecoveryLevel', '2', '0'],
    ['DefaultTime2Retain', '20', '0'],
    ['iSCSIProtocolLevel', '1', '1'],
    ['iSCSIProtocolLevel', '2', '2'],
    ['iSCSIProtocolLevel', '31', '2'],
    ['iSCSIProtocolLevel', '32', 'Reject'],
    ['DataPDUInOrder', 'No', 'Yes'],
    ['IFMarker', 'Yes', 'No'],
    ['OFMarkInt', '2048~8192', 'Reject'],
    ['InitialR2T', 'Maybe', 'Reject'],
    ['X-com.example.key', '1', 'NotUnderstood'],
  ];
  for (const [key, value, expected] of rows) {
    it(`${key}=${value}: ${expected}`, () => assert.equal(ask(key, value), expected));
  }
  it('burst lengths are irrelevant in a discovery session', () => {
    assert.equal(ask('MaxBurstLength', '262144', true), 'Irrelevant');
  });
  it('a key is negotiated once', () => {
    const negotiation = new Negotiation(false);
    negotiation.answer(new Map([['InitialR2T', 'No']]), true);
    assert.equal(negotiation.answer(new Map([['InitialR2T', 'No']]), true), null);
  });
});

describe('iSCSI names', () => {
  it('TransportID: format 01b, protocol 5h, name and ISID, zero-filled to words (SPC-4 7.6.4.6)', () => {
    const id = encodeIscsiTransportId('iqn.2026-11.org:a', Buffer.from('800000000001', 'hex'));
    const text = 'iqn.2026-11.org:a,i,0x800000000001';
    assert.equal(id.toString('latin1', 4, 4 + text.length), text);
    assert.equal(id.toString('hex', 0, 4), '45000024');
    assert.equal(id.length, 40);
    assert.equal(id.toString('hex', 38), '0000');
  });
  it('one initiator port has one identifier, another ISID another', () => {
    const a = initiatorPortIdentifier('iqn.x:a', Buffer.alloc(6));
    assert.deepEqual(initiatorPortIdentifier('iqn.x:a', Buffer.alloc(6)), a);
    assert.notDeepEqual(initiatorPortIdentifier('iqn.x:a', Buffer.alloc(6, 1)), a);
    assert.equal(a.length, 16);
  });
  it('target names', () => {
    assert.ok(isTargetName('iqn.2026-11.example.org:disks'));
    assert.ok(isTargetName('eui.02004567a425678d'));
    for (const bad of [
      'disks',
      'iqn.26-11.x:a',
      'iqn.2026-11.x:A',
      `iqn.2026-11.${'x'.repeat(224)}`,
    ])
      assert.ok(!isTargetName(bad), bad);
  });
});

describe('command window', () => {
  it('lets the next in, holds those after a gap, ignores what lies outside; wraps around', () => {
    const window = new CommandWindow(4, 0xfffffffe);
    assert.equal(window.maxCmdSN, 1);
    assert.equal(window.admit(0xfffffffe), NEXT);
    assert.equal(window.admit(1), EARLY);
    assert.equal(window.admit(2), OUTSIDE);
    assert.equal(window.admit(0xfffffffd), OUTSIDE);
    window.advance();
    window.open(1);
    assert.equal(window.maxCmdSN, 1);
    window.open(0);
    assert.equal(window.maxCmdSN, 2);
    window.open(4);
    assert.equal(window.maxCmdSN, 2);
  });
});

describe('Data-Out sequences', () => {
  const parameters = {
    ...defaultParameters(),
    initialR2T: false,
    maxBurstBytes: 1024,
    firstBurstBytes: 1024,
  };
  const begun = (immediate = 0, final = true, own = parameters): DataOutTransfer => {
    const transfer = new DataOutTransfer();
    transfer.begin(4096, 4096, immediate, final, own);
    return transfer;
  };

  it('immediate, unsolicited, then R2Ts of at most MaxBurstLength, MaxOutstandingR2T at a time', () => {
    const transfer = begun(512, false);
    assert.equal(transfer.nextRequest(1, parameters), null);
    assert.ok(transfer.accept(NO_TAG, 0, 512, 512, true, false));
    assert.deepEqual(transfer.nextRequest(1, parameters), {
      ttt: 1,
      r2tSN: 0,
      offset: 1024,
      length: 1024,
    });
    assert.equal(transfer.nextRequest(2, parameters), null);
    assert.ok(transfer.accept(1, 0, 1024, 1024, true, false));
    for (const ttt of [2, 3]) {
      assert.ok(transfer.nextRequest(ttt, parameters));
      assert.ok(transfer.accept(ttt, 0, 1024 * ttt, 1024, true, false));
    }
    assert.ok(transfer.complete);
    assert.equal(transfer.sense, 0);
  });

  const mistakes: readonly (readonly [string, number, (transfer: DataOutTransfer) => void])[] = [
    ['DataSN 1 first', PROTOCOL_SERVICE_CRC_ERROR, (t) => t.accept(NO_TAG, 1, 0, 512, true, false)],
    ['a gap', PROTOCOL_SERVICE_CRC_ERROR, (t) => t.accept(NO_TAG, 0, 512, 512, true, false)],
    [
      'a data digest error',
      PROTOCOL_SERVICE_CRC_ERROR,
      (t) => t.accept(NO_TAG, 0, 0, 512, true, true),
    ],
    [
      'more than FirstBurstLength',
      INCORRECT_AMOUNT_OF_DATA,
      (t) => t.accept(NO_TAG, 0, 0, 1536, true, false),
    ],
  ];
  for (const [what, sense, play] of mistakes) {
    it(`${what} ends the command with ${sense.toString(16)}`, () => {
      const transfer = begun(0, false);
      play(transfer);
      assert.equal(transfer.sense, sense);
      assert.ok(transfer.complete);
    });
  }
  it('a solicited sequence that ends early is short of data; an unknown tag is an error', () => {
    const short = begun();
    short.nextRequest(1, parameters);
    short.accept(1, 0, 0, 512, true, false);
    assert.equal(short.sense, INCORRECT_AMOUNT_OF_DATA);
    const unknown = begun();
    unknown.nextRequest(1, parameters);
    assert.equal(unknown.accept(9, 0, 0, 512, true, false), false);
    assert.equal(unknown.sense, PROTOCOL_SERVICE_CRC_ERROR);
    assert.ok(!unknown.complete, 'the open sequence is heard to its end');
    unknown.accept(1, 0, 0, 1024, true, false);
    assert.ok(unknown.complete);
  });
  it('immediate or unsolicited data that were not negotiated', () => {
    assert.equal(
      begun(512, true, { ...parameters, immediateData: false }).sense,
      UNEXPECTED_UNSOLICITED_DATA,
    );
    assert.equal(
      begun(0, false, { ...parameters, initialR2T: true }).sense,
      UNEXPECTED_UNSOLICITED_DATA,
    );
  });
});

describe('PDU framing', () => {
  const nop = Buffer.alloc(48);
  nop[7] = 5;
  const whole = Buffer.concat([nop, Buffer.from('hello\0\0\0')]);
  const reader = (maxBytes: number): { got: Pdu[]; broken: string[]; reader: PduReader } => {
    const got: Pdu[] = [];
    const broken: string[] = [];
    const sink = {
      onPdu: (pdu: Pdu) => void got.push(pdu),
      onBroken: (why: string) => void broken.push(why),
    };
    return { got, broken, reader: new PduReader(sink, maxBytes) };
  };

  it('cut anywhere, the same PDUs come out', () => {
    const two = Buffer.concat([whole, whole]);
    for (let cut = 0; cut <= two.length; cut += 1) {
      const bed = reader(8192);
      bed.reader.push(two.subarray(0, cut));
      bed.reader.push(two.subarray(cut));
      assert.deepEqual(
        bed.got.map(({ data }) => data.toString()),
        ['hello', 'hello'],
      );
    }
  });
  it('a data segment longer than allowed breaks the stream before memory is asked for', () => {
    const bed = reader(4);
    bed.reader.push(whole);
    bed.reader.push(whole);
    assert.equal(bed.got.length, 0);
    assert.equal(bed.broken.length, 1);
  });
  it('a wrong header digest breaks the stream, a wrong data digest marks the PDU', () => {
    const crc = (bytes: Buffer): Buffer => {
      const digest = Buffer.alloc(4);
      digest.writeUInt32LE(crc32c(bytes));
      return digest;
    };
    const data = Buffer.from('hello\0\0\0');
    const good = reader(8192);
    good.reader.headerDigest = true;
    good.reader.dataDigest = true;
    good.reader.push(Buffer.concat([nop, crc(nop), data, crc(data)]));
    assert.equal(good.got[0]?.damaged, false);
    good.reader.push(Buffer.concat([nop, crc(nop), data, Buffer.alloc(4)]));
    assert.equal(good.got[1]?.damaged, true);
    good.reader.push(Buffer.concat([nop, Buffer.alloc(4), data, crc(data)]));
    assert.deepEqual(good.broken, ['header digest error']);
  });
});
