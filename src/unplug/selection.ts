/** Which emulated devices an unplug mask takes away. CD drives and passed-through devices never go. */

/** Where an emulated device sits, as far as the masks tell devices apart; SATA counts as IDE. */
export const PLACES = [
  'ide-primary-master',
  'ide',
  'sata',
  'scsi',
  'nvme',
  'nic',
  'cd',
  'scsi-cd',
] as const;
export type Place = (typeof PLACES)[number];

export const MASK_DISKS = 0x0001;
export const MASK_NICS = 0x0002;
export const MASK_AUXILIARY_IDE = 0x0004;
export const MASK_NVME = 0x0008;
export const MASK_KNOWN: number = MASK_DISKS | MASK_NICS | MASK_AUXILIARY_IDE | MASK_NVME;

/**
 * `document`: as Xen's hvm-emulated-unplug document says. `qemu`: as current QEMU does, which removes all disks for the NVMe bit
 * alone too, and whole SCSI controllers with the CDs on them. `traditional`: the old device model, which knew no NVMe either.
 */
export type Dialect = 'document' | 'qemu' | 'traditional';

function isAuxiliary(place: Place): boolean {
  return place === 'ide' || place === 'sata';
}

function isDisk(place: Place): boolean {
  return isAuxiliary(place) || place === 'ide-primary-master' || place === 'scsi';
}

function takenByDocument(mask: number, place: Place): boolean {
  if (place === 'nic') return (mask & MASK_NICS) !== 0;
  if (place === 'nvme') return (mask & MASK_NVME) !== 0;
  if ((mask & MASK_DISKS) !== 0) return isDisk(place);
  return (mask & MASK_AUXILIARY_IDE) !== 0 && isAuxiliary(place);
}

function takenByQemu(mask: number, place: Place): boolean {
  const allDisks =
    (mask & MASK_DISKS) !== 0 || ((mask & MASK_NVME) !== 0 && (mask & MASK_AUXILIARY_IDE) === 0);
  if (allDisks && (isDisk(place) || place === 'scsi-cd')) return true;
  return takenByDocument(mask, place);
}

/** Whether a mask takes the device at `place` away. */
export function takes(mask: number, place: Place, dialect: Dialect = 'document'): boolean {
  return dialect === 'qemu' ? takenByQemu(mask, place) : takenByDocument(mask, place);
}
