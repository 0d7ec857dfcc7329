/** What a recordable disc says of itself: its pregroove, its capacity, formats, maker, spares and layers, as its state has them. */
import type {
  Atip,
  CurrentCapacity,
  FormattableCapacity,
  PowResources,
  Recordable,
  SpareBlocks,
} from '../disc.ts';
import { type DiscState, isOverwritable } from './disc-state.ts';
import { roomToAdd, roomToGrow } from './erasing.ts';
import { formattedSessions } from './formatted-sessions.ts';
import { type FormatFacts, factsOf, type MediumFacts } from './media.ts';

/** Who made every disc here, and of which type it is. */
const MANUFACTURER = 'RSCSI';
const MEDIA_TYPE = '001';

/** Of the CD-R and CD-RW that we make (MMC-6, READ TOC/PMA/ATIP format 4). */
const INDICATIVE_WRITE_POWER = 4;
const SUBTYPE = 1;
/** Speeds and powers of a CD-RW. */
const REWRITABLE_INFORMATION = [0x26, 0x5e, 0x50] as const;

function atipOf({ family, leadIn, blocks, erasable }: MediumFacts): Atip | null {
  if (family !== 'cd') return null;
  return {
    indicativeWritePower: INDICATIVE_WRITE_POWER,
    referenceSpeed: 0,
    unrestrictedUse: false,
    subtype: SUBTYPE,
    leadIn,
    lastLeadOut: blocks,
    additional: [erasable ? REWRITABLE_INFORMATION : null, null, null],
  };
}

/** Blocks of a medium without a format: of one that is of no use without, what it would have with the first that is offered. */
export function unformattedBlocks({ overwrite, formats, blocks }: MediumFacts): number {
  return overwrite === 'formatted' ? (formats[0]?.blocks[0] ?? blocks) : blocks;
}

/** Blocks that it has room for; restricted overwrite that grows has the whole disc. */
function capacityOf({ format }: DiscState, facts: MediumFacts): number {
  if (format === null) return unformattedBlocks(facts);
  return format.growing ? facts.blocks : format.blocks;
}

/** Sequential media are blank, so to say, until nothing can be written any more; while a format grows nobody knows. */
function currentCapacityOf(state: DiscState, blocks: number): CurrentCapacity {
  const { format, final, sessions } = state;
  if (isOverwritable(state)) return { blocks, state: format?.growing ? 'unknown' : 'formatted' };
  if (!final) return { blocks, state: 'unformatted' };
  return { blocks: sessions.at(-1)?.leadOut ?? 0, state: 'formatted' };
}

/** Blocks that a format is offered with now; empty: FORMAT UNIT would not take it. */
function blocksOffered(state: DiscState, { action, blocks }: FormatFacts): readonly number[] {
  const { format, tracks } = state;
  const some = (room: number): readonly number[] => (room > 0 ? [room] : []);
  switch (action) {
    case 'sequential':
      return format === null && tracks.length === 0 ? blocks : [];
    case 'grow':
      return format === null ? [] : blocks.map((most) => most - format.blocks);
    case 'session':
      return some(roomToGrow(state));
    case 'add':
    case 'border':
      return some(roomToAdd(state));
    default:
      return blocks;
  }
}

/** Formats that FORMAT UNIT would take now; what adds to a disc has its packets. */
function formatsOf(state: DiscState, facts: MediumFacts): FormattableCapacity[] {
  const adds = ['session', 'add', 'border'];
  const packet = facts.family === 'cd' ? state.format?.packetBlocks : undefined;
  return facts.formats.flatMap((each) =>
    blocksOffered(state, each).map((blocks) => ({
      blocks,
      type: each.type,
      parameter: adds.includes(each.action) ? (packet ?? each.parameter) : each.parameter,
    })),
  );
}

/** Blocks of a BD that a format has set apart; none is ever in use: a store has no defects that it does not report. */
function sparesOf({ format }: DiscState, { family, blocks }: MediumFacts): SpareBlocks | null {
  if (family !== 'bd' || format === null) return null;
  const allocated = blocks - format.blocks;
  return { allocated, free: allocated };
}

/** As many as the field can say. */
const ALL_THERE_CAN_BE = 0xffff_ffff;

/** Blocks are overwritten where they are: that takes neither a spare block nor an entry of the map, so there is no end to it. */
function powOf({ format, final }: DiscState, spares: SpareBlocks | null): PowResources | null {
  if (format?.pseudoOverwrite !== true || final) return null;
  return {
    replacements: spares?.free ?? 0,
    mapEntries: ALL_THERE_CAN_BE,
    updates: ALL_THERE_CAN_BE,
  };
}

/** The layers are parted where the host has said, or in the middle once something is recorded. */
function layerBreakOf({ layerBreak, tracks }: DiscState, facts: MediumFacts): number | null {
  if (facts.layers === 1 || layerBreak !== null || tracks.length === 0) return layerBreak;
  return facts.blocks / 2;
}

export function recordableFacts(state: DiscState): Recordable {
  const facts = factsOf(state.kind);
  const capacity = capacityOf(state, facts);
  const spares = sparesOf(state, facts);
  const mostTracks =
    isOverwritable(state) || facts.overwrite === 'formatted'
      ? Math.max(1, formattedSessions(state).length)
      : facts.mostTracks;
  return {
    atip: atipOf(facts),
    capacity,
    currentCapacity: currentCapacityOf(state, capacity),
    overwritable: isOverwritable(state),
    formats: formatsOf(state, facts),
    manufacturer: MANUFACTURER,
    mediaType: MEDIA_TYPE,
    layers: facts.layers,
    layerBreak: layerBreakOf(state, facts),
    backgroundFormat: state.format?.background ?? 'none',
    pow: powOf(state, spares),
    spares,
    mostTracks,
    // Every reserved track can be appended to.
    mostOpenTracks: mostTracks,
  };
}
