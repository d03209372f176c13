/**
 * Processes that append and consume in a group, killed at random moments: nothing that was acknowledged is left out,
 * nothing that was committed comes again, and what comes again is no more than was processed and not committed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Varve, type Flush } from '../../src/index.ts'
import { bundleChild } from '../helpers/bundled-child.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 100)
const ROUNDS_PER_DIRECTORY = 25
const MODES: Flush[] = ['group', 'each', { ms: 5 }, 'os']
const MAX_DELAY_MS = 150

const child = bundleChild('group-kill-child.ts')

/** What is known of one directory: places as "<partition> <offset>". */
class Witness {
  readonly appended = new Set<string>()
  readonly processed = new Set<string>()
  readonly committed = new Map<number, number>()
  repeated = 0

  /** Takes over what one process told: where its group began, and what it did. */
  hear(lines: string[]): void {
    const processedNow = new Map<number, number>()
    for (const line of lines) {
      const [kind, partition, offset] = line.split(' ')
      const place = `${partition} ${offset}`
      if (kind === 'A') this.appended.add(place)
      else if (kind === 'C') this.began(Number(partition), Number(offset))
      else {
        const [p, o] = [Number(partition), Number(offset)]
        expect(o, `partition ${p}: what was committed before came again`).toBeGreaterThanOrEqual(
          this.committed.get(p) ?? 0,
        )
        expect(o, `partition ${p}: order within one process`).toBeGreaterThan(processedNow.get(p) ?? -1)
        processedNow.set(p, o)
        if (this.processed.has(place)) this.repeated++
        this.processed.add(place)
      }
    }
  }

  /** A group goes on where it has committed: not before the last time, and only past what was processed. */
  began(partition: number, offset: number): void {
    expect(offset, `partition ${partition}: the place of the group`).toBeGreaterThanOrEqual(
      this.committed.get(partition) ?? 0,
    )
    for (let before = this.committed.get(partition) ?? 0; before < offset; before++) {
      if (!this.appended.has(`${partition} ${before}`)) continue
      expect(this.processed.has(`${partition} ${before}`), `offset ${before} of ${partition} was skipped`).toBe(true)
    }
    this.committed.set(partition, offset)
  }
}

async function workAndKill(directory: string, flush: Flush, seed: number, delayMs: number, witness: Witness) {
  const file = `${directory}.told`
  const words = [child, directory, JSON.stringify(flush), String(seed), file]
  const running = spawn(process.execPath, words)
  let failure = ''
  running.stderr.setEncoding('utf8').on('data', (text: string) => (failure += text))
  running.stdout.once('data', () => setTimeout(() => running.kill('SIGKILL'), delayMs))
  const [, signal] = (await once(running, 'close')) as [number | null, string | null]
  expect(signal, `the child ended by itself: ${failure}`).toBe('SIGKILL')
  witness.hear((await readFile(file, 'utf8')).split('\n').slice(0, -1))
}

/** Consumes what is left, in this process. */
async function drain(directory: string, witness: Witness): Promise<void> {
  await using log = await Varve.open({ directory })
  expect(log.recovery.damage).toEqual([])
  const lag = await log.lag('g')
  for (const { partition, committed } of lag) witness.began(partition, committed ?? 0)
  const uncommitted = [...witness.processed].filter((place) => {
    const [partition, offset] = place.split(' ').map(Number)
    return offset >= (witness.committed.get(partition) ?? 0)
  }).length
  const repeatedBefore = witness.repeated
  const behind = lag.filter((each) => each.lag > 0)
  const left = new Map(behind.map(({ partition, committed, lag }) => [partition, (committed ?? 0) + lag]))
  if (left.size > 0) {
    const consumer = log.consumer({ groupId: 'g', topics: ['t'] })
    for await (const { partition, offset } of consumer) {
      witness.hear([`P ${partition} ${offset}`])
      if (offset + 1 === left.get(partition)) left.delete(partition)
      if (left.size === 0) break
    }
  }
  expect(witness.repeated - repeatedBefore, 'what came again is what was not committed').toBe(uncommitted)
  expect([...witness.appended].filter((place) => !witness.processed.has(place))).toEqual([])
}

test(`over ${ROUNDS} kills a group of three processes all that was acknowledged`, async () => {
  const random = new SeededRandom()
  console.log(
    `groups, kill -9: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; KILL_ROUNDS sets the rounds)`,
  )
  const sums = { appended: 0, processed: 0, repeated: 0 }
  for (let round = 0; round < ROUNDS;) {
    const directory = await mkdtemp(join(tmpdir(), 'varve-groups-'))
    const witness = new Witness()
    try {
      for (let i = 0; i < ROUNDS_PER_DIRECTORY && round < ROUNDS; i++, round++) {
        const delayMs = random.below(MAX_DELAY_MS)
        await workAndKill(directory, random.pick(MODES), random.below(2 ** 31), delayMs, witness)
      }
      await drain(directory, witness)
    } finally {
      await rm(directory, { recursive: true })
      await rm(`${directory}.told`, { force: true })
    }
    sums.appended += witness.appended.size
    sums.processed += witness.processed.size
    sums.repeated += witness.repeated
  }
  console.log(`groups, kill -9: ${ROUNDS} kills, ${JSON.stringify(sums)}`)
  expect(sums.processed).toBeGreaterThan(ROUNDS)
}, 600_000)
