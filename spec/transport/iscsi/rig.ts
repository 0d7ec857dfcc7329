/** A raw iSCSI initiator for specs: it builds its PDUs by hand, well or badly, and reads what comes back. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ChapConfig } from '../../../src/transport/iscsi/chap.ts';
import { IscsiServer } from '../../../src/transport/iscsi/server.ts';
import { LoopbackTarget } from '../../support/loopback-link.ts';

export const TARGET = 'iqn.2026-11.example.org:disks';
const WAIT_MS = 3000;

/** A server in front of an in-process target with one memory disk, LUN 0, of 4 MiB. */
export async function openServer(
  options: { chap?: ChapConfig; loginMs?: number } = {},
): Promise<{ server: IscsiServer; backend: LoopbackTarget; log: string[] }> {
  const backend = new LoopbackTarget();
  backend.inventory.add({
    lun: 0,
    backing: { kind: 'memory', bytes: 4 * 2 ** 20 },
    readOnly: false,
    blockBytes: 512,
    physicalBlockBytes: 4096,
    thin: true,
    writeCache: true,
    serial: 'ISCSI0',
    naa: Uint8Array.from([0x60, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0, 0, 0, 0, 0, 0, 0, 0]),
    savedPages: null,
    savable: false,
  });
  const log: string[] = [];
  const server = new IscsiServer({
    host: '127.0.0.1',
    port: 0,
    targetName: TARGET,
    chap: options.chap ?? null,
    initiators: null,
    openLink: (name) => Promise.resolve(backend.open(name, 1)),
    namePort: (port, transportId) => {
      backend.target.transportIds.name(port.toString('hex'), transportId);
      return Promise.resolve();
    },
    luns: () => [0],
    log: (text) => log.push(text),
    ...(options.loginMs === undefined ? {} : { loginMs: options.loginMs }),
  });
  await server.listen();
  return { server, backend, log };
}

/** 48 bytes: opcode, flags, then pieces at offsets, each 32 bits or bytes. */
export function header(
  opcode: number,
  flags: number,
  ...parts: readonly (readonly [number, number | string])[]
): Buffer {
  const bytes = Buffer.alloc(48);
  bytes[0] = opcode;
  bytes[1] = flags;
  for (const [at, value] of parts) {
    if (typeof value === 'number') bytes.writeUInt32BE(value >>> 0, at);
    else Buffer.from(value.replaceAll(' ', ''), 'hex').copy(bytes, at);
  }
  return bytes;
}

export interface Received {
  readonly header: Buffer;
  readonly data: Buffer;
}

export class RawInitiator {
  readonly socket: Socket;
  cmdSN = 1;
  #bytes: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async connect(port: number): Promise<RawInitiator> {
    const socket = connect(port, '127.0.0.1');
    const raw = new RawInitiator(socket);
    await once(socket, 'connect');
    return raw;
  }

  /** Connects and logs in without security. */
  static async login(port: number, isid = '800000000001', keys = ''): Promise<RawInitiator> {
    const raw = await RawInitiator.connect(port);
    const text = `InitiatorName=iqn.x:raw\0TargetName=${TARGET}\0SessionType=Normal\0${keys}`;
    raw.send(header(0x43, 0x87, [8, isid], [16, 1], [24, 1]), text);
    const { header: answer } = await raw.next();
    assert.equal(answer.toString('hex', 0, 2), '2387');
    assert.equal(answer.readUInt16BE(36), 0);
    return raw;
  }

  send(bhs: Buffer, data: string | Buffer = ''): void {
    const segment = Buffer.from(data as string, 'latin1');
    bhs.writeUIntBE(segment.length, 5, 3);
    this.socket.write(Buffer.concat([bhs, segment, Buffer.alloc(-segment.length & 3)]));
  }

  /** The next PDU. Rejects when the target closes the connection instead. */
  async next(): Promise<Received> {
    for (;;) {
      const bytes = this.#bytes;
      const length = bytes.length < 48 ? 0 : bytes.readUIntBE(5, 3);
      const end = 48 + length + (-length & 3);
      if (bytes.length >= end) {
        this.#bytes = bytes.subarray(end);
        return { header: bytes.subarray(0, 48), data: bytes.subarray(48, 48 + length) };
      }
      if (this.#closed) throw new Error('the target closed the connection');
      await this.#change();
    }
  }

  /** Resolves when the target has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#closed) await this.#change();
  }

  /** SCSI command; `flags` without F, which is set unless `more`. */
  command(
    itt: number,
    flags: number,
    expected: number,
    cdb: string,
    data: string | Buffer = '',
    more = false,
  ): void {
    const bhs = header(
      0x01,
      flags | (more ? 0 : 0x80) | 1,
      [16, itt],
      [20, expected],
      [24, this.cmdSN],
      [32, cdb],
    );
    this.cmdSN += 1;
    this.send(bhs, data);
  }

  /** Takes the unit attention a new nexus begins with. */
  async settle(): Promise<void> {
    this.command(0x7777, 0, 0, '00 00 00 00 00 00');
    await this.next();
  }

  end(): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('nothing came')), WAIT_MS);
      this.#wake = () => {
        clearTimeout(late);
        resolve();
      };
    });
  }
}
