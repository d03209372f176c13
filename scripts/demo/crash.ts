import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { countOf, formatBytes, formatCount } from '../../src/cli/units.ts'
import { Varve } from '../../src/index.ts'
import { TOPIC } from './earthquakes.ts'
import { ofPartition, type AppendedRecord } from './proof.ts'
import { BrokenPromise, type Stage } from './stage.ts'

const RUNS_MS = 700
const NOTHING = Buffer.alloc(0)

/** Kills a process in the middle of its appends, and proves that everything it had been promised is there. */
export async function killWriter(stage: Stage, directory: string, events: readonly AppendedRecord[]): Promise<void> {
  stage.step('Crash', 'another process appends them over and over, 256 in flight; then kill -9, in mid-flight')
  const acknowledged = await runAndKill(directory)
  await using log = await Varve.open({ directory })
  const { ms, scannedBytes, cutBytes } = log.recovery
  const found = await checkRecords(log, events)
  const [promised, kept] = [sum(acknowledged), sum(found)]
  stage.line(
    `${countOf(promised, 'record')} acknowledged when it died; open recovered ${formatCount(kept)} in ${ms.toFixed(0)} ms`,
  )
  stage.line(stage.ink('dim', `(read back ${formatBytes(scannedBytes)}, cut a torn end of ${formatBytes(cutBytes)})`))
  const lost = acknowledged.reduce((count, end, partition) => count + Math.max(end - found[partition], 0), 0)
  stage.prove(promised > 0 && lost === 0, 'every acknowledged record is there, in order, byte for byte')
}

/** Runs the writer for a moment and kills it; returns how many records of each partition it had seen acknowledged. */
async function runAndKill(directory: string): Promise<number[]> {
  const script = fileURLToPath(new URL('writer.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let last: string | null = null
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => (last = line))
  await Promise.race([once(lines, 'line'), ended])
  await Promise.race([setTimeout(RUNS_MS), ended])
  const wasRunning = child.exitCode === null
  child.kill('SIGKILL')
  await ended
  if (!wasRunning || last === null) throw new BrokenPromise('the writer ended before it could be killed')
  return (last as string).split(' ').map(Number)
}

/**
 * Reads all partitions and compares each record with the one that was appended at its place.
 *
 * @param events one round of them, with the partitions that their keys lead to
 * @returns how many records each partition holds
 */
async function checkRecords(log: Varve, events: readonly AppendedRecord[]): Promise<number[]> {
  const counts: number[] = []
  for (let partition = 0; partition < TOPIC.partitions; partition++) {
    const round = ofPartition(events, partition)
    let count = 0
    for await (const record of log.read(TOPIC.name, { partition })) {
      const { key, value, timestamp } = round[count % round.length]
      const same =
        record.offset === count && record.timestamp === timestamp && value.equals(record.valueBytes ?? NOTHING)
      if (!same || !key.equals(record.keyBytes ?? NOTHING)) {
        throw new BrokenPromise(`offset ${count} of partition ${partition} is not what was appended there`)
      }
      count++
    }
    counts.push(count)
  }
  return counts
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
