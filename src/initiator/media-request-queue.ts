/** Media requests of one connection (MAD MEDIA_REQUEST): one at a time, in order. */
import { Buffer } from 'node:buffer';
import { encodeLun } from '../scsi/lun.ts';
import type { MediaReply, MediaRequest } from '../scsi/media-request.ts';
import type { SrpInitiatorPort } from '../transport/srp/initiator-port.ts';
import {
  MAD_MEDIA_REQUEST,
  MAD_SUCCESS,
  MEDIA_REQUEST,
  MEDIA_REQUEST_VERSION,
  MEDIA_REQUESTS,
  readMediaReply,
} from '../transport/srp/mad-codec.ts';

export interface MediaRequestEntry {
  readonly lun: number;
  readonly request: MediaRequest;
  /** The target has no media requests, or the connection is over: null. */
  readonly done: (reply: MediaReply | null) => void;
}

export class MediaRequestQueue {
  readonly #port: () => SrpInitiatorPort | undefined;
  readonly #waiting: MediaRequestEntry[] = [];
  #sent: MediaRequestEntry | null = null;

  constructor(port: () => SrpInitiatorPort | undefined) {
    this.#port = port;
  }

  add(entry: MediaRequestEntry): void {
    this.#waiting.push(entry);
  }

  /** Sends what can be sent. */
  dispatch(): void {
    const entry = this.#waiting[0];
    const port = this.#port();
    if (entry === undefined || port === undefined) return;
    const answered = (status: number, payload: Buffer): void => {
      this.#sent = null;
      entry.done(status === MAD_SUCCESS ? readMediaReply(payload) : null);
    };
    if (!port.login.datagram(MAD_MEDIA_REQUEST, payloadOf(entry), answered)) return;
    this.#waiting.shift();
    this.#sent = entry;
  }

  /** The connection is over. */
  fail(): void {
    const sent = this.#sent;
    this.#sent = null;
    for (const entry of [...(sent === null ? [] : [sent]), ...this.#waiting.splice(0)]) {
      entry.done(null);
    }
  }
}

function payloadOf({ lun, request }: MediaRequestEntry): Buffer {
  const payload = Buffer.alloc(MEDIA_REQUEST.size);
  payload.writeUInt16BE(MEDIA_REQUEST_VERSION, MEDIA_REQUEST.at.version);
  payload[MEDIA_REQUEST.at.request] = MEDIA_REQUESTS.indexOf(request);
  encodeLun(payload, MEDIA_REQUEST.at.lun, lun, 'native');
  return payload;
}
