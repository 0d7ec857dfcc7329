/** Wire records: declared once with buffer-layout, executed through the byte offsets derived from it. */
import type { Buffer } from 'node:buffer';
import {
  blob,
  type Layout,
  type Structure,
  struct,
  u8,
  u16,
  u16be,
  u24be,
  u32,
  u32be,
} from 'buffer-layout';

/** Wire types. `pad` and `bytes` carry their length; every other kind has a fixed one. `le` kinds are little-endian. */
type Kind =
  | 'u8'
  | 'u16'
  | 'u24'
  | 'u32'
  | 'u16le'
  | 'u32le'
  | readonly ['bytes', number]
  | readonly ['pad', number];
type Shape = Readonly<Record<string, Kind>>;

type Field<K extends Kind> = K extends readonly ['bytes', number]
  ? Buffer
  : K extends readonly ['pad', number]
    ? never
    : number;
type Named<S extends Shape> = {
  [P in keyof S as S[P] extends readonly ['pad', number] ? never : P]: S[P];
};
export type Decoded<S extends Shape> = { [P in keyof Named<S>]: Field<Extract<Named<S>[P], Kind>> };
type Offsets<S extends Shape> = { readonly [P in keyof Named<S>]: number };

export interface RecordLayout<S extends Shape> {
  /** Bytes of the whole record. */
  readonly size: number;
  /** Byte offset of each field. Destructure into module constants for hot code. */
  readonly at: Offsets<S>;
  /** buffer-layout structure for cold encoding and decoding. `encode` leaves padding as it was: zero the buffer first. */
  readonly layout: Structure<Decoded<S>>;
}

const MEMBERS = {
  u8,
  u16: u16be,
  u24: u24be,
  u32: u32be,
  u16le: u16,
  u32le: u32,
} as const;

function member(name: string, kind: Kind): Layout {
  if (typeof kind === 'string') return MEMBERS[kind](name);
  return kind[0] === 'pad' ? blob(kind[1]) : blob(kind[1], name);
}

/**
 * Declares a wire record, big-endian unless a kind says `le`.
 * Throws RangeError at import when the fields do not add up to the size the standard gives.
 */
export function record<const S extends Shape>(size: number, shape: S): RecordLayout<S> {
  const layout = struct<Decoded<S>>(
    Object.entries(shape).map(([name, kind]) => member(name, kind)),
  );
  if (layout.span !== size) {
    throw new RangeError(
      `Cannot declare record: fields span ${layout.span} bytes, the standard says ${size}`,
    );
  }
  const at: Record<string, number> = {};
  for (const name of Object.keys(shape)) {
    const offset = layout.offsetOf(name);
    if (offset !== undefined) at[name] = offset;
  }
  return Object.freeze({ size, at: Object.freeze(at) as Offsets<S>, layout });
}
