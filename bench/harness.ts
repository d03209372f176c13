import { mkdtempSync, rmSync } from 'node:fs'
import { Varve, type CreateTopicOptions, type Flush } from '../src/index.ts'

/** How much a run does: `smoke` only looks for blunders. */
export interface Scale {
  /** Seconds that a timed run takes, roughly. */
  seconds: number
  /** Interleaved runs of each variant; medians are reported. */
  runs: number
}

/** One way to do a workload's work: ours, or a floor that does the bare minimum. */
export interface Variant {
  name: string
  /** Does the work for about `seconds` and returns how many records it did and in how many seconds. */
  run(directory: string, seconds: number): Promise<{ records: number; seconds: number }>
}

export interface Workload {
  /** For instance `fill-group`. */
  name: string
  recordBytes: number
  /** What the ratio compares with: the first of `variants` is ours, the others are floors. */
  variants: Variant[]
  /** What DESIGN §5 asks for, as a multiple of the floor of that name. */
  goal: { floor: string; ratio: number }
}

export interface Measured {
  workload: string
  recordBytes: number
  variant: string
  recordsPerSecond: { median: number; min: number; max: number }
  goal: Workload['goal']
}

const DATA_DIRECTORY = new URL('.data', import.meta.url).pathname

/** A directory of its own on the disk that is measured, removed afterwards. */
export async function withDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
  const { mkdirSync } = await import('node:fs')
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const directory = mkdtempSync(`${DATA_DIRECTORY}/run-`)
  try {
    return await action(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Payloads that are not all the same byte: as many as fit 4 MiB, used in turn. */
export function payloads(recordBytes: number): Buffer[] {
  let state = 0x9e3779b9
  return Array.from({ length: Math.max(Math.floor((4 * 1024 * 1024) / recordBytes), 16) }, () => {
    const bytes = Buffer.allocUnsafeSlow(recordBytes)
    for (let i = 0; i < recordBytes; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = state >>> 24
    }
    return bytes
  })
}

/** Opens a log with one topic `t` of raw values. */
export async function openLog(directory: string, flush: Flush, topic: Partial<CreateTopicOptions> = {}): Promise<Varve> {
  const log = await Varve.open({ directory, flush })
  if ((await log.listTopics()).length === 0) await log.createTopic({ name: 't', valueCodec: 'bytes', ...topic })
  return log
}

/** Calls `step`, which does `recordsPerStep` records, until the time is over. */
export async function repeatFor(seconds: number, recordsPerStep: number, step: (i: number) => Promise<unknown> | void) {
  for (let i = 0; i < 3; i++) await step(i)
  const start = performance.now()
  const end = start + seconds * 1000
  let steps = 0
  while (performance.now() < end) {
    const pending = step(steps++)
    if (pending !== undefined) await pending
  }
  return { records: steps * recordsPerStep, seconds: (performance.now() - start) / 1000 }
}

/** Keeps `inFlight` calls going until the time is over. */
export async function inFlightFor(seconds: number, inFlight: number, call: (i: number) => Promise<unknown>) {
  const start = performance.now()
  const end = start + seconds * 1000
  let calls = 0
  const worker = async () => {
    while (performance.now() < end) await call(calls++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { records: calls, seconds: (performance.now() - start) / 1000 }
}

/** Runs all variants in turn, several times over, so that a drift of the machine falls on all of them alike. */
export async function measure(workload: Workload, scale: Scale, progress: (text: string) => void): Promise<Measured[]> {
  const rates = new Map<string, number[]>(workload.variants.map((variant) => [variant.name, []]))
  for (let run = 0; run < scale.runs; run++) {
    for (const variant of workload.variants) {
      progress(`${workload.name} ${workload.recordBytes} B: ${variant.name}, run ${run + 1} of ${scale.runs}`)
      const { records, seconds } = await withDirectory((directory) => variant.run(directory, scale.seconds))
      rates.get(variant.name)!.push(records / seconds)
    }
  }
  return workload.variants.map(({ name }) => {
    const sorted = rates.get(name)!.sort((a, b) => a - b)
    return {
      workload: workload.name,
      recordBytes: workload.recordBytes,
      variant: name,
      recordsPerSecond: { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted[sorted.length - 1]! },
      goal: workload.goal,
    }
  })
}
