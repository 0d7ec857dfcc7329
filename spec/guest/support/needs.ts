/** What the guest tests need from the machine they run on, and what to say when it is not there. */
import { missingCommands, type NeededCommand } from '../../../src/guest-image/commands.ts';

/** Tools that run here, and tools that are copied into the guest's image. */
const NEEDS: readonly NeededCommand[] = [
  { command: 'qemu-system-x86_64', from: 'qemu-system-x86' },
  { command: 'apt-get', from: 'apt' },
  { command: 'dpkg-deb', from: 'dpkg' },
  { command: 'ldd', from: 'libc-bin' },
  { command: 'tar', from: 'tar' },
  { command: 'fio', from: 'fio' },
  { command: 'iscsi-test-cu', from: 'libiscsi-bin' },
  { command: 'sg_inq', from: 'sg3-utils' },
  { command: 'sdparm', from: 'sdparm' },
  { command: 'lsscsi', from: 'lsscsi' },
  { command: 'dmsetup', from: 'dmsetup' },
  { command: 'mke2fs', from: 'e2fsprogs' },
  { command: 'iscsid', from: 'open-iscsi' },
  { command: 'xorriso', from: 'xorriso' },
  { command: 'eject', from: 'eject' },
];

/** What reads and burns discs in the guest. */
const OPTICAL_NEEDS: readonly NeededCommand[] = [
  { command: 'blkid', from: 'util-linux' },
  { command: 'cd-drive', from: 'libcdio-utils' },
  { command: 'cd-info', from: 'libcdio-utils' },
  { command: 'cd-paranoia', from: 'cd-paranoia' },
  { command: 'cdparanoia', from: 'cdparanoia' },
  { command: 'cdrdao', from: 'cdrdao' },
  { command: 'cdrskin', from: 'cdrskin' },
  { command: 'cdrwtool', from: 'udftools' },
  { command: 'dvd+rw-format', from: 'growisofs' },
  { command: 'dvd+rw-mediainfo', from: 'growisofs' },
  { command: 'genisoimage', from: 'genisoimage' },
  { command: 'growisofs', from: 'growisofs' },
  { command: 'isoinfo', from: 'genisoimage' },
  { command: 'mkudffs', from: 'udftools' },
  { command: 'wodim', from: 'wodim' },
];

/** What is missing, as text for people; null when nothing is. */
export function missingNeeds(): string | null {
  return missingCommands('Guest tests need', NEEDS);
}

/** The same of the tests with real burners' programs. */
export function missingOpticalNeeds(): string | null {
  return missingCommands('Optical guest tests need', [...NEEDS, ...OPTICAL_NEEDS]);
}
