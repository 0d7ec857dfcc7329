/** How long the blocks of a WRITE to a CD are: write parameters mode page and cue sheet, as they went to the drive (MMC-6 7.5.5, 6.33). */
import type { TransferState } from './filter.ts';

export const WRITE_PARAMETERS_PAGE = 0x05;
const WRITE_TYPE_AT = 2;
const DATA_BLOCK_TYPE_AT = 4;
const NIBBLE = 0x0f;
const SESSION_AT_ONCE = 2;
const RAW = 3;

const USER_BYTES = 2048;
/** By DATA BLOCK TYPE; 0: reserved, or the vendor's. */
const BLOCK_BYTES = [2352, 2368, 2448, 2448, 0, 0, 0, 0, 2048, 2336, 2048, 2056, 2324, 2332, 0, 0];

/** Low six bits of DATA FORM. */
const FORM_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 2352],
  [0x01, 0],
  [0x10, 2048],
  [0x11, 2352],
  [0x12, 2048],
  [0x13, 2352],
  [0x14, 0],
  [0x20, 2336],
  [0x21, 2352],
  [0x22, 2336],
  [0x23, 2352],
  [0x24, 0],
  [0x30, 2336],
  [0x31, 2352],
  [0x32, 2336],
  [0x33, 2352],
  [0x34, 0],
]);
const FORM = 0x3f;
const SUB_CHANNEL = 0xc0;
const SUB_CHANNEL_BYTES = 96;
const CUE_BYTES = 8;
/** ADR 1: a track or the lead-in. Others are catalogue numbers and ISRCs. */
const ADR_TRACK = 1;
/** MSF 00:00:00 is this far in front of LBA 0. */
const MSF_OFFSET = 150;

interface Stretch {
  /** Its first LBA. */
  readonly from: number;
  readonly bytes: number;
}

function bytesOfForm(form: number): number {
  const main = FORM_BYTES.get(form & FORM) ?? -1;
  return main < 0 || (form & SUB_CHANNEL) === 0 ? main : main + SUB_CHANNEL_BYTES;
}

/** The stretches of a cue sheet in ascending order; null: it has a form that is not known. */
function readCueSheet(list: Uint8Array): readonly Stretch[] | null {
  const stretches: Stretch[] = [];
  for (let at = 0; at + CUE_BYTES <= list.length; at += CUE_BYTES) {
    const [first = 0, track = 0, , form = 0, , minute = 0, second = 0, frame = 0] =
      list.subarray(at);
    if ((first & NIBBLE) !== ADR_TRACK) continue;
    const bytes = bytesOfForm(form);
    if (bytes < 0) return null;
    // The lead-in lies in front of everything; only CD-TEXT in it is written, by its sub-channel.
    const start = (minute * 60 + second) * 75 + frame - MSF_OFFSET;
    stretches.push({ from: track === 0 ? Number.NEGATIVE_INFINITY : start, bytes });
  }
  return stretches.sort((a, b) => a.from - b.from);
}

/** What was said to the drive about writing, for the length of the data of WRITE. */
export class WriteBlocks implements TransferState {
  /** Bytes of a block that READ moves, and WRITE on anything but a CD. */
  blockBytes: number;
  /** The medium is a CD: only there blocks have other sizes. */
  isCd = false;
  #writeType = 0;
  #dataBlockType = 8;
  #cues: readonly Stretch[] | null = null;

  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
  }

  /** Nothing can be read from the disc until the session is closed: it is written in one go. */
  get atOnce(): boolean {
    return this.#writeType === SESSION_AT_ONCE || this.#writeType === RAW;
  }

  /** The drive has taken a write parameters page. */
  setPage(page: Uint8Array): void {
    if (page.length <= DATA_BLOCK_TYPE_AT) return;
    this.#writeType = (page[WRITE_TYPE_AT] as number) & NIBBLE;
    this.#dataBlockType = (page[DATA_BLOCK_TYPE_AT] as number) & NIBBLE;
  }

  /** The drive has taken a cue sheet. */
  setCueSheet(list: Uint8Array): void {
    this.#cues = readCueSheet(list);
  }

  /** The session is closed, or the disc is another one. */
  forgetCueSheet(): void {
    this.#cues = null;
  }

  writeBytes(lba: number, blocks: number): number {
    if (!this.isCd) return blocks * (this.blockBytes || USER_BYTES);
    if (this.#writeType !== SESSION_AT_ONCE) {
      return blocks * (BLOCK_BYTES[this.#dataBlockType] as number);
    }
    const cues = this.#cues;
    if (cues === null) return 0;
    let sum = 0;
    for (let i = 0; i < cues.length && blocks > 0; i += 1) {
      const { from, bytes } = cues[i] as Stretch;
      const end = cues[i + 1]?.from ?? Number.POSITIVE_INFINITY;
      const first = Math.max(from, lba);
      const last = Math.min(end, lba + blocks);
      if (last > first) sum += (last - first) * bytes;
    }
    return sum;
  }
}
