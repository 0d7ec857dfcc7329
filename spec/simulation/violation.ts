/** Something that the rules do not allow was seen. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function must(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Violation(rule);
}
