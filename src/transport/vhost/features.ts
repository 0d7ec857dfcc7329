/** What this back end offers: virtio and vhost feature bits, and vhost-user protocol feature bits (vhost-user, "Protocol features"). */
import { F_CHANGE, F_HOTPLUG, F_INOUT } from './virtio-scsi.ts';

const bit = (n: number): bigint => 1n << BigInt(n);

export const F_LOG_ALL: bigint = bit(26);
export const F_INDIRECT_DESC: bigint = bit(28);
export const F_EVENT_IDX: bigint = bit(29);
/** Acknowledged: rings wait for SET_VRING_ENABLE. */
export const F_PROTOCOL_FEATURES: bigint = bit(30);
const F_VERSION_1: bigint = bit(32);
/** T10_PI and packed rings are not offered. */
export const FEATURES: bigint =
  F_VERSION_1 |
  F_PROTOCOL_FEATURES |
  F_EVENT_IDX |
  F_INDIRECT_DESC |
  F_LOG_ALL |
  bit(F_INOUT) |
  bit(F_HOTPLUG) |
  bit(F_CHANGE);

const P_MQ = bit(0);
const P_LOG_SHMFD = bit(1);
export const P_REPLY_ACK: bigint = bit(3);
const P_INFLIGHT_SHMFD = bit(12);
const P_RESET_DEVICE = bit(13);
const P_CONFIGURE_MEM_SLOTS = bit(15);
const P_STATUS = bit(16);
export const PROTOCOL_FEATURES: bigint =
  P_MQ |
  P_LOG_SHMFD |
  P_REPLY_ACK |
  P_INFLIGHT_SHMFD |
  P_RESET_DEVICE |
  P_CONFIGURE_MEM_SLOTS |
  P_STATUS;
