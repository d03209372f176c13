/**
 * A process, worker thread or worker of a cluster that takes the lock on a directory, tells how that went, and keeps it
 * until it is ended.
 *
 * As a process: `node --import tsx lock-child.ts <directory> [mechanism]`. Prints "ready", waits for a line on its
 * standard input, takes the lock, and prints a {@link LockReport} as JSON. Ends, releasing the lock, with its input.
 */
import cluster from 'node:cluster'
import { createInterface } from 'node:readline'
import { parentPort, workerData } from 'node:worker_threads'
import { lockDirectory, type LockMechanism } from '../../src/storage/directory-lock.ts'
import type { DirectoryLock } from '../../src/storage/storage.ts'

export interface LockReport {
  pid: number
  locked: boolean
  code?: string
  message?: string
}

async function take(
  directory: string,
  mechanism?: LockMechanism,
): Promise<{ report: LockReport; lock: DirectoryLock | null }> {
  try {
    const lock = await lockDirectory(directory, mechanism)
    return { report: { pid: process.pid, locked: true }, lock }
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return { report: { pid: process.pid, locked: false, code, message }, lock: null }
  }
}

if (parentPort !== null) {
  const { report } = await take((workerData as { directory: string }).directory)
  parentPort.postMessage(report)
  // Listening keeps the thread alive: the test ends it.
  parentPort.on('message', () => {})
} else if (cluster.isWorker) {
  const { report } = await take(process.argv[2])
  process.send!(report)
} else {
  const [directory, mechanism] = process.argv.slice(2)
  console.log('ready')
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  await lines.next()
  const { report, lock } = await take(directory, (mechanism || undefined) as LockMechanism | undefined)
  console.log(JSON.stringify(report))
  await lines.next()
  await lock?.release()
}
