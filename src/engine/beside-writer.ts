import { systemErrorCode } from '../errors.ts'

/** How often a reader tries while a writer deletes what it is looking at. */
const ATTEMPTS = 5

/**
 * Calls `action` again, a few times, where a file was gone when it came to it, which a writer may have deleted meanwhile,
 * or where it gives null because what it found is out of date.
 *
 * @param action   told which attempt it is, from 1, and whether it is the last, which must not give null
 * @param attempts more where one is quick, and a compaction may come between many times
 */
export async function retryBesideWriter<T>(
  action: (attempt: number, isLast: boolean) => Promise<T | null>,
  attempts = ATTEMPTS,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === attempts
    try {
      const result = await action(attempt, isLast)
      if (result !== null) return result
    } catch (error) {
      if (isLast || systemErrorCode((error as Error).cause) !== 'ENOENT') throw error
    }
  }
}
