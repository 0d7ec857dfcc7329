/**
 * How much a guest may log: 131 072 bytes at once, then 256 bytes a second. Who logs more is held up, nothing is dropped. As in
 * Xen's traditional device model the bucket is only refilled when it is short, so that time without a line counts.
 */
const BUCKET_BYTES = 131_072;
const BYTES_PER_SECOND = 256;

export class LogThrottle {
  #bytes = BUCKET_BYTES;
  #filledAtMs: number;

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs;
  }

  /** Takes the bytes of a line; returns for how many milliseconds the guest has to wait for them. */
  take(bytes: number, nowMs: number): number {
    if (bytes > this.#bytes) this.#fill(nowMs);
    const missing = bytes - this.#bytes;
    this.#bytes -= bytes;
    return missing <= 0 ? 0 : Math.ceil((missing * 1000) / BYTES_PER_SECOND);
  }

  #fill(nowMs: number): void {
    const gained = ((nowMs - this.#filledAtMs) * BYTES_PER_SECOND) / 1000;
    this.#bytes = Math.min(BUCKET_BYTES, this.#bytes + gained);
    this.#filledAtMs = nowMs;
  }
}
