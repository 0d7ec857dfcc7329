/** The shape of a disc state: what bytes of a file must be before anybody looks at what they mean (`state-fault.ts`). */
import { SESSION_CD_DA_OR_ROM, SESSION_CD_I, SESSION_XA, STORED_BYTES } from '../disc.ts';
import { isMediumKind } from './media.ts';

/** What is wrong with a value that is called `name`, or null. */
type Shape = (value: unknown, name: string) => string | null;

const shape =
  (is: (value: unknown) => boolean, what: string): Shape =>
  (value, name) =>
    is(value) ? null : `${name} is ${what}`;

const oneOf = (...values: readonly unknown[]): Shape =>
  shape((value) => values.includes(value), `none of ${values.join(', ')}`);
const text = (pattern: RegExp): Shape =>
  shape((value) => typeof value === 'string' && pattern.test(value), 'no such text');
const FLAG = shape((value) => typeof value === 'boolean', 'neither true nor false');
/** Blocks of every medium are far fewer, in both directions. */
const MOST = 2 ** 31;
const BLOCK = shape(
  (value) => Number.isSafeInteger(value) && Math.abs(value as number) <= MOST,
  'no number of blocks',
);
const NATURAL = shape(
  (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MOST,
  'no number from 0 on',
);
const COUNT = shape(
  (value) => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MOST,
  'no number from 1 on',
);
const BITS = shape(
  (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 0xff,
  'no byte',
);

const orNull =
  (other: Shape): Shape =>
  (value, name) =>
    value === null ? null : other(value, name);
const optional =
  (other: Shape): Shape =>
  (value, name) =>
    value === undefined ? null : other(value, name);

function listOf(item: Shape): Shape {
  return (value, name) => {
    if (!Array.isArray(value)) return `${name} is no list`;
    for (const [i, each] of value.entries()) {
      const fault = item(each, `${name}[${i}]`);
      if (fault !== null) return fault;
    }
    return null;
  };
}

function record(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, name) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return `${name} is not described`;
    }
    for (const [key, each] of Object.entries(fields)) {
      const found = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
      const fault = each(found, `${name}.${key}`);
      if (fault !== null) return fault;
    }
    return null;
  };
}

const FORM = oneOf('audio', 'mode1', 'mode2', 'form1', 'form2', 'mixed');
const SESSION_TYPE = oneOf(SESSION_CD_DA_OR_ROM, SESSION_CD_I, SESSION_XA);

const SESSION = record({
  number: COUNT,
  type: SESSION_TYPE,
  firstTrack: COUNT,
  lastTrack: COUNT,
  leadOut: BLOCK,
});
const TRACK = record({
  number: COUNT,
  session: COUNT,
  control: BITS,
  form: FORM,
  pregap: BLOCK,
  start: BLOCK,
  end: BLOCK,
  next: BLOCK,
  indexes: listOf(BLOCK),
  isrc: orNull(text(/^[ -~]{12}$/)),
  state: oneOf('complete', 'open', 'reserved'),
  method: oneOf('incremental', 'at-once', 'planned'),
  packet: FLAG,
  packetBlocks: NATURAL,
  damaged: FLAG,
  copy: FLAG,
});
const RUN = record({
  first: BLOCK,
  blocks: COUNT,
  form: FORM,
  stored: oneOf(...Object.keys(STORED_BYTES)),
  sub: FLAG,
});
const FORMAT = record({
  type: BITS,
  earlier: optional(listOf(record({ first: BLOCK, end: BLOCK }))),
  blocks: BLOCK,
  growing: FLAG,
  pseudoOverwrite: FLAG,
  packetBlocks: NATURAL,
  form: optional(oneOf('form1')),
  background: oneOf('none', 'stopped', 'running', 'complete'),
});
const STATE = record({
  kind: shape((value) => typeof value === 'string' && isMediumKind(value), 'no medium'),
  sessions: listOf(SESSION),
  tracks: listOf(TRACK),
  runs: listOf(RUN),
  catalog: orNull(text(/^\d{13}$/)),
  cdText: orNull(text(/^([0-9a-f]{36})+$/)),
  final: FLAG,
  format: orNull(FORMAT),
  sessionType: SESSION_TYPE,
  layerBreak: orNull(NATURAL),
});

/** Why a value is no disc state, whatever it means, or null: it has every field of `DiscState`. */
export function shapeFault(value: unknown): string | null {
  return STATE(value, 'the disc');
}
