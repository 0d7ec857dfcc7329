/** Invariants that stay on in production: a broken one is a bug in ringscsi, never an outcome. */

export class InvariantError extends Error {
  readonly code = 'ERR_INVARIANT';
}

/** Throws InvariantError naming the invariant. Not for outcomes that a peer can cause. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${invariant}`);
}

/** For the branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`Invariant broken: unexpected value ${String(value)}`);
}
