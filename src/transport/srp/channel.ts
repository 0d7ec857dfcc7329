/** What an SRP port asks of the thing that carries its IUs: a ring queue pair, or the loopback. Elements are PAPR CRQ elements. */
import type { GuestMemory } from '../memory.ts';

/** CRQ element, VALID field (LoPAR app. B). */
export const CRQ_FREE = 0x00;
export const CRQ_COMMAND = 0x80;
export const CRQ_INITIALIZATION = 0xc0;
export const CRQ_TRANSPORT_EVENT = 0xff;

/** FORMAT of CRQ_COMMAND elements. */
export const FORMAT_SRP = 0x01;
export const FORMAT_MAD = 0x02;
export const FORMAT_MESSAGE = 0x06;

/** FORMAT of CRQ_INITIALIZATION elements. */
export const INITIALIZE = 0x01;
export const INITIALIZATION_COMPLETE = 0x02;

/** FORMAT of CRQ_TRANSPORT_EVENT elements. */
export const PARTNER_FAILED = 0x01;
export const PARTNER_DEREGISTERED = 0x02;
export const PARTNER_MIGRATED = 0x06;

/** STATUS of CRQ_COMMAND elements. */
export const STATUS_SUCCESS = 0x00;
export const STATUS_ADAPTER_FAILED = 0x10;
export const STATUS_PING = 0xf5;
export const STATUS_PING_RESPONSE = 0xf6;

/** One CRQ element as taken out of a queue: a private copy, read once. */
export interface CrqElement {
  valid: number;
  format: number;
  /** Byte 2, reserved; some senders put the PING code here. */
  reserved: number;
  status: number;
  /** Seconds, advisory, 0 = none. */
  timeout: number;
  /** IU LENGTH in bytes. */
  length: number;
  /** Last 8 bytes: to the target the IU's offset in the first region, to the initiator the tag. */
  high: number;
  low: number;
}

/** One end's view of a queue pair. Both ends have the same shape. */
export interface Channel {
  /** The initiator's memory, as mapped by this end. */
  readonly memory: GuestMemory;
  /** Gives an element to the other end, at the latest with `flush`. False when its queue is full. */
  send(
    valid: number,
    format: number,
    status: number,
    timeout: number,
    length: number,
    high: number,
    low: number,
  ): boolean;
  /** Takes the next element of this end's queue into `element`. False when there is none. */
  take(element: CrqElement): boolean;
  /** Publishes what was sent, and rings the other end's doorbell if it asked to be rung. */
  flush(): void;
}
