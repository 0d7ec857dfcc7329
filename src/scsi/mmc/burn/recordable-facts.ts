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

/** Formats that FORMAT UNIT would take now. */
function formatsOf({ format, tracks }: DiscState, facts: MediumFacts): FormattableCapacity[] {
  const isFresh = format === null && tracks.length === 0;
  return facts.formats
    .filter(({ action }) => {
      if (action === 'grow') return format !== null;
      return action !== 'sequential' || isFresh;
    })
    .flatMap(({ blocks, type, parameter, action }: FormatFacts) =>
      blocks.map((most) => ({
        blocks: action === 'grow' ? most - (format?.blocks ?? 0) : most,
        type,
        parameter,
      })),
    );
}

/** Blocks of a BD that a format has set apart; none is ever in use: a store has no defects that it does not report. */
function sparesOf({ format }: DiscState, { family, blocks }: MediumFacts): SpareBlocks | null {
  if (family !== 'bd' || format === null) return null;
  const allocated = blocks - format.blocks;
  return { allocated, free: allocated };
}

/** Blocks are overwritten where they are: that takes neither a spare block nor an entry of the map. */
function powOf({ format, final }: DiscState, spares: SpareBlocks | null): PowResources | null {
  if (format?.pseudoOverwrite !== true || final) return null;
  return { replacements: spares?.free ?? 0, mapEntries: 0, updates: 0 };
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
    isOverwritable(state) || facts.overwrite === 'formatted' ? 1 : facts.mostTracks;
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
