import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { DATA_DIRECTORY } from './harness.ts'
import type { Result } from './judge.ts'
import type { Scale } from './workload.ts'

/** What the last full run found. */
export const LATEST = new URL('results/latest.json', import.meta.url)
/** What the comparison with other stores found, where it has been run. */
export const PEERS = new URL('results/peers.json', import.meta.url)

/** The machine that a benchmark ran on. */
export interface Machine {
  processor: string
  cores: number
  memoryBytes: number
  system: string
}

/** What a benchmark found and where: the schema of `results/latest.json`. */
export interface BenchDocument {
  /** ISO 8601 */
  date: string
  /** Of the repository, with `-dirty` where the working tree differed; null outside a repository. */
  commit: string | null
  node: string
  machine: Machine
  /** Of the directory that was written to. */
  fileSystem: string
  scale: Scale
  results: Result[]
}

/** Puts what was found beside where it was found. */
export function benchDocument(scale: Scale, results: Result[]): BenchDocument {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    machine: {
      processor: cpus()[0].model.trim(),
      cores: cpus().length,
      memoryBytes: totalmem(),
      system: `${process.platform} ${release()}`,
    },
    fileSystem: fileSystemOf(DATA_DIRECTORY, mounts()),
    scale,
    results,
  }
}

/** As JSON; figures to five digits, which is more than any of them is good for. */
export function serialize(document: BenchDocument): string {
  const rounded = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
  const text = JSON.stringify(document, rounded, 2)
  // a spread is read as one thing, and takes a line of its own in a diff
  const onOneLine = (_: string, fields: string) => `{ ${fields.trim().replaceAll(/\s+/g, ' ')} }`
  return `${text.replaceAll(/\{(\s+"median": [^{}]*)\}/g, onOneLine)}\n`
}

/**
 * Finds the type of the file system that holds `path`.
 *
 * @param mountInfo Linux's `/proc/self/mountinfo`, or empty
 * @returns for instance `ext4`; `unknown` where the system does not say
 */
export function fileSystemOf(path: string, mountInfo: string): string {
  let found = { place: '', type: 'unknown' }
  for (const line of mountInfo.split('\n')) {
    const [fields, tail] = line.split(' - ')
    const place = fields.split(' ')[4]
    if (tail === undefined || place === undefined) continue
    const holds = place === '/' || path === place || path.startsWith(`${place}/`)
    // of two at the same place the later one hides the earlier
    if (holds && place.length >= found.place.length) found = { place, type: tail.split(' ')[0] }
  }
  return found.type
}

function mounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}

function commit(): string | null {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude=*'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
