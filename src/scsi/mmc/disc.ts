/**
 * What a disc is to the commands: sessions, tracks, and where its sectors are kept (MMC-6 4.2 to 4.5). Block addresses are signed:
 * the pregap of a CD's first track begins at -150, its lead-in before that.
 */
import type { Profile } from './profile.ts';

/**
 * What the sectors of a run are on the disc.
 *   audio   2352 bytes of samples
 *   mode1   2048 bytes of user data; DVD and BD sectors are called so, too
 *   mode2   2336 bytes of user data, formless
 *   form1   mode 2 (XA) with 2048 bytes of user data
 *   form2   mode 2 (XA) with 2324 bytes of user data
 *   mixed   mode 2 (XA), the subheader of each sector says which form it has; never with `user` stored
 */
export type SectorForm = 'audio' | 'mode1' | 'mode2' | 'form1' | 'form2' | 'mixed';

/**
 * What of each sector the store keeps; the rest is made when it is asked for.
 *   user     2048 bytes of user data of `mode1` or `form1`
 *   form2    2324 bytes of user data of `form2`
 *   mode2    2336 bytes: everything behind the header of a mode 2 sector, which for XA begins with the subheader
 *   raw      all 2352 bytes; samples of audio little-endian, as READ CD returns them
 *   swapped  2352 bytes of audio with big-endian samples
 *   nothing  none: silence, or zeros
 */
export type StoredForm = 'user' | 'form2' | 'mode2' | 'raw' | 'swapped' | 'nothing';

export const STORED_BYTES: Readonly<Record<StoredForm, number>> = {
  user: 2048,
  form2: 2324,
  mode2: 2336,
  raw: 2352,
  swapped: 2352,
  nothing: 0,
};

/**
 * What the store keeps of the sub-channels of each sector.
 *   none         nothing: P and Q are made, R to W are zeros
 *   interleaved  96 bytes as READ CD returns them raw: bit 7 of each is P, bit 0 is W
 *   separate     96 bytes, 12 of P, 12 of Q and so on
 */
export type StoredSubChannel = 'none' | 'interleaved' | 'separate';
export const SUB_CHANNEL_BYTES = 96;

/** Sectors that follow each other on the disc, are of one form, and are kept in one way. */
export interface SectorRun {
  /** Address of the first one. */
  readonly first: number;
  readonly blocks: number;
  readonly form: SectorForm;
  readonly stored: StoredForm;
  /** Byte of the store where the first one begins; without meaning for `nothing`. */
  readonly position: number;
  /** Bytes from one sector to the next there. */
  readonly strideBytes: number;
  readonly subChannel: StoredSubChannel;
  /** Byte of the store where the sub-channels of the first one begin, and bytes from one sector to the next. */
  readonly subPosition: number;
  readonly subStrideBytes: number;
}

/** CONTROL nibble of sub-channel Q (MMC-6 4.2.3.3). */
export const CONTROL_PRE_EMPHASIS = 0x1;
export const CONTROL_COPY_PERMITTED = 0x2;
export const CONTROL_DATA = 0x4;
export const CONTROL_FOUR_CHANNELS = 0x8;

/**
 * Where a track is in its life: `complete`; `open`, it is being written or can be appended to; `reserved`, it has a size and
 * nothing or not all of it is written; `invisible`, the next one, which the first write makes.
 */
export type TrackState = 'complete' | 'open' | 'reserved' | 'invisible';

export interface Track {
  /** 1 to 99 on a CD. */
  readonly number: number;
  readonly session: number;
  readonly control: number;
  /** `mixed` for a CD-ROM XA track of both forms. */
  readonly form: SectorForm;
  /** First block of the pregap (index 0); `start` when there is none. The pregap of the first track of a session is not counted. */
  readonly pregap: number;
  /** First block (index 1). */
  readonly start: number;
  /** Block behind the last; of an open track: the end of the room it has. */
  readonly end: number;
  /** First blocks of the indexes 2, 3 ... */
  readonly indexes: readonly number[];
  /** International standard recording code, 12 characters, or null. */
  readonly isrc: string | null;
  readonly state: TrackState;
  /** Where the next write goes, or null: nothing can be written to it now. */
  readonly nextWritable: number | null;
  /** Last block that was written, or null when that is not known or nothing was. */
  readonly lastRecorded: number | null;
  /** Blocks of a fixed packet or of a write unit; 0: none or variable. */
  readonly packetBlocks: number;
  /** It was written in packets, or incrementally. */
  readonly packet: boolean;
  /** Writing it was interrupted. */
  readonly damaged: boolean;
  /** SCMS and the COPY bit: it is a second or higher generation copy. */
  readonly copy: boolean;
}

/** The track that block `lba` is in, its pregap included, or null. */
export function trackAt(tracks: readonly Track[], lba: number): Track | null {
  return tracks.findLast((track) => lba >= track.pregap && lba < track.end) ?? null;
}

/** It is made of samples. */
export function isAudio({ control }: Track): boolean {
  return (control & CONTROL_DATA) === 0;
}

/** What a session is made of: DISC TYPE (MMC-6 table 455). */
export const SESSION_CD_DA_OR_ROM = 0x00;
export const SESSION_CD_I = 0x10;
export const SESSION_XA = 0x20;

export interface Session {
  readonly number: number;
  readonly type: typeof SESSION_CD_DA_OR_ROM | typeof SESSION_CD_I | typeof SESSION_XA;
  readonly firstTrack: number;
  readonly lastTrack: number;
  /** First block of the lead-out, or null while it is open. */
  readonly leadOut: number | null;
}

/** Disc status (READ DISC INFORMATION, MMC-6 table 366). */
export type DiscStatus = 'blank' | 'appendable' | 'complete' | 'other';
/** State of the last session (table 367). */
export type SessionState = 'empty' | 'incomplete' | 'damaged' | 'complete';

/** A disc in a drive. */
export interface Disc {
  readonly profile: Profile;
  readonly status: DiscStatus;
  readonly lastSession: SessionState;
  readonly erasable: boolean;
  /** Ascending; an open session is the last. */
  readonly sessions: readonly Session[];
  /** Ascending; those that are open, reserved or invisible belong to the open session. */
  readonly tracks: readonly Track[];
  /** Media catalogue number, 13 digits, or null. */
  readonly catalog: string | null;
  /** CD-TEXT of the first session: packs of 18 bytes, or null. */
  readonly cdText: Uint8Array | null;
  /** Block behind the last that can be read: READ CAPACITY tells the one before. */
  readonly blocks: number;
  /** The sectors around `lba`, or null: nothing was written there. */
  runAt(lba: number): SectorRun | null;
  /** What is known of a disc that can be, or was, recorded; absent: it was pressed. */
  readonly recordable?: Recordable;
}

/** What a recordable disc says of itself, and the state of what is not in its tracks. */
export interface Recordable {
  /** Absolute time in pregroove of a CD; null: it is no CD. */
  readonly atip: Atip | null;
  /** Blocks of its user area, as formatted now. */
  readonly capacity: number;
  /** Current/Maximum Capacity Descriptor of READ FORMAT CAPACITIES. */
  readonly currentCapacity: CurrentCapacity;
  /** It is formatted, so that what is written may be written over. */
  readonly overwritable: boolean;
  /** What FORMAT UNIT can make of it; empty: nothing. */
  readonly formats: readonly FormattableCapacity[];
  /** Disc manufacturer identification: up to 6 characters on DVD-R, DVD-RW and BD, 8 on DVD+R and DVD+RW. */
  readonly manufacturer: string;
  /** Media type identification, up to 3 characters. */
  readonly mediaType: string;
  readonly layers: 1 | 2;
  /** Blocks of the first layer of two, once that is settled. */
  readonly layerBreak: number | null;
  readonly backgroundFormat: BackgroundFormat;
  /** Pseudo overwrite of a BD-R that was formatted for it. */
  readonly pow: PowResources | null;
  /** Spare blocks of a disc with defect management. */
  readonly spares: SpareBlocks | null;
  /** Tracks that it can have at all, and that can be appended to at a time. */
  readonly mostTracks: number;
  readonly mostOpenTracks: number;
}

/** Special information of the pregroove (READ TOC/PMA/ATIP format 0100b). Addresses are blocks. */
export interface Atip {
  readonly indicativeWritePower: number;
  readonly referenceSpeed: number;
  readonly unrestrictedUse: boolean;
  readonly subtype: number;
  /** Where the lead-in begins: it tells the manufacturer. */
  readonly leadIn: number;
  /** Last block where a lead-out may begin. */
  readonly lastLeadOut: number;
  /** Additional information 1 to 3: three bytes each, or null. */
  readonly additional: readonly [AtipBytes | null, AtipBytes | null, AtipBytes | null];
}
export type AtipBytes = readonly [number, number, number];

export interface CurrentCapacity {
  readonly blocks: number;
  readonly state: 'unformatted' | 'formatted' | 'unknown';
}

/** One Formattable Capacity Descriptor. */
export interface FormattableCapacity {
  readonly blocks: number;
  /** FORMAT TYPE, 6 bits. */
  readonly type: number;
  /** TYPE DEPENDENT PARAMETER. */
  readonly parameter: number;
}

/** BG FORMAT STATUS of READ DISC INFORMATION: none was begun, it was stopped, it is under way, it has ended. */
export type BackgroundFormat = 'none' | 'stopped' | 'running' | 'complete';

/** POW Resources Information (READ DISC INFORMATION data type 010b). */
export interface PowResources {
  readonly replacements: number;
  readonly mapEntries: number;
  readonly updates: number;
}

export interface SpareBlocks {
  readonly allocated: number;
  readonly free: number;
}

/** The plain data that a finished disc is made from: what an image file says. It can be sent between threads. */
export interface DiscLayout {
  readonly profile: Profile;
  readonly sessions: readonly Session[];
  readonly tracks: readonly Track[];
  readonly runs: readonly SectorRun[];
  readonly catalog: string | null;
  readonly cdText: Uint8Array | null;
}
