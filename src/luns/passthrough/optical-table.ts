/** What may go to an optical drive (peripheral device type 05h, MMC-6). Vendor commands, firmware and region changes may not. */
import { bits, field, u } from '../../scsi/cdb.ts';
import {
  type DataLength,
  dataIn,
  dataOut,
  fixedIn,
  HOUR_MS,
  lbaOf,
  MEDIUM_MS,
  MINUTE_MS,
  type PassedCommand,
  type PassedOptions,
  passed,
  refusedField,
  zero,
} from './filter.ts';
import { cueSheetList, modeSelectList, opticalFormatLength, opticalFormatList } from './lists.ts';
import { readCdLength, readCdMsfLength } from './read-cd.ts';

/** Write parameters and whatever else drives are set up with; vendor pages are not. */
const MODE_SELECT_PAGES = [0x01, 0x05, 0x08, 0x0d, 0x0e, 0x1a, 0x1d, 0x2a];
const mode = modeSelectList(MODE_SELECT_PAGES, [0, 2048]);

const LBA = u(2, 4);
const BLOCKS_2 = u(7, 2);
const BLOCKS_4 = u(6, 4);
const READ_CD_BLOCKS = u(6, 3);
const AL_7 = u(7, 2);
const AL_8 = u(8, 2);

const readLength =
  (blocks: typeof BLOCKS_2): DataLength =>
  (cdb, { blockBytes }) =>
    field(cdb, blocks) * blockBytes;

const writeLength =
  (blocks: typeof BLOCKS_2): DataLength =>
  (cdb, state) => {
    const count = field(cdb, blocks);
    const bytes = state.writeBytes(lbaOf(cdb, LBA), count);
    return bytes === 0 && count > 0 ? refusedField(blocks) : bytes;
  };

const reads = (blocks: typeof BLOCKS_2): PassedOptions => ({
  data: 'in',
  length: readLength(blocks),
  parts: { lba: LBA, blocks },
  timeoutMs: MEDIUM_MS,
  medium: true,
  reservation: 'reads',
});
const writes = (blocks: typeof BLOCKS_2): PassedOptions => ({
  data: 'out',
  length: writeLength(blocks),
  parts: { lba: LBA, blocks },
  timeoutMs: MEDIUM_MS,
  medium: true,
  burn: 'writes',
});
/** Of the medium, with an allocation length. */
const about = (allocation: typeof AL_7): PassedOptions => ({ ...dataIn(allocation), medium: true });
const play: PassedOptions = { medium: true, timeoutMs: MEDIUM_MS };

/** READ BUFFER: data, descriptor, echo buffer of the sheet's modes; the others are the vendor's and the firmware's. */
const BUFFER_MODES = { field: bits(1, 4, 0), values: [0, 2, 3] };

/** Header, and descriptors of the types that are let through. */
const PERFORMANCE_HEADER_BYTES = 8;
const PERFORMANCE_DESCRIPTOR_BYTES = 16;
const performanceLength: DataLength = (cdb) =>
  PERFORMANCE_HEADER_BYTES + field(cdb, AL_8) * PERFORMANCE_DESCRIPTOR_BYTES;

/** All but the one that changes the region, which a drive does five times in its life. */
const SEND_KEY_FORMATS = Array.from({ length: 64 }, (_, format) => format).filter((f) => f !== 6);

const BYTCHK = bits(1, 1, 1);
/** A full BLANK or FORMAT without IMMED. */
const ERASE_MS = 3 * HOUR_MS;
const CLOSE_MS = 20 * MINUTE_MS;

export const opticalTable: readonly PassedCommand[] = [
  passed(0x00, 'TEST UNIT READY', 6, 'SPC-4 6.47', { reservation: 'always', special: 'ready' }),
  passed(0x04, 'FORMAT UNIT', 6, 'MMC-6 6', {
    data: 'out',
    length: opticalFormatLength,
    list: opticalFormatList,
    timeoutMs: ERASE_MS,
    medium: true,
    burn: 'ends',
  }),
  passed(0x15, 'MODE SELECT(6)', 6, 'SPC-4 6.9', {
    ...dataOut(u(4, 1)),
    list: mode,
    burn: 'moves',
    special: 'mode-select',
  }),
  passed(0x1a, 'MODE SENSE(6)', 6, 'SPC-4 6.11', dataIn(u(4, 1))),
  passed(0x1b, 'START STOP UNIT', 6, 'MMC-6 6.49', {
    timeoutMs: 2 * MINUTE_MS,
    burn: 'moves',
    special: 'start-stop',
  }),
  passed(0x1e, 'PREVENT ALLOW MEDIUM REMOVAL', 6, 'MMC-6 6', {
    reservation: 'allowed',
    special: 'prevent',
  }),
  passed(0x23, 'READ FORMAT CAPACITIES', 10, 'MMC-6 6', dataIn(AL_7)),
  passed(0x25, 'READ CAPACITY(10)', 10, 'MMC-6 6', { ...fixedIn(8), medium: true }),
  passed(0x28, 'READ(10)', 10, 'MMC-6 6', reads(BLOCKS_2)),
  passed(0x2a, 'WRITE(10)', 10, 'MMC-6 6', writes(BLOCKS_2)),
  passed(0x2b, 'SEEK(10)', 10, 'MMC-6 6', { ...play, reservation: 'reads' }),
  passed(0x2e, 'WRITE AND VERIFY(10)', 10, 'MMC-6 6', {
    ...writes(BLOCKS_2),
    allowed: [zero(BYTCHK)],
  }),
  passed(0x2f, 'VERIFY(10)', 10, 'MMC-6 6', {
    ...play,
    reservation: 'reads',
    allowed: [zero(BYTCHK)],
  }),
  passed(0x35, 'SYNCHRONIZE CACHE(10)', 10, 'MMC-6 6', {
    timeoutMs: CLOSE_MS,
    medium: true,
    burn: 'settles',
  }),
  passed(0x3c, 'READ BUFFER', 10, 'SPC-4 6.18', { ...dataIn(u(6, 3)), allowed: [BUFFER_MODES] }),
  passed(0x42, 'READ SUB-CHANNEL', 10, 'MMC-6 6', about(AL_7)),
  passed(0x43, 'READ TOC/PMA/ATIP', 10, 'MMC-6 6', about(AL_7)),
  passed(0x44, 'READ HEADER', 10, 'MMC-6 6', about(AL_7)),
  passed(0x45, 'PLAY AUDIO(10)', 10, 'MMC-6 6', play),
  passed(0x46, 'GET CONFIGURATION', 10, 'MMC-6 6.6', {
    ...dataIn(AL_7),
    attention: 'ignore',
    reservation: 'always',
  }),
  passed(0x47, 'PLAY AUDIO MSF', 10, 'MMC-6 6', play),
  passed(0x48, 'PLAY AUDIO TRACK INDEX', 10, 'MMC-6 6', play),
  passed(0x4b, 'PAUSE/RESUME', 10, 'MMC-6 6', play),
  passed(0x4e, 'STOP PLAY/SCAN', 10, 'MMC-6 6', play),
  passed(0x51, 'READ DISC INFORMATION', 10, 'MMC-6 6', about(AL_7)),
  passed(0x52, 'READ TRACK INFORMATION', 10, 'MMC-6 6', about(AL_7)),
  passed(0x53, 'RESERVE TRACK', 10, 'MMC-6 6', {
    medium: true,
    burn: 'writes',
    timeoutMs: MEDIUM_MS,
  }),
  passed(0x54, 'SEND OPC INFORMATION', 10, 'MMC-6 6', {
    ...dataOut(AL_7),
    medium: true,
    burn: 'writes',
    timeoutMs: 2 * MINUTE_MS,
  }),
  passed(0x55, 'MODE SELECT(10)', 10, 'SPC-4 6.10', {
    ...dataOut(AL_7),
    list: mode,
    burn: 'moves',
    special: 'mode-select',
  }),
  passed(0x58, 'REPAIR TRACK', 10, 'MMC-6 6', {
    medium: true,
    burn: 'writes',
    timeoutMs: CLOSE_MS,
  }),
  passed(0x5a, 'MODE SENSE(10)', 10, 'SPC-4 6.12', dataIn(AL_7)),
  passed(0x5b, 'CLOSE TRACK/SESSION', 10, 'MMC-6 6', {
    medium: true,
    burn: 'ends',
    timeoutMs: CLOSE_MS,
  }),
  passed(0x5c, 'READ BUFFER CAPACITY', 10, 'MMC-6 6', about(AL_7)),
  passed(0x5d, 'SEND CUE SHEET', 10, 'MMC-6 6', {
    ...dataOut(u(6, 3)),
    list: cueSheetList,
    medium: true,
    burn: 'writes',
    special: 'cue-sheet',
  }),
  passed(0xa1, 'BLANK', 12, 'MMC-6 6', { medium: true, burn: 'ends', timeoutMs: ERASE_MS }),
  passed(0xa2, 'SEND EVENT', 12, 'MMC-6 6', dataOut(AL_8)),
  passed(0xa3, 'SEND KEY', 12, 'MMC-6 6', {
    ...dataOut(AL_8),
    allowed: [{ field: bits(10, 5, 0), values: SEND_KEY_FORMATS }, zero(bits(1, 4, 0))],
    special: 'key',
  }),
  passed(0xa4, 'REPORT KEY', 12, 'MMC-6 6', { ...dataIn(AL_8), special: 'key' }),
  passed(0xa5, 'PLAY AUDIO(12)', 12, 'MMC-6 6', play),
  passed(0xa6, 'LOAD/UNLOAD C/DVD', 12, 'MMC-6 6', {
    timeoutMs: 2 * MINUTE_MS,
    burn: 'moves',
    special: 'start-stop',
  }),
  passed(0xa7, 'SET READ AHEAD', 12, 'MMC-6 6', { medium: true }),
  passed(0xa8, 'READ(12)', 12, 'MMC-6 6', reads(BLOCKS_4)),
  passed(0xaa, 'WRITE(12)', 12, 'MMC-6 6', writes(BLOCKS_4)),
  passed(0xab, 'READ MEDIA SERIAL NUMBER', 12, 'MMC-6 6', {
    ...about(u(6, 4)),
    serviceAction: 0x01,
  }),
  passed(0xac, 'GET PERFORMANCE', 12, 'MMC-6 6', {
    data: 'in',
    length: performanceLength,
    allowed: [{ field: u(10, 1), values: [0x00, 0x03] }],
    reservation: 'reads',
  }),
  passed(0xad, 'READ DISC STRUCTURE', 12, 'MMC-6 6', about(AL_8)),
  passed(0xaf, 'VERIFY(12)', 12, 'MMC-6 6', {
    ...play,
    reservation: 'reads',
    allowed: [zero(BYTCHK)],
  }),
  passed(0xb6, 'SET STREAMING', 12, 'MMC-6 6', { ...dataOut(u(9, 2)), burn: 'moves' }),
  passed(0xb9, 'READ CD MSF', 12, 'MMC-6 6', {
    data: 'in',
    length: readCdMsfLength,
    timeoutMs: MEDIUM_MS,
    medium: true,
    reservation: 'reads',
  }),
  passed(0xba, 'SCAN', 12, 'MMC-6 6', play),
  passed(0xbb, 'SET CD SPEED', 12, 'MMC-6 6', { burn: 'moves' }),
  passed(0xbd, 'MECHANISM STATUS', 12, 'MMC-6 6', dataIn(AL_8)),
  passed(0xbe, 'READ CD', 12, 'MMC-6 6.16', {
    data: 'in',
    length: readCdLength,
    parts: { lba: LBA, blocks: READ_CD_BLOCKS },
    timeoutMs: MEDIUM_MS,
    medium: true,
    reservation: 'reads',
  }),
  passed(0xbf, 'SEND DISC STRUCTURE', 12, 'MMC-6 6', {
    ...dataOut(AL_8),
    medium: true,
    burn: 'writes',
  }),
];
