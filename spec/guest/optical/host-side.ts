/** The disc as the host has it after a burn: what is in the file behind the burner, block by block against its source. */
import { verifyBurnt } from '../../../src/luns/disc/burn-export.ts';
import { isBlank, type OpticalCase } from './case.ts';
import { type Drive, OurDrive } from './drive.ts';
import type { Sources } from './sources.ts';

/** Why the disc does not begin with what was burnt; null: it does, or there is nothing on it to compare with. */
export function hostSide(drive: Drive, row: OpticalCase, sources: Sources): string | null {
  const { leaves, medium } = row;
  if (!(drive instanceof OurDrive) || !isBlank(medium)) return null;
  if (leaves.kind !== 'image' && leaves.kind !== 'mixed') return null;
  const { sectors, different, first } = verifyBurnt(drive.disc, sources.path(leaves.image));
  if (different === 0) return null;
  return `${different} of ${sectors} blocks are not those of ${leaves.image}, the first is ${first}`;
}
