/** A disk behind an initiator: whole blocks by number, split at the target's limits, unit attentions dealt with (SBC-3). */
import { setTimeout as delay } from 'node:timers/promises';
import { type CdbField, setField } from '../scsi/cdb.ts';
import type { CommandRow } from '../scsi/command-table.ts';
import { BUSY, GOOD, TASK_ABORTED, TASK_SET_FULL } from '../scsi/sam.ts';
import { SYNCHRONIZE_CACHE_10 } from '../scsi/sbc/cache.ts';
import { READ_CAPACITY_16 } from '../scsi/sbc/capacity.ts';
import { READ_10, READ_16 } from '../scsi/sbc/read.ts';
import { UNMAP } from '../scsi/sbc/unmap.ts';
import { WRITE_10, WRITE_16 } from '../scsi/sbc/write.ts';
import { WRITE_SAME_16_THIN } from '../scsi/sbc/write-same.ts';
import { INQUIRY } from '../scsi/spc/inquiry.ts';
import { cdbLba, cdbName } from './command-name.ts';
import { RequestError, ScsiError, TaskAbortedError } from './errors.ts';
import type { Attention, AttributeName, InternalRequest } from './initiator.ts';
import type { CommandResult } from './request.ts';

/** What block access needs of an initiator. */
export interface CommandSender {
  send(request: InternalRequest): Promise<CommandResult>;
  emit(event: 'unitAttention', attention: Attention): boolean;
  identify(): { readonly maxTransferBytes: number } | null;
  readonly maxDataBytes: number;
}

export interface WriteOptions {
  /** On stable storage when the promise resolves. */
  readonly fua?: boolean;
  readonly attribute?: AttributeName;
}

export interface BlockRange {
  readonly lba: number;
  readonly blocks: number;
}

interface Operation {
  readonly cdb: Uint8Array;
  readonly idempotent: boolean;
  readonly dataInBytes?: number;
  readonly into?: Uint8Array;
  readonly dataOut?: Uint8Array;
  readonly attribute?: AttributeName;
}

interface Limits {
  /** Most blocks of one READ or WRITE. */
  readonly transferBlocks: number;
  readonly unmapBlocks: number;
  readonly unmapDescriptors: number;
  readonly writeSameBlocks: number;
}

const UNIT_ATTENTION = 6;
const CAPACITY_CHANGED_ASC = 0x2a;
const CAPACITY_CHANGED_ASCQ = 0x09;
/** Unit attentions, aborts by others and busy answers in a row before an operation gives up. */
const MAX_RETRIES = 16;
const FIRST_PAUSE_MS = 1;
const MAX_PAUSE_MS = 100;
const CAPACITY_BYTES = 32;
const BLOCK_LIMITS_PAGE = 0xb0;
const BLOCK_LIMITS_BYTES = 64;
const MAX_10_LBA = 2 ** 32;
const MAX_10_BLOCKS = 0xffff;
const MAX_16_BLOCKS = 2 ** 32 - 1;
const UNMAP_HEADER_BYTES = 8;
const UNMAP_DESCRIPTOR_BYTES = 16;
/** A data buffer takes at most this part of the shared memory, so that several fit. */
const MEMORY_SHARE = 4;

type Row = CommandRow & { readonly fields: Readonly<Record<string, CdbField>> };

/** A CDB of a command row with the named fields set. */
export function buildCdb(row: Row, values: Readonly<Record<string, number>>): Uint8Array {
  const cdb = new Uint8Array(row.lengthBytes);
  cdb[0] = row.opcode;
  if (row.serviceAction >= 0) cdb[1] = row.serviceAction;
  for (const [name, value] of Object.entries(values)) {
    const place = row.fields[name];
    if (place === undefined) throw new RangeError(`Cannot build ${row.name}: no field ${name}`);
    setField(cdb, place, value);
  }
  return cdb;
}

/** Transfer CDB of the shorter kind that can say it. */
function transferCdb(
  ten: Row,
  sixteen: Row,
  lba: number,
  blocks: number,
  values: Readonly<Record<string, number>>,
): Uint8Array {
  const short = lba < MAX_10_LBA && blocks <= MAX_10_BLOCKS;
  return buildCdb(short ? ten : sixteen, { ...values, lba, blocks });
}

function isUnitAttention(result: CommandResult): boolean {
  return result.sense !== null && result.sense.key === UNIT_ATTENTION;
}

function whole(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RequestError(`Cannot address a disk: ${what} is ${value}, a whole number is needed`);
}

export class BlockAccess {
  readonly lun: number;
  readonly #sender: CommandSender;
  #blockBytes = 0;
  #blocks = 0;
  #thin = false;
  #limits: Limits = {
    transferBlocks: 1,
    unmapBlocks: 0,
    unmapDescriptors: 0,
    writeSameBlocks: MAX_16_BLOCKS,
  };

  /** Use `Initiator.disk`. */
  constructor(sender: CommandSender, lun: number) {
    this.#sender = sender;
    this.lun = lun;
  }

  get blockBytes(): number {
    return this.#blockBytes;
  }
  /** Capacity; follows a change when the target reports one. */
  get blocks(): number {
    return this.#blocks;
  }
  /** Unmapped blocks give their space back (LBPME). */
  get thin(): boolean {
    return this.#thin;
  }
  /** Most blocks that go in one command. */
  get maxTransferBlocks(): number {
    return this.#limits.transferBlocks;
  }

  /** Reads capacity and limits. */
  async refresh(): Promise<void> {
    await this.#readCapacity();
    await this.#readLimits();
  }

  /** Reads `blocks` blocks from `lba` on. Rejects with ScsiError of the first part that failed. */
  async read(lba: number, blocks: number): Promise<Uint8Array> {
    whole(lba, 'the LBA');
    const data = new Uint8Array(whole(blocks, 'the number of blocks') * this.#blockBytes);
    await this.#split(lba, blocks, this.#limits.transferBlocks, (first, count, done) => {
      const into = data.subarray(done * this.#blockBytes, (done + count) * this.#blockBytes);
      const cdb = transferCdb(READ_10, READ_16, first, count, {});
      return this.#run({ cdb, dataInBytes: into.length, into, idempotent: true });
    });
    return data;
  }

  /** Writes whole blocks from `lba` on; `data` must not change before the promise settles. Parts are not atomic together. */
  async write(lba: number, data: Uint8Array, options: WriteOptions = {}): Promise<void> {
    whole(lba, 'the LBA');
    const blocks = data.length / this.#blockBytes;
    if (!Number.isInteger(blocks)) {
      throw new RequestError(
        `Cannot write ${data.length} bytes at LBA ${lba}: blocks have ${this.#blockBytes} bytes`,
      );
    }
    const values = options.fua === true ? { fua: 1 } : {};
    await this.#split(lba, blocks, this.#limits.transferBlocks, (first, count, done) =>
      this.#run({
        cdb: transferCdb(WRITE_10, WRITE_16, first, count, values),
        dataOut: data.subarray(done * this.#blockBytes, (done + count) * this.#blockBytes),
        attribute: options.attribute ?? 'simple',
        idempotent: true,
      }),
    );
  }

  /** Everything written before this call is on stable storage when it resolves (SYNCHRONIZE CACHE). */
  async flush(): Promise<void> {
    const cdb = buildCdb(SYNCHRONIZE_CACHE_10, { lba: 0, blocks: 0 });
    await this.#run({ cdb, idempotent: true });
  }

  /** The ranges read as zeros afterwards on this target; their space is given back where the store can. */
  async unmap(ranges: readonly BlockRange[]): Promise<void> {
    const { unmapBlocks, unmapDescriptors } = this.#limits;
    const parts: BlockRange[] = [];
    for (const { lba, blocks } of ranges) {
      for (let done = 0; done < blocks; done += unmapBlocks) {
        parts.push({ lba: lba + done, blocks: Math.min(unmapBlocks, blocks - done) });
        if (unmapBlocks === 0) break;
      }
    }
    const lists: BlockRange[][] = [];
    let total = Number.POSITIVE_INFINITY;
    for (const part of parts) {
      const last = lists.at(-1);
      if (
        last === undefined ||
        total + part.blocks > unmapBlocks ||
        last.length >= unmapDescriptors
      ) {
        lists.push([part]);
        total = part.blocks;
      } else {
        last.push(part);
        total += part.blocks;
      }
    }
    await Promise.all(lists.map((list) => this.#unmapList(list)));
  }

  /** Writes the same block `blocks` times from `lba` on; zeros when no block is given. */
  async writeSame(lba: number, blocks: number, block?: Uint8Array): Promise<void> {
    whole(lba, 'the LBA');
    const dataOut = block ?? new Uint8Array(this.#blockBytes);
    await this.#split(lba, blocks, this.#limits.writeSameBlocks, (first, count) =>
      this.#run({
        cdb: buildCdb(WRITE_SAME_16_THIN, { lba: first, blocks: count }),
        dataOut,
        idempotent: true,
      }),
    );
  }

  async #unmapList(list: readonly BlockRange[]): Promise<void> {
    const dataOut = new Uint8Array(UNMAP_HEADER_BYTES + list.length * UNMAP_DESCRIPTOR_BYTES);
    const view = new DataView(dataOut.buffer);
    view.setUint16(0, dataOut.length - 2);
    view.setUint16(2, dataOut.length - UNMAP_HEADER_BYTES);
    list.forEach(({ lba, blocks }, i) => {
      const at = UNMAP_HEADER_BYTES + i * UNMAP_DESCRIPTOR_BYTES;
      view.setBigUint64(at, BigInt(lba));
      view.setUint32(at + 8, blocks);
    });
    const cdb = buildCdb(UNMAP, { parameterListLength: dataOut.length });
    await this.#run({ cdb, dataOut, idempotent: true });
  }

  /** Sends a range in parts of at most `most` blocks, all at once: the initiator's queue paces them. */
  async #split(
    lba: number,
    blocks: number,
    most: number,
    part: (lba: number, blocks: number, done: number) => Promise<CommandResult>,
  ): Promise<void> {
    if (blocks <= most) {
      await part(lba, blocks, 0);
      return;
    }
    const parts: Promise<CommandResult>[] = [];
    for (let done = 0; done < blocks; done += most) {
      parts.push(part(lba + done, Math.min(most, blocks - done), done));
    }
    // Wait for all, so that no part still touches the caller's data when one has failed.
    const settled = await Promise.allSettled(parts);
    for (const one of settled) if (one.status === 'rejected') throw one.reason;
  }

  async #run(operation: Operation, retries = 0): Promise<CommandResult> {
    const again = retries < MAX_RETRIES;
    let result: CommandResult;
    try {
      result = await this.#sender.send({ ...operation, lun: this.lun });
    } catch (error) {
      if (!(error instanceof TaskAbortedError && operation.idempotent && again)) throw error;
      return this.#run(operation, retries + 1);
    }
    if (result.status === GOOD) return result;
    if (again && isUnitAttention(result)) {
      this.#attention(result, operation);
      return this.#run(operation, retries + 1);
    }
    const busy = result.status === BUSY || result.status === TASK_SET_FULL;
    if (again && (busy || (result.status === TASK_ABORTED && operation.idempotent))) {
      await delay(Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** retries));
      return this.#run(operation, retries + 1);
    }
    const { status, sense, residualIn, residualOut } = result;
    const lba = sense?.information ?? cdbLba(operation.cdb);
    const residual = operation.dataOut === undefined ? residualIn : residualOut;
    throw new ScsiError({ status, sense, cdb: operation.cdb, lun: this.lun, lba, residual });
  }

  #attention(result: CommandResult, operation: Operation): void {
    const { sense } = result;
    if (sense === null) return;
    this.#sender.emit('unitAttention', { lun: this.lun, sense });
    const changed = sense.asc === CAPACITY_CHANGED_ASC && sense.ascq === CAPACITY_CHANGED_ASCQ;
    if (!changed || operation.cdb[0] === READ_CAPACITY_16.opcode) return;
    // Whoever asks for the capacity next gets the new one; the operation itself need not wait for it.
    this.#readCapacity().catch(() => undefined);
  }

  async #readCapacity(): Promise<void> {
    const cdb = buildCdb(READ_CAPACITY_16, { allocationLength: CAPACITY_BYTES });
    const { dataIn } = await this.#run({ cdb, dataInBytes: CAPACITY_BYTES, idempotent: true });
    const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
    if (dataIn.length < 15) {
      throw new RequestError(
        `${cdbName(cdb)} returned ${dataIn.length} bytes, ${CAPACITY_BYTES} asked`,
      );
    }
    this.#blocks = Number(view.getBigUint64(0)) + 1;
    this.#blockBytes = view.getUint32(8);
    this.#thin = (view.getUint8(14) & 0x80) !== 0;
  }

  /** Block Limits VPD page; a target without one has no limits but those of the transport. */
  async #readLimits(): Promise<void> {
    const adapterBytes = this.#sender.identify()?.maxTransferBytes ?? Number.POSITIVE_INFINITY;
    const memoryBytes = this.#sender.maxDataBytes / MEMORY_SHARE;
    const transportBlocks = Math.floor(
      Math.min(adapterBytes > 0 ? adapterBytes : memoryBytes, memoryBytes) / this.#blockBytes,
    );
    const page = await this.#blockLimits();
    const limit = (at: number): number => {
      const value = page === null || page.byteLength < at + 4 ? 0 : page.getUint32(at);
      return value === 0 ? MAX_16_BLOCKS : value;
    };
    this.#limits = {
      transferBlocks: Math.max(1, Math.min(transportBlocks, limit(8))),
      unmapBlocks: limit(20),
      unmapDescriptors: limit(24),
      // MAXIMUM WRITE SAME LENGTH is 64 bits; its upper half is beyond what the CDB can say.
      writeSameBlocks: limit(40),
    };
  }

  async #blockLimits(): Promise<DataView | null> {
    const cdb = buildCdb(INQUIRY, {
      evpd: 1,
      pageCode: BLOCK_LIMITS_PAGE,
      allocationLength: BLOCK_LIMITS_BYTES,
    });
    try {
      const { dataIn } = await this.#run({
        cdb,
        dataInBytes: BLOCK_LIMITS_BYTES,
        idempotent: true,
      });
      return new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
    } catch (error) {
      if (error instanceof ScsiError) return null;
      throw error;
    }
  }
}

/** Reads what is needed to address the disk. */
export async function openBlockAccess(sender: CommandSender, lun: number): Promise<BlockAccess> {
  const access = new BlockAccess(sender, lun);
  await access.refresh();
  return access;
}
