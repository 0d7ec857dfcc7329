/** What is burnt and read: images, files, sound and their descriptions, made anew for each run. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BLOCK = 2048;
const CD_SECTOR = 2352;
/** Six and five seconds of 75 sectors; a track has at least four. */
const T1_SECTORS = 450;
const T2_SECTORS = 375;
/** A DVD, by its size; a sparse file. */
const DVD_BYTES = 1024 ** 3;

/** Bytes without a pattern, the same for the same seed (xorshift32). */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

/** The 44 bytes in front of 16 bit stereo at 44.1 kHz (RIFF WAVE). */
function wave(samples: Buffer): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(44_100, 24);
  head.writeUInt32LE(176_400, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

const AUDIO_CUE = `CATALOG 1234567890123
TITLE "Two Noises"
PERFORMER "Xorshift"
FILE "t12.pcm" BINARY
  TRACK 01 AUDIO
    TITLE "First"
    ISRC USABC0300001
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE "Second"
    ISRC USABC0300002
    INDEX 01 00:06:00
`;

const MIXED_CUE = `FILE "a.iso" BINARY
  TRACK 01 MODE1/2048
    INDEX 01 00:00:00
FILE "t1.pcm" BINARY
  TRACK 02 AUDIO
    PREGAP 00:02:00
    INDEX 01 00:00:00
`;

/** cdrdao wants ISRC before CD_TEXT. */
const AUDIO_TOC = `CD_DA
CATALOG "1234567890123"
CD_TEXT {
  LANGUAGE_MAP { 0 : EN }
  LANGUAGE 0 { TITLE "Two Noises" PERFORMER "Xorshift" }
}
TRACK AUDIO
ISRC "USABC0300001"
CD_TEXT { LANGUAGE 0 { TITLE "First" PERFORMER "Xorshift" } }
FILE "/s/t1.wav" 0
TRACK AUDIO
ISRC "USABC0300002"
CD_TEXT { LANGUAGE 0 { TITLE "Second" PERFORMER "Xorshift" } }
FILE "/s/t2.wav" 0
`;

const MIXED_TOC = `CD_ROM
TRACK MODE1
DATAFILE "/s/a.iso"
TRACK AUDIO
PREGAP 0:2:0
FILE "/s/t1.wav" 0
`;

const DATA_TOC = `CD_ROM
TRACK MODE1
DATAFILE "/s/a.iso"
`;

/** Sony's description of CD-TEXT, which libburn reads. */
const TEXT_SHEET = `Input Sheet Version = 0.7T
Text Code = 8859
Language Code = English
Album Title = Two Noises
Artist Name = Xorshift
UPC / EAN = 1234567890123
ISRC 01 = USABC0300001
ISRC 02 = USABC0300002
Track 01 Title = First
Track 01 Artist = Xorshift
Track 02 Title = Second
Track 02 Artist = Xorshift
`;

const TEXTS = {
  'audio.cue': AUDIO_CUE,
  'mixed.cue': MIXED_CUE,
  'audio.toc': AUDIO_TOC,
  'mixed.toc': MIXED_TOC,
  'data.toc': DATA_TOC,
  v07t: TEXT_SHEET,
} as const;

/** Images that only the host has: they are put into drives. */
const HOST_ONLY = ['./dvd.iso', './audio.cue', './mixed.cue', './tar'];

function run(command: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

export class Sources {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ringscsi-optical-'));

  constructor() {
    process.on('exit', () => this.remove());
    this.#make();
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  #write(name: string, content: Buffer | string): void {
    writeFileSync(this.path(name), content);
  }

  #make(): void {
    // Neither is a whole number of the ECC blocks of any medium.
    this.#write('f0', noise(1, 1_050_000));
    this.#write('f1', noise(2, 1_030_000));
    const t1 = noise(3, T1_SECTORS * CD_SECTOR);
    const t2 = noise(4, T2_SECTORS * CD_SECTOR);
    this.#write('t1.pcm', t1);
    this.#write('t2.pcm', t2);
    this.#write('t12.pcm', Buffer.concat([t1, t2]));
    this.#write('t1.wav', wave(t1));
    this.#write('t2.wav', wave(t2));
    for (const [name, text] of Object.entries(TEXTS)) this.#write(name, text);
    this.#image('a', 'AAA', { f0: this.path('f0'), f1: this.path('f1') });
    this.#write('g', noise(5, 300_000));
    this.#image('b', 'BBB', { g: this.path('g') });
    copyFileSync(this.path('a.iso'), this.path('dvd.iso'));
    truncateSync(this.path('dvd.iso'), DVD_BYTES);
    // The root of each set of files, for md5sum -c.
    const sums = (names: readonly string[]): string =>
      names
        .map((name) => {
          const sum = createHash('md5').update(readFileSync(this.path(name)));
          return `${sum.digest('hex')}  ${name}\n`;
        })
        .join('');
    this.#write('a.iso.md5', sums(['f0', 'f1']));
    this.#write('b.iso.md5', sums(['g']));
    run('tar', [
      '-c',
      '-f',
      this.path('tar'),
      ...HOST_ONLY.map((name) => `--exclude=${name}`),
      '-C',
      this.directory,
      '.',
    ]);
  }

  /** An ISO image of these files, with a tail, so that its length divides by no ECC block's. */
  #image(name: string, volume: string, files: Readonly<Record<string, string>>): void {
    const image = this.path(`${name}.iso`);
    const maps = Object.entries(files).flatMap(([to, from]) => ['-map', from, `/${to}`]);
    const words = ['-outdev', `stdio:${image}`, '-volid', volume, ...maps, '-commit', '-end'];
    run('xorriso', words);
    appendFileSync(image, noise(6, 7 * BLOCK));
  }

  /** QEMU options for the disk that the guest unpacks. */
  disk(): string[] {
    const file = `if=none,id=sources,format=raw,read-only=on,file=${this.path('tar')}`;
    return ['-drive', file, '-device', 'virtio-blk-pci,drive=sources'];
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
