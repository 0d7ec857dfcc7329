/** READ DISC INFORMATION, READ TRACK INFORMATION and READ FORMAT CAPACITIES (MMC-6); also as the traces have them. */
import { strict as assert } from 'node:assert';
import type { Disc, DiscLayout } from '../../../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import { audioDisc, dataDisc, optical, track } from '../../../support/optical.ts';
import {
  blankBdR,
  blankCdR,
  blankDvdPlusRw,
  blankDvdR,
  invisibleTrack,
  OPEN_SESSION,
  recordable,
} from '../../../support/recordable.ts';

function reply(disc: Disc | DiscLayout, cdb: string): string {
  const it = 'runAt' in disc ? disc : new FinishedDisc(disc);
  const { bed } = optical(dataDisc(1), new Uint8Array(0), { writes: true, disc: it });
  const { sense, pointer, dataIn } = bed.nexus('a').clear().run(cdb, { in: 256 });
  return sense === '' ? Buffer.from(dataIn).toString('hex') : `${sense} ${pointer}`;
}
const digits = (text: string): string => text.replace(/\s+/g, '');

const DISC_INFORMATION = '51 00 00 00 00 00 00 00 22 00';
const DATA = dataDisc(1248);

/** A CD-R with one closed session of 525 blocks, and the next open at 11925. */
const APPENDABLE: Disc = {
  ...blankCdR(),
  status: 'appendable',
  sessions: [
    { number: 1, type: 0, firstTrack: 1, lastTrack: 1, leadOut: 525 },
    { number: 2, type: 0, firstTrack: 2, lastTrack: 2, leadOut: null },
  ],
  tracks: [track(1, 0, 525, 'mode1'), invisibleTrack(2, 2, 11_925, 359_847)],
  blocks: 525,
};

describe('READ DISC INFORMATION', () => {
  it('of a finished CD is what the traces have', () => {
    assert.equal(
      reply(DATA, DISC_INFORMATION),
      '00200e01010101200000000000000000ffffffffffffffff00000000000000000000',
    );
    assert.equal(
      reply(audioDisc([0, 450], 825), DISC_INFORMATION),
      '00200e01010102200000000000000000ffffffffffffffff00000000000000000000',
    );
  });

  it('of a finished DVD has no addresses', () => {
    assert.equal(
      reply(dataDisc(1248, 0x0010), DISC_INFORMATION),
      '00200e01010101200000000000000000000000000000000000000000000000000000',
    );
  });

  it('counts the open session, and says where its lead-in begins', () => {
    // 11925 - 150 - 4500 = 7275: 01:39:00; 79:59:72.
    assert.equal(
      reply(APPENDABLE, DISC_INFORMATION),
      digits('00200101 02020220 00000000 00000000 00012700 004f3b48 00000000 00000000 0000'),
    );
  });

  it('has the background format of a DVD+RW', () => {
    const facts = recordable(2_295_104, { backgroundFormat: 'stopped' });
    const disc: Disc = {
      ...blankDvdPlusRw(),
      status: 'complete',
      lastSession: 'complete',
      recordable: facts,
    };
    assert.equal(
      reply(disc, DISC_INFORMATION),
      '00201e01010101210000000000000000000000000000000000000000000000000000',
    );
  });

  it('of type 1 has the tracks there are and can be', () => {
    const disc = {
      ...blankBdR(),
      recordable: recordable(1, { mostTracks: 7927, mostOpenTracks: 16 }),
    };
    assert.equal(
      reply(disc, '51 01 00 00 00 00 00 00 0c 00'),
      digits('000a 20 00 1ef7 0000 0010 0001'),
    );
    assert.equal(
      reply(audioDisc([0, 450], 825), '51 01 00 00 00 00 00 00 0c 00'),
      digits('000a 20 00 0002 0002 0000 0000'),
    );
  });

  it('of type 2 has what pseudo overwrite has left', () => {
    const pow = { replacements: 0x1234, mapEntries: 0x56, updates: 0x78 };
    const disc = { ...blankBdR(), recordable: recordable(1, { pow }) };
    assert.equal(
      reply(disc, '51 02 00 00 00 00 00 00 10 00'),
      digits('000e 40 00 00001234 00000056 00000078'),
    );
  });

  it('of type 2 without pseudo overwrite, and of others, is refused', () => {
    assert.equal(reply(blankBdR(), '51 02 00 00 00 00 00 00 10 00'), '5/24/00 cdb 1.2');
    assert.equal(reply(DATA, '51 03 00 00 00 00 00 00 10 00'), '5/24/00 cdb 1.2');
  });
});

describe('READ TRACK INFORMATION', () => {
  it('of a finished CD is what the traces have', () => {
    assert.equal(
      reply(DATA, '52 01 00 00 00 01 00 00 22 00'),
      '002201010004010200000000000000000000000000000000000004e0000004df0000',
    );
    const audio = audioDisc([0, 450], 825);
    assert.equal(
      reply(audio, '52 01 00 00 00 01 00 00 22 00'),
      '002201010000010200000000000000000000000000000000000001c2000001c10000',
    );
    assert.equal(
      reply(audio, '52 01 00 00 00 02 00 00 22 00'),
      '0022020100000102000001c200000000000000000000000000000177000003380000',
    );
  });

  it('of a DVD has 40 bytes and ECC blocks of 16', () => {
    assert.equal(
      reply(dataDisc(1248, 0x0010), '52 01 00 00 00 01 00 00 28 00'),
      digits(
        '00260101 00040102 00000000 00000000 00000000 00000010 000004e0 000004df 00000000 00000000',
      ),
    );
  });

  it('finds the track of a block, and the first of a session', () => {
    const audio = audioDisc([0, 450], 825);
    const numberIn = (cdb: string): string => reply(audio, cdb).slice(4, 6);
    assert.deepEqual(
      [
        '52 00 00 00 01 c1 00 00 24 00',
        '52 00 00 00 01 c2 00 00 24 00',
        '52 02 00 00 00 01 00 00 24 00',
      ].map(numberIn),
      ['01', '02', '01'],
    );
  });

  it('the next writable track is FFh', () => {
    assert.equal(
      reply(APPENDABLE, '52 01 00 00 00 ff 00 00 14 00'),
      digits('00220202 00044f01 00002e95 00002e95 00054f12'),
    );
  });

  it('OPEN finds what can be written to behind a track', () => {
    assert.equal(reply(APPENDABLE, '52 05 00 00 00 01 00 00 08 00'), digits('00220202 00044f01'));
  });

  it('track 0 is the lead-in of a recordable CD', () => {
    // From 97:26:65 on, 11485 blocks up to the pregap.
    assert.equal(
      reply(blankCdR(), '52 01 00 00 00 00 00 00 24 00'),
      digits('00220001 00004f00 ffffd28d 00000000 00000000 00000000 00002cdd 00000000 00000000'),
    );
  });

  it('says that a packet track has packets of one length', () => {
    const [first] = APPENDABLE.tracks;
    assert(first);
    const disc = { ...APPENDABLE, tracks: [{ ...first, packet: true, packetBlocks: 32 }] };
    const answer = reply(disc, '52 01 00 00 00 01 00 00 24 00');
    assert.deepEqual([answer.slice(12, 14), answer.slice(40, 48)], ['31', '00000020']);
  });

  it('says what is damaged, a copy, or reserved', () => {
    const [, next] = APPENDABLE.tracks;
    assert(next);
    const odd = { ...next, damaged: true, copy: true, state: 'reserved' } as const;
    const answer = reply({ ...APPENDABLE, tracks: [odd] }, '52 01 00 00 00 02 00 00 08 00');
    assert.equal(answer.slice(8), digits('00 34 cf 01'));
  });

  it('refuses tracks, sessions and blocks that are not there', () => {
    for (const cdb of [
      '52 01 00 00 00 02 00 00 24 00',
      '52 01 00 00 00 ff 00 00 24 00',
      '52 01 00 00 00 00 00 00 24 00',
      '52 02 00 00 00 02 00 00 24 00',
      '52 00 00 00 04 e0 00 00 24 00',
    ]) {
      assert.equal(reply(DATA, cdb), '5/24/00 cdb 2');
    }
    assert.equal(reply(DATA, '52 03 00 00 00 01 00 00 24 00'), '5/24/00 cdb 1.1');
  });
});

describe('READ FORMAT CAPACITIES', () => {
  const CAPACITIES = '23 00 00 00 00 00 00 00 fc 00';

  it('of a finished disc has its blocks as formatted', () => {
    assert.equal(reply(DATA, CAPACITIES), digits('00000008 000004e0 02000800'));
  });

  it('has what can be made of a disc', () => {
    const facts = recordable(2_295_104, {
      currentCapacity: { blocks: 2_295_104, state: 'formatted' },
      formats: [{ blocks: 2_295_104, type: 0x26, parameter: 0 }],
    });
    assert.equal(
      reply({ ...blankDvdPlusRw(), recordable: facts }, CAPACITIES),
      digits('00000010 00230540 02000800 00230540 98000000'),
    );
  });

  it('of an empty reader knows nothing', () => {
    const { bed, unit } = optical(DATA, new Uint8Array(0));
    unit.medium?.take();
    const { dataIn } = bed.nexus('a').clear().run(CAPACITIES, { in: 12 });
    assert.equal(Buffer.from(dataIn).toString('hex'), digits('00000008 00000000 03000800'));
  });

  it('while the last track of a DVD is open counts as unformatted', () => {
    const disc: Disc = { ...blankDvdR(), status: 'appendable', sessions: [OPEN_SESSION] };
    assert.equal(reply(disc, CAPACITIES), digits('00000008 00231280 01000800'));
  });
});
