import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { summarize } from './statistics.ts'
import { warm } from './warm.ts'
import type { Measured, Sample, Scale, Workload } from './workload.ts'

/** Where the benchmark works: the disk that holds it is the one that is measured. */
export const DATA_DIRECTORY = fileURLToPath(new URL('.data', import.meta.url))

/** A directory of its own on the disk that is measured, removed afterwards. */
export async function withDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const directory = mkdtempSync(`${DATA_DIRECTORY}/run-`)
  try {
    return await action(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** How many steps {@link measure} tells of. */
export function countSteps(workload: Workload, scale: Scale): number {
  const runs = workload.variants.reduce((sum, variant) => sum + runsOf(workload, variant, scale), 0)
  return workload.prepare === undefined ? runs : runs + 1
}

/**
 * Runs all variants in turn, several times over, so that a drift of the machine falls on all of them alike; each round
 * begins with another one, so that none always follows the same.
 *
 * @param progress told before each step what comes
 */
export async function measure(workload: Workload, scale: Scale, progress: (text: string) => void): Promise<Measured[]> {
  if (workload.prepare === undefined) return measureRuns(workload, scale, withDirectory, progress)
  return withDirectory(async (directory) => {
    progress('preparing')
    await workload.prepare!(directory, scale)
    for (const variant of workload.variants) await variant.prepare?.(directory)
    return measureRuns(
      workload,
      scale,
      (action) => {
        // a system that is short of memory drops what was written a while ago
        warm(directory)
        return action(directory)
      },
      progress,
    )
  })
}

async function measureRuns(
  workload: Workload,
  scale: Scale,
  inDirectory: typeof withDirectory,
  progress: (text: string) => void,
): Promise<Measured[]> {
  const { variants } = workload
  const samples = variants.map((): Sample[] => [])
  const runs = Math.max(...variants.map((variant) => runsOf(workload, variant, scale)))
  for (let run = 0; run < runs; run++) {
    for (let turn = 0; turn < variants.length; turn++) {
      const i = (turn + run) % variants.length
      if (run >= runsOf(workload, variants[i], scale)) continue
      progress(`${variants[i].name}, run ${run + 1} of ${runs}`)
      // no gc() here: it shrinks the space of young objects, and what runs next collects every millisecond
      samples[i].push(await inDirectory((directory) => variants[i].run(directory, scale)))
    }
  }
  return summarize(variants, samples)
}

function runsOf(workload: Workload, variant: { maxRuns?: number }, scale: Scale): number {
  return Math.min(scale.runs, workload.maxRuns ?? Infinity, variant.maxRuns ?? Infinity)
}
