/** Blocks with protection information for specs, made without anything of src: a bitwise CRC and the layout of SBC-3 4.22.3. */
import { be } from '../scsi/sbc/cdbs.ts';

/** CRC with polynomial 8BB7h, one bit at a time. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x8bb7) & 0xffff;
    }
  }
  return crc;
}

export interface Tags {
  readonly guard?: number;
  readonly application?: number;
  readonly reference?: number;
}

/** One block of user data filled with `value`, and its information; the guard is the right one unless said otherwise. */
export function block(value: number, tags: Tags = {}, blockBytes = 512): Uint8Array {
  const data = new Uint8Array(blockBytes + 8).fill(value, 0, blockBytes);
  const guard = tags.guard ?? crc16(data.subarray(0, blockBytes));
  const information = [
    ...be(guard, 2),
    ...be(tags.application ?? 0, 2),
    ...be(tags.reference ?? 0, 4),
  ];
  data.set(information, blockBytes);
  return data;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export interface Long {
  readonly protect?: number;
  /** More bits of byte 10. */
  readonly flags?: number;
  readonly reference?: number;
  readonly application?: number;
  readonly mask?: number;
}

/** A 32-byte CDB (SBC-3 5.14). */
export function long(action: number, lba: number, blocks: number, options: Long = {}): number[] {
  const { protect = 0, flags = 0, reference = 0, application = 0, mask = 0 } = options;
  return [
    ...[0x7f, 0, 0, 0, 0, 0, 0, 0x18],
    ...be(action, 2),
    (protect << 5) | flags,
    0,
    ...be(lba, 8),
    ...be(reference, 4),
    ...be(application, 2),
    ...be(mask, 2),
    ...be(blocks, 4),
  ];
}
