/** What may go to a tape drive (01h, SSC) and to a medium changer (08h, SMC). Firmware and vendor commands may not. */
import { bits, type CdbField, field, u } from '../../scsi/cdb.ts';
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
  refusedField,
  zero,
} from './filter.ts';
import { modeSelectList } from './lists.ts';

const COUNT_6: CdbField = u(2, 3);
const FIXED = bits(1, 0, 0);
/** With FIXED the length is in blocks, whose size the block descriptor of the mode parameters says. */
const transfer: DataLength = (cdb, { blockBytes }) => {
  const count = field(cdb, COUNT_6);
  if (field(cdb, FIXED) === 0) return count;
  return blockBytes === 0 ? refusedField(FIXED) : count * blockBytes;
};
const winds: PassedOptions = { timeoutMs: 5 * HOUR_MS, medium: true };
/** Read-write error recovery, disconnect-reconnect, compression, device configuration, partitions. */
const tapeMode = modeSelectList([0x01, 0x02, 0x0f, 0x10, 0x11], null);

/** Commands that every other device has, too. */
const primary: readonly PassedCommand[] = [
  passed(0x00, 'TEST UNIT READY', 6, 'SPC-4 6.47', { reservation: 'always', special: 'ready' }),
  passed(0x1a, 'MODE SENSE(6)', 6, 'SPC-4 6.11', dataIn(u(4, 1))),
  passed(0x1e, 'PREVENT ALLOW MEDIUM REMOVAL', 6, 'SPC-4', {
    reservation: 'allowed',
    special: 'prevent',
  }),
  passed(0x3c, 'READ BUFFER', 10, 'SPC-4 6.18', {
    ...dataIn(u(6, 3)),
    allowed: [{ field: bits(1, 4, 0), values: [0, 2, 3] }],
  }),
  passed(0x4d, 'LOG SENSE', 10, 'SPC-4 6.8', {
    ...dataIn(u(7, 2)),
    allowed: [zero(bits(1, 0, 0))],
  }),
  passed(0x5a, 'MODE SENSE(10)', 10, 'SPC-4 6.12', dataIn(u(7, 2))),
];

export const tapeTable: readonly PassedCommand[] = [
  ...primary,
  passed(0x01, 'REWIND', 6, 'SSC-4', { ...winds, reservation: 'writes' }),
  passed(0x05, 'READ BLOCK LIMITS', 6, 'SSC-4', { ...fixedIn(6), allowed: [zero(bits(1, 0, 0))] }),
  passed(0x08, 'READ(6)', 6, 'SSC-4', { data: 'in', length: transfer, ...winds }),
  passed(0x0a, 'WRITE(6)', 6, 'SSC-4', { data: 'out', length: transfer, ...winds }),
  passed(0x10, 'WRITE FILEMARKS(6)', 6, 'SSC-4', winds),
  passed(0x11, 'SPACE(6)', 6, 'SSC-4', winds),
  // BYTCMP compares with the data-out.
  passed(0x13, 'VERIFY(6)', 6, 'SSC-4', { ...winds, allowed: [zero(bits(1, 1, 1))] }),
  passed(0x15, 'MODE SELECT(6)', 6, 'SPC-4 6.9', {
    ...dataOut(u(4, 1)),
    list: tapeMode,
    special: 'mode-select',
  }),
  passed(0x19, 'ERASE(6)', 6, 'SSC-4', { timeoutMs: 24 * HOUR_MS, medium: true }),
  passed(0x1b, 'LOAD UNLOAD', 6, 'SSC-4', { timeoutMs: 30 * MINUTE_MS, special: 'start-stop' }),
  passed(0x2b, 'LOCATE(10)', 10, 'SSC-4', winds),
  passed(0x34, 'READ POSITION - SHORT FORM - BLOCK ID', 10, 'SSC-4', {
    ...fixedIn(20),
    serviceAction: 0x00,
  }),
  passed(0x34, 'READ POSITION - SHORT FORM - VENDOR SPECIFIC', 10, 'SSC-4', {
    ...fixedIn(20),
    serviceAction: 0x01,
  }),
  passed(0x34, 'READ POSITION - LONG FORM', 10, 'SSC-4', { ...fixedIn(32), serviceAction: 0x06 }),
  passed(0x34, 'READ POSITION - EXTENDED FORM', 10, 'SSC-4', {
    ...dataIn(u(7, 2)),
    serviceAction: 0x08,
  }),
  passed(0x44, 'REPORT DENSITY SUPPORT', 10, 'SSC-4', dataIn(u(7, 2))),
  passed(0x55, 'MODE SELECT(10)', 10, 'SPC-4 6.10', {
    ...dataOut(u(7, 2)),
    list: tapeMode,
    special: 'mode-select',
  }),
  passed(0x8c, 'READ ATTRIBUTE', 16, 'SPC-4', { ...dataIn(u(10, 4)), medium: true }),
  passed(0x91, 'SPACE(16)', 16, 'SSC-4', winds),
  passed(0x92, 'LOCATE(16)', 16, 'SSC-4', winds),
];

const carries: PassedOptions = { timeoutMs: 30 * MINUTE_MS };

export const changerTable: readonly PassedCommand[] = [
  ...primary,
  passed(0x07, 'INITIALIZE ELEMENT STATUS', 6, 'SMC-3', { timeoutMs: HOUR_MS }),
  passed(0x2b, 'POSITION TO ELEMENT', 10, 'SMC-3', carries),
  passed(0x37, 'INITIALIZE ELEMENT STATUS WITH RANGE', 10, 'SMC-3', { timeoutMs: HOUR_MS }),
  passed(0xa5, 'MOVE MEDIUM', 12, 'SMC-3', carries),
  passed(0xa6, 'EXCHANGE MEDIUM', 12, 'SMC-3', carries),
  passed(0xb5, 'REQUEST VOLUME ELEMENT ADDRESS', 12, 'SMC-3', dataIn(u(7, 3))),
  passed(0xb6, 'SEND VOLUME TAG', 12, 'SMC-3', dataOut(u(8, 2))),
  passed(0xb8, 'READ ELEMENT STATUS', 12, 'SMC-3', {
    ...dataIn(u(7, 3)),
    timeoutMs: 10 * MINUTE_MS,
  }),
];
