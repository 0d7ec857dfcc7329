/** Profiles: which kind of disc is in a drive (MMC-6 5.4, table 101). */

export const NO_PROFILE = 0x0000;
export const CD_ROM = 0x0008;
export const CD_R = 0x0009;
export const CD_RW = 0x000a;
export const DVD_ROM = 0x0010;
export const DVD_R = 0x0011;
export const DVD_RAM = 0x0012;
export const DVD_RW_RESTRICTED_OVERWRITE = 0x0013;
export const DVD_RW_SEQUENTIAL = 0x0014;
export const DVD_R_DUAL_LAYER = 0x0015;
export const DVD_PLUS_RW = 0x001a;
export const DVD_PLUS_R = 0x001b;
export const DVD_PLUS_R_DUAL_LAYER = 0x002b;
export const BD_ROM = 0x0040;
export const BD_R = 0x0041;
export const BD_RE = 0x0043;

export type Profile =
  | typeof CD_ROM
  | typeof CD_R
  | typeof CD_RW
  | typeof DVD_ROM
  | typeof DVD_R
  | typeof DVD_RAM
  | typeof DVD_RW_RESTRICTED_OVERWRITE
  | typeof DVD_RW_SEQUENTIAL
  | typeof DVD_R_DUAL_LAYER
  | typeof DVD_PLUS_RW
  | typeof DVD_PLUS_R
  | typeof DVD_PLUS_R_DUAL_LAYER
  | typeof BD_ROM
  | typeof BD_R
  | typeof BD_RE;

export type DiscFamily = 'cd' | 'dvd' | 'bd';

export function familyOf(profile: Profile): DiscFamily {
  if (profile >= BD_ROM) return 'bd';
  return profile >= DVD_ROM ? 'dvd' : 'cd';
}

/** Blocks that are written and read in one piece: a DVD has ECC blocks of 16 sectors, a BD clusters of 32. */
export function blockingOf(profile: Profile): number {
  return { cd: 1, dvd: 16, bd: 32 }[familyOf(profile)];
}
