/** What the table of contents of a disc has in it: entries as READ TOC/PMA/ATIP returns them. */
import type { Disc, Session, Track } from '../disc.ts';
import { familyOf } from '../profile.ts';
import { type Msf, msfOf } from '../sector/msf.ts';

/** ADR: sub-channel Q with a position, with what is beyond the table of contents. */
const ADR_POSITION = 1;
const ADR_MULTI_SESSION = 5;
/** POINT of the lead-out in a formatted table of contents. */
export const LEAD_OUT = 0xaa;
/** POINTs of the raw table of contents (MMC-6, ECMA-130 22.3.4). */
const FIRST_TRACK = 0xa0;
const LAST_TRACK = 0xa1;
const LEAD_OUT_START = 0xa2;
const NEXT_PROGRAM_AREA = 0xb0;
const FIRST_LEAD_IN = 0xc0;
/** Pointers in mode 5 that follow from C0h on, counted in B0h. */
const MODE_5_POINTERS = 2;
const FINAL = [0xff, 0xff, 0xff] as const;

const msfBytes = ({ minute, second, frame }: Msf): [number, number, number] => [
  minute,
  second,
  frame,
];
/** ADR and CONTROL. */
const adrControl = (adr: number, control: number): number => (adr << 4) | control;

/** Sessions that can be read: of a CD the closed ones, of others those that have something in them. */
export function readableSessions(disc: Disc): readonly Session[] {
  if (familyOf(disc.profile) === 'cd')
    return disc.sessions.filter(({ leadOut }) => leadOut !== null);
  return disc.sessions.filter(({ number, leadOut }) => {
    if (leadOut !== null) return true;
    return disc.tracks.some((track) => track.session === number && track.lastRecorded !== null);
  });
}

/** Sessions that are complete, or all that there is of another disc than a CD. */
export function completeSessions(disc: Disc): readonly Session[] {
  const closed = disc.sessions.filter(({ leadOut }) => leadOut !== null);
  return closed.length > 0 ? closed : readableSessions(disc);
}

export function tracksOf(disc: Disc, { number }: Session): readonly Track[] {
  return disc.tracks.filter(
    ({ session, state, lastRecorded }) =>
      session === number && (state === 'complete' || lastRecorded !== null),
  );
}

/** Where the lead-out of the last of `sessions` begins, or would. */
function endOf(sessions: readonly Session[], tracks: readonly Track[]): number {
  const leadOut = sessions.at(-1)?.leadOut ?? null;
  if (leadOut !== null) return leadOut;
  const last = tracks.at(-1);
  if (last === undefined) return 0;
  return last.state === 'complete' ? last.end : (last.lastRecorded ?? last.end - 1) + 1;
}

/** An entry of the formatted table of contents, 8 bytes. */
function entry(point: number, control: number, lba: number, asMsf: boolean): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, lba);
  const address = asMsf ? [0, ...msfBytes(msfOf(lba))] : [...new Uint8Array(view.buffer)];
  return [0, adrControl(ADR_POSITION, control), point, 0, ...address];
}

/** Formatted table of contents from track `first` on: first and last track number, entries. Null: there is no such track. */
export function formattedToc(disc: Disc, first: number, asMsf: boolean): number[] | null {
  const sessions = readableSessions(disc);
  const tracks = sessions.flatMap((session) => tracksOf(disc, session));
  const [head] = tracks;
  const last = tracks.at(-1);
  if (head === undefined || last === undefined) return null;
  if (first > last.number && first !== LEAD_OUT) return null;
  const entries = tracks
    .filter(({ number }) => number >= first)
    .flatMap(({ number, control, start }) => entry(number, control, start, asMsf));
  const end = entry(LEAD_OUT, last.control, endOf(sessions, tracks), asMsf);
  return [head.number, last.number, ...entries, ...end];
}

/** First and last complete session, and the first track of the last. Null: there is none. */
export function sessionInformation(disc: Disc, asMsf: boolean): number[] | null {
  const sessions = completeSessions(disc);
  const [first] = sessions;
  const last = sessions.at(-1);
  if (first === undefined || last === undefined) return null;
  const [track] = tracksOf(disc, last);
  if (track === undefined) return null;
  const { number, control, start } = track;
  return [first.number, last.number, ...entry(number, control, start, asMsf)];
}

/** An entry of sub-channel Q, 11 bytes: what MIN SEC FRAME ZERO PMIN PSEC PFRAME mean depends on POINT. */
function rawEntry(
  session: number,
  adr: number,
  control: number,
  point: number,
  time: readonly number[],
  zero: number,
  pointed: readonly number[],
): number[] {
  return [session, adrControl(adr, control), 0, point, ...time, zero, ...pointed];
}
const NO_TIME = [0, 0, 0] as const;

/** Where the program area behind a session can go on: it, and the pointers to all of them. */
function multiSessionEntries(disc: Disc, session: Session, control: number): number[] {
  const next = disc.sessions.find(({ number }) => number === session.number + 1);
  const start = disc.tracks.find((track) => track.session === next?.number)?.start ?? null;
  const { atip } = disc.recordable ?? { atip: null };
  const outermost = atip?.lastLeadOut ?? disc.sessions.at(-1)?.leadOut ?? 0;
  const leadIn = session.number === 1 && atip !== null ? atip.leadIn : null;
  const entries = rawEntry(
    session.number,
    ADR_MULTI_SESSION,
    control,
    NEXT_PROGRAM_AREA,
    start === null ? FINAL : msfBytes(msfOf(start)),
    leadIn === null ? 1 : MODE_5_POINTERS,
    msfBytes(msfOf(outermost)),
  );
  if (leadIn === null) return entries;
  return entries.concat(
    rawEntry(
      session.number,
      ADR_MULTI_SESSION,
      control,
      FIRST_LEAD_IN,
      NO_TIME,
      0,
      msfBytes(msfOf(leadIn)),
    ),
  );
}

/** Raw table of contents of the closed sessions of a CD from `from` on: first and last of them, entries. Null: there is none. */
export function fullToc(disc: Disc, from: number): number[] | null {
  const closed = disc.sessions.filter(({ leadOut }) => leadOut !== null);
  const [head] = closed;
  const tail = closed.at(-1);
  if (head === undefined || tail === undefined || from > tail.number) return null;
  const isMulti = disc.sessions.length > 1;
  const entries = closed
    .filter(({ number }) => number >= from)
    .flatMap((session) => {
      const { number, type, firstTrack, lastTrack, leadOut } = session;
      const tracks = tracksOf(disc, session);
      const control = tracks[0]?.control ?? 0;
      const point = (code: number, pointed: readonly number[], ctl = control): number[] =>
        rawEntry(number, ADR_POSITION, ctl, code, NO_TIME, 0, pointed);
      return [
        ...point(FIRST_TRACK, [firstTrack, type, 0]),
        ...point(LAST_TRACK, [lastTrack, 0, 0], tracks.at(-1)?.control ?? control),
        ...point(LEAD_OUT_START, msfBytes(msfOf(leadOut ?? 0)), tracks.at(-1)?.control ?? control),
        ...tracks.flatMap((track) =>
          point(track.number, msfBytes(msfOf(track.start)), track.control),
        ),
        ...(isMulti ? multiSessionEntries(disc, session, control) : []),
      ];
    });
  return [head.number, tail.number, ...entries];
}

/** Program memory area: a track, where it ends and where it begins. A pressed disc has none. */
export function programMemoryArea(disc: Disc): number[] {
  if (disc.recordable === undefined) return [0, 0];
  const written = disc.tracks.filter(({ state }) => state === 'complete' || state === 'reserved');
  const entries = written.flatMap(({ session, control, number, start, end }) =>
    rawEntry(
      session,
      ADR_POSITION,
      control,
      number,
      msfBytes(msfOf(end)),
      0,
      msfBytes(msfOf(start)),
    ),
  );
  return [0, 0, ...entries];
}

const ATIP_VALID = 0x80;
const UNRESTRICTED = 0x40;
const ERASABLE = 0x40;
/** Special information of the pregroove; null: the disc has none. */
export function atipDescriptor({ recordable, erasable }: Disc): number[] | null {
  const { atip } = recordable ?? { atip: null };
  if (atip === null) return null;
  const { indicativeWritePower, referenceSpeed, additional } = atip;
  const valid = additional.reduce((bits, bytes) => (bits << 1) | (bytes === null ? 0 : 1), 0);
  return [
    0,
    0,
    ATIP_VALID | (indicativeWritePower << 4) | referenceSpeed,
    atip.unrestrictedUse ? UNRESTRICTED : 0,
    ATIP_VALID | (erasable ? ERASABLE : 0) | (atip.subtype << 3) | valid,
    0,
    ...msfBytes(msfOf(atip.leadIn)),
    0,
    ...msfBytes(msfOf(atip.lastLeadOut)),
    0,
    ...additional.flatMap((bytes) => [...(bytes ?? NO_TIME), 0]),
  ];
}
