import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Varve, type Flush } from '../../src/index.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 200)
const ROUNDS_PER_DIRECTORY = 20
const MODES: Flush[] = ['each', 'group', { ms: 5 }, 'os', { ms: 50, bytes: 20_000, records: 100 }]

const child = new URL('../helpers/kill-child.ts', import.meta.url).pathname
const tsx = import.meta.resolve('tsx')

/** By "<partition> <offset>": the value that was acknowledged, or read, there. For good. */
type Known = Map<string, string>

/** Runs a child that appends, kills it at some moment after it has opened the log, and learns what it acknowledged. */
async function appendAndKill(directory: string, flush: Flush, seed: number, delayMs: number, known: Known) {
  const file = `${directory}.acknowledged`
  const running = spawn(process.execPath, [
    '--import',
    tsx,
    child,
    directory,
    JSON.stringify(flush),
    String(seed),
    file,
  ])
  let failure = ''
  running.stderr.setEncoding('utf8').on('data', (text: string) => (failure += text))
  running.stdout.once('data', () => setTimeout(() => running.kill('SIGKILL'), delayMs))
  const [, signal] = (await once(running, 'close')) as [number | null, string | null]
  expect(signal, `the child ended by itself: ${failure}`).toBe('SIGKILL')
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1)
  for (const line of lines) {
    const [partition, offset, value] = line.split(' ')
    learn(known, `${partition} ${offset}`, value)
  }
  return lines.length
}

function learn(known: Known, place: string, value: string): void {
  const before = known.get(place)
  if (before !== undefined && before !== value)
    throw new Error(`offset ${place} was given to ${before} and to ${value}`)
  known.set(place, value)
}

/** Opens the log at once, and finds everything that was ever acknowledged where it was acknowledged. */
async function expectAllThere(directory: string, known: Known): Promise<void> {
  const log = await Varve.open({ directory })
  const found: Known = new Map()
  const ends = [-1, -1, -1]
  for await (const { partition, offset, value } of log.read('t')) {
    expect(offset).toBeGreaterThan(ends[partition])
    ends[partition] = offset
    found.set(`${partition} ${offset}`, value as string)
  }
  expect(log.recovery.damage).toEqual([])
  const missing = [...known].filter(([place, value]) => found.get(place) !== value)
  expect(missing.slice(0, 5), `${missing.length} of ${known.size} acknowledged records are missing`).toEqual([])
  // what was read counts from now on, acknowledged or not
  for (const [place, value] of found) learn(known, place, value)
  await log.close()
}

test(`of ${ROUNDS} processes killed at random moments, none loses a record that it acknowledged, in any mode`, async () => {
  const random = new SeededRandom()
  console.log(`kill -9: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; KILL_ROUNDS sets the rounds)`)
  let acknowledged = 0
  for (let round = 0; round < ROUNDS;) {
    const directory = await mkdtemp(join(tmpdir(), 'varve-kill-'))
    const known: Known = new Map()
    try {
      for (let i = 0; i < ROUNDS_PER_DIRECTORY && round < ROUNDS; i++, round++) {
        const flush = random.pick(MODES)
        acknowledged += await appendAndKill(directory, flush, random.below(2 ** 31), random.below(60), known)
        // every other time the next writer recovers by itself, from a stop on top of a stop
        if (random.chance(0.5)) await expectAllThere(directory, known)
      }
      await expectAllThere(directory, known)
    } finally {
      await rm(directory, { recursive: true })
      await rm(`${directory}.acknowledged`, { force: true })
    }
  }
  console.log(`kill -9: ${ROUNDS} kills, ${acknowledged} records acknowledged, all there`)
  expect(acknowledged).toBeGreaterThan(ROUNDS)
}, 600_000)
