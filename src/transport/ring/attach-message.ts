/** The four messages of the attach handshake: layouts, encoding, decoding (docs/srp-ring.md sections 3 and 4). */
import { Buffer } from 'node:buffer';
import { record } from '../../record.ts';
import { CONTROL_BLOCK_BYTES, type QueuePairPlace } from './queue-pair.ts';

export const MAGIC = 'RINGSCSI';
export const VERSION_MAJOR = 1;
export const VERSION_MINOR = 0;

export const HELLO = 1;
export const ATTACH = 2;
export const ATTACHED = 3;
export const REFUSED = 4;

/** FLAGS of ATTACH: the LUN fields of this initiator follow VSCSI's logical unit addressing. */
export const FLAG_LUN_PRESENTATION = 1;

/** CODE of REFUSED. */
export const REFUSED_MALFORMED = 1;
export const REFUSED_MAGIC = 2;
export const REFUSED_VERSION = 3;
export const REFUSED_LIMIT = 4;
export const REFUSED_NAME = 5;
export const REFUSED_REGION = 6;
export const REFUSED_QUEUE = 7;
export const REFUSED_DESCRIPTORS = 8;
export const REFUSED_BUSY = 9;

export const NAME_BYTES = 64;
export const REFUSAL_TEXT_BYTES = 200;
export const PAGE_BYTES = 4096;
/** Queues and control blocks start on a cache line. */
export const LINE_BYTES = 64;
export const MIN_COMMAND_ENTRIES = 16;
/** A response queue of fewer leaves no request limit: see docs/srp-ring.md section 5. */
export const MIN_RESPONSE_ENTRIES = 32;

const HEADER = {
  magic: ['bytes', 8],
  major: 'u16',
  minor: 'u16',
  type: 'u32',
} as const;

export const HEADER_RECORD = record(16, HEADER);

export const HELLO_RECORD = record(112, {
  ...HEADER,
  maxRegions: 'u32',
  maxQueuePairs: 'u32',
  maxRegionBytesHigh: 'u32',
  maxRegionBytesLow: 'u32',
  maxEntries: 'u32',
  maxRequestBytes: 'u32',
  maxResponseBytes: 'u32',
  reserved: 'u32',
  name: ['bytes', NAME_BYTES],
});

export const ATTACH_RECORD = record(96, {
  ...HEADER,
  flags: 'u32',
  regionCount: 'u32',
  queuePairCount: 'u32',
  reserved: 'u32',
  name: ['bytes', NAME_BYTES],
});

export const REGION_RECORD = record(16, {
  handle: 'u32',
  reserved: 'u32',
  bytesHigh: 'u32',
  bytesLow: 'u32',
});

export const QUEUE_PAIR_RECORD = record(32, {
  commandOffsetHigh: 'u32',
  commandOffsetLow: 'u32',
  responseOffsetHigh: 'u32',
  responseOffsetLow: 'u32',
  controlOffsetHigh: 'u32',
  controlOffsetLow: 'u32',
  commandEntries: 'u32',
  responseEntries: 'u32',
});

export const ATTACHED_RECORD = record(24, { ...HEADER, id: 'u32', queuePairCount: 'u32' });

export const REFUSED_RECORD = record(220, {
  ...HEADER,
  code: 'u32',
  text: ['bytes', REFUSAL_TEXT_BYTES],
});

/** What HELLO announces. */
export interface RingLimits {
  readonly maxRegions: number;
  readonly maxRegionBytes: number;
  readonly maxQueuePairs: number;
  readonly maxEntries: number;
  /** Longest IU the target takes, in bytes. */
  readonly maxRequestBytes: number;
  /** Longest IU the target sends, in bytes. */
  readonly maxResponseBytes: number;
}

export interface Hello extends RingLimits {
  readonly name: string;
}

export interface RegionRequest {
  /** MEMORY HANDLE that descriptors name the region with. */
  readonly handle: number;
  readonly bytes: number;
}

export interface AttachRequest {
  readonly name: string;
  readonly lunPresentation: boolean;
  readonly regions: readonly RegionRequest[];
  readonly queuePairs: readonly QueuePairPlace[];
}

/** Why an attachment is refused: a REFUSED_ code and one line naming the field, its value and what would do. */
export class Refusal {
  readonly code: number;
  readonly text: string;
  constructor(code: number, text: string) {
    this.code = code;
    this.text = text;
  }
}

const TWO_32 = 2 ** 32;

/** A 64-bit field as a number. Inexact past 2^53, where every limit has long been exceeded. */
function wide(high: number, low: number): number {
  return high * TWO_32 + low;
}

function high(value: number): number {
  return Math.floor(value / TWO_32);
}

function low(value: number): number {
  return value % TWO_32;
}

function text(value: string, bytes: number): Buffer {
  const field = Buffer.alloc(bytes);
  field.write(value);
  return field;
}

const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** NUL-padded printable UTF-8, or null when it is not that. */
function decodeText(field: Buffer): string | null {
  const end = field.indexOf(0);
  const used = end < 0 ? field : field.subarray(0, end);
  if (end >= 0 && field.subarray(end).some((byte) => byte !== 0)) return null;
  try {
    const value = new TextDecoder('utf-8', { fatal: true }).decode(used);
    return NOT_PRINTABLE.test(value) ? null : value;
  } catch {
    return null;
  }
}

function header(type: number): { magic: Buffer; major: number; minor: number; type: number } {
  return { magic: text(MAGIC, 8), major: VERSION_MAJOR, minor: VERSION_MINOR, type };
}

/** Whether `name` fits a name field: 1 to 64 bytes of printable UTF-8. */
export function isName(name: string): boolean {
  const bytes = Buffer.byteLength(name);
  return bytes > 0 && bytes <= NAME_BYTES && !NOT_PRINTABLE.test(name);
}

export function encodeHello(hello: Hello): Buffer {
  const body = Buffer.alloc(HELLO_RECORD.size);
  HELLO_RECORD.layout.encode(
    {
      ...header(HELLO),
      maxRegions: hello.maxRegions,
      maxQueuePairs: hello.maxQueuePairs,
      maxRegionBytesHigh: high(hello.maxRegionBytes),
      maxRegionBytesLow: low(hello.maxRegionBytes),
      maxEntries: hello.maxEntries,
      maxRequestBytes: hello.maxRequestBytes,
      maxResponseBytes: hello.maxResponseBytes,
      reserved: 0,
      name: text(hello.name, NAME_BYTES),
    },
    body,
  );
  return body;
}

export function encodeAttach(request: AttachRequest): Buffer {
  const { regions, queuePairs } = request;
  const pairsAt = ATTACH_RECORD.size + regions.length * REGION_RECORD.size;
  const body = Buffer.alloc(pairsAt + queuePairs.length * QUEUE_PAIR_RECORD.size);
  ATTACH_RECORD.layout.encode(
    {
      ...header(ATTACH),
      flags: request.lunPresentation ? FLAG_LUN_PRESENTATION : 0,
      regionCount: regions.length,
      queuePairCount: queuePairs.length,
      reserved: 0,
      name: text(request.name, NAME_BYTES),
    },
    body,
  );
  regions.forEach(({ handle, bytes }, i) => {
    const at = ATTACH_RECORD.size + i * REGION_RECORD.size;
    const fields = { handle, reserved: 0, bytesHigh: high(bytes), bytesLow: low(bytes) };
    REGION_RECORD.layout.encode(fields, body, at);
  });
  queuePairs.forEach((pair, i) => {
    const fields = {
      commandOffsetHigh: high(pair.commandOffset),
      commandOffsetLow: low(pair.commandOffset),
      responseOffsetHigh: high(pair.responseOffset),
      responseOffsetLow: low(pair.responseOffset),
      controlOffsetHigh: high(pair.controlOffset),
      controlOffsetLow: low(pair.controlOffset),
      commandEntries: pair.commandEntries,
      responseEntries: pair.responseEntries,
    };
    QUEUE_PAIR_RECORD.layout.encode(fields, body, pairsAt + i * QUEUE_PAIR_RECORD.size);
  });
  return body;
}

export function encodeAttached(id: number, queuePairCount: number): Buffer {
  const body = Buffer.alloc(ATTACHED_RECORD.size);
  ATTACHED_RECORD.layout.encode({ ...header(ATTACHED), id, queuePairCount }, body);
  return body;
}

export function encodeRefused(refusal: Refusal): Buffer {
  const body = Buffer.alloc(REFUSED_RECORD.size);
  REFUSED_RECORD.layout.encode(
    { ...header(REFUSED), code: refusal.code, text: text(refusal.text, REFUSAL_TEXT_BYTES) },
    body,
  );
  return body;
}

/** TYPE of a message of this version of the protocol, or why it is none. */
export function messageType(body: Buffer): number | Refusal {
  if (body.length < HEADER_RECORD.size) {
    return new Refusal(
      REFUSED_MALFORMED,
      `message is ${body.length} bytes; a message starts with a header of ${HEADER_RECORD.size} bytes`,
    );
  }
  const { magic, major, minor, type } = HEADER_RECORD.layout.decode(body);
  if (magic.toString('latin1') !== MAGIC) {
    return new Refusal(REFUSED_MAGIC, `magic is ${magic.toString('hex')}; it is "${MAGIC}"`);
  }
  if (major !== VERSION_MAJOR || minor > VERSION_MINOR) {
    return new Refusal(
      REFUSED_VERSION,
      `version is ${major}.${minor}; this end speaks ${VERSION_MAJOR}.${VERSION_MINOR}`,
    );
  }
  return type;
}

function malformed(field: string, value: number | string, rule: string): Refusal {
  return new Refusal(REFUSED_MALFORMED, `${field} is ${value}; ${rule}`);
}

function expectLength(body: Buffer, bytes: number): Refusal | null {
  if (body.length === bytes) return null;
  return malformed('message length', body.length, `its type and counts make it ${bytes} bytes`);
}

/** Decodes HELLO, for the initiator. */
export function decodeHello(body: Buffer): Hello | Refusal {
  const type = messageType(body);
  if (type instanceof Refusal) return type;
  if (type === REFUSED) return decodeRefused(body);
  if (type !== HELLO) return malformed('type', type, `the target opens with HELLO (${HELLO})`);
  const short = expectLength(body, HELLO_RECORD.size);
  if (short !== null) return short;
  const fields = HELLO_RECORD.layout.decode(body);
  const name = decodeText(fields.name);
  if (name === null) return malformed('name', 'not text', 'a name is UTF-8 padded with NUL');
  return {
    maxRegions: fields.maxRegions,
    maxRegionBytes: wide(fields.maxRegionBytesHigh, fields.maxRegionBytesLow),
    maxQueuePairs: fields.maxQueuePairs,
    maxEntries: fields.maxEntries,
    maxRequestBytes: fields.maxRequestBytes,
    maxResponseBytes: fields.maxResponseBytes,
    name,
  };
}

export interface Attached {
  readonly id: number;
  readonly queuePairCount: number;
}

/** Decodes ATTACHED, or REFUSED as the refusal it carries, for the initiator. */
export function decodeReply(body: Buffer): Attached | Refusal {
  const type = messageType(body);
  if (type instanceof Refusal) return type;
  if (type === REFUSED) return decodeRefused(body);
  if (type !== ATTACHED) {
    return malformed('type', type, `the reply is ATTACHED (${ATTACHED}) or REFUSED (${REFUSED})`);
  }
  const short = expectLength(body, ATTACHED_RECORD.size);
  if (short !== null) return short;
  const { id, queuePairCount } = ATTACHED_RECORD.layout.decode(body);
  return { id, queuePairCount };
}

function decodeRefused(body: Buffer): Refusal {
  const short = expectLength(body, REFUSED_RECORD.size);
  if (short !== null) return short;
  const fields = REFUSED_RECORD.layout.decode(body);
  return new Refusal(fields.code, decodeText(fields.text) ?? 'no reason in words');
}

/** Decodes and checks ATTACH against `limits`, for the target. Nothing of it is used before all of it is checked. */
export function decodeAttach(body: Buffer, limits: RingLimits): AttachRequest | Refusal {
  const type = messageType(body);
  if (type instanceof Refusal) return type;
  if (type !== ATTACH) return malformed('type', type, `the first message is ATTACH (${ATTACH})`);
  if (body.length < ATTACH_RECORD.size) {
    return malformed('message length', body.length, `ATTACH has at least ${ATTACH_RECORD.size}`);
  }
  const fields = ATTACH_RECORD.layout.decode(body);
  const { regionCount, queuePairCount } = fields;
  const refused =
    checkCount('regionCount', regionCount, limits.maxRegions) ??
    checkCount('queuePairCount', queuePairCount, limits.maxQueuePairs) ??
    expectLength(
      body,
      ATTACH_RECORD.size +
        regionCount * REGION_RECORD.size +
        queuePairCount * QUEUE_PAIR_RECORD.size,
    ) ??
    checkZero('flags', fields.flags & ~FLAG_LUN_PRESENTATION) ??
    checkZero('reserved', fields.reserved);
  if (refused !== null) return refused;
  const name = decodeText(fields.name);
  if (name === null || name === '') {
    return new Refusal(
      REFUSED_NAME,
      'name is empty or no text; it is 1 to 64 bytes of printable UTF-8 padded with NUL',
    );
  }
  const regions = decodeRegions(body, regionCount, limits);
  if (regions instanceof Refusal) return regions;
  const first = regions[0] as RegionRequest;
  const queuePairs = decodeQueuePairs(body, regionCount, queuePairCount, limits, first.bytes);
  if (queuePairs instanceof Refusal) return queuePairs;
  const lunPresentation = (fields.flags & FLAG_LUN_PRESENTATION) !== 0;
  return { name, lunPresentation, regions, queuePairs };
}

function checkCount(field: string, count: number, max: number): Refusal | null {
  if (count >= 1 && count <= max) return null;
  return new Refusal(REFUSED_LIMIT, `${field} is ${count}; it is 1 to ${max}`);
}

function checkZero(field: string, value: number): Refusal | null {
  if (value === 0) return null;
  const unknown = (value >>> 0).toString(16);
  return malformed(field, `0x${unknown} where undefined`, 'undefined bits are zero');
}

function decodeRegions(
  body: Buffer,
  count: number,
  limits: RingLimits,
): readonly RegionRequest[] | Refusal {
  const regions: RegionRequest[] = [];
  for (let i = 0; i < count; i += 1) {
    const fields = REGION_RECORD.layout.decode(body, ATTACH_RECORD.size + i * REGION_RECORD.size);
    const { handle } = fields;
    const bytes = wide(fields.bytesHigh, fields.bytesLow);
    const reserved = checkZero(`regions[${i}].reserved`, fields.reserved);
    if (reserved !== null) return reserved;
    if (bytes === 0 || bytes % PAGE_BYTES !== 0 || bytes > limits.maxRegionBytes) {
      return new Refusal(
        REFUSED_REGION,
        `regions[${i}].bytes is ${bytes}; it is a multiple of ${PAGE_BYTES}, at most ${limits.maxRegionBytes}`,
      );
    }
    if (regions.some((other) => other.handle === handle)) {
      return new Refusal(
        REFUSED_REGION,
        `regions[${i}].handle is ${handle} like another one's; each region has its own`,
      );
    }
    regions.push({ handle, bytes });
  }
  return regions;
}

/** A stretch of the first region that belongs to one queue or control block. */
interface Claim {
  readonly field: string;
  readonly offset: number;
  readonly bytes: number;
}

function decodeQueuePairs(
  body: Buffer,
  regionCount: number,
  count: number,
  limits: RingLimits,
  regionBytes: number,
): readonly QueuePairPlace[] | Refusal {
  const places: QueuePairPlace[] = [];
  const claims: Claim[] = [];
  const start = ATTACH_RECORD.size + regionCount * REGION_RECORD.size;
  for (let i = 0; i < count; i += 1) {
    const fields = QUEUE_PAIR_RECORD.layout.decode(body, start + i * QUEUE_PAIR_RECORD.size);
    const { commandEntries, responseEntries } = fields;
    const place = {
      commandOffset: wide(fields.commandOffsetHigh, fields.commandOffsetLow),
      commandEntries,
      responseOffset: wide(fields.responseOffsetHigh, fields.responseOffsetLow),
      responseEntries,
      controlOffset: wide(fields.controlOffsetHigh, fields.controlOffsetLow),
    };
    const of = `queuePairs[${i}].`;
    const refused =
      checkEntries(`${of}commandEntries`, commandEntries, MIN_COMMAND_ENTRIES, limits) ??
      checkEntries(`${of}responseEntries`, responseEntries, MIN_RESPONSE_ENTRIES, limits) ??
      claim(claims, `${of}commandOffset`, place.commandOffset, commandEntries * 16, regionBytes) ??
      claim(
        claims,
        `${of}responseOffset`,
        place.responseOffset,
        responseEntries * 16,
        regionBytes,
      ) ??
      claim(claims, `${of}controlOffset`, place.controlOffset, CONTROL_BLOCK_BYTES, regionBytes);
    if (refused !== null) return refused;
    places.push(place);
  }
  return places;
}

function checkEntries(
  field: string,
  entries: number,
  min: number,
  limits: RingLimits,
): Refusal | null {
  const max = limits.maxEntries;
  if (entries >= min && entries <= max && (entries & (entries - 1)) === 0) return null;
  return new Refusal(
    REFUSED_QUEUE,
    `${field} is ${entries}; it is a power of two from ${min} to ${max}`,
  );
}

function claim(
  claims: Claim[],
  field: string,
  offset: number,
  bytes: number,
  regionBytes: number,
): Refusal | null {
  if (offset % LINE_BYTES !== 0) {
    return new Refusal(REFUSED_QUEUE, `${field} is ${offset}; it is a multiple of ${LINE_BYTES}`);
  }
  if (offset + bytes > regionBytes) {
    return new Refusal(
      REFUSED_QUEUE,
      `${field} is ${offset}; with ${bytes} bytes it must end inside the first region of ${regionBytes}`,
    );
  }
  for (const other of claims) {
    if (offset < other.offset + other.bytes && other.offset < offset + bytes) {
      return new Refusal(
        REFUSED_QUEUE,
        `${field} is ${offset}; with ${bytes} bytes it overlaps ${other.field}`,
      );
    }
  }
  claims.push({ field, offset, bytes });
  return null;
}
