import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Sample } from './workload.ts'

/**
 * Processes of their own, for what a process that has run before would falsify: start-up and memory. They run compiled
 * code, because the loader that compiles on the fly needs time and memory itself.
 */
const BUILT = new URL('.data/built/bench/children/', import.meta.url)
const COMPILER = fileURLToPath(import.meta.resolve('typescript/package.json').replace(/package\.json$/, 'bin/tsc'))

const run = promisify(execFile)
let built: Promise<unknown> | null = null

/** Opens the log in `directory` and reads its first record. */
export async function openInChild(directory: string): Promise<Sample> {
  const { ms, scannedBytes } = await runChild<{ ms: number; scannedBytes: number }>('open', directory)
  return { ms, scannedBytes }
}

/** Replays the log in `directory`; growth is from the first half to the second. */
export async function replayInChild(directory: string, records: number): Promise<Sample> {
  return memorySample(records, await runChild('replay', directory, String(records)))
}

/** Makes a log in `directory` and appends so many records, 256 in flight; growth is from the first half to the second. */
export async function appendInChild(directory: string, records: number, recordBytes: number): Promise<Sample> {
  return memorySample(records, await runChild('append', directory, String(records), String(recordBytes)))
}

interface MemoryReport {
  tenths: number[]
  peakRssBytes: number
  seconds: number
}

function memorySample(records: number, { tenths, peakRssBytes, seconds }: MemoryReport): Sample {
  const half = tenths.length / 2
  const rssGrowth = Math.max(...tenths.slice(half)) / Math.max(...tenths.slice(0, half))
  return { peakRssBytes, rssGrowth, recordsPerSecond: records / seconds }
}

/** Lets a process append to all partitions of the log in `directory`, and kills it while it does. */
export async function killWriter(directory: string, records: number): Promise<void> {
  const child = spawn(process.execPath, [await script('write'), directory, String(records)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  child.kill('SIGKILL')
  await ended
  if (child.signalCode !== 'SIGKILL') throw new Error('the writer ended before it could be killed')
}

async function runChild<T>(name: string, ...words: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [await script(name), ...words])
  return JSON.parse(stdout) as T
}

async function script(name: string): Promise<string> {
  built ??= run(process.execPath, [COMPILER, '-p', fileURLToPath(new URL('.', import.meta.url))])
  await built
  return fileURLToPath(new URL(`${name}.js`, BUILT))
}
