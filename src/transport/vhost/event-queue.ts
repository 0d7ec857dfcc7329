/** Events of the SCSI host device, and the word that some were lost (virtio 1.2, 5.6.6.3). */
import { Segments } from '../../scsi/segments.ts';
import type { ChainReader } from './chain-reader.ts';
import { encodeLunField } from './lun-field.ts';
import { markSegments, type ResponseWriter } from './response.ts';
import { EVENT, EVENTS_MISSED, T_NO_EVENT } from './virtio-scsi.ts';
import { BROKEN, NOTHING, type Virtqueue } from './virtqueue.ts';

const EVENT_BYTES = EVENT.size;
const EVENT_AT = EVENT.at.event;
const LUN_AT = EVENT.at.lun;
const REASON_AT = EVENT.at.reason;

/** Nobody is told of an event that found no buffer, but the next buffer is: that something was missed. */
export class EventQueue {
  queue: Virtqueue | null = null;
  /** What was wrong with a buffer; the queue can be used no more. */
  reason = '';
  readonly #reader: ChainReader;
  readonly #writer: ResponseWriter;
  readonly #place = new Segments({ words: new Uint32Array(4 * EVENT_BYTES), address: 0 });
  #missed = false;

  constructor(reader: ChainReader, writer: ResponseWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Whether the driver has yet to be told that events were missed. */
  get missed(): boolean {
    return this.#missed;
  }

  /** The device was reset: the driver knows nothing and looks at everything. */
  reset(): void {
    this.queue = null;
    this.#missed = false;
  }

  /** Sends an event now, or remembers that one was missed. False when the queue broke. */
  send(event: number, lun: number, reason: number): boolean {
    const head = this.#takeBuffer();
    if (head === BROKEN) return false;
    if (head === NOTHING) this.#missed = true;
    else this.#put(head, event, lun, reason);
    return true;
  }

  /** Reports missed events if a buffer is there by now. Returns the events sent, or BROKEN. */
  catchUp(): number {
    if (!this.#missed) return 0;
    const head = this.#takeBuffer();
    if (head < 0) return head === BROKEN ? BROKEN : 0;
    this.#put(head, T_NO_EVENT, -1, 0);
    return 1;
  }

  #takeBuffer(): number {
    const { queue } = this;
    if (queue === null) return NOTHING;
    const head = queue.take();
    if (head === BROKEN) this.reason = queue.reason;
    if (head < 0) return head;
    this.#place.clear();
    if (queue.readableCount > 0 || queue.writableBytes < EVENT_BYTES) {
      this.reason = `event buffer with ${queue.readableCount} readable descriptors and ${queue.writableBytes} writable bytes; it is ${EVENT_BYTES} writable bytes`;
      return BROKEN;
    }
    if (this.#reader.read(queue, 0, EVENT_BYTES, this.#place, null, null)) return head;
    this.reason = this.#reader.reason;
    return BROKEN;
  }

  #put(head: number, event: number, lun: number, reason: number): void {
    const queue = this.queue as Virtqueue;
    const { view, bytes } = this.#writer;
    view.setUint32(EVENT_AT, (event | (this.#missed ? EVENTS_MISSED : 0)) >>> 0, true);
    if (lun < 0) bytes.fill(0, LUN_AT, LUN_AT + 8);
    else encodeLunField(bytes, LUN_AT, lun);
    view.setUint32(REASON_AT, reason, true);
    this.#missed = false;
    this.#writer.scatter(this.#place, EVENT_BYTES, EVENT_BYTES);
    markSegments(queue.log, this.#place);
    this.#place.clear();
    queue.push(head, EVENT_BYTES);
  }
}
