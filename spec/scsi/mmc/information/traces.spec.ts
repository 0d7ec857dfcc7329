/** Answers on burnt discs beside those that the tools of Debian were given in the traces. */
import { strict as assert } from 'node:assert';
import type { Disc } from '../../../../src/scsi/mmc/disc.ts';
import { audioDisc, dataDisc, optical, track } from '../../../support/optical.ts';
import { blankCdR, blankDvdPlusR, invisibleTrack } from '../../../support/recordable.ts';
import { jsonVector } from '../../../support/vectors.ts';

const answers =
  jsonVector<Readonly<Record<string, Readonly<Record<string, string>>>>>('mmc/trace-answers.json');

const FINAL = { status: 'complete', lastSession: 'complete' } as const;
const AUDIO = audioDisc([0, 450], 825);
const DATA = dataDisc(1248);

/** A line for each disc of the traces. */
const DISCS: Readonly<Record<string, Disc>> = {
  'audio CD-R': {
    ...blankCdR(),
    ...FINAL,
    sessions: AUDIO.sessions,
    tracks: AUDIO.tracks,
    blocks: 825,
  },
  'data CD-R': {
    ...blankCdR(),
    ...FINAL,
    sessions: DATA.sessions,
    tracks: DATA.tracks,
    blocks: 1248,
  },
  'appendable DVD+R': {
    ...blankDvdPlusR(),
    status: 'appendable',
    sessions: [
      { number: 1, type: 0, firstTrack: 1, lastTrack: 1, leadOut: 528 },
      { number: 2, type: 0, firstTrack: 2, lastTrack: 2, leadOut: 3104 },
      { number: 3, type: 0, firstTrack: 3, lastTrack: 3, leadOut: null },
    ],
    tracks: [
      track(1, 0, 528, 'mode1'),
      { ...track(2, 2576, 3104, 'mode1'), session: 2 },
      invisibleTrack(3, 3, 5152, 2_295_104),
    ],
    blocks: 3104,
  },
};

/** Answers were recorded up to this length. */
const RECORDED_DIGITS = 96;

describe('answers on burnt discs', () => {
  for (const [name, asked] of Object.entries(answers)) {
    for (const [cdb, theirs] of Object.entries(asked)) {
      it(`${name}: ${cdb}`, () => {
        const disc = DISCS[name] ?? null;
        const { bed } = optical(DATA, new Uint8Array(0), { writes: true, disc });
        const { dataIn } = bed.nexus('a').clear().run(cdb, { in: 256 });
        assert.equal(Buffer.from(dataIn).toString('hex').slice(0, RECORDED_DIGITS), theirs);
      });
    }
  }
});
