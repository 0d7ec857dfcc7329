/** Records and codes of the SCSI host device (virtio 1.2, 5.6.6): requests, responses, control requests and events, little-endian. */
import { record } from '../../record.ts';

/** What the configuration space says: QEMU makes it up, with these values. */
export const CDB_BYTES = 32;
export const SENSE_BYTES = 96;

/** Queues (5.6.2). */
export const CONTROL_QUEUE = 0;
export const EVENT_QUEUE = 1;
export const FIRST_REQUEST_QUEUE = 2;

/** Feature bits (5.6.3). */
export const F_INOUT = 0;
export const F_HOTPLUG = 1;
export const F_CHANGE = 2;

/** struct virtio_scsi_req_cmd, the part the device reads, before the data-out (5.6.6.1). */
export const REQUEST = record(51, {
  lun: ['bytes', 8],
  tagLow: 'u32le',
  tagHigh: 'u32le',
  attribute: 'u8',
  priority: 'u8',
  crn: 'u8',
  cdb: ['bytes', CDB_BYTES],
});

/** The part the device writes, before the data-in (5.6.6.1). */
export const RESPONSE = record(108, {
  senseLength: 'u32le',
  residual: 'u32le',
  statusQualifier: 'u16le',
  status: 'u8',
  response: 'u8',
  sense: ['bytes', SENSE_BYTES],
});

/** struct virtio_scsi_ctrl_tmf, the part the device reads (5.6.6.2); one response byte follows. */
export const TMF = record(24, {
  type: 'u32le',
  subtype: 'u32le',
  lun: ['bytes', 8],
  tagLow: 'u32le',
  tagHigh: 'u32le',
});

/** struct virtio_scsi_ctrl_an, the part the device reads (5.6.6.2). */
export const AN = record(16, {
  type: 'u32le',
  lun: ['bytes', 8],
  requested: 'u32le',
});

/** The part of virtio_scsi_ctrl_an that the device writes. */
export const AN_RESPONSE = record(5, { actual: 'u32le', response: 'u8' });

/** struct virtio_scsi_event (5.6.6.3). */
export const EVENT = record(16, {
  event: 'u32le',
  lun: ['bytes', 8],
  reason: 'u32le',
});

/** response of commands (5.6.6.1). */
export const S_OK = 0;
export const S_OVERRUN = 1;
export const S_ABORTED = 2;
export const S_BAD_TARGET = 3;
export const S_RESET = 4;
export const S_BUSY = 5;
export const S_FAILURE = 9;
/** response of task management functions (5.6.6.2). */
export const S_FUNCTION_COMPLETE = 0;
export const S_FUNCTION_SUCCEEDED = 10;
export const S_FUNCTION_REJECTED = 11;
export const S_INCORRECT_LUN = 12;

/** task_attr (5.6.6.1). */
export const ATTRIBUTE_SIMPLE = 0;
export const ATTRIBUTE_ORDERED = 1;
export const ATTRIBUTE_HEAD = 2;
export const ATTRIBUTE_ACA = 3;

/** type of a control request (5.6.6.2). */
export const T_TMF = 0;
export const T_AN_QUERY = 1;
export const T_AN_SUBSCRIBE = 2;

/** subtype of T_TMF. */
export const TMF_ABORT_TASK = 0;
export const TMF_ABORT_TASK_SET = 1;
export const TMF_CLEAR_ACA = 2;
export const TMF_CLEAR_TASK_SET = 3;
export const TMF_I_T_NEXUS_RESET = 4;
export const TMF_LOGICAL_UNIT_RESET = 5;
export const TMF_QUERY_TASK = 6;
export const TMF_QUERY_TASK_SET = 7;

/** event (5.6.6.3). */
export const EVENTS_MISSED = 0x8000_0000;
export const T_NO_EVENT = 0;
export const T_TRANSPORT_RESET = 1;
export const T_PARAM_CHANGE = 3;

/** reason of T_TRANSPORT_RESET. */
export const RESET_HARD = 0;
export const RESET_RESCAN = 1;
export const RESET_REMOVED = 2;
