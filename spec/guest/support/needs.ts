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

/** What is missing, as text for people; null when nothing is. */
export function missingNeeds(): string | null {
  return missingCommands('Guest tests need', NEEDS);
}
