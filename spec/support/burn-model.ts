/**
 * A burner as the standard has it, seen from outside (facts: MMC-6 4.2 to 4.6, mmc sheet 3.1 and 4.6): what a command may change of what
 * READ DISC INFORMATION, READ TRACK INFORMATION, MODE SENSE and READ say. Nothing of it is the target's own code.
 */
import { strict as assert } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';

export interface TrackView {
  readonly number: number;
  readonly session: number;
  readonly damaged: boolean;
  readonly blank: boolean;
  readonly start: number;
  /** Next writable address; null: the track says that there is none. */
  readonly next: number | null;
  readonly size: number;
}

/** What a host can find out of the disc without reading it. */
export interface View {
  /** 0 blank, 1 appendable, 2 complete, 3 other. */
  readonly status: number;
  readonly lastSession: number;
  readonly erasable: boolean;
  /** Those that are closed. */
  readonly closedSessions: number;
  readonly tracks: readonly TrackView[];
  readonly profile: number;
  /** Write parameters mode page. */
  readonly page: string;
}

/** A command that has ended. */
export interface Sent {
  readonly by: number;
  readonly cdb: Uint8Array;
  /** Data-out; of WRITE every byte is the same. */
  readonly out: Uint8Array;
  /** Empty: GOOD. */
  readonly sense: string;
}

const OVERWRITABLE_PROFILES = new Set([0x12, 0x13, 0x1a, 0x43]);
const WRITES = new Set([0x2a, 0x2e, 0xaa]);
const BLANK = 0xa1;
const FORMAT_UNIT = 0x04;
const SYNCHRONIZE_CACHE = 0x35;
const CLOSE = 0x5b;
const START_STOP = 0x1b;
const LOAD_UNLOAD = 0xa6;
const RESERVE_TRACK = 0x53;
const SEND_CUE_SHEET = 0x5d;
/** Commands that others may not send while one burns. */
const CHANGES = new Set([
  ...WRITES,
  BLANK,
  FORMAT_UNIT,
  SYNCHRONIZE_CACHE,
  CLOSE,
  RESERVE_TRACK,
  SEND_CUE_SHEET,
  0x15,
  0x54,
  0x55,
  0x58,
  0xb6,
  0xbb,
  0xbf,
]);
/** Commands that tell of the disc, and change nothing of a burn. */
const HARMLESS = new Set([
  0x00, 0x03, 0x12, 0x23, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0x5c,
]);
const LOEJ = 0x02;
/** Of FORMAT UNIT: nothing is to be done. */
const TRY_OUT = 0x04;
const TEST_WRITE = 0x10;
const SESSION_AT_ONCE = 2;
const COMPLETE = 2;
const DAMAGED = 2;
/** Blocks of the largest write unit. */
const MOST_PADDING = 32;

const opcodeOf = ({ cdb }: Sent): number => cdb[0] as number;
const isGood = ({ sense }: Sent): boolean => sense === '';
const moves = ({ cdb }: Sent): boolean => ((cdb[4] as number) & LOEJ) !== 0;

/** WRITE TYPE of the write parameters. */
const typeOf = ({ page }: View): number => Number.parseInt(page.slice(4, 6), 16) & 15;

/** Blocks that tracks have up to where they go on; those of one that is closed are all there. */
function isRecorded({ tracks }: View, first: number, end: number): boolean {
  let at = first;
  for (const { start, size, next, blank } of tracks) {
    const last = next ?? start + size;
    if (!blank && at >= start && at < last) at = last;
  }
  return at >= end;
}

function wordAt(cdb: Uint8Array, at: number): number {
  return Buffer.from(cdb).readUInt32BE(at);
}

function lbaOf({ cdb }: Sent): number {
  return wordAt(cdb, 2) | 0;
}

function blocksOf({ cdb }: Sent): number {
  return cdb[0] === 0xaa ? wordAt(cdb, 6) : Buffer.from(cdb).readUInt16BE(7);
}

export class BurnModel {
  readonly kind: string;
  /** By block what is known of it: the byte it is full of, or null: it was written, and not as 2048 bytes of user data. */
  readonly content = new Map<number, number | null>();
  /** Blocks that were erased, and what they had. */
  readonly erased = new Map<number, number>();
  /** Who burns for certain; null: perhaps nobody. */
  owner: number | null = null;
  /** A session is being written at once, or may be: it makes sectors by itself, and an interruption damages it. */
  atOnce = false;

  constructor(kind: string) {
    this.kind = kind;
  }

  /** Blocks are overwritten where they are. */
  isOverwritable({ profile, status, tracks }: View): boolean {
    if (OVERWRITABLE_PROFILES.has(profile)) return true;
    // A CD-RW that is formatted: complete, in one track, and still to be written to.
    return this.kind === 'cd-rw' && status === COMPLETE && this.#formatted && tracks.length > 0;
  }

  #formatted = false;
  /** A session at once has sectors: it goes on as it was begun. */
  #begun = false;

  /** The host has ended the burn (`certainly`), or an initiator has gone, whose it may have been. */
  interrupted(certainly: boolean): void {
    this.owner = null;
    if (!certainly) return;
    this.atOnce = false;
    this.#begun = false;
  }

  /** Checks what a command has made of the disc, and learns of it. Throws AssertionError with the name of the rule. */
  look(before: View | null, sent: Sent, after: View | null): void {
    this.#checkOwner(sent, before);
    if (before !== null && after !== null) {
      if (isGood(sent)) this.#checkChange(before, sent, after);
      else this.#checkRefused(before, sent, after);
    }
    this.#learn(before, sent, after);
    // It was given up, and cannot go on.
    if (after?.lastSession === DAMAGED) this.#begun = false;
  }

  #checkOwner(sent: Sent, before: View | null): void {
    if (this.owner === null || this.owner === sent.by || !isGood(sent)) return;
    const opcode = opcodeOf(sent);
    if (before !== null && this.isOverwritable(before)) return;
    const isNothing = WRITES.has(opcode) && blocksOf(sent) === 0;
    assert.ok(!CHANGES.has(opcode) || isNothing, 'rule "owner": somebody else changes a burn');
    const isMove = opcode === START_STOP || opcode === LOAD_UNLOAD;
    assert.ok(!isMove || !moves(sent), 'rule "owner": somebody else moves a disc that is burnt');
  }

  #checkRefused(before: View, sent: Sent, after: View): void {
    const opcode = opcodeOf(sent);
    // A sector of another form is found when the track is open; a session at once ends damaged where it is given up.
    const mayOpen = WRITES.has(opcode) && /^(5\/64|3\/)/.test(sent.sense);
    if (mayOpen || this.atOnce) return;
    assert.deepEqual(after, before, 'rule "refused": it has changed the disc');
  }

  #checkChange(before: View, sent: Sent, after: View): void {
    const opcode = opcodeOf(sent);
    const erases = opcode === BLANK || opcode === FORMAT_UNIT;
    if (HARMLESS.has(opcode))
      assert.deepEqual(after, before, 'rule "harmless": it has changed the disc');
    if (opcode === BLANK)
      assert.ok(before.erasable, 'rule "erasable": a disc that is written once is blank');
    if (this.isOverwritable(before) || erases) return;
    assert.ok(
      before.status !== COMPLETE || after.status === COMPLETE,
      'rule "final": a disc that was complete is not',
    );
    this.#checkSessions(before, opcode, after);
    for (const track of before.tracks) this.#checkTrack(track, opcode, after);
    if (WRITES.has(opcode) && blocksOf(sent) > 0) this.#checkWrite(before, sent, after);
  }

  #checkSessions(before: View, opcode: number, after: View): void {
    const more = after.closedSessions - before.closedSessions;
    // Otherwise than by CLOSE a session ends that is written at once: with its last block on a CD, with the flush behind it elsewhere.
    const isCd = this.kind.startsWith('cd');
    const endsItself = isCd
      ? this.atOnce || this.#writesAtOnce(before)
      : typeOf(before) === SESSION_AT_ONCE;
    const closes =
      opcode === CLOSE ||
      (endsItself && (opcode === SYNCHRONIZE_CACHE || (isCd && WRITES.has(opcode))));
    assert.ok(more === 0 || (more === 1 && closes), 'rule "sessions": they have another number');
  }

  #checkTrack(track: TrackView, opcode: number, after: View): void {
    const now = after.tracks.find(({ number }) => number === track.number);
    // The track that is not there yet begins elsewhere when a session is closed.
    if (now === undefined || track.blank || now.blank) return;
    assert.equal(now.start, track.start, 'rule "start": a track begins elsewhere');
    if (track.next === null) return;
    assert.ok(now.next === null || now.next >= track.next, 'rule "next": it has gone back');
    const writes = WRITES.has(opcode) || opcode === SYNCHRONIZE_CACHE || opcode === CLOSE;
    const isMove = opcode === START_STOP || opcode === LOAD_UNLOAD;
    assert.ok(
      now.next === track.next || now.next === null || writes || isMove,
      'rule "next": it has moved without a write',
    );
  }

  /** Whether the write parameters ask for a test that this disc has. */
  #tests(view: View): boolean {
    const hasTests = /^(cd|dvd-r($|w|-dl))/.test(this.kind) && !this.isOverwritable(view);
    return hasTests && (Number.parseInt(view.page.slice(4, 6), 16) & TEST_WRITE) !== 0;
  }

  #checkWrite(before: View, sent: Sent, after: View): void {
    assert.ok(before.status !== COMPLETE, 'rule "final": a disc that is complete is written to');
    const [first, blocks] = [lbaOf(sent), blocksOf(sent)];
    if (this.#tests(before) && !this.#begun) {
      assert.deepEqual(after, before, 'rule "test": a test write has changed the disc');
      return;
    }
    if (this.atOnce || this.#writesAtOnce(before)) return;
    const track = before.tracks.find(({ next }) => next === first);
    if (track === undefined) {
      assert.ok(
        this.kind === 'bd-r' && isRecorded(before, first, first + blocks),
        'rule "where": it was not the next writable address',
      );
      return;
    }
    const now = after.tracks.find(({ number }) => number === track.number);
    const end = first + blocks;
    assert.ok(
      now?.next === end || (now?.next === null && end === track.start + track.size),
      `rule "next": it is ${now?.next} behind a write up to ${end}`,
    );
    for (let lba = first; lba < end; lba += 1) {
      assert.ok(!this.content.has(lba), `rule "once": block ${lba} is written again`);
    }
  }

  /** Raw, or by a cue sheet (CD). */
  #writesAtOnce(view: View): boolean {
    return this.kind.startsWith('cd') && typeOf(view) >= SESSION_AT_ONCE;
  }

  #learn(before: View | null, sent: Sent, after: View | null): void {
    const opcode = opcodeOf(sent);
    if (!isGood(sent)) {
      // A write that has failed may have written a part.
      if (WRITES.has(opcode) && sent.sense.startsWith('3/')) this.#wrote(sent, null);
      return;
    }
    if (before === null) return;
    if (WRITES.has(opcode) && blocksOf(sent) > 0) this.#learnWrite(before, sent);
    if (after !== null) this.#learnPadding(before, opcode, after);
    if (opcode === SEND_CUE_SHEET) this.#begins(sent.by, true);
    if (opcode === RESERVE_TRACK && !this.#tests(before)) this.owner = sent.by;
    if (opcode === BLANK || opcode === FORMAT_UNIT) this.#learnErased(before, sent, after);
    if (
      !HARMLESS.has(opcode) &&
      !WRITES.has(opcode) &&
      opcode !== RESERVE_TRACK &&
      opcode !== SEND_CUE_SHEET
    ) {
      if (this.owner === sent.by) this.owner = null;
    }
  }

  /** What a drive fills by itself: the last write unit of a track is zeros on DVDs and BDs. A session at once may have ended. */
  #learnPadding(before: View, opcode: number, after: View): void {
    if (opcode === CLOSE || after.closedSessions > before.closedSessions) {
      this.atOnce = false;
      this.#begun = false;
    }
    if ((opcode !== CLOSE && opcode !== SYNCHRONIZE_CACHE) || this.isOverwritable(before)) return;
    for (const { number, next, blank } of before.tracks) {
      const now = after.tracks.find((track) => track.number === number);
      if (next === null || blank || now === undefined || now.damaged) continue;
      // A reserved track may be large: of the zeros in it nothing is known.
      const end = Math.min(now.next ?? now.start + now.size, next + MOST_PADDING);
      for (let lba = next; lba < end; lba += 1) {
        this.content.set(lba, this.kind.startsWith('cd') ? null : 0);
      }
    }
  }

  #begins(by: number, atOnce: boolean): void {
    this.owner = by;
    this.atOnce ||= atOnce;
  }

  #learnWrite(before: View, sent: Sent): void {
    const overwrites = this.isOverwritable(before);
    if (this.#tests(before) && !this.#begun) {
      this.owner = null;
      return;
    }
    const atOnce = !overwrites && (this.#begun || this.#writesAtOnce(before));
    // A cue sheet that nothing was written by is void.
    if (!atOnce) this.atOnce = false;
    if (!overwrites) this.#begins(sent.by, atOnce);
    const isCd = this.kind.startsWith('cd') && !overwrites;
    const isUserData =
      !isCd || (sent.out.length === blocksOf(sent) * 2048 && before.page.slice(8, 10) === '08');
    this.#wrote(sent, isUserData && !atOnce ? (sent.out[0] as number) : null);
    this.#begun ||= atOnce;
    // Sectors that a session at once makes by itself are there as well; and it may have ended.
    if (atOnce) this.owner = null;
  }

  #wrote(sent: Sent, fill: number | null): void {
    for (let i = 0; i < blocksOf(sent); i += 1) {
      this.content.set(lbaOf(sent) + i, fill);
      this.erased.delete(lbaOf(sent) + i);
    }
  }

  /** Whatever of it has gone: what the disc says that it has not any more. */
  #learnErased(before: View, sent: Sent, after: View | null): void {
    const opcode = opcodeOf(sent);
    if (opcode === FORMAT_UNIT && ((sent.out[1] as number) & TRY_OUT) !== 0) return;
    this.owner = null;
    this.atOnce = false;
    this.#begun = false;
    if (opcode === FORMAT_UNIT)
      this.#formatted ||= this.kind === 'cd-rw' && after?.status === COMPLETE;
    const type = (sent.cdb[1] as number) & 7;
    if (opcode === BLANK && type <= 1) {
      this.#formatted = false;
      assert.equal(after?.status, 0, 'rule "blank": it is not blank');
      for (const [lba, fill] of this.content) if (fill !== null) this.erased.set(lba, fill);
      this.content.clear();
      return;
    }
    if (opcode === FORMAT_UNIT && before !== null && this.isOverwritable(after ?? before)) {
      // Some formats keep what is there, others give it up.
      for (const lba of this.content.keys()) this.content.set(lba, null);
    } else if (!isDeepStrictEqual(before, after)) {
      // A part of it was erased: the tracks that are left say which.
      this.content.clear();
    }
  }

  /** What READ(10) of one block may answer. */
  checkRead(view: View, lba: number, sense: string, data: Uint8Array): void {
    const known = this.content.get(lba);
    if (typeof known === 'number') {
      assert.equal(sense, '', `rule "content": block ${lba} cannot be read`);
      assert.ok(
        data.every((byte) => byte === known),
        `rule "content": block ${lba} has other data`,
      );
      return;
    }
    const old = this.erased.get(lba);
    if (old !== undefined && old !== 0 && sense === '' && known === undefined) {
      assert.ok(
        data.some((byte) => byte !== old),
        `rule "erased": block ${lba} has what was blanked`,
      );
    }
    const isNext = view.tracks.some(({ next }) => next === lba);
    if (isNext && !this.isOverwritable(view) && !this.atOnce) {
      assert.notEqual(sense, '', `rule "unwritten": block ${lba} is read before it is written`);
    }
  }
}
