/** What becomes of a command that a real device has ended, or that never got there: status and sense data. */
import {
  BUSY,
  CHECK_CONDITION,
  CONDITION_MET,
  GOOD,
  RESERVATION_CONFLICT,
  TASK_ABORTED,
  TASK_SET_FULL,
} from '../../scsi/sam.ts';
import { ABORTED_COMMAND, HARDWARE_ERROR, packSense } from '../../scsi/sense.ts';
import { INTERNAL_TARGET_FAILURE, INVALID_COMMAND_OPERATION_CODE } from '../../scsi/sense-codes.ts';
import type { DeviceReply } from './device.ts';

/** errno values of the call. */
const EPERM = 1;
const ENXIO = 6;
const EAGAIN = 11;
const ENOMEM = 12;
const EACCES = 13;
const EBUSY = 16;
const ENODEV = 19;
const ESHUTDOWN = 108;

/** host_status (DID_…). */
const NO_CONNECT = 0x01;
const BUS_BUSY = 0x02;
const TIME_OUT = 0x03;
const BAD_TARGET = 0x04;
const ABORT = 0x05;
const PARITY = 0x06;
const RESET = 0x08;
const SOFT_ERROR = 0x0b;
const IMM_RETRY = 0x0c;
const REQUEUE = 0x0d;

/** driver_status (DRIVER_…), without its suggestions. */
const DRIVER_CODE = 0x0f;
const DRIVER_BUSY = 0x01;
const DRIVER_TIMEOUT = 0x06;
const DRIVER_SENSE = 0x08;

const LOGICAL_UNIT_FAILURE = packSense(HARDWARE_ERROR, 0x3e, 0x01);
const COMMAND_TIMEOUT_DURING_PROCESSING = packSense(ABORTED_COMMAND, 0x2e, 0x02);
const IO_PROCESS_TERMINATED = packSense(ABORTED_COMMAND, 0x00, 0x06);
const SCSI_PARITY_ERROR = packSense(ABORTED_COMMAND, 0x47, 0x00);

export interface DeviceOutcome {
  readonly status: number;
  /** Packed; 0 without CHECK CONDITION. */
  readonly sense: number;
  /** What the device said, to be sent as it is; null: `sense` is ours. */
  readonly deviceSense: Uint8Array | null;
  /** The device is no longer there. */
  readonly gone: boolean;
}

const failed = (sense: number, gone = false): DeviceOutcome => ({
  status: CHECK_CONDITION,
  sense,
  deviceSense: null,
  gone,
});
const plain = (status: number): DeviceOutcome => ({
  status,
  sense: 0,
  deviceSense: null,
  gone: false,
});
/** The device is not there any more. */
export const GONE: DeviceOutcome = failed(LOGICAL_UNIT_FAILURE, true);

function ofErrno(errno: number): DeviceOutcome {
  switch (errno) {
    case EPERM:
    case EACCES:
      // The filter of the kernel, for daemons without CAP_SYS_RAWIO.
      return failed(INVALID_COMMAND_OPERATION_CODE);
    case ENXIO:
    case ENODEV:
    case ESHUTDOWN:
      return GONE;
    case EAGAIN:
    case ENOMEM:
    case EBUSY:
      return plain(BUSY);
    default:
      return failed(INTERNAL_TARGET_FAILURE);
  }
}

function ofHost(hostStatus: number): DeviceOutcome {
  switch (hostStatus) {
    case NO_CONNECT:
    case BAD_TARGET:
      return GONE;
    case BUS_BUSY:
    case SOFT_ERROR:
    case IMM_RETRY:
    case REQUEUE:
      return plain(BUSY);
    case TIME_OUT:
      return failed(COMMAND_TIMEOUT_DURING_PROCESSING);
    case ABORT:
    case RESET:
      return failed(IO_PROCESS_TERMINATED);
    case PARITY:
      return failed(SCSI_PARITY_ERROR);
    default:
      return failed(INTERNAL_TARGET_FAILURE);
  }
}

const DESCRIPTOR_FORMAT = 0x72;
const RESPONSE_CODE = 0x7f;

/** Sense key and codes of sense data in either format, or 0. */
export function packedSense(sense: Uint8Array): number {
  const [first = 0, second = 0, third = 0, fourth = 0] = sense;
  if ((first & RESPONSE_CODE) >= DESCRIPTOR_FORMAT) return packSense(second & 0x0f, third, fourth);
  return packSense(third & 0x0f, sense[12] ?? 0, sense[13] ?? 0);
}

/** Some bridges say CHECK CONDITION and nothing else: programs would try for ever. */
function isEmpty(sense: Uint8Array): boolean {
  return sense.every((byte) => byte === 0);
}

const PASSED_ON: readonly number[] = [
  GOOD,
  CONDITION_MET,
  BUSY,
  RESERVATION_CONFLICT,
  TASK_SET_FULL,
  TASK_ABORTED,
];

/** The call first, then the host, the driver, and only then what the device says. */
export function outcomeOf(reply: DeviceReply): DeviceOutcome {
  if (reply.errno !== 0) return ofErrno(reply.errno);
  if (reply.hostStatus !== 0) return ofHost(reply.hostStatus);
  const driver = reply.driverStatus & DRIVER_CODE;
  if (driver === DRIVER_TIMEOUT) return failed(COMMAND_TIMEOUT_DURING_PROCESSING);
  if (driver === DRIVER_BUSY) return plain(BUSY);
  if (driver !== 0 && driver !== DRIVER_SENSE) return failed(INTERNAL_TARGET_FAILURE);
  const { status, sense } = reply;
  if (status !== CHECK_CONDITION) return plain(PASSED_ON.includes(status) ? status : BUSY);
  if (isEmpty(sense)) return failed(INVALID_COMMAND_OPERATION_CODE);
  return { status, sense: packedSense(sense), deviceSense: sense.slice(), gone: false };
}
