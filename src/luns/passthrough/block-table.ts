/** What may go to a disk (peripheral device type 00h, SBC-3). ATA commands in CDBs, firmware and vendor commands may not. */
import { bits, type CdbField, field, u, wide } from '../../scsi/cdb.ts';
import {
  type DataLength,
  dataIn,
  dataOut,
  fixedIn,
  HOUR_MS,
  MINUTE_MS,
  type PassedCommand,
  type PassedOptions,
  passed,
  zero,
} from './filter.ts';
import { modeSelectList } from './lists.ts';

const mode = modeSelectList([0x01, 0x08, 0x1a], [0, 512, 4096]);

const LBA_6 = wide(1, 3, 0x1f);
const BLOCKS_6 = u(4, 1);
const LBA_4 = u(2, 4);
const LBA_8 = u(2, 8);
const BLOCKS_10 = u(7, 2);
const BLOCKS_12 = u(6, 4);
const BLOCKS_16 = u(10, 4);
/** RDPROTECT, WRPROTECT, VRPROTECT: with another value eight bytes come with each block. */
const PROTECT = zero(bits(1, 7, 5));
const BYTCHK = bits(1, 2, 1);
const READ_MS = MINUTE_MS;

const blocksOf =
  (blocks: CdbField): DataLength =>
  (cdb, { blockBytes }) =>
    field(cdb, blocks) * blockBytes;
/** A TRANSFER LENGTH of zero in six bytes is 256. */
const blocksOf6: DataLength = (cdb, { blockBytes }) => (field(cdb, BLOCKS_6) || 256) * blockBytes;

const moves = (data: 'in' | 'out', lba: CdbField, blocks: CdbField): PassedOptions => ({
  data,
  length: blocksOf(blocks),
  parts: { lba, blocks },
  allowed: [PROTECT],
  timeoutMs: READ_MS,
  medium: true,
  reservation: data === 'in' ? 'reads' : 'writes',
});
/** BYTCHK = 01b compares with the data-out, and 11b with one block of it; without, nothing is moved. */
const verifies = (blocks: CdbField): PassedOptions => ({
  data: 'out',
  length: (cdb, { blockBytes }) => {
    const check = field(cdb, BYTCHK);
    if (check === 0) return 0;
    return (check === 3 ? 1 : field(cdb, blocks)) * blockBytes;
  },
  allowed: [PROTECT, { field: BYTCHK, values: [0, 1, 3] }],
  timeoutMs: READ_MS,
  medium: true,
  reservation: 'reads',
});
/** One block, or none with NDOB. */
const same = (ndob: CdbField | null): PassedOptions => ({
  data: 'out',
  length: (cdb, { blockBytes }) => (ndob !== null && field(cdb, ndob) === 1 ? 0 : blockBytes),
  allowed: [PROTECT],
  timeoutMs: HOUR_MS,
  medium: true,
});
const flushes: PassedOptions = { timeoutMs: 5 * MINUTE_MS, medium: true };

export const blockTable: readonly PassedCommand[] = [
  passed(0x00, 'TEST UNIT READY', 6, 'SPC-4 6.47', { reservation: 'always', special: 'ready' }),
  passed(0x04, 'FORMAT UNIT', 6, 'SBC-3 5.3', {
    // With FMTDATA the length of the list is in the list, and defects are told to the disk.
    allowed: [zero(bits(1, 7, 6)), zero(bits(1, 4, 4))],
    timeoutMs: 24 * HOUR_MS,
    medium: true,
  }),
  passed(0x08, 'READ(6)', 6, 'SBC-3 5.9', {
    ...moves('in', LBA_6, BLOCKS_6),
    allowed: [],
    length: blocksOf6,
  }),
  passed(0x0a, 'WRITE(6)', 6, 'SBC-3 5.31', {
    ...moves('out', LBA_6, BLOCKS_6),
    allowed: [],
    length: blocksOf6,
  }),
  passed(0x15, 'MODE SELECT(6)', 6, 'SPC-4 6.9', {
    ...dataOut(u(4, 1)),
    list: mode,
    special: 'mode-select',
  }),
  passed(0x1a, 'MODE SENSE(6)', 6, 'SPC-4 6.11', dataIn(u(4, 1))),
  passed(0x1b, 'START STOP UNIT', 6, 'SBC-3 5.25', {
    timeoutMs: 2 * MINUTE_MS,
    special: 'start-stop',
  }),
  passed(0x1e, 'PREVENT ALLOW MEDIUM REMOVAL', 6, 'SBC-3 5.13', {
    reservation: 'allowed',
    special: 'prevent',
  }),
  passed(0x23, 'READ FORMAT CAPACITIES', 10, 'MMC-6 6', dataIn(u(7, 2))),
  passed(0x25, 'READ CAPACITY(10)', 10, 'SBC-3 5.15', {
    ...fixedIn(8),
    medium: true,
    reservation: 'allowed',
  }),
  passed(0x28, 'READ(10)', 10, 'SBC-3 5.10', moves('in', LBA_4, BLOCKS_10)),
  passed(0x2a, 'WRITE(10)', 10, 'SBC-3 5.32', moves('out', LBA_4, BLOCKS_10)),
  passed(0x2e, 'WRITE AND VERIFY(10)', 10, 'SBC-3 5.36', moves('out', LBA_4, BLOCKS_10)),
  passed(0x2f, 'VERIFY(10)', 10, 'SBC-3 5.27', verifies(BLOCKS_10)),
  passed(0x35, 'SYNCHRONIZE CACHE(10)', 10, 'SBC-3 5.24', flushes),
  passed(0x37, 'READ DEFECT DATA(10)', 10, 'SBC-3 5.17', dataIn(u(7, 2))),
  passed(0x3c, 'READ BUFFER', 10, 'SPC-4 6.18', {
    ...dataIn(u(6, 3)),
    allowed: [{ field: bits(1, 4, 0), values: [0, 2, 3] }],
  }),
  passed(0x41, 'WRITE SAME(10)', 10, 'SBC-3 5.39', same(null)),
  passed(0x42, 'UNMAP', 10, 'SBC-3 5.26', {
    ...dataOut(u(7, 2)),
    timeoutMs: 10 * MINUTE_MS,
    medium: true,
  }),
  passed(0x4d, 'LOG SENSE', 10, 'SPC-4 6.8', {
    ...dataIn(u(7, 2)),
    // SP saves: a read must not write.
    allowed: [zero(bits(1, 0, 0))],
  }),
  passed(0x55, 'MODE SELECT(10)', 10, 'SPC-4 6.10', {
    ...dataOut(u(7, 2)),
    list: mode,
    special: 'mode-select',
  }),
  passed(0x5a, 'MODE SENSE(10)', 10, 'SPC-4 6.12', dataIn(u(7, 2))),
  passed(0x88, 'READ(16)', 16, 'SBC-3 5.12', moves('in', LBA_8, BLOCKS_16)),
  passed(0x8a, 'WRITE(16)', 16, 'SBC-3 5.34', moves('out', LBA_8, BLOCKS_16)),
  passed(0x8e, 'WRITE AND VERIFY(16)', 16, 'SBC-3 5.38', moves('out', LBA_8, BLOCKS_16)),
  passed(0x8f, 'VERIFY(16)', 16, 'SBC-3 5.29', verifies(BLOCKS_16)),
  passed(0x91, 'SYNCHRONIZE CACHE(16)', 16, 'SBC-3 5.24', flushes),
  passed(0x93, 'WRITE SAME(16)', 16, 'SBC-3 5.40', same(bits(1, 0, 0))),
  passed(0x9e, 'READ CAPACITY(16)', 16, 'SBC-3 5.16', {
    ...dataIn(BLOCKS_16),
    serviceAction: 0x10,
    medium: true,
    reservation: 'allowed',
  }),
  passed(0x9e, 'GET LBA STATUS(16)', 16, 'SBC-3 5.4', {
    ...dataIn(BLOCKS_16),
    serviceAction: 0x12,
    medium: true,
  }),
  passed(0xa8, 'READ(12)', 12, 'SBC-3 5.11', moves('in', LBA_4, BLOCKS_12)),
  passed(0xaa, 'WRITE(12)', 12, 'SBC-3 5.33', moves('out', LBA_4, BLOCKS_12)),
  passed(0xaf, 'VERIFY(12)', 12, 'SBC-3 5.28', verifies(BLOCKS_12)),
];
