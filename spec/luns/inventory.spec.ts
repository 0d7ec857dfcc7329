/** Disks in a target: adding, removing, growing, faults and their sense, saved pages, statistics. */
import { strict as assert } from 'node:assert';
import {
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { mapAnonymous } from '../../src/libc.ts';
import type { DiskOptions } from '../../src/luns/disk.ts';
import { naaOf } from '../../src/luns/identity.ts';
import { Inventory } from '../../src/luns/inventory.ts';
import { InventoryError } from '../../src/luns/inventory-error.ts';
import { growFile, openDiskFile } from '../../src/luns/open.ts';
import {
  DONE,
  type ParameterStore,
  type TargetPort,
  type Timers,
} from '../../src/scsi/contracts.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { SIMPLE } from '../../src/scsi/sam.ts';
import { encodePlan, OVERWRITE } from '../../src/scsi/sbc/medium-operation.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { Target } from '../../src/scsi/target.ts';
import { Task } from '../../src/scsi/task.ts';
import { dataDisc } from '../support/optical.ts';
import { isZero, temporaryDirectory } from './store-request.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = 65536;
const TEST_UNIT_READY = '000000000000';

class FakeTimers implements Timers {
  waiting: { readonly callback: () => void }[] = [];
  after(_delayMs: number, callback: () => void): object {
    const timer = { callback };
    this.waiting.push(timer);
    return timer;
  }
  cancel(timer: object): void {
    this.waiting = this.waiting.filter((t) => t !== timer);
  }
  runAll(): void {
    for (const { callback } of this.waiting.splice(0)) callback();
  }
}

interface Ended {
  status: number;
  /** Key, ASC and ASCQ as 6 hexadecimal digits; empty without sense. */
  sense: string;
  information: number;
  dropped: boolean;
}

/** A port whose data buffers are memory the kernel can reach. */
class MappedPort implements TargetPort {
  readonly lunPresentation = 'native';
  readonly target: Target;
  readonly nexus: Nexus;
  readonly ended = new Map<Task, Ended>();
  #slots = 0;
  /** Data-in of the last command. */
  data: Uint8Array = new Uint8Array(0);

  constructor(target: Target, name: string) {
    this.target = target;
    const nexus = target.login(name, name, false);
    assert(nexus);
    this.nexus = nexus;
  }

  start(lun: number, cdbHex: string, out: Uint8Array = new Uint8Array(0), inBytes = 0): Task {
    const page = 4096;
    const memory = mapAnonymous(page + 2 * DATA_BYTES);
    const view = new Uint8Array(memory.buffer);
    const segments = (i: number): Segments =>
      new Segments({
        words: new Uint32Array(memory.buffer, i * 16, 4),
        address: memory.address + i * 16,
      });
    const task = new Task(this, this.#slots, segments(0), segments(1));
    this.#slots += 1;
    task.receive(this.nexus);
    view.set(out, page);
    const { address } = memory;
    task.dataOut.append({ view, address }, page, out.length);
    const inAt = page + DATA_BYTES;
    task.dataIn.append({ view, address }, inAt, inBytes);
    this.data = view.subarray(inAt, inAt + inBytes);
    const cdb = Buffer.from(cdbHex.replaceAll(' ', ''), 'hex');
    task.cdb.set(cdb);
    task.cdbBytes = cdb.length;
    task.lun = lun;
    task.attribute = SIMPLE;
    task.tagLow = this.#slots;
    this.target.receive(task);
    return task;
  }

  run(lun: number, cdbHex: string, out?: Uint8Array, inBytes?: number): Ended {
    const task = this.start(lun, cdbHex, out, inBytes);
    const ended = this.ended.get(task);
    assert(ended, 'the command ended at once');
    return ended;
  }

  /** TEST UNIT READY until there is no unit attention: what it reported. */
  attentions(lun: number): string[] {
    const seen: string[] = [];
    for (let i = 0; i < 9; i += 1) {
      const { sense } = this.run(lun, TEST_UNIT_READY);
      if (!sense.startsWith('06')) break;
      seen.push(sense);
    }
    return seen;
  }

  respond(task: Task): void {
    this.#end(task, false);
  }
  drop(task: Task): void {
    this.#end(task, true);
  }
  taskManagementDone(): void {
    assert.fail('no task management here');
  }

  #end(task: Task, dropped: boolean): void {
    const { status, sense, senseInformation } = task;
    const packed = status === 2 ? sense.toString(16).padStart(6, '0') : '';
    this.ended.set(task, { status, sense: packed, information: senseInformation, dropped });
    task.release();
  }
}

/** Address space of this process in MiB. */
function addressSpaceMib(): number {
  const status = readFileSync('/proc/self/status', 'latin1');
  return Number(/VmSize:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

describe('luns/inventory', () => {
  const directory = temporaryDirectory();
  let target: Target;
  let timers: FakeTimers;
  let inventory: Inventory;
  let saved: Uint8Array | null;
  let files = 0;

  beforeEach(() => {
    timers = new FakeTimers();
    target = new Target({ name: 'spec', timers });
    saved = null;
    const parameters: ParameterStore = {
      save(_task, _lun, pages) {
        saved = pages.slice();
        return DONE;
      },
    };
    inventory = new Inventory({ target, timers, parameters });
  });
  afterEach(() => {
    for (const { lun } of inventory.statistics()) inventory.remove(lun, () => undefined);
    timers.runAll();
  });

  function spec(lun: number, options: Partial<DiskOptions> = {}): DiskOptions {
    const serial = options.serial ?? `LUN${lun}`;
    return {
      lun,
      backing: { kind: 'memory', bytes: MIB },
      readOnly: false,
      blockBytes: 512,
      physicalBlockBytes: 4096,
      thin: true,
      writeCache: true,
      serial,
      naa: naaOf(serial),
      savedPages: null,
      savable: true,
      ...options,
    };
  }

  function fileDisk(lun: number, options: Partial<DiskOptions> = {}): { path: string; fd: number } {
    files += 1;
    const path = join(directory, `${files}.img`);
    const { fd, bytes } = openDiskFile({
      lun,
      path,
      sizeBytes: MIB,
      blockBytes: 512,
      readOnly: false,
    });
    inventory.add(spec(lun, { backing: { kind: 'file', fd, bytes }, ...options }));
    return { path, fd };
  }

  function refusal(act: () => void): InventoryError {
    try {
      act();
    } catch (error) {
      assert(error instanceof InventoryError, String(error));
      return error;
    }
    return assert.fail('it was refused');
  }

  const pattern = (blocks: number): Uint8Array =>
    Uint8Array.from({ length: blocks * 512 }, (_, i) => 1 + (i % 251));

  it('serves a file: INQUIRY, READ CAPACITY, WRITE, READ', () => {
    const { path } = fileDisk(0);
    const port = new MappedPort(target, 'a');
    assert.deepEqual(port.attentions(0), ['062900']);
    assert.equal(port.run(0, '12 00 00 00 60 00', undefined, 96).status, 0);
    assert.equal(Buffer.from(port.data.subarray(8, 32)).toString(), 'RINGSCSIVirtual disk    ');
    assert.equal(port.run(0, '25 00 00 00 00 00 00 00 00 00', undefined, 8).status, 0);
    assert.equal(Buffer.from(port.data).toString('hex'), '000007ff00000200');
    const out = pattern(8);
    assert.equal(port.run(0, '2a 00 00 00 00 10 00 00 08 00', out).status, 0);
    assert.deepEqual(new Uint8Array(readFileSync(path).subarray(8192, 8192 + 4096)), out);
    assert.equal(port.run(0, '28 00 00 00 00 10 00 00 08 00', undefined, 4096).status, 0);
    assert.deepEqual(port.data.slice(), out);
  });

  it('names the disk in VPD page 83h by its 8-byte NAA 3h designator', () => {
    inventory.add(spec(0, { serial: 'ABC123' }));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    assert.equal(port.run(0, '12 01 83 00 ff 00', undefined, 255).status, 0);
    // Code set 1 (binary), association 0, type 3 (NAA), length 8: SPC-4 7.8.6.
    const data = Buffer.from(port.data).toString('hex');
    assert.equal(data.slice(8, 8 + 24), '010300083363a7d4b5a70cc9');
  });

  it('UNMAP gives the space of the file back and leaves zeros', () => {
    const { path, fd } = fileDisk(0);
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    const out = pattern(128);
    for (let i = 0; i < 8; i += 1) {
      const lba = (i * 128).toString(16).padStart(8, '0');
      assert.equal(port.run(0, `2a 00 ${lba} 00 00 80 00`, out).status, 0);
    }
    assert.equal(port.run(0, '35 00 00 00 00 00 00 00 00 00').status, 0);
    const before = fstatSync(fd).blocks;
    // One descriptor: LBA 0, 1000 blocks.
    const list = Buffer.from(
      '0016 0010 00000000 0000000000000000 000003e8 00000000'.replaceAll(' ', ''),
      'hex',
    );
    assert.equal(port.run(0, '42 00 00 00 00 00 00 00 18 00', new Uint8Array(list)).status, 0);
    const now = readFileSync(path);
    assert(isZero(now.subarray(0, 512000)) && now[512000] !== 0);
    assert(fstatSync(fd).blocks < before - 900);
  });

  it('refuses two LUNs with one number, or out of reach, or with one identity', () => {
    inventory.add(spec(3));
    const twice = refusal(() => inventory.add(spec(3, { serial: 'other' })));
    assert.equal(twice.code, 'ERR_LUN_IN_USE');
    assert.match(twice.message, /^Cannot add LUN 3: there is a logical unit of this number/);
    for (const lun of [-1, 16384, 1.5]) {
      assert.equal(refusal(() => inventory.add(spec(lun))).code, 'ERR_LUN_RANGE');
    }
    const same = refusal(() => inventory.add(spec(4, { serial: 'LUN3' })));
    assert.equal(same.code, 'ERR_LUN_IDENTITY');
    const odd = { kind: 'memory', bytes: 1000 } as const;
    assert.equal(refusal(() => inventory.add(spec(5, { backing: odd }))).code, 'ERR_LUN_SIZE');
    assert.deepEqual(
      inventory.statistics().map(({ lun }) => lun),
      [3],
    );
  });

  it('adds and removes while others run, which hear of it', () => {
    inventory.add(spec(0));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    const { fd } = fileDisk(1);
    assert.deepEqual(port.attentions(0), ['063f0e']);
    let flushed: boolean | undefined;
    inventory.remove(1, (ok) => {
      flushed = ok;
    });
    assert.equal(flushed, true);
    assert.throws(() => fstatSync(fd), { code: 'EBADF' }, 'the descriptor is closed');
    assert.deepEqual(port.attentions(0), ['063f0e']);
    assert.equal(port.run(1, TEST_UNIT_READY).sense, '052500');
    const missing = refusal(() => inventory.remove(1, () => undefined));
    assert.equal(missing.code, 'ERR_LUN_MISSING');
  });

  it('F9: a removal waits for the last command, which is aborted and never happens', () => {
    const { path, fd } = fileDisk(0);
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    inventory.inject(0, [{ operation: 'write', delayMs: 3600000 }]);
    const task = port.start(0, '2a 00 00 00 00 00 00 00 08 00', pattern(8));
    assert.equal(inventory.statistics()[0]?.outstanding, 1);
    let gone = false;
    inventory.remove(0, () => {
      gone = true;
    });
    assert.equal(gone, false);
    assert.equal(fstatSync(fd).size, MIB);
    timers.runAll();
    assert.equal(gone, true);
    assert.equal(port.ended.get(task)?.status, 0x40, 'TASK ABORTED');
    assert(isZero(readFileSync(path)));
    assert.equal(timers.waiting.length, 0);
  });

  it('an optical drive reads a disc whose sectors are in two files, and counts them', () => {
    const files = [3, 5].map((sectors, i) => {
      const path = join(directory, `disc-${i}`);
      writeFileSync(path, new Uint8Array(sectors * 2048).fill(i + 1));
      return { fd: openSync(path, 'r'), bytes: sectors * 2048 };
    });
    const backing = { kind: 'disc', files, layout: dataDisc(8) } as const;
    const blocks = { blockBytes: 2048, physicalBlockBytes: 2048, thin: false };
    inventory.add(spec(0, { ...blocks, backing, readOnly: true, removable: true, optical: true }));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    assert.equal(port.run(0, '28 00 00 00 00 02 00 00 02 00', undefined, 4096).status, 0);
    assert.deepEqual([port.data[0], port.data[2047], port.data[2048]], [1, 1, 2]);
    const [{ bytes, bytesRead } = { bytes: 0, bytesRead: 0 }] = inventory.statistics();
    assert.deepEqual([bytes, bytesRead], [8 * 2048, 4096]);
    assert.equal(refusal(() => inventory.resize(0, 9 * 2048)).code, 'ERR_LUN_SIZE');
  });

  it('grows: the new capacity at once, 2A/09 for everyone, and the new blocks work', () => {
    const { fd } = fileDisk(0);
    const a = new MappedPort(target, 'a');
    const b = new MappedPort(target, 'b');
    a.attentions(0);
    b.attentions(0);
    assert.equal(refusal(() => inventory.resize(0, 2 * MIB)).code, 'ERR_LUN_SIZE');
    growFile(fd, 2 * MIB);
    inventory.resize(0, 2 * MIB);
    assert.deepEqual([a.attentions(0), b.attentions(0)], [['062a09'], ['062a09']]);
    assert.equal(a.run(0, '25 00 00 00 00 00 00 00 00 00', undefined, 8).status, 0);
    assert.equal(Buffer.from(a.data).toString('hex'), '00000fff00000200');
    assert.equal(a.run(0, '2a 00 00 00 0f ff 00 00 01 00', pattern(1)).status, 0);
    inventory.resize(0, 2 * MIB);
    assert.deepEqual(a.attentions(0), [], 'the same size is no change');
  });

  it('grows memory, and refuses to shrink anything', () => {
    inventory.add(spec(0));
    inventory.resize(0, 4 * MIB);
    assert.equal(inventory.statistics()[0]?.bytes, 4 * MIB);
    const error = refusal(() => inventory.resize(0, MIB));
    assert.equal(error.code, 'ERR_LUN_SIZE');
    assert.match(error.message, /it has 4194304 and a disk only grows/);
    assert.equal(refusal(() => inventory.resize(0, 4 * MIB + 100)).code, 'ERR_LUN_SIZE');
  });

  it('F5: the sense of an injected bad block names it', () => {
    inventory.add(spec(0));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    inventory.inject(0, [{ operation: 'any', firstLba: 104, lastLba: 104, fault: 'medium' }]);
    const write = port.run(0, '2a 00 00 00 00 64 00 00 10 00', pattern(16));
    assert.deepEqual([write.status, write.sense, write.information], [2, '030c00', 104]);
    const read = port.run(0, '28 00 00 00 00 60 00 00 10 00', undefined, 8192);
    assert.deepEqual([read.sense, read.information], ['031100', 104]);
    inventory.inject(0, []);
    assert.equal(port.run(0, '28 00 00 00 00 60 00 00 10 00', undefined, 8192).status, 0);
  });

  it('F4, F6: full, gone and read-only have the sense the sheets name', () => {
    inventory.add(spec(0));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    const expected = { full: '072707', gone: '044400', 'read-only': '072700' } as const;
    for (const [fault, sense] of Object.entries(expected)) {
      inventory.inject(0, [{ operation: 'write', fault: fault as keyof typeof expected }]);
      assert.equal(port.run(0, '2a 00 00 00 00 00 00 00 01 00', pattern(1)).sense, sense);
    }
  });

  it('F6: a real truncation and a real deletion are 4/44/00, the neighbour does not notice', () => {
    const first = fileDisk(0);
    const second = fileDisk(1);
    fileDisk(2);
    const port = new MappedPort(target, 'a');
    for (const lun of [0, 1, 2]) port.attentions(lun);
    truncateSync(first.path, 4096);
    unlinkSync(second.path);
    inventory.turn();
    const read = '28 00 00 00 01 00 00 00 08 00';
    const write = '2a 00 00 00 01 00 00 00 08 00';
    assert.equal(port.run(0, read, undefined, 4096).sense, '044400');
    assert(isZero(port.data));
    for (const lun of [0, 1]) assert.equal(port.run(lun, write, pattern(8)).sense, '044400');
    assert.equal(statSync(first.path).size, 4096);
    assert.equal(port.run(2, write, pattern(8)).status, 0);
    assert.deepEqual(inventory.flushAll(), [0, 1]);
  });

  it('starts with the write cache that was asked for', () => {
    inventory.add(spec(0, { writeCache: false }));
    inventory.add(spec(1));
    const port = new MappedPort(target, 'a');
    for (const lun of [0, 1]) {
      port.attentions(lun);
      assert.equal(port.run(lun, '1a 08 08 00 ff 00', undefined, 255).status, 0);
      // Mode parameter header 4 bytes; WCE is bit 2 of byte 2 of the page (SBC-3 6.5.5).
      assert.equal((port.data[6] as number) & 4, lun === 0 ? 0 : 4);
    }
  });

  it('saves mode pages and starts with the saved ones; refuses foreign ones', () => {
    inventory.add(spec(0));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    port.run(0, '1a 08 08 00 ff 00', undefined, 24);
    const list = port.data.slice();
    list[0] = 0;
    // The device-specific parameter and PS are reserved in MODE SELECT.
    list[2] = 0;
    list[4] = 0x08;
    list[6] = (list[6] as number) & ~4;
    assert.equal(port.run(0, '15 11 00 00 18 00', list).status, 0);
    assert(saved !== null);
    inventory.remove(0, () => undefined);
    inventory.add(spec(0, { savedPages: saved }));
    port.attentions(0);
    port.run(0, '1a 08 08 00 ff 00', undefined, 24);
    assert.equal((port.data[6] as number) & 4, 0);
    const foreign = { savedPages: new Uint8Array(3) };
    assert.equal(refusal(() => inventory.add(spec(1, foreign))).code, 'ERR_LUN_SAVED_PAGES');
  });

  it('an operation on the medium ends with its disk, and leaves the memory to the next one', () => {
    const buffers: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const unit = inventory.add(spec(0));
      const port = new MappedPort(target, `a${round}`);
      port.attentions(0);
      buffers.push(unit.block?.bounce.free ?? -1);
      const overwrite = port.run(0, '48 81 00 00 00 00 00 00 05 00', Uint8Array.of(1, 0, 0, 1, 7));
      assert.equal(overwrite.status, 0);
      assert.equal(port.run(0, TEST_UNIT_READY).sense, '02041b');
      let gone = false;
      inventory.remove(0, () => {
        gone = true;
      });
      assert.equal(gone, true);
      timers.runAll();
    }
    assert.deepEqual(buffers, new Array(6).fill(4));
  });

  it('an interrupted operation of a standby disk goes on when the image is its own', () => {
    const plan = { kind: OVERWRITE, count: 1, invert: false, mayExit: false } as const;
    const kept = encodePlan({ ...plan, pattern: Uint8Array.of(9) }, false);
    inventory.add(spec(0, { standby: true, savedSanitize: kept }));
    const port = new MappedPort(target, 'a');
    port.attentions(0);
    assert.equal(port.run(0, TEST_UNIT_READY).sense, '02040b');
    inventory.activate(0, MIB);
    port.attentions(0);
    assert.equal(port.run(0, TEST_UNIT_READY).sense, '02041b');
    assert.equal(refusal(() => inventory.standBy(0, () => undefined)).code, 'ERR_LUN_BUSY');
    for (let i = 0; i < 9; i += 1) timers.runAll();
    assert.equal(port.run(0, TEST_UNIT_READY).status, 0);
    const foreign = { savedSanitize: Uint8Array.of(1, 2, 3) };
    assert.equal(refusal(() => inventory.add(spec(1, foreign))).code, 'ERR_LUN_SAVED_SANITIZE');
  });

  it('counts per disk', () => {
    inventory.add(spec(0));
    inventory.add(spec(1));
    const port = new MappedPort(target, 'a');
    port.attentions(1);
    port.run(1, '2a 00 00 00 00 00 00 00 02 00', pattern(2));
    port.run(1, '28 00 00 00 00 00 00 00 01 00', undefined, 512);
    port.run(1, '28 00 ff ff ff ff 00 00 01 00', undefined, 512);
    const [zero, one] = inventory.statistics();
    assert.equal(zero?.commands, 0);
    assert.deepEqual(
      [one?.writes, one?.bytesWritten, one?.bytesRead, one?.outstanding],
      [1, 1024, 512, 0],
    );
    assert(one !== undefined && one.commands >= 4 && one.checkConditions >= 2);
  });

  it('leaves no descriptor and no bounce memory behind when disks come and go', () => {
    fileDisk(0);
    inventory.remove(0, () => undefined);
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const open = descriptors();
    const before = addressSpaceMib();
    for (let i = 0; i < 200; i += 1) {
      fileDisk(0);
      inventory.remove(0, () => undefined);
    }
    assert.equal(descriptors(), open);
    // Bounce buffers of 200 disks are 52 MiB; the stack of a thread that the runtime starts meanwhile is 8.
    const grownMib = addressSpaceMib() - before;
    assert(grownMib < 26, `${grownMib} MiB more address space after 200 disks`);
  });
});
