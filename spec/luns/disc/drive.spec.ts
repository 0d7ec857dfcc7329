/** Images in a drive: what commands read of the files. */
import { strict as assert } from 'node:assert';
import { cueImage } from '../../../src/luns/disc/cue.ts';
import type { DiscImage } from '../../../src/luns/disc/disc-image.ts';
import { tocImage } from '../../../src/luns/disc/toc.ts';
import { makeFrame } from '../../../src/scsi/mmc/sector/frame.ts';
import { optical } from '../../support/optical.ts';
import { memoryFiles, wave } from './memory-source.ts';

const iso = Uint8Array.from({ length: 10 * 2048 }, (_, i) => (i >> 11) + 1);
/** Little-endian samples 0, 1, 2 ... */
const samples = new Uint8Array(new Uint16Array(10 * 1176).map((_, i) => i).buffer);
const bigEndian = samples.map((_, i) => samples[i ^ 1] as number);
const wav = wave(samples.length);
wav.set(samples, 44);

function drive(image: DiscImage, files: Readonly<Record<string, Uint8Array>>) {
  const bytes = Buffer.concat(image.files.map(({ path }) => files[path] ?? new Uint8Array(0)));
  return optical(image.layout, bytes).bed.nexus('a').clear();
}

describe('an image in a drive', () => {
  it('a TOC file: user data, big-endian samples and WAVE', () => {
    const files = { 'a.iso': iso, 'b.raw': bigEndian, 'c.wav': wav };
    const text = `CD_ROM TRACK MODE1 DATAFILE "a.iso" TRACK AUDIO PREGAP 0:0:2 FILE "b.raw" 0 TRACK AUDIO FILE "c.wav" 0`;
    const a = drive(tocImage(text, memoryFiles('a.toc', files)), files);
    const data = a.run('28 00 00 00 00 05 00 00 01 00', { in: 2048 });
    assert.deepEqual(data.dataIn, new Uint8Array(2048).fill(6));
    const raw = a.run('be 00 00 00 00 05 00 00 01 f8 00 00', { in: 2352 });
    assert.deepEqual(raw.dataIn, makeFrame(5, 'mode1', data.dataIn));
    const gap = a.run('be 04 00 00 00 0a 00 00 02 10 00 00', { in: 2 * 2352 });
    assert.deepEqual(gap.dataIn, new Uint8Array(2 * 2352));
    for (const start of [12, 22]) {
      const audio = a.run(
        `be 04 00 00 00 ${start.toString(16).padStart(2, '0')} 00 00 0a 10 00 00`,
        { in: 10 * 2352 },
      );
      assert.deepEqual(audio.dataIn, samples, `from ${start}`);
    }
  });

  it('a CUE sheet of raw sectors: READ takes the user data out', () => {
    const frames = Array.from({ length: 10 }, (_, i) =>
      makeFrame(i, 'mode1', iso.subarray(i * 2048, (i + 1) * 2048)),
    );
    const files = { 'a.bin': new Uint8Array(Buffer.concat([...frames, samples])) };
    const text =
      'FILE "a.bin" BINARY\nTRACK 01 MODE1/2352\nINDEX 01 0:0:0\nTRACK 02 AUDIO\nINDEX 01 0:0:10';
    const a = drive(cueImage(text, memoryFiles('a.cue', files)), files);
    assert.deepEqual(a.run('28 00 00 00 00 00 00 00 0a 00', { in: iso.length }).dataIn, iso);
    const audio = a.run('be 04 00 00 00 0a 00 00 0a 10 00 00', { in: samples.length });
    assert.deepEqual(audio.dataIn, samples);
    assert.equal(a.run('be 04 00 00 00 14 00 00 01 f8 00 00', { in: 2352 }).sense, '5/21/00');
  });
});
