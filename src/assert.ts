/**
 * Fails when an invariant of the engine does not hold. Stays on in production: a broken invariant stops the partition
 * before it can write something wrong.
 *
 * @throws Error "invariant broken: ..."
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`)
}
