/** Whole sectors out of every way in which one can be kept. */
import { strict as assert } from 'node:assert';
import { readFrame, readSubChannels } from '../../../../src/scsi/mmc/cd/sector-reader.ts';
import {
  type SectorForm,
  type SectorRun,
  STORED_BYTES,
  type StoredForm,
} from '../../../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import { type DataForm, makeFrame } from '../../../../src/scsi/mmc/sector/frame.ts';
import { interleave } from '../../../../src/scsi/mmc/sector/sub-channel.ts';
import { putPosition } from '../../../../src/scsi/mmc/sector/sub-channel-q.ts';
import { dataDisc, userRun } from '../../../support/optical.ts';

const LBA = 1234;
const DATA = Uint8Array.from({ length: 2336 }, (_, i) => (i * 7) & 0xff);
const whole = (form: DataForm): Uint8Array => makeFrame(LBA, form, DATA);
const empty = (form: DataForm): Uint8Array => makeFrame(LBA, form, new Uint8Array(2336));
const samples = Uint8Array.from({ length: 2352 }, (_, i) => i & 0xff);
const swapped = samples.map((_, i) => samples[i ^ 1] as number);

describe('a sector', () => {
  const rows: readonly (readonly [SectorForm, StoredForm, Uint8Array, SectorForm, Uint8Array])[] = [
    ['audio', 'raw', samples, 'audio', samples],
    ['audio', 'swapped', swapped, 'audio', samples],
    ['audio', 'nothing', samples, 'audio', new Uint8Array(2352)],
    ['mode1', 'user', DATA, 'mode1', whole('mode1')],
    ['mode1', 'raw', whole('mode1'), 'mode1', whole('mode1')],
    ['mode1', 'nothing', DATA, 'mode1', empty('mode1')],
    ['mode2', 'mode2', DATA, 'mode2', whole('mode2')],
    ['mode2', 'raw', whole('mode2'), 'mode2', whole('mode2')],
    ['mode2', 'nothing', DATA, 'mode2', empty('mode2')],
    ['form1', 'user', DATA, 'form1', whole('form1')],
    ['form1', 'mode2', whole('form1').subarray(16), 'form1', whole('form1')],
    ['form1', 'raw', whole('form1'), 'form1', whole('form1')],
    ['form1', 'nothing', DATA, 'form1', empty('form1')],
    ['form2', 'form2', DATA, 'form2', whole('form2')],
    ['form2', 'mode2', whole('form2').subarray(16), 'form2', whole('form2')],
    ['form2', 'raw', whole('form2'), 'form2', whole('form2')],
    ['form2', 'nothing', DATA, 'form2', empty('form2')],
    ['mixed', 'mode2', whole('form1').subarray(16), 'form1', whole('form1')],
    ['mixed', 'mode2', whole('form2').subarray(16), 'form2', whole('form2')],
    ['mixed', 'raw', whole('form1'), 'form1', whole('form1')],
    ['mixed', 'raw', whole('form2'), 'form2', whole('form2')],
    ['mixed', 'nothing', DATA, 'form2', empty('form2')],
  ];
  for (const [form, stored, kept, found, expected] of rows) {
    it(`of ${form} that is kept as ${stored} is ${found}`, () => {
      const run: SectorRun = {
        ...userRun(0, 2000),
        form,
        stored,
        strideBytes: STORED_BYTES[stored],
      };
      const store = new Uint8Array(3000).fill(0xee);
      store.set(kept.subarray(0, STORED_BYTES[stored]), 5);
      const frame = new Uint8Array(2352).fill(0x55);
      assert.equal(readFrame(run, LBA, store, 5, frame, true), found);
      assert.deepEqual(frame, expected);
    });
  }
});

describe('sub-channels of a sector', () => {
  const disc = new FinishedDisc(dataDisc(2000));
  const run = userRun(0, 2000);
  const channels = new Uint8Array(96);
  putPosition(channels, 12, { control: 4, track: 1, index: 1, relative: LBA, lba: LBA });
  const made = new Uint8Array(96);
  interleave(channels, 0, made, 0);
  const sub = (kept: Partial<SectorRun>, store: Uint8Array): Uint8Array => {
    const into = new Uint8Array(96).fill(0x55);
    readSubChannels(disc, { ...run, ...kept }, LBA, store, 3, into);
    return into;
  };
  const at3 = (bytes: Uint8Array): Uint8Array => Uint8Array.of(1, 2, 3, ...bytes);

  it('of which none are kept are P and Q', () => {
    assert.deepEqual(sub({ subChannel: 'none' }, new Uint8Array(0)), made);
  });

  it('that are kept are as they are', () => {
    const kept = Uint8Array.from({ length: 96 }, (_, i) => (i * 5 + 1) & 0xff);
    assert.deepEqual(sub({ subChannel: 'interleaved' }, at3(kept)), kept);
    const together = new Uint8Array(96);
    interleave(kept, 0, together, 0);
    assert.deepEqual(sub({ subChannel: 'separate' }, at3(kept)), together);
  });

  it('that are kept without Q have P and Q made, R to W stay', () => {
    for (const subChannel of ['interleaved', 'separate'] as const) {
      const kept = new Uint8Array(96);
      // The last bit of W is in the last byte either way.
      kept[95] = 0x01;
      const expected = made.slice();
      expected[95] = (expected[95] as number) | 0x01;
      assert.deepEqual(sub({ subChannel }, at3(kept)), expected);
    }
  });
});
