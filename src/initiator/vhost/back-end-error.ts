/** What a vhost-user back end did that no back end may do. */

/** The back end broke the protocol, or left. */
export class BackEndError extends Error {
  readonly code = 'ERR_VHOST_BACK_END';
}

/** Throws BackEndError. For what the peer has to see to; bugs of this side are `assert`s. */
export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new BackEndError(`The vhost-user back end ${otherwise}`);
}
