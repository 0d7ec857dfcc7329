/** DVD and BD: the sequences that growisofs, libburn, wodim and dvd+rw-tools send, and what the disc is afterwards. */

import { strict as assert } from 'node:assert';
import { faultOf } from '../../../../src/scsi/mmc/burn/state-fault.ts';
import {
  CD_RW,
  DVD_RW_RESTRICTED_OVERWRITE,
  DVD_RW_SEQUENTIAL,
} from '../../../../src/scsi/mmc/profile.ts';
import { blocksOf, burner, selectWrite, writeBlocks } from '../../../support/burner.ts';
import type { TestNexus } from '../../../support/target.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const close = (closeFunction: number, track = 0): number[] => [
  0x5b,
  0x01,
  closeFunction,
  0,
  0,
  track,
  0,
  0,
  0,
  0,
];
const formatUnit = (a: TestNexus, list: string): string =>
  a.run('04 11 00 00 00 00', { out: list }).sense;
const read = (a: TestNexus, lba: number): Uint8Array =>
  a.run([0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, 0, 1, 0], { in: 2048 }).dataIn;

describe('DVD-R incremental (growisofs)', () => {
  it('ends a border that another may follow', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '60e508');
    for (let lba = 0; lba < 48; lba += 16) assert.equal(writeBlocks(a, lba, 16), '');
    for (const cdb of [SYNC, SYNC, close(1, 1), close(2)]) assert.equal(a.run(cdb).sense, '');
    assert.deepEqual([disc.status, disc.blocks, disc.tracks[1]?.start], ['appendable', 48, 12336]);
    assert.deepEqual(read(a, 47), blocksOf(47, 1));
  });

  it('multi-session 00b makes it final', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '602508');
    writeBlocks(a, 0, 16);
    for (const cdb of [SYNC, close(1, 1), close(2)]) a.run(cdb);
    assert.deepEqual([disc.status, disc.sessions.length], ['complete', 1]);
  });

  it('CLOSE TRACK pads to an ECC block with zeros', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '602508');
    writeBlocks(a, 0, 31);
    a.run(close(1, 1));
    assert.deepEqual([disc.tracks[0]?.end, disc.blocks], [32, 32]);
    assert.deepEqual(read(a, 31), new Uint8Array(2048));
  });
});

describe('transfers of more than 1 MiB', () => {
  it('WRITE(10) and READ(10) of 640 blocks, the most that Linux sends', () => {
    const { a } = burner('dvd-ram');
    assert.equal(writeBlocks(a, 16, 640), '');
    const { status, dataIn } = a.run('28 00 00 00 00 10 00 02 80 00', { in: 640 * 2048 });
    assert.equal(status, 0);
    assert.deepEqual(Buffer.compare(dataIn, blocksOf(16, 640)), 0);
  });
});

describe('DVD-R disc at once', () => {
  it('RESERVE TRACK, then SYNCHRONIZE CACHE behind the last block closes the disc', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '622508');
    assert.equal(a.run('53 00 00 00 00 00 00 00 21 00').sense, '');
    assert.deepEqual(
      disc.tracks.map(({ state, start, end }) => [state, start, end]),
      [
        ['reserved', 0, 48],
        ['invisible', 48, 2298496],
      ],
    );
    writeBlocks(a, 0, 48);
    assert.equal(disc.status, 'appendable');
    assert.equal(a.run(SYNC).sense, '');
    assert.deepEqual([disc.status, disc.lastSession, disc.blocks], ['complete', 'complete', 48]);
  });

  it('the last write unit need not be full: 1255 blocks as cdrskin sends them', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '42050800');
    assert.equal(a.run('53 00 00 00 00 00 00 04 e7 00').sense, '');
    for (let lba = 0; lba < 1255; lba += 16) writeBlocks(a, lba, Math.min(16, 1255 - lba));
    assert.equal(a.run(SYNC).sense, '');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 1264]);
    assert.deepEqual(read(a, 1255), new Uint8Array(2048));
  });

  it('more than was reserved is 5/63/00, and nothing of it is written', () => {
    const { a, disc } = burner('dvd-r');
    selectWrite(a, '622508');
    a.run('53 00 00 00 00 00 00 00 20 00');
    assert.equal(writeBlocks(a, 0, 16), '');
    assert.equal(writeBlocks(a, 16, 32), '5/63/00');
    assert.equal(disc.tracks[0]?.nextWritable, 16);
  });
});

describe('DVD-RW', () => {
  it('quick format: profile 0013h, what is written makes it longer, CLOSE ends that', () => {
    const { a, disc } = burner('dvd-rw');
    assert.equal(formatUnit(a, '00020008 00000000 54 000010'), '');
    assert.deepEqual(
      [disc.profile, disc.status, disc.tracks[0]?.packet, disc.tracks[0]?.packetBlocks],
      [DVD_RW_RESTRICTED_OVERWRITE, 'appendable', true, 16],
    );
    assert.equal(writeBlocks(a, 0, 32), '');
    assert.equal(writeBlocks(a, 16, 16), '');
    assert.equal(writeBlocks(a, 64, 16), '5/21/02');
    a.run(SYNC);
    a.run(close(2));
    assert.deepEqual([disc.status, disc.blocks], ['complete', 32]);
    assert.equal(writeBlocks(a, 32, 16), '5/21/00');
    assert.equal(formatUnit(a, '00020008 00000000 4c 000010'), '');
    assert.equal(writeBlocks(a, 32, 16), '');
    assert.deepEqual(read(a, 47), blocksOf(47, 1));
  });

  it('BLANK makes it sequential again, and what was on it is gone', () => {
    const { a, disc, store } = burner('dvd-rw');
    formatUnit(a, '00020008 00231020 40 000010');
    writeBlocks(a, 4096, 16);
    assert.equal(disc.blocks, 2297888);
    assert.equal(a.run('a1 10 00 00 00 00 00 00 00 00 00 00').sense, '');
    assert.deepEqual([disc.profile, disc.status], [DVD_RW_SEQUENTIAL, 'blank']);
    assert.ok(store.memory.get(4096 * 2048, 2048).every((byte) => byte === 0));
  });
});

describe('DVD+R', () => {
  it('CLOSE SESSION always leaves it appendable, function 6 makes it final', () => {
    const { a, disc } = burner('dvd+r');
    writeBlocks(a, 0, 16);
    for (const cdb of [SYNC, close(1, 1), close(2)]) a.run(cdb);
    assert.deepEqual([disc.status, disc.tracks[1]?.start], ['appendable', 16 + 2048]);
    writeBlocks(a, 2064, 16);
    for (const cdb of [SYNC, close(1, 2), close(6)]) a.run(cdb);
    assert.deepEqual([disc.status, disc.sessions.length], ['complete', 2]);
    assert.equal(writeBlocks(a, 4128, 16), '5/30/05');
  });

  it('dual layer: the layer break is told while it is blank', () => {
    const { a, disc } = burner('dvd+r-dl');
    const out = '000a0000 00000000 001f8000'.replace(/ /g, '');
    assert.equal(a.run('bf 00 00 00 00 00 00 20 00 0c 00 00', { out }).sense, '');
    assert.equal(disc.state.layerBreak, 0x1f8000);
    writeBlocks(a, 0, 16);
    assert.equal(a.run('bf 00 00 00 00 00 00 20 00 0c 00 00', { out }).sense, '5/2c/00');
    assert.equal(
      burner('dvd+r').a.run('bf 00 00 00 00 00 00 20 00 0c 00 00', { out }).sense,
      '5/24/00',
    );
  });
});

describe('DVD+RW', () => {
  const FORMAT = '00020008 ffffffff 98 000000';

  it('has to be formatted once; then it can be written anywhere while that goes on', () => {
    const { a, disc } = burner('dvd+rw');
    assert.equal(writeBlocks(a, 0, 16), '5/30/10');
    assert.equal(formatUnit(a, FORMAT), '');
    assert.deepEqual([disc.state.format?.background, disc.blocks], ['running', 2295104]);
    assert.equal(writeBlocks(a, 4096, 16), '');
    assert.deepEqual(read(a, 100), new Uint8Array(2048));
  });

  it('CLOSE stops the format, a restart goes on with it, and keeps the data', () => {
    const { a, disc, bed } = burner('dvd+rw');
    formatUnit(a, FORMAT);
    writeBlocks(a, 0, 16);
    for (const cdb of [SYNC, close(0), close(2)]) assert.equal(a.run(cdb).sense, '');
    assert.equal(disc.state.format?.background, 'stopped');
    assert.equal(formatUnit(a, '00020008 00000000 98 000001'), '');
    assert.equal(disc.state.format?.background, 'running');
    assert.deepEqual(read(a, 3), blocksOf(3, 1));
    bed.timers.run();
    assert.equal(disc.state.format?.background, 'complete');
  });
});

describe('DVD-RAM, BD-RE and formatted CD-RW', () => {
  it('DVD-RAM reads as zeros as it comes, and is written anywhere', () => {
    const { a, disc } = burner('dvd-ram');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 2236704]);
    assert.deepEqual(read(a, 5000), new Uint8Array(2048));
    assert.equal(writeBlocks(a, 5000, 64), '');
    assert.deepEqual(read(a, 5063), blocksOf(5063, 1));
    assert.equal(writeBlocks(a, 2236704, 1), '5/21/00');
  });

  it('BD-RE has the blocks that its format gives it', () => {
    const { a, disc } = burner('bd-re');
    assert.equal(writeBlocks(a, 0, 32), '5/30/10');
    assert.equal(a.run('28 00 00 00 00 00 00 00 01 00', { in: 2048 }).sense, '3/31/00');
    assert.equal(formatUnit(a, '00820008 00b47400 00 000800'), '');
    assert.equal(disc.blocks, 11826176);
    assert.equal(formatUnit(a, '00020008 00ba7400 c4 000000'), '');
    assert.equal(disc.blocks, 12219392);
    assert.equal(
      a.run('aa 00 00 00 10 00 00 00 00 20 80 00', { out: new Uint8Array(65536) }).sense,
      '',
    );
  });

  it('CD-RW in fixed packets is overwritten at any address, by 12-byte CDBs too (cdrwtool)', () => {
    const { a, disc } = burner('cd-rw');
    selectWrite(a, '00270a', '00000020000000002000960000'.slice(0, 24));
    const out = '00020008 00048140 40 000020 00000000';
    assert.equal(a.run('04 11 00 00 00 00 00 00 00 00 00 00', { out }).sense, '');
    assert.deepEqual(
      [disc.profile, disc.blocks, disc.tracks[0]?.packetBlocks],
      [CD_RW, 295232, 32],
    );
    const data = blocksOf(96, 32);
    assert.equal(a.run('2a 00 00 00 00 60 00 00 20 00 00 00', { out: data }).sense, '');
    assert.deepEqual(read(a, 127), blocksOf(127, 1));
  });
});

describe('BD-R', () => {
  it('without a format: tracks are padded to clusters of 32, function 6 makes it final', () => {
    const { a, disc } = burner('bd-r');
    writeBlocks(a, 0, 16);
    assert.equal(a.run(close(1, 1)).sense, '');
    assert.deepEqual(
      [disc.status, disc.lastSession, disc.blocks],
      ['appendable', 'incomplete', 32],
    );
    assert.equal(writeBlocks(a, 0, 16), '5/21/02');
    a.run(close(6));
    assert.equal(disc.status, 'complete');
  });

  it('pseudo overwrite: what was written can be written over, nothing else', () => {
    const { a, disc } = burner('bd-r');
    assert.equal(formatUnit(a, '00020008 00b47400 c8 000000'), '');
    assert.equal(disc.tracks[0]?.end, 11826176);
    writeBlocks(a, 0, 32);
    a.run(close(1, 1));
    assert.equal(a.run('2a 00 00 00 00 10 00 00 01 00', { out: blocksOf(99, 1) }).sense, '');
    assert.deepEqual(read(a, 16), blocksOf(99, 1));
    assert.equal(writeBlocks(a, 40, 1), '5/21/02');
    assert.equal(formatUnit(a, '00020008 00b47400 c8 000000'), '5/30/06');
  });

  it('pseudo overwrite of what the drive has filled: it is data then', () => {
    const { a, disc } = burner('bd-r');
    formatUnit(a, '00020008 00b47400 c8 000000');
    writeBlocks(a, 0, 5);
    a.run(SYNC);
    assert.deepEqual(read(a, 20), new Uint8Array(2048));
    assert.equal(writeBlocks(a, 18, 4), '');
    a.run(close(1, 1));
    assert.deepEqual(
      [read(a, 17), read(a, 18), read(a, 21), read(a, 22)],
      [new Uint8Array(2048), blocksOf(18, 1), blocksOf(21, 1), new Uint8Array(2048)],
    );
    assert.equal(faultOf(disc.state), null);
  });

  it('pseudo overwrite ends with the disc (5/30/05), and until then there is no end to it', () => {
    const { a } = burner('bd-r');
    formatUnit(a, '00020008 00b47400 c8 000000');
    writeBlocks(a, 0, 64);
    const { dataIn } = a.run('51 02 00 00 00 00 00 00 10 00', { in: 16 });
    assert.equal(Buffer.from(dataIn.subarray(8)).toString('hex'), 'ffffffffffffffff');
    a.run(close(6));
    assert.equal(writeBlocks(a, 16, 1), '5/30/05');
    assert.equal(a.run('51 02 00 00 00 00 00 00 10 00', { in: 16 }).sense, '5/24/00');
    assert.deepEqual(read(a, 16), blocksOf(16, 1));
  });
});

describe('SYNCHRONIZE CACHE of what is written incrementally', () => {
  for (const [kind, unit] of [
    ['dvd-r', 16],
    ['dvd-rw', 16],
    ['dvd+r', 16],
    ['bd-r', 32],
  ] as const) {
    it(`fills the last ${unit} blocks of a ${kind} with zeros; what comes next is behind them`, () => {
      const { a, disc } = burner(kind);
      selectWrite(a, '400508');
      writeBlocks(a, 0, unit + 3);
      assert.equal(disc.tracks[0]?.nextWritable, unit + 3);
      a.run(SYNC);
      assert.equal(disc.tracks[0]?.nextWritable, 2 * unit);
      assert.deepEqual(read(a, unit + 3), new Uint8Array(2048));
      assert.equal(writeBlocks(a, unit + 3, 1), '5/21/02');
      assert.equal(writeBlocks(a, 2 * unit, 1), '');
    });

    it(`of a ${kind} a thousand times leaves one run of sectors, and room for its state`, () => {
      const { a, disc, journal } = burner(kind);
      selectWrite(a, '400508');
      for (let i = 0; i < 1000; i += 1) {
        assert.equal(writeBlocks(a, i * unit, 1), '');
        assert.equal(a.run(SYNC).sense, '');
      }
      assert.equal(disc.state.runs.length, 1);
      assert.ok((journal.kept?.length ?? 0) < 1000);
      assert.deepEqual(read(a, 999 * unit), blocksOf(999 * unit, 1));
      assert.deepEqual(read(a, 999 * unit + 1), new Uint8Array(2048));
    });

    it(`of a ${kind} hides what an aborted write has left there`, () => {
      const { a, disc, store } = burner(kind);
      selectWrite(a, '400508');
      writeBlocks(a, 0, 1);
      store.memory.set(disc.positionOf(1), new Uint8Array(2048).fill(0xee));
      a.run(SYNC);
      assert.deepEqual(read(a, 1), new Uint8Array(2048));
    });
  }
});

describe('FORMAT UNIT', () => {
  it('has FORMAT CODE 1 (5/24/00 with a pointer to it)', () => {
    const { a } = burner('dvd-ram');
    for (const cdb of ['04 10 00 00 00 00', '04 17 00 00 00 00']) {
      const { sense, pointer } = a.run(cdb, { out: '00020008 00222100 00 000000' });
      assert.deepEqual([sense, pointer], ['5/24/00', 'cdb 1.2'], cdb);
    }
  });
});

describe('what media refuse', () => {
  it('BLANK of what cannot be erased is 5/30/05, a format of what has none 5/30/06', () => {
    for (const kind of ['cd-r', 'dvd-r', 'dvd+r', 'dvd+rw', 'dvd-ram', 'bd-r', 'bd-re'] as const) {
      assert.equal(
        burner(kind).a.run('a1 10 00 00 00 00 00 00 00 00 00 00').sense,
        '5/30/05',
        kind,
      );
    }
    for (const kind of ['cd-r', 'dvd-r', 'dvd+r'] as const) {
      assert.equal(formatUnit(burner(kind).a, '00020008 00000000 54 000010'), '5/30/06', kind);
    }
  });

  it('format types of other media are 5/26/00, short lists 5/1a/00', () => {
    const { a } = burner('dvd-rw');
    assert.equal(formatUnit(a, '00020008 00000000 98 000000'), '5/26/00');
    assert.equal(formatUnit(a, '00020008 00000000'), '5/1a/00');
    assert.equal(formatUnit(a, '00020004 00000000 54 000010'), '5/26/00');
  });
});
