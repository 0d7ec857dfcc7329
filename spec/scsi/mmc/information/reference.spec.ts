/** Answers for blank media beside those of the research model, which every Debian burn tool accepted. */
import { strict as assert } from 'node:assert';
import { isMediumKind, MEDIUM_KINDS } from '../../../../src/scsi/mmc/burn/media.ts';
import { burner } from '../../../support/burner.ts';
import type { Testbed } from '../../../support/target.ts';
import { jsonVector } from '../../../support/vectors.ts';

type Answers = Readonly<Record<string, readonly [cdb: string, answer: string]>>;
const reference = jsonVector<Readonly<Record<string, Answers>>>('mmc/reference-responses.json');

/** Media of the reference; the model had no DVD-R of two layers. */
const MEDIA: readonly string[] = [
  'no-disc',
  ...MEDIUM_KINDS.filter((kind) => reference[kind] !== undefined),
];

/** Compared elsewhere: byte by byte they differ on purpose. */
const APART: readonly string[] = [
  'GET CONFIGURATION rt0',
  'GET CONFIGURATION rt1',
  'MODE SENSE(10) 05',
  'MODE SENSE(10) 3F',
  'GESN media',
];

/** What we answer instead, by medium (or `*`) and request. */
const INSTEAD: Readonly<Record<string, string>> = {
  // The most that any disc holds; the model has that of a DVD+R.
  'no-disc READ FORMAT CAPACITIES': '0000000800ba740003000800',
  // Nothing is formatted on a blank disc; the model forgot its capacity.
  'dvd+r-dl READ FORMAT CAPACITIES': '00000008003fb00001000800',
  // Nothing was recorded: there is no last recorded address, and no table of contents.
  'dvd+rw READ TRACK INFORMATION track 1':
    '00260101000441000000000000000000000000000000001000230540000000000000000000000000',
  'bd-re READ TRACK INFORMATION track 1':
    '00260101000441000000000000000000000000000000002000b47400000000000000000000000000',
  'dvd+rw READ TOC fmt0': 'CHECK 5/24/00',
  'bd-re READ TOC fmt0': 'CHECK 5/24/00',
  // Where its lead-in begins, as its pregroove says.
  'cd-rw READ DISC INFORMATION':
    '0020100101010120ff0000000000000000612217004f3b4800000000000000000000',
  // The model has one list for all discs; ours has what can be read.
  'cd-r READ DISC STRUCTURE fmt FF': 'CHECK 5/30/02',
  'cd-rw READ DISC STRUCTURE fmt FF': 'CHECK 5/30/02',
  'dvd-r READ DISC STRUCTURE fmt FF':
    '001e00000040080401400008044008040e40002c10400804c0400008ff400020',
  'dvd-rw READ DISC STRUCTURE fmt FF':
    '001e00000040080401400008044008040e40002c10400804c0400008ff400020',
  'dvd-ram READ DISC STRUCTURE fmt FF': '001a000000400804014000080440080409400008c0400008ff40001c',
  'dvd+r READ DISC STRUCTURE fmt FF': '001a000000400804014000080440080411400804c0400008ff40001c',
  'dvd+rw READ DISC STRUCTURE fmt FF': '001a000000400804014000080440080411400804c0400008ff40001c',
  'dvd+r-dl READ DISC STRUCTURE fmt FF':
    '001e0000004008040140000804400804114008042040000cc0400008ff400020',
  'bd-r READ DISC STRUCTURE fmt FF': '001200000040100409400008c0400008ff400014',
  'bd-re READ DISC STRUCTURE fmt FF': '001200000040100409400008c0400008ff400014',
};

const MOST_BYTES = 8192;

/** A burner with a disc of this kind in it, as it comes out of its box; else without one. */
function drive(medium: string): Testbed {
  const { bed, unit } = burner(isMediumKind(medium) ? medium : 'cd-r');
  if (!isMediumKind(medium)) unit.medium?.take();
  return bed;
}

function ask(bed: Testbed, cdb: string): string {
  const { sense, dataIn } = bed.nexus('b').clear().run(cdb, { in: MOST_BYTES });
  return sense === '' ? Buffer.from(dataIn).toString('hex') : `CHECK ${sense}`;
}

/** Feature code → version and flags, and data. */
function featuresIn(answer: string): Map<number, string> {
  const bytes = Buffer.from(answer, 'hex');
  const found = new Map<number, string>();
  for (let at = 8; at < bytes.length; at += 4 + (bytes[at + 3] as number)) {
    const end = at + 4 + (bytes[at + 3] as number);
    found.set(bytes.readUInt16BE(at), bytes.toString('hex', at + 2, end));
  }
  return found;
}

/** Features whose data we have otherwise: no profile 0016h; no RRM; dual layer DVD-R; another serial number. */
const OTHER_DATA = [0x0000, 0x0023, 0x002f, 0x0108];
/** Core: the model says DBE, and has device busy events. */
const CORE = 0x0001;
const THEIR_CORE = '0b080000000103000000';
const OUR_CORE = '0b080000000102000000';
/** Incremental streaming and track at once of a CD: the model says all 16 data block types, ours are those that can be written. */
const BLOCK_TYPES: readonly (readonly [code: number, theirs: RegExp, ours: string])[] = [
  [0x0021, /(?<=^0[cd]08)ffff/, '3f00'],
  [0x002d, /(?<=^0[89]044600)ffff$/, '3f01'],
];
/** Current with a DVD+R DL by the table of features, and not in the model (mmc sheet 2.3). */
const DCB_OF_DUAL_LAYER = 0x010a;
/** Current with a CD: the model plays no audio. */
const AUDIO_PLAY = 0x0103;

describe('answers for blank media', () => {
  for (const medium of MEDIA) {
    for (const [request, [cdb, theirs]] of Object.entries(reference[medium] ?? {})) {
      if (APART.includes(request)) continue;
      it(`${medium}: ${request}`, () => {
        assert.equal(ask(drive(medium), cdb), INSTEAD[`${medium} ${request}`] ?? theirs);
      });
    }

    it(`${medium}: the features of GET CONFIGURATION, and their state`, () => {
      const [cdb = '', answer = ''] = reference[medium]?.['GET CONFIGURATION rt0'] ?? [];
      const theirs = featuresIn(answer);
      const ours = featuresIn(ask(drive(medium), cdb));
      ours.delete(AUDIO_PLAY);
      assert.deepEqual([ours.get(CORE), theirs.get(CORE)], [OUR_CORE, THEIR_CORE]);
      ours.delete(CORE);
      theirs.delete(CORE);
      for (const code of OTHER_DATA) {
        assert.equal(ours.get(code)?.slice(0, 2), theirs.get(code)?.slice(0, 2), code.toString(16));
        ours.delete(code);
        theirs.delete(code);
      }
      for (const [code, all, written] of BLOCK_TYPES) {
        theirs.set(code, (theirs.get(code) ?? '').replace(all, written));
      }
      if (medium === 'dvd+r-dl') {
        theirs.set(DCB_OF_DUAL_LAYER, `01${theirs.get(DCB_OF_DUAL_LAYER)?.slice(2)}`);
      }
      assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(theirs));
    });

    it(`${medium}: the current features of GET CONFIGURATION`, () => {
      const [cdb = '', answer = ''] = reference[medium]?.['GET CONFIGURATION rt1'] ?? [];
      const ours = [...featuresIn(ask(drive(medium), cdb)).keys()];
      assert.deepEqual(
        ours.filter(
          (code) => code !== AUDIO_PLAY && !(medium === 'dvd+r-dl' && code === DCB_OF_DUAL_LAYER),
        ),
        [...featuresIn(answer).keys()],
      );
    });
  }

  it('MODE SENSE of all pages has those of the model but for 05h and 1Ch', () => {
    const [cdb = '', answer = ''] = reference['no-disc']?.['MODE SENSE(10) 3F'] ?? [];
    const pages = (data: string): Map<number, string> => {
      const bytes = Buffer.from(data, 'hex');
      const found = new Map<number, string>();
      for (let at = 8; at < bytes.length; at += 2 + (bytes[at + 1] as number)) {
        found.set(
          bytes[at] as number,
          bytes.toString('hex', at, at + 2 + (bytes[at + 1] as number)),
        );
      }
      return found;
    };
    const theirs = pages(answer);
    const ours = pages(ask(drive('no-disc'), cdb));
    theirs.delete(0x1c);
    for (const found of [ours, theirs]) found.delete(0x05);
    assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(theirs));
  });
});
