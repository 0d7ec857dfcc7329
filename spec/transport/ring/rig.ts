/** What the ring specs share: a listener in a directory of its own, and an initiator that sends whatever bytes it is told. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  addSeals,
  close,
  connectUnix,
  createEventFd,
  createMemoryFile,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
  setNonBlocking,
} from '../../../src/libc.ts';
import type { RingAttachment } from '../../../src/transport/ring/attachment.ts';
import {
  type RingConnection,
  type RingConnectOptions,
  RingHandshake,
} from '../../../src/transport/ring/connector.ts';
import { RingListener, type RingListenerOptions } from '../../../src/transport/ring/listener.ts';
import type { CrqElement } from '../../../src/transport/srp/channel.ts';

/** Open descriptors of this process but /dev/null, which libuv opens with its first stream and keeps. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').filter((fd) => fileOf(fd) !== '/dev/null').length;
}

function fileOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return 'the directory that was just read';
  }
}

/** Waits until `expected` descriptors are open; what runs in other threads of this process may hold one for a moment. */
export async function fdsReturn(expected: number): Promise<void> {
  for (let i = 0; i < 200 && openFds() !== expected; i += 1) await pause(10);
  assert.equal(openFds(), expected, 'descriptors return to where they were');
}

export function emptyElement(): CrqElement {
  return { valid: 0, format: 0, reserved: 0, status: 0, timeout: 0, length: 0, high: 0, low: 0 };
}

export class Rig {
  readonly directory: string;
  readonly path: string;
  readonly listener: RingListener;

  constructor(options: Partial<RingListenerOptions> = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    this.path = join(this.directory, 'a.sock');
    this.listener = new RingListener({
      path: this.path,
      name: 'target',
      maxRequestBytes: 1024,
      maxResponseBytes: 512,
      ...options,
    });
  }

  /** The next connection, which must be there. */
  accept(): RingAttachment {
    const attachment = this.listener.accept();
    if (attachment === null) throw new Error('no connection to accept');
    return attachment;
  }

  /** Both ends of an attachment, made in this thread. */
  attach(
    options: Partial<RingConnectOptions> = {},
  ): readonly [attachment: RingAttachment, connection: RingConnection] {
    const handshake = new RingHandshake({ path: this.path, name: 'guest', ...options });
    try {
      handshake.step();
      const attachment = this.accept();
      handshake.step();
      attachment.receive();
      const connection = handshake.step();
      if (connection === null) throw new Error(`not attached: ${attachment.reason}`);
      return [attachment, connection];
    } catch (error) {
      handshake.abandon();
      throw error;
    }
  }

  close(): void {
    this.listener.close();
    rmSync(this.directory, { recursive: true });
  }
}

export class RawInitiator {
  readonly fd: number;

  constructor(path: string) {
    this.fd = connectUnix(path);
    setNonBlocking(this.fd);
  }

  send(body: Buffer, descriptors: readonly number[] = []): number {
    return sendMessage(this.fd, body, descriptors);
  }

  /** The message that is there; null at end of file, throws when there is none. Its descriptors are closed. */
  receive(): ReceivedMessage | null {
    const got = receiveMessage(this.fd, 1024);
    if (typeof got === 'number') throw new Error(`nothing to receive: ${got}`);
    if (got !== null) for (const fd of got.descriptors) close(fd);
    return got;
  }

  close(): void {
    close(this.fd);
  }
}

/** A memory file and a doorbell that a target accepts, and copies of the bytes that name them. */
export class Goods {
  readonly memory: number;
  readonly call: number;

  constructor(bytes = 65536) {
    this.memory = createMemoryFile('goods', bytes);
    addSeals(this.memory, 2);
    this.call = createEventFd();
  }

  close(): void {
    close(this.memory);
    close(this.call);
  }
}

/** Byte offsets of docs/srp-ring.md section 4, for one region and one queue pair. */
export const ATTACH_AT = {
  magic: 0,
  major: 8,
  minor: 10,
  type: 12,
  flags: 16,
  regionCount: 20,
  queuePairCount: 24,
  reserved: 28,
  name: 32,
  handle: 96,
  regionReserved: 100,
  regionBytes: 104,
  commandOffset: 112,
  responseOffset: 120,
  controlOffset: 128,
  commandEntries: 136,
  responseEntries: 140,
} as const;

/** ATTACH for a region of 65536 bytes: control block at 0, 16 command elements at 128, 32 response elements at 384. */
export function goodAttach(): Buffer {
  const body = Buffer.alloc(144);
  body.write('RINGSCSI', 0);
  body.writeUInt16BE(1, 8);
  body.writeUInt32BE(2, 12);
  body.writeUInt32BE(1, 20);
  body.writeUInt32BE(1, 24);
  body.write('guest', 32);
  body.writeBigUInt64BE(65536n, 104);
  body.writeBigUInt64BE(128n, 112);
  body.writeBigUInt64BE(384n, 120);
  body.writeBigUInt64BE(0n, 128);
  body.writeUInt32BE(16, 136);
  body.writeUInt32BE(32, 140);
  return body;
}
