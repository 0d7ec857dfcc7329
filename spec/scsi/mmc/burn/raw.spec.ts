/** Raw recording and CD-TEXT: what a disc is, is in the sub-channels that the host writes (wodim -raw96r, cdrskin). */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { CdTextReader } from '../../../../src/scsi/mmc/burn/cd-text.ts';
import { SubChannelReader } from '../../../../src/scsi/mmc/burn/sub-channel-reader.ts';
import { crc16, sealCrc } from '../../../../src/scsi/mmc/sector/crc-16.ts';
import { isScrambled, scramble } from '../../../../src/scsi/mmc/sector/scrambler.ts';
import { type BurnerBed, burner, selectWrite } from '../../../support/burner.ts';
import { bytesOf } from '../../../support/direct-port.ts';
import { RawSession } from '../../../support/raw-session.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const END = 400;
const LEAD_IN = -11_635;

function burnRaw(kind: string, bytes: number, change: (sector: Uint8Array, lba: number) => void) {
  const bed = burner('cd-r');
  assert.equal(selectWrite(bed.a, kind), '');
  const session = new RawSession(END);
  for (let lba = LEAD_IN; lba < END; lba += 27) {
    const blocks = Math.min(27, END - lba);
    const out = new Uint8Array(blocks * bytes);
    for (let i = 0; i < blocks; i += 1) {
      const sector = session.sector(lba + i, bytes);
      change(sector, lba + i);
      out.set(sector, i * bytes);
    }
    const at = (lba >>> 0).toString(16).padStart(8, '0');
    const cdb = `2a00${at}0000${blocks.toString(16).padStart(2, '0')}00`;
    assert.equal(bed.a.run(cdb, { out }).sense, '');
  }
  return bed;
}

function checkSession({ a, disc }: BurnerBed): void {
  assert.equal(a.run(SYNC).sense, '');
  assert.deepEqual([disc.status, disc.sessions[0]?.leadOut], ['complete', 250]);
  const [track] = disc.tracks;
  assert.deepEqual(
    [disc.tracks.length, track?.start, track?.end, track?.form, track?.control],
    [1, 0, 250, 'mode1', 4],
  );
  const { dataIn, sense } = a.run('28 00 00 00 00 07 00 00 01 00', { in: 2048 });
  assert.deepEqual([sense, dataIn], ['', new Uint8Array(2048).fill(8)]);
}

describe('raw recording', () => {
  it('of 2448 bytes: the tracks are those of the table of contents in the lead-in', () => {
    const bed = burnRaw('430003', 2448, () => undefined);
    checkSession(bed);
    assert.equal(bed.disc.runAt(10)?.subChannel, 'interleaved');
  });

  it('of 2368 bytes: P and Q alone say the same', () => {
    const bed = burnRaw('430001', 2368, () => undefined);
    checkSession(bed);
    assert.equal(bed.disc.runAt(10)?.subChannel, 'none');
  });

  it('that is refused leaves nothing behind: the next session is written as it says', () => {
    const { a, burner: own } = burner('cd-r');
    selectWrite(a, '430003');
    const short = '2a 00 ff ff d2 8d 00 00 1b 00';
    assert.equal(a.run(short, { out: new Uint8Array(2448) }).sense, '5/24/00');
    assert.deepEqual([own.recording, own.owner], [null, null]);
    assert.equal(
      a.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(2448) }).sense,
      '5/21/02',
    );
    assert.equal(own.recording, null);
  });

  for (const kind of ['cd-r', 'cd-rw'] as const) {
    it(`of a lead-in alone, or a pregap, leaves a ${kind} that no CLOSE makes blank again (3/72/03)`, () => {
      for (const plan of ['raw', 'sheet'] as const) {
        const { a, disc } = burner(kind);
        selectWrite(a, plan === 'raw' ? '430003' : '420000');
        if (plan === 'raw') {
          const lba = disc.nextLeadIn ?? 0;
          const session = new RawSession(END);
          const out = session.sector(lba, 2448);
          const cdb = `2a00${(lba >>> 0).toString(16)}0000 0100`;
          assert.equal(a.run(cdb, { out }).sense, '');
        } else {
          const out = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';
          a.run('5d 00 00 00 00 00 00 00 20 00', { out });
          a.run('2a 00 ff ff ff 6a 00 00 32 00', { out: new Uint8Array(50 * 2048) });
        }
        for (const cdb of ['5b 00 02 00 00 00 00 00 00 00', '5b 00 01 00 00 01 00 00 00 00']) {
          assert.equal(a.run(cdb).sense, '3/72/03', plan);
        }
        assert.deepEqual([disc.status, disc.lastSession], ['appendable', 'damaged'], plan);
        const blanked = a.run('a1 11 00 00 00 00 00 00 00 00 00 00').sense;
        assert.equal(blanked, kind === 'cd-r' ? '5/30/05' : '');
      }
    });
  }

  it('takes the scrambling away that hosts put on', () => {
    const scrambled = (sector: Uint8Array, lba: number): void => {
      if (lba >= -150 && lba < 250) scramble(sector.subarray(0, 2352));
    };
    checkSession(burnRaw('430003', 2448, scrambled));
  });

  it('a WRITE whose data could not be kept comes again', () => {
    const bed = burner('cd-r');
    selectWrite(bed.a, '430003');
    const session = new RawSession(END);
    const send = (lba: number): string => {
      const out = new Uint8Array(20 * 2448);
      for (let i = 0; i < 20; i += 1) out.set(session.sector(lba + i, 2448), i * 2448);
      const at = (lba >>> 0).toString(16).padStart(8, '0');
      return bed.a.run(`2a00${at}00001400`, { out }).sense;
    };
    for (let lba = -150; lba < END - 10; lba += 20) {
      if (lba === -10 || lba === 110) {
        bed.store.failing = true;
        assert.equal(send(lba), '3/0c/00');
        bed.store.failing = false;
      }
      assert.equal(send(lba), '');
    }
    checkSession(bed);
  });

  it('a Q frame that is damaged says nothing', () => {
    const reader = new SubChannelReader();
    reader.take(0, bytesOf('410101000000000002002833'));
    assert.deepEqual(reader.tracks, []);
    reader.take(0, bytesOf('410101000000000002002832'));
    assert.equal(reader.tracks.length, 1);
  });

  it('the scrambler begins 01 80 00 60 00 28 00 1e 80 08 60 06 a8 02 fe 81', () => {
    const sector = new Uint8Array(2352);
    scramble(sector);
    const table = sector.subarray(12);
    assert.equal(
      Buffer.from(table.subarray(0, 16)).toString('hex'),
      '018000600028001e80086006a802fe81',
    );
    assert.equal(createHash('md5').update(table).digest('hex'), '85ce094360a1cd8918d0ba78bd5b2f90');
    sector.set([0x00 ^ 0x01, 0x02 ^ 0x80, 0x16 ^ 0x00], 12);
    assert.deepEqual([isScrambled(sector, 16), isScrambled(sector, 17)], [true, false]);
  });

  it('the CRC of Q is the inverted one', () => {
    assert.equal(~crc16(bytesOf('410101001325000015253996'), 0, 10) & 0xffff, 0x3996);
  });
});

/** Four packs as 96 symbols of six bits. */
function symbols(packs: Uint8Array): Uint8Array {
  const out = new Uint8Array(96);
  for (let i = 0; i < 24; i += 1) {
    const [a = 0, b = 0, c = 0] = packs.subarray(i * 3, i * 3 + 3);
    out.set([a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63], i * 4);
  }
  return out;
}

function pack(type: number, sequence: number, text: string): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes.set([type, 0, sequence, 0]);
  bytes.set(new TextEncoder().encode(text.padEnd(12, '\0')), 4);
  sealCrc(bytes, 0, 16);
  return bytes;
}

describe('CD-TEXT', () => {
  const packs = Buffer.concat([
    pack(0x80, 0, 'Title'),
    pack(0x81, 1, 'Performer'),
    pack(0x80, 2, 'Other'),
    pack(0x8f, 3, ''),
  ]);

  it('is collected once, however often the lead-in says it, and without what is damaged', () => {
    const reader = new CdTextReader();
    const bad = symbols(packs);
    bad[30] = (bad[30] as number) ^ 1;
    for (let i = 0; i < 5; i += 1) reader.take(symbols(packs));
    reader.take(bad);
    assert.equal(reader.text, packs.toString('hex'));
  });

  it('of a session at once is on the disc when it is closed (cdrskin)', () => {
    const { a, disc } = burner('cd-r');
    selectWrite(a, '420000');
    const out =
      '0231323334353637 0238393031323300 0100004100000000 0301555341424332 0301333030303031 0101000000000000 0101010000000200 01aa010100000400';
    assert.equal(a.run('5d 00 00 00 00 00 00 00 40 00', { out }).sense, '');
    for (let lba = LEAD_IN; lba < -150; lba += 341) {
      const blocks = Math.min(341, -150 - lba);
      const sectors = Buffer.concat(Array.from({ length: blocks }, () => symbols(packs)));
      const at = (lba >>> 0).toString(16);
      const cdb = `2a00${at}00${blocks.toString(16).padStart(4, '0')}00`;
      assert.equal(a.run(cdb, { out: sectors }).sense, '');
    }
    for (let lba = -150; lba < 150; lba += 50) {
      const at = (lba >>> 0).toString(16).padStart(8, '0');
      assert.equal(a.run(`2a00${at}00003200`, { out: new Uint8Array(50 * 2352) }).sense, '');
    }
    assert.equal(disc.status, 'complete');
    assert.equal(Buffer.from(disc.cdText ?? []).toString('hex'), packs.toString('hex'));
    assert.deepEqual([disc.catalog, disc.tracks[0]?.isrc], ['1234567890123', 'USABC2300001']);
  });
});
