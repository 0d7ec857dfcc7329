/**
 * How the two ends of the comparator meet, in place of Xenstore: one message each way over a unix socket.
 *
 *      client                                                              server
 *      HELLO { abi, ring pages, pages } + memory file, two eventfds  ---->  checks, maps
 *      maps, issues requests                                         <----  FEATURES { sectors, info }
 *
 * The region starts with the ring; every page behind it is granted, its number is its grant reference.
 */
import { Buffer } from 'node:buffer';
import {
  addSeals,
  close,
  connectUnix,
  createEventFd,
  createMemoryFile,
  F_SEAL_SHRINK,
  type FileState,
  fileState,
  getSeals,
  type Mapping,
  mapShared,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
} from '../../src/libc.ts';
import { record } from '../../src/record.ts';
import { type Abi, X86_32, X86_64 } from './request.ts';
import { initializeRing, PAGE_BYTES } from './ring.ts';

const HELLO = record(16, { magic: 'u32le', abi: 'u32le', ringPages: 'u32le', pages: 'u32le' });
const FEATURES = record(16, {
  magic: 'u32le',
  info: 'u32le',
  sectorsLow: 'u32le',
  sectorsHigh: 'u32le',
});
const MAGIC = 0x666b6c62;
const TWO_32 = 2 ** 32;
const MAX_RING_PAGES = 16;
const MAX_PAGES = 2 ** 18;
/** `info` of FEATURES. */
export const INFO_READ_ONLY = 4;

export class AttachmentError extends Error {
  readonly code = 'ERR_BLKIF_ATTACHMENT';
}

/** What a client brings. Descriptors are the receiver's to close. */
export interface Guest {
  readonly abi: Abi;
  readonly mapping: Mapping;
  readonly ring: Uint8Array;
  readonly ringPages: number;
  readonly pages: number;
  /** Rung by the client, read by the server. */
  readonly serverDoorbell: number;
  /** Rung by the server, read by the client. */
  readonly clientDoorbell: number;
}

export interface Attached extends Guest {
  readonly socket: number;
  readonly sectors: number;
  readonly readOnly: boolean;
}

function receive(socket: number): ReceivedMessage {
  const message = receiveMessage(socket, 64);
  if (message === null || typeof message === 'number') {
    throw new AttachmentError('Cannot attach a blkif ring: the other end went away');
  }
  return message;
}

/** Connects with new memory of `ringPages` pages of ring and `dataPages` granted ones. Throws AttachmentError, SystemError. */
export function attach(path: string, ringPages: number, dataPages: number): Attached {
  const pages = ringPages + dataPages;
  const memory = createMemoryFile('blkif', pages * PAGE_BYTES);
  addSeals(memory, F_SEAL_SHRINK);
  const mapping = mapShared(memory, pages * PAGE_BYTES);
  const ring = new Uint8Array(mapping.buffer, 0, ringPages * PAGE_BYTES);
  initializeRing(ring);
  const serverDoorbell = createEventFd();
  const clientDoorbell = createEventFd();
  const socket = connectUnix(path);
  const hello = Buffer.alloc(HELLO.size);
  HELLO.layout.encode({ magic: MAGIC, abi: 64, ringPages, pages }, hello);
  sendMessage(socket, hello, [memory, serverDoorbell, clientDoorbell]);
  close(memory);
  const { body } = receive(socket);
  const features = body.length === FEATURES.size ? FEATURES.layout.decode(body) : null;
  if (features?.magic !== MAGIC) {
    throw new AttachmentError(`Cannot attach a blkif ring at "${path}": no blkif server answers`);
  }
  return {
    abi: X86_64,
    mapping,
    ring,
    ringPages,
    pages,
    serverDoorbell,
    clientDoorbell,
    socket,
    sectors: features.sectorsHigh * TWO_32 + features.sectorsLow,
    readOnly: (features.info & INFO_READ_ONLY) !== 0,
  };
}

/** Takes the hello of a new connection and maps what it brings. Throws AttachmentError when it is no good. */
export function accept(socket: number): Guest {
  const { body, descriptors, truncated } = receive(socket);
  const [memory, serverDoorbell, clientDoorbell] = descriptors;
  const hello = body.length === HELLO.size && !truncated ? HELLO.layout.decode(body) : null;
  const valid =
    hello?.magic === MAGIC &&
    (hello.abi === 64 || hello.abi === 32) &&
    hello.ringPages >= 1 &&
    hello.ringPages <= MAX_RING_PAGES &&
    hello.pages > hello.ringPages &&
    hello.pages <= MAX_PAGES;
  if (!valid || descriptors.length !== 3 || !holds(memory ?? -1, hello.pages * PAGE_BYTES)) {
    for (const fd of descriptors) close(fd);
    throw new AttachmentError('Cannot accept a blkif ring: its hello or its memory is not usable');
  }
  const mapping = mapShared(memory ?? -1, hello.pages * PAGE_BYTES);
  close(memory ?? -1);
  return {
    abi: hello.abi === 64 ? X86_64 : X86_32,
    mapping,
    ring: new Uint8Array(mapping.buffer, 0, hello.ringPages * PAGE_BYTES),
    ringPages: hello.ringPages,
    pages: hello.pages,
    serverDoorbell: serverDoorbell ?? -1,
    clientDoorbell: clientDoorbell ?? -1,
  };
}

/** A file that has the bytes and cannot lose them: touching pages that were cut off would kill the server. */
function holds(memory: number, bytes: number): boolean {
  const seals = getSeals(memory);
  const state: FileState = { links: 0, bytes: 0 };
  return (
    seals >= 0 &&
    (seals & F_SEAL_SHRINK) !== 0 &&
    fileState(memory, state) === 0 &&
    state.bytes >= bytes
  );
}

/** Tells the client what the disk is. */
export function announce(socket: number, sectors: number, readOnly: boolean): void {
  const features = Buffer.alloc(FEATURES.size);
  FEATURES.layout.encode(
    {
      magic: MAGIC,
      info: readOnly ? INFO_READ_ONLY : 0,
      sectorsLow: sectors >>> 0,
      sectorsHigh: Math.floor(sectors / TWO_32),
    },
    features,
  );
  sendMessage(socket, features, []);
}
