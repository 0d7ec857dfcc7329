/** Invariants that stay on in production: a broken one is a bug in ringscsi, never an outcome. */

export class InvariantError extends Error {
  readonly code = 'ERR_INVARIANT';
}

/** Throws InvariantError naming the invariant. Not for outcomes that a peer can cause. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${invariant}`);
}
