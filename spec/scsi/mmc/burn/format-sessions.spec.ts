/** FORMAT UNIT that adds to what is there (FORMAT TYPEs 11h, 12h and 14h), and READ FORMAT CAPACITIES, which offers what is taken. */
import { strict as assert } from 'node:assert';
import { decodeDiscState, encodeDiscState } from '../../../../src/scsi/mmc/burn/disc-state.ts';
import { MEDIUM_KINDS, type MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import { type BurnerBed, burner, selectWrite, writeBlocks } from '../../../support/burner.ts';
import type { TestNexus } from '../../../support/target.ts';

const hex = (value: number, bytes: number): string =>
  (value >>> 0).toString(16).padStart(bytes * 2, '0');

/** Sends a list of one descriptor, IMMED off; returns the sense. */
function formatUnit(a: TestNexus, type: number, blocks: number, parameter: number, flags = 0) {
  const out = `00${hex(flags, 1)}0008${hex(blocks, 4)}${hex(type << 2, 1)}${hex(parameter, 3)}`;
  return a.run('04 11 00 00 00 00', { out }).sense;
}

interface Offer {
  readonly blocks: number;
  readonly type: number;
  readonly parameter: number;
}

/** Formattable Capacity Descriptors of READ FORMAT CAPACITIES. */
function offersOf(a: TestNexus): Offer[] {
  const { dataIn } = a.run('23 00 00 00 00 00 00 01 00 00', { in: 256 });
  const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
  const offers: Offer[] = [];
  for (let at = 12; at < 4 + view.getUint8(3); at += 8) {
    const word = view.getUint32(at + 4);
    offers.push({ blocks: view.getUint32(at), type: word >>> 26, parameter: word & 0xff_ffff });
  }
  return offers;
}
const offerOf = (a: TestNexus, type: number): Offer | undefined =>
  offersOf(a).find((offer) => offer.type === type);

function readable(a: TestNexus, lba: number): string {
  return a.run(`2800${hex(lba, 4)}00000100`, { in: 2048 }).sense;
}
/** What READ TOC and READ DISC INFORMATION say: tracks and sessions, starts, and the lead-out. */
function toc(a: TestNexus): { tracks: number; sessions: number; starts: number[] } {
  const { dataIn } = a.run('43 00 00 00 00 00 00 01 00 00', { in: 256 });
  const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
  const starts: number[] = [];
  for (let at = 4; at < dataIn.length; at += 8) starts.push(view.getUint32(at + 4));
  const information = a.run('51 00 00 00 00 00 00 00 22 00', { in: 34 }).dataIn;
  return { tracks: dataIn[3] as number, sessions: information[4] as number, starts };
}
function survivesJournal({ disc }: BurnerBed): void {
  assert.deepEqual(decodeDiscState(encodeDiscState(disc.state)), disc.state);
}

/** Gap between the first and the second session, the later ones, packets, room. */
const MEDIA = {
  'cd-rw': { gaps: [11_400, 6_900], packet: 32, room: 359_847, first: 32 * 1000 },
  'dvd-rw': { gaps: [12_288, 12_288], packet: 16, room: 2_297_888, first: 16 * 1000 },
} as const;

for (const kind of ['cd-rw', 'dvd-rw'] as const) {
  const { gaps, packet, room, first } = MEDIA[kind];

  /** With one formatted session of `first` blocks. */
  const formatted = (): BurnerBed => {
    const bed = burner(kind);
    // Full formats of a DVD-RW have the blocks they are offered with; a quick one is as long as what was written.
    assert.equal(formatUnit(bed.a, 0x10, first, packet), '');
    assert.equal(bed.disc.blocks, first);
    return bed;
  };

  describe(`FORMAT UNIT of a ${kind} that is formatted`, () => {
    it('11h makes the last session longer and keeps what is there', () => {
      const bed = formatted();
      const { a, disc } = bed;
      assert.equal(writeBlocks(a, first - 16, 16), '');
      assert.equal(writeBlocks(a, first, 16), '5/21/00');
      assert.equal(formatUnit(a, 0x11, packet * 10, packet), '');
      assert.equal(disc.blocks, first + packet * 10);
      assert.equal(writeBlocks(a, first, packet * 10), '');
      assert.equal(writeBlocks(a, first + packet * 10, packet), '5/21/00');
      const { dataIn } = a.run(`2800${hex(first - 16, 4)}00000100`, { in: 2048 });
      assert.equal(dataIn[0], (first - 16 + 1) & 0xff);
      survivesJournal(bed);
    });

    it('11h takes whole packets, as many as are free', () => {
      const { a } = formatted();
      const free = room - first - ((room - first) % packet);
      assert.deepEqual(offerOf(a, 0x11), { blocks: free, type: 0x11, parameter: packet });
      for (const blocks of [0, 1, packet + 1, free + packet, 0xffff_ffff]) {
        assert.equal(formatUnit(a, 0x11, blocks, packet), '5/26/00', `${blocks}`);
      }
      assert.equal(formatUnit(a, 0x11, free, packet), '');
      assert.equal(offerOf(a, 0x11), undefined);
      assert.equal(formatUnit(a, 0x11, packet, packet), '5/26/00');
    });

    it('12h adds sessions, each behind a gap in which nothing can be read or written', () => {
      const bed = formatted();
      const { a, disc } = bed;
      const second = first + gaps[0];
      assert.equal(formatUnit(a, 0x12, packet * 4, packet), '');
      const third = second + packet * 4 + gaps[1];
      assert.equal(formatUnit(a, 0x12, packet * 2, packet), '');
      const end = third + packet * 2;
      assert.deepEqual(toc(a), { tracks: 3, sessions: 3, starts: [0, second, third, end] });
      assert.equal(disc.status, 'complete');
      for (const lba of [0, second, third]) {
        assert.equal(writeBlocks(a, lba, 16), '', `${lba}`);
        assert.equal(readable(a, lba), '', `${lba}`);
      }
      for (const lba of [first, second - 1, second + packet * 4, third - 1, end]) {
        assert.equal(writeBlocks(a, lba, 1), '5/21/00', `${lba}`);
        assert.equal(readable(a, lba), '5/21/00', `${lba}`);
      }
      // No write goes over the end of a session.
      assert.equal(writeBlocks(a, first - 1, 2), '5/21/00');
      // 11h is about the last of them.
      assert.equal(formatUnit(a, 0x11, packet, packet), '');
      assert.equal(disc.blocks, end + packet);
      survivesJournal(bed);
    });

    it('READ TRACK INFORMATION has a track in each session', () => {
      const { a } = formatted();
      formatUnit(a, 0x12, packet * 4, packet);
      for (const [number, start, size] of [
        [1, 0, first],
        [2, first + gaps[0], packet * 4],
      ] as const) {
        const { dataIn } = a.run([0x52, 1, 0, 0, 0, number, 0, 0, 36, 0], { in: 36 });
        const view = new DataView(dataIn.buffer, dataIn.byteOffset);
        const told = [view.getUint8(2), view.getUint8(3), view.getUint32(8), view.getUint32(24)];
        assert.deepEqual(told, [number, number, start, size]);
        // Packets of fixed size.
        assert.deepEqual([view.getUint8(6) & 0x30, view.getUint32(20)], [0x30, packet]);
      }
    });

    it('12h and 11h are 5/2c/00 on a disc that is not formatted', () => {
      const { a } = burner(kind);
      for (const type of [0x11, 0x12]) assert.equal(formatUnit(a, type, packet, packet), '5/2c/00');
    });
  });
}

describe('FORMAT UNIT of a CD-RW with XA in the write parameters', () => {
  it('makes sectors of mode 2 form 1, in sessions that are added, too', () => {
    const bed = burner('cd-rw');
    const { a } = bed;
    // As cdrwtool has it: fixed packets of 32, block type 10, session format 20h.
    assert.equal(selectWrite(a, '00270a', '000000200000000020000000'), '');
    assert.equal(formatUnit(a, 0x10, 3200, 32), '');
    assert.equal(formatUnit(a, 0x12, 64, 32), '');
    for (const lba of [0, 3200 + 11_400]) {
      assert.equal(writeBlocks(a, lba, 32), '');
      assert.equal(readable(a, lba), '');
      const { dataIn } = a.run(`be00${hex(lba, 4)}000001f80000`, { in: 2352 });
      // Mode, and the subheader of form 1.
      assert.equal(Buffer.from(dataIn.subarray(15, 24)).toString('hex'), '020000080000000800');
    }
    // READ TRACK INFORMATION: data mode 2; READ DISC INFORMATION: a disc of XA.
    const track = a.run('52 01 00 00 00 01 00 00 24 00', { in: 36 }).dataIn;
    assert.equal((track[6] as number) & 0x0f, 2);
    assert.equal(a.run('51 00 00 00 00 00 00 00 22 00', { in: 34 }).dataIn[8], 0x20);
    survivesJournal(bed);
  });
});

describe('FORMAT UNIT 14h of a DVD-RW', () => {
  const { first } = MEDIA['dvd-rw'];
  const second = first + 12_288;
  const CLOSE = '5b 00 02 00 00 00 00 00 00 00';

  function withBorder(blocks = 0): BurnerBed {
    const bed = burner('dvd-rw');
    assert.equal(formatUnit(bed.a, 0x10, first, 16), '');
    assert.equal(formatUnit(bed.a, 0x14, blocks, 16), '');
    return bed;
  }

  it('adds a border that what is written makes longer, until it is closed', () => {
    const bed = withBorder();
    const { a, disc } = bed;
    assert.deepEqual([disc.status, disc.lastSession], ['appendable', 'incomplete']);
    assert.equal(writeBlocks(a, second + 16, 16), '5/21/02');
    assert.equal(writeBlocks(a, first, 16), '5/21/00');
    assert.equal(writeBlocks(a, second, 32), '');
    assert.equal(writeBlocks(a, second + 16, 32), '');
    assert.equal(writeBlocks(a, 0, 16), '');
    survivesJournal(bed);
    // While it grows, nothing is added behind it.
    for (const type of [0x11, 0x12, 0x14]) assert.equal(formatUnit(a, type, 16, 16), '5/2c/00');
    assert.equal(a.run(CLOSE).sense, '');
    assert.equal(disc.status, 'complete');
    assert.deepEqual(toc(a), { tracks: 2, sessions: 2, starts: [0, second, second + 48] });
    // 13h lets the last border grow again.
    assert.equal(formatUnit(a, 0x13, 0, 16), '');
    assert.equal(writeBlocks(a, second + 48, 16), '');
    assert.equal(disc.blocks, second + 64);
  });

  it('has the blocks that were asked for from the beginning', () => {
    const { a } = withBorder(64);
    assert.equal(writeBlocks(a, second + 32, 32), '');
    assert.equal(readable(a, second), '');
  });

  it('a border that nothing was written to is none when it is closed', () => {
    const bed = withBorder();
    assert.equal(bed.a.run(CLOSE).sense, '');
    assert.deepEqual(toc(bed.a), { tracks: 1, sessions: 1, starts: [0, first] });
    survivesJournal(bed);
  });

  it('is for DVD-RW alone', () => {
    const { a } = burner('cd-rw');
    assert.equal(formatUnit(a, 0x10, 3200, 32), '');
    assert.equal(formatUnit(a, 0x14, 0, 32), '5/26/00');
  });
});

describe('READ FORMAT CAPACITIES', () => {
  const TRY_OUT = 0x04;
  const [CLOSE_TRACK, CLOSE_SESSION] = ['5b 00 01', '5b 00 02'].map(
    (head) => `${head}${' 00'.repeat(7)}`,
  );
  /** What a disc goes through before it is asked. */
  const STATES: Readonly<Record<string, (kind: MediumKind, a: TestNexus) => void>> = {
    blank: () => undefined,
    formatted: (_, a) => {
      const [offer] = offersOf(a);
      if (offer !== undefined) {
        assert.equal(formatUnit(a, offer.type, offer.blocks, offer.parameter), '');
      }
    },
    'formatted in part': (kind, a) => {
      if (kind === 'cd-rw' || kind === 'dvd-rw') {
        const { first, packet } = MEDIA[kind];
        assert.equal(formatUnit(a, 0x10, first, packet), '');
        assert.equal(formatUnit(a, 0x12, packet, packet), '');
      }
    },
    growing: (kind, a) => {
      if (kind === 'dvd-rw') assert.equal(formatUnit(a, 0x15, 0, 16), '');
    },
    written: (kind, a) => {
      if (!kind.startsWith('dvd+')) selectWrite(a, kind.startsWith('cd') ? '410408' : '60e508');
      writeBlocks(a, 0, 32);
      a.run(CLOSE_TRACK as string);
      a.run(CLOSE_SESSION as string);
    },
  };

  function refusesType(a: TestNexus, type: number): void {
    for (const blocks of [0, 32, 3200, 0xffff_ffff]) {
      for (const parameter of [0, 1, 16, 32, 2048]) {
        const sense = formatUnit(a, type, blocks, parameter, TRY_OUT);
        const what = `type ${type.toString(16)}, ${blocks} blocks, ${parameter}`;
        assert.match(sense, /^5\/(26\/00|2c\/00|30\/06)$/, what);
      }
    }
  }

  for (const kind of MEDIUM_KINDS) {
    for (const [name, prepare] of Object.entries(STATES)) {
      it(`offers what FORMAT UNIT takes of a ${kind}, ${name}, and nothing else`, () => {
        const { a } = burner(kind);
        prepare(kind, a);
        const offers = offersOf(a);
        for (const { type, blocks, parameter } of offers) {
          const sense = formatUnit(a, type, blocks, parameter, TRY_OUT);
          assert.equal(sense, '', `type ${type.toString(16)} of ${blocks} blocks`);
        }
        const offered = new Set(offers.map(({ type }) => type));
        const others = Array.from({ length: 64 }, (_, type) => type).filter(
          (type) => !offered.has(type),
        );
        for (const type of others) refusesType(a, type);
      });
    }
  }

  it('has the types of the facts of each medium that is new', () => {
    const types = (kind: MediumKind): number[] => offersOf(burner(kind).a).map(({ type }) => type);
    assert.deepEqual(Object.fromEntries(MEDIUM_KINDS.map((kind) => [kind, types(kind)])), {
      'cd-r': [],
      'cd-rw': [0x10],
      'dvd-r': [],
      'dvd-rw': [0x00, 0x10, 0x15],
      'dvd-r-dl': [],
      'dvd+r': [],
      'dvd+r-dl': [],
      'dvd+rw': [0x26],
      'dvd-ram': [0x00, 0x01],
      'bd-r': [0x00, 0x32],
      'bd-re': [0x00, 0x30, 0x30, 0x31],
    });
  });
});
