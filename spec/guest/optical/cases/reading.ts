/** What is done with discs in a drive that only reads. */
import type { OpticalCase } from '../case.ts';
import { EVENTS } from '../checks.ts';

const NOT_IN_QEMU = "QEMU's drive has no tracks: it reads ISO images only";

/** INQUIRY, the kernel's words, and programs that do not touch the disc. */
const DRIVE: readonly OpticalCase[] = [
  {
    medium: 'cd-rom',
    tool: 'kernel',
    mode: 'attach',
    quick: true,
    steps: [
      { line: 'dmesg', says: /sr 0:0:0:0: \[sr0\] scsi3-mmc drive/ },
      { line: 'cat /proc/sys/dev/cdrom/info', says: /drive name:\s+sr0/ },
      { line: 'cat /sys/block/sr0/removable', says: /^1$/m },
      { line: 'cat /sys/block/sr0/events', says: /media_change eject_request/ },
      { line: '[ $(cat /sys/block/sr0/size) = $(($(stat -c %s $S/a.iso) / 512)) ]' },
      { line: 'lsscsi -g', says: /cd\/dvd/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'wodim',
    mode: 'prcap, toc',
    quick: true,
    steps: [
      { line: 'wodim dev=$D -prcap', says: /Does read|Vendor_info/ },
      { line: 'wodim dev=$D -toc', says: /first: 1 last 1/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'cdrskin',
    mode: 'minfo',
    quick: true,
    steps: [{ line: 'cdrskin dev=$D -minfo 2>&1', says: /Mounted media class:\s+CD/ }],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'xorriso',
    mode: 'toc, ls',
    quick: true,
    steps: [
      { line: 'xorriso -dev $D -toc -end 2>&1', says: /Volume id {4}: 'AAA'/ },
      { line: 'xorriso -indev $D -ls / -end 2>&1', says: /'f0'[\s\S]*'f1'/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'growisofs',
    mode: 'starts',
    quick: true,
    steps: [{ line: 'growisofs -version', says: /version 7/ }],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'cdrdao',
    mode: 'disk-info',
    quick: true,
    steps: [
      {
        line: 'cdrdao disk-info --device $D --driver generic-mmc 2>&1',
        says: /CD-R medium\s*: n\/a|That data below may not reflect|Sessions\s*: 1/,
      },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'cdparanoia',
    mode: 'finds no sound',
    quick: true,
    steps: [
      { line: 'refused timeout 60 cdparanoia -d $D -Q', says: /Unable to open disc|audio tracks/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'libcdio',
    mode: 'cd-info, cd-drive',
    quick: true,
    steps: [
      { line: 'cd-info -C $D --no-cddb 2>&1', says: /ISO 9660/ },
      { line: 'cd-drive $D 2>&1', says: /Can eject\s+: Yes/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'sg3-utils',
    mode: 'queries',
    quick: true,
    steps: [
      { line: 'sg_inq $D', says: /Peripheral device type: cd\/dvd/ },
      { line: 'sg_vpd -p di $D' },
      { line: 'sg_readcap $D', says: /Logical block length=2048/ },
      { line: 'sg_modes -a $D', says: /MM capabilities/ },
      { line: 'sg_get_config -c $D', says: /CD-ROM/ },
      { line: 'sg_turs $D' },
      { line: 'sg_requests $D' },
      { line: 'sg_prevent -a $D' },
      { line: 'sg_raw -r 36 $D 46 02 00 20 00 00 00 00 24 00 2>&1' },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'sg3-utils',
    mode: 'events',
    quick: true,
    steps: [EVENTS],
    leaves: { kind: 'looked at' },
  },
];

const CONTENTS: readonly OpticalCase[] = [
  {
    medium: 'cd-rom',
    tool: 'mount + dd + eject',
    mode: 'ISO image',
    quick: true,
    steps: [],
    leaves: { kind: 'image', image: 'a.iso', state: 'closed' },
  },
  {
    medium: 'cd-rom',
    tool: 'eject',
    mode: 'locked while mounted',
    quick: true,
    steps: [
      { line: 'mount -t iso9660 -o ro $D /m' },
      { line: 'sg_start --eject $D', exit: 5 },
      { line: '(cd /m && md5sum -c $S/a.iso.md5)' },
      { line: 'umount /m' },
      { line: 'eject $D' },
      { line: 'sg_turs $D', exit: 2 },
      { line: 'eject -t $D && sleep 1 && mounted iso9660 md5sum -c $S/a.iso.md5' },
      // An open that may wait pulls the tray in.
      { line: 'eject $D && mounted iso9660 md5sum -c $S/a.iso.md5' },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'cd-rom',
    tool: 'eject',
    mode: '-i on, -i off',
    quick: true,
    steps: [
      { line: 'eject -i on $D' },
      { line: 'sg_start --eject $D', exit: 5 },
      { line: 'eject -i off $D' },
      { line: 'sg_start --eject $D && sg_start --load $D' },
      { line: 'mounted iso9660 md5sum -c $S/a.iso.md5' },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'dvd-rom',
    tool: 'mount + dd + eject',
    mode: 'ISO image of 1 GiB',
    quick: true,
    steps: [
      { line: 'sg_get_config -b $D', says: /DVD-ROM/ },
      { line: 'dvd+rw-mediainfo $D', says: /Mounted Media:\s+10h/ },
    ],
    leaves: { kind: 'image', image: 'a.iso', state: 'closed' },
  },
  {
    medium: 'audio-cd',
    tool: 'cdparanoia + cdrdao',
    mode: 'CUE sheet',
    quick: true,
    notOnQemu: NOT_IN_QEMU,
    steps: [],
    leaves: { kind: 'audio', gaps: false, text: true, codes: true },
  },
  {
    medium: 'audio-cd',
    tool: 'cdrdao',
    mode: 'read-cd with sub-channels',
    notOnQemu: NOT_IN_QEMU,
    steps: [
      {
        line: 'rm -f /tmp/o.*; cdrdao read-cd --device $D --driver generic-mmc --read-subchan rw_raw --datafile /tmp/o.bin /tmp/o.toc',
      },
      { line: 'cat /tmp/o.toc', says: /TRACK AUDIO RW_RAW/ },
    ],
    leaves: { kind: 'looked at' },
  },
  {
    medium: 'mixed-cd',
    tool: 'mount + cdparanoia',
    mode: 'CUE sheet',
    quick: true,
    notOnQemu: NOT_IN_QEMU,
    steps: [],
    leaves: { kind: 'mixed', image: 'a.iso' },
  },
];

export const READING_CASES = [...DRIVE, ...CONTENTS];
