/** Responses and events of the SCSI host device: made in private memory, then scattered to wherever the guest wants them (virtio 1.2, 5.6.6). */
import { CHECK_CONDITION, GOOD } from '../../scsi/sam.ts';
import type { Segments } from '../../scsi/segments.ts';
import { copyDeviceSense, encodeDescriptorSense, encodeFixedSense } from '../../scsi/sense.ts';
import type { Task } from '../../scsi/task.ts';
import type { DirtyLog } from './dirty-log.ts';
import type { MemoryWindow } from './guest-memory.ts';
import { RESPONSE, S_OK, S_OVERRUN } from './virtio-scsi.ts';

const SENSE_LENGTH = RESPONSE.at.senseLength;
const RESIDUAL = RESPONSE.at.residual;
const STATUS_QUALIFIER = RESPONSE.at.statusQualifier;
const STATUS = RESPONSE.at.status;
const RESPONSE_CODE = RESPONSE.at.response;
const SENSE = RESPONSE.at.sense;

/** Marks every page of a buffer as written, for a migration that runs. */
export function markSegments(log: DirtyLog | null, written: Segments): void {
  if (log === null) return;
  for (let i = 0; i < written.count; i += 1) {
    const { guestAddress } = written.memory[i] as MemoryWindow;
    log.mark(guestAddress + (written.offset[i] as number), written.length[i] as number);
  }
}

export class ResponseWriter {
  readonly bytes: Uint8Array = new Uint8Array(RESPONSE.size);
  readonly view: DataView = new DataView(this.bytes.buffer);

  /**
   * The response to a command that has ended. The residual is measured against the buffers, never the CDB; a command that
   * ended GOOD and would have moved more than they hold is an overrun (5.6.6.1).
   */
  writeEnded(task: Task, descriptorSense: boolean, to: Segments): void {
    const { dataIn, dataOut, status } = task;
    const over = task.dataInWanted > dataIn.bytes || task.dataOutWanted > dataOut.bytes;
    const left = dataIn.bytes - task.dataInMoved + (dataOut.bytes - task.dataOutMoved);
    let senseLength = 0;
    if (status === CHECK_CONDITION) {
      const encode = descriptorSense ? encodeDescriptorSense : encodeFixedSense;
      const { sense, senseInformation, fieldPointer, deviceSense } = task;
      senseLength =
        deviceSense === null
          ? encode(this.view, SENSE, sense, senseInformation, fieldPointer)
          : copyDeviceSense(this.view, SENSE, deviceSense);
    }
    this.#head(senseLength, left, status, over && status === GOOD ? S_OVERRUN : S_OK);
    this.scatter(to, SENSE + senseLength, RESPONSE.size);
  }

  /** The response to a command that never ran, or was aborted: a response code and nothing else. */
  writeCode(code: number, residual: number, to: Segments): void {
    this.#head(0, residual, GOOD, code);
    this.scatter(to, SENSE, RESPONSE.size);
  }

  /** Writes the first `made` private bytes, and zeros up to `total`, to the first `total` bytes of `to`. */
  scatter(to: Segments, made: number, total: number): void {
    const { bytes } = this;
    let from = 0;
    for (let i = 0; i < to.count && from < total; i += 1) {
      const { view } = to.memory[i] as MemoryWindow;
      const start = to.offset[i] as number;
      const part = Math.min(to.length[i] as number, total - from);
      const copied = Math.max(0, Math.min(part, made - from));
      for (let k = 0; k < copied; k += 1) view[start + k] = bytes[from + k] as number;
      if (copied < part) view.fill(0, start + copied, start + part);
      from += part;
    }
  }

  #head(senseLength: number, residual: number, status: number, code: number): void {
    const { view } = this;
    view.setUint32(SENSE_LENGTH, senseLength, true);
    view.setUint32(RESIDUAL, residual, true);
    view.setUint16(STATUS_QUALIFIER, 0, true);
    view.setUint8(STATUS, status);
    view.setUint8(RESPONSE_CODE, code);
  }
}
