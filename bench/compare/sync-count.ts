import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Durability } from './results.ts'
import { runJob } from './processes.ts'

/** `sync_file_range` is not among them: it does not make anything durable. */
const SYNC_CALLS = ['fsync', 'fdatasync', 'msync', 'syncfs', 'sync']
const RECORD_BYTES = 100
const APPENDS = 200
const BATCHES = 20

/** Whether the calls of a process can be counted here. */
export function canCountSyncs(): boolean {
  return spawnSync('strace', ['-c', '-o', '/dev/null', process.execPath, '--version']).status === 0
}

/**
 * Counts the syncs of durable appends, each acknowledged before the next: those of a process that opens, appends and
 * closes less those of one that only opens and closes. Fewer than appends: what it calls durable is not.
 */
export async function countSyncs(
  peer: string,
  inDirectory: <T>(action: (directory: string) => Promise<T>) => Promise<T>,
): Promise<Durability> {
  const count = (appends: number, batches: number) =>
    inDirectory(async (directory) => {
      const report = `${directory}/strace`
      const job = { work: 'count-syncs' as const, peer, directory, recordBytes: RECORD_BYTES, seconds: 0, records: 0 }
      const strace = ['strace', '-f', '-c', '-o', report, '-e', `trace=${SYNC_CALLS.join(',')}`]
      await runJob({ ...job, appends, batches }, strace)
      return parseSummary(readFileSync(report, 'utf8'))
    })
  const idle = await count(0, 0)
  const single = await count(APPENDS, 0)
  const batched = await count(0, BATCHES)
  const singleSyncs = total(single) - total(idle)
  const batchSyncs = total(batched) - total(idle)
  return {
    name: peer,
    appends: APPENDS,
    appendSyncs: singleSyncs,
    batches: BATCHES,
    batchSyncs,
    calls: Object.keys({ ...single, ...batched }).toSorted(),
    durable: singleSyncs >= APPENDS && batchSyncs >= BATCHES,
  }
}

type Calls = Record<string, number>

function total(calls: Calls): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0)
}

/** Reads the table that `strace -c` writes: the fourth column counts, the last one names. */
function parseSummary(text: string): Calls {
  const calls: Calls = {}
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/)
    const name = columns.at(-1)!
    if (SYNC_CALLS.includes(name)) calls[name] = Number(columns[3])
  }
  return calls
}
