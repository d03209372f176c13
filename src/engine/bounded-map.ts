/** Calls `action` for every item, at most `limit` at a time; results in order. The first failure is thrown, after all ended. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  action: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = Array<R>(items.length)
  const failures: unknown[] = []
  let next = 0
  const work = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try {
        results[index] = await action(items[index])
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  if (failures.length > 0) throw failures[0]
  return results
}
