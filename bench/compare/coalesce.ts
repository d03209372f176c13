import type { MaybePromise } from './peer.ts'

/**
 * The coalescing aid, for stores whose appends in flight do not share a sync: what a program would write around them. All
 * that is pending goes into one batch, at most one batch at a time, and each append resolves when its batch has.
 */
export function coalesce(
  appendBatch: (records: Buffer[]) => MaybePromise<unknown>,
): (record: Buffer) => Promise<unknown> {
  let pending: Buffer[] = []
  let resolves: (() => void)[] = []
  let rejects: ((error: unknown) => void)[] = []
  let running = false
  const flush = async () => {
    while (pending.length > 0) {
      const [records, resolved, rejected] = [pending, resolves, rejects]
      pending = []
      resolves = []
      rejects = []
      try {
        const appended = appendBatch(records)
        if (appended instanceof Promise) await appended
        for (const resolve of resolved) resolve()
      } catch (error) {
        for (const reject of rejected) reject(error)
      }
      await new Promise(setImmediate)
    }
    running = false
  }
  return (record) => {
    pending.push(record)
    if (!running) {
      running = true
      setImmediate(() => void flush())
    }
    return new Promise<void>((resolve, reject) => {
      resolves.push(resolve)
      rejects.push(reject)
    })
  }
}
