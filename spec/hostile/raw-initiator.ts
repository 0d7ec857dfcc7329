/** An initiator that builds its own bytes, right or wrong, over a loopback: nothing of src encodes for it. */
import { strict as assert } from 'node:assert';
import { Inventory } from '../../src/luns/inventory.ts';
import { Timers } from '../../src/reactor/timers.ts';
import { Target } from '../../src/scsi/target.ts';
import { Loopback, pump } from '../../src/transport/loopback.ts';
import type { CrqElement } from '../../src/transport/srp/channel.ts';
import { emptyElement } from '../../src/transport/srp/crq-element.ts';
import { SrpSession } from '../../src/transport/srp/session.ts';
import { SrpTargetPort } from '../../src/transport/srp/target-port.ts';

export const REGION_BYTES = 4 * 1024 * 1024;
/** Where IUs and data lie unless a test says otherwise. */
export const IU_AT = 0x1000;
export const DATA_AT = 0x100000;

export interface Response {
  readonly bytes: Uint8Array;
  readonly element: CrqElement;
}

export interface Decoded {
  readonly tag: number;
  readonly delta: number;
  readonly flags: number;
  readonly status: number;
  readonly outResidual: number;
  readonly inResidual: number;
  /** `5/24/00`, empty without sense. */
  readonly sense: string;
}

/** Reads SRP_RSP by the offsets of the standard (srp r16a table 23). */
export function decodeResponse(bytes: Uint8Array): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.equal(view.getUint8(0), 0xc1, 'SRP_RSP');
  const flags = view.getUint8(18);
  const at = 36 + view.getUint32(32);
  const byte = (i: number): string => view.getUint8(at + i).toString(16);
  const fixed = (view.getUint32(28) > 0 ? view.getUint8(at) & 0x7f : 0) === 0x70;
  const sense = fixed ? `${byte(2)}/${byte(12)}/${byte(13).padStart(2, '0')}` : '';
  return {
    tag: view.getUint32(12),
    delta: view.getInt32(4),
    flags,
    status: view.getUint8(19),
    outResidual: view.getUint32(20),
    inResidual: view.getUint32(24),
    sense: (flags & 2) !== 0 ? sense : '',
  };
}

export interface Descriptor {
  readonly address: number;
  readonly length: number;
  readonly handle?: number;
}

function memoryDescriptor(view: DataView, at: number, d: Descriptor): void {
  view.setUint32(at, Math.floor(d.address / 2 ** 32));
  view.setUint32(at + 4, d.address >>> 0);
  view.setUint32(at + 8, d.handle ?? 0);
  view.setUint32(at + 12, d.length);
}

export interface CommandBytes {
  readonly cdb: readonly number[] | Uint8Array;
  readonly tag?: number;
  readonly lun?: number;
  readonly dataIn?: Descriptor;
  readonly dataOut?: Descriptor;
}

/** SRP_CMD with direct descriptors (srp r16a 6.8). */
export function commandBytes(c: CommandBytes): Uint8Array {
  const additional = Math.max(0, Math.ceil((c.cdb.length - 16) / 4) * 4);
  const count = (c.dataOut ? 1 : 0) + (c.dataIn ? 1 : 0);
  const bytes = new Uint8Array(48 + additional + count * 16);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x02;
  bytes[5] = (c.dataOut ? 0x10 : 0) | (c.dataIn ? 0x01 : 0);
  view.setUint32(12, c.tag ?? 1);
  bytes[21] = c.lun ?? 0;
  bytes[31] = additional;
  bytes.set(c.cdb, 32);
  let at = 48 + additional;
  if (c.dataOut) {
    memoryDescriptor(view, at, c.dataOut);
    at += 16;
  }
  if (c.dataIn) memoryDescriptor(view, at, c.dataIn);
  return bytes;
}

/** SRP_CMD with one indirect data-in descriptor as given (srp r16a 6.5.3.2). */
export function indirectBytes(
  cdb: readonly number[],
  table: Descriptor,
  total: number,
  inline: readonly Descriptor[],
): Uint8Array {
  const bytes = new Uint8Array(48 + 20 + inline.length * 16);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x02;
  bytes[5] = 0x02;
  bytes[7] = inline.length;
  view.setUint32(12, 1);
  bytes.set(cdb, 32);
  memoryDescriptor(view, 48, table);
  view.setUint32(64, total);
  inline.forEach((d, i) => {
    memoryDescriptor(view, 68 + i * 16, d);
  });
  return bytes;
}

/** A target with one 4 MiB memory disk at LUN 0, and this initiator logged in to it. */
export class RawInitiator {
  readonly target: Target;
  readonly inventory: Inventory;
  readonly timers: Timers;
  readonly port: SrpTargetPort;
  readonly loopback: Loopback;
  readonly logged: string[] = [];
  readonly internalErrors: unknown[] = [];
  broken = '';
  nowMs = 0;

  constructor(share?: RawInitiator, name = 'raw') {
    this.timers = share?.timers ?? new Timers(() => this.nowMs);
    this.target = share?.target ?? new Target({ name: 'hostile-spec' });
    if (share === undefined) {
      this.target.onInternalError = (error) => this.internalErrors.push(error);
    }
    this.inventory =
      share?.inventory ??
      new Inventory({ target: this.target, timers: this.timers, parameters: null });
    if (share === undefined) this.#addDisk();
    this.loopback = new Loopback({ regions: [{ handle: 0, bytes: REGION_BYTES }] });
    this.port = new SrpTargetPort({
      channel: this.loopback.target,
      target: this.target,
      session: new SrpSession({
        name,
        memory: this.loopback.memory,
        lunPresentation: 'native',
        target: this.target,
      }),
      log: (text) => this.logged.push(text),
      broken: (reason) => {
        this.broken = reason;
      },
    });
    this.#login();
  }

  #addDisk(): void {
    this.inventory.add({
      lun: 0,
      backing: { kind: 'memory', bytes: 4 * 1024 * 1024 },
      readOnly: false,
      blockBytes: 512,
      physicalBlockBytes: 4096,
      thin: true,
      writeCache: true,
      serial: 'HOSTILE0',
      naa: new Uint8Array([0x30, 1, 2, 3, 4, 5, 6, 7]),
      savedPages: null,
      savable: false,
    });
  }

  get memory(): Uint8Array {
    return (this.loopback.memory.regions[0] as { view: Uint8Array }).view;
  }

  #login(): void {
    this.element({ valid: 0xc0, format: 0x01 });
    const login = new Uint8Array(64);
    login.set([0x00, 0x00, 0x20, 0x00], 16);
    login.set([0x00, 0x06], 24);
    const [, answer] = this.send(login);
    assert.equal(answer?.bytes[0], 0xc0, 'SRP_LOGIN_RSP');
    while (this.run([0, 0, 0, 0, 0, 0]).status !== 0);
  }

  element(fields: Partial<CrqElement>): void {
    this.loopback.initiator.inject({
      valid: 0x80,
      format: 0x01,
      reserved: 0,
      status: 0,
      timeout: 0,
      length: 0,
      high: 0,
      low: 0,
      ...fields,
    });
  }

  /** Places IU bytes, announces them, lets the target work, and returns what it sent. */
  send(iu: Uint8Array, at: number = IU_AT): Response[] {
    this.memory.set(iu, at);
    this.element({ length: iu.length, low: at });
    return this.receive(at);
  }

  receive(at: number = IU_AT): Response[] {
    pump(this.port);
    const answers: Response[] = [];
    for (;;) {
      const element = emptyElement();
      if (!this.loopback.initiator.take(element)) return answers;
      answers.push({ element, bytes: this.memory.slice(at, at + element.length) });
    }
  }

  /** Sends one SRP_CMD that must be answered at once by one SRP_RSP. */
  command(c: CommandBytes): Decoded {
    const answers = this.send(commandBytes(c));
    assert.equal(answers.length, 1, 'one answer');
    return decodeResponse((answers[0] as Response).bytes);
  }

  run(cdb: readonly number[], inBytes = 0): Decoded {
    return this.command({
      cdb,
      ...(inBytes > 0 ? { dataIn: { address: DATA_AT, length: inBytes } } : {}),
    });
  }

  /** Whether it still works as it should: write a block, read it back, INQUIRY. */
  smoke(): void {
    this.memory.fill(0x5a, DATA_AT, DATA_AT + 512);
    const block = { address: DATA_AT, length: 512 };
    const write = [0x2a, 0, 0, 0, 0, 9, 0, 0, 1, 0];
    let wrote = this.command({ cdb: write, dataOut: block });
    while (wrote.sense.startsWith('6/')) wrote = this.command({ cdb: write, dataOut: block });
    assert.equal(wrote.status, 0, `WRITE(10) works: ${wrote.sense}`);
    this.memory.fill(0, DATA_AT, DATA_AT + 512);
    assert.equal(this.command({ cdb: [0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], dataIn: block }).status, 0);
    assert.deepEqual([...new Set(this.memory.subarray(DATA_AT, DATA_AT + 512))], [0x5a]);
    assert.equal(this.run([0x12, 0, 0, 0, 96, 0], 96).status, 0);
    assert.deepEqual(this.internalErrors, []);
  }

  close(): void {
    this.port.detach();
    this.port.close();
    this.loopback.close();
  }
}
