/**
 * Assertions state what must hold if our code is right. They are not input validation: a failed one is a
 * bug, and the service that hits it stops loudly instead of going on with a state nobody designed.
 */

export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** @throws AssertionFailed when `condition` is false */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** For the branch that the type checker knows to be impossible. @throws AssertionFailed always */
export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable: ${JSON.stringify(value)}`);
}
