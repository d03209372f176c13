/** Takes all, so many at a time; when one fails no more are begun, and those under way are waited for. */
export async function inParallel<T>(atOnce: number, all: readonly T[], take: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await take(next).catch((error: unknown) => {
        queue.length = 0
        throw error
      })
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
