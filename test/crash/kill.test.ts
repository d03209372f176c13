/**
 * Processes that append to a log, create topics, change and delete them, killed at random moments, now and then after a pause:
 * `VARVE_SEED=<seed>` repeats the choices, `KILL_ROUNDS` sets the number of kills.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pass } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Varve, type Flush } from '../../src/index.ts'
import { bundleChild } from '../helpers/bundled-child.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 500)
const ROUNDS_PER_DIRECTORY = 20
const MAX_DELAY_MS = 60
/** So long the program takes before it opens the log. */
const START_MS = 60
const MODES: Flush[] = ['each', 'group', { ms: 5 }, 'os', { ms: 50, bytes: 20_000, records: 100 }]

const child = bundleChild('kill-child.ts')

/** What is known of one topic: by "<partition> <offset>" the value that was acknowledged, or read, there. For good. */
interface KnownTopic {
  values: Map<string, string>
  /** What `segmentBytes` may be: what was acknowledged last, and what was under way after that. */
  segmentBytes: Set<number>
  deleting: boolean
}

/** What processes told of one directory. */
class Witness {
  readonly topics = new Map<string, KnownTopic>()
  acknowledged = 0
  changes = 0

  hear(line: string): void {
    const [what, name, ...rest] = line.split(' ')
    if (what === '#') {
      this.find([name, ...rest])
      return
    }
    if ('+=!'.includes(what)) this.changes++
    if (what === '!') {
      this.topics.delete(name)
      return
    }
    // a process may find a topic that one created which was killed before it could tell
    if (what === '+' || !this.topics.has(name)) {
      this.topics.set(name, { values: new Map(), segmentBytes: new Set(), deleting: false })
    }
    const topic = this.topics.get(name)!
    topic.deleting = what === '-'
    if (what === '=') topic.segmentBytes.clear()
    if ('+?='.includes(what)) topic.segmentBytes.add(Number(rest[0]))
    if (what !== 'A') return
    this.acknowledged++
    this.learn(name, `${rest[0]} ${rest[1]}`, rest[2])
  }

  /** Takes over which topics there are, when the log is opened: only those whose deletion was under way may be gone. */
  find(names: readonly string[]): void {
    for (const [name, { deleting }] of this.topics) {
      if (names.includes(name)) continue
      expect(deleting, `topic ${name} was acknowledged, and is gone`).toBe(true)
      this.topics.delete(name)
    }
  }

  learn(name: string, place: string, value: string): void {
    const { values } = this.topics.get(name)!
    const before = values.get(place)
    if (before !== undefined && before !== value) {
      throw new Error(`offset ${place} of ${name} was given to ${before} and to ${value}`)
    }
    values.set(place, value)
  }
}

/** Runs a child, kills it at some moment, and learns what it acknowledged; returns whether it was paused before. */
async function workAndKill(directory: string, flush: Flush, random: SeededRandom, witness: Witness): Promise<boolean> {
  const file = `${directory}.acknowledged`
  await writeFile(file, '')
  const running = spawn(process.execPath, [child, directory, JSON.stringify(flush), `${random.below(2 ** 31)}`, file])
  const delayMs = random.below(MAX_DELAY_MS)
  const duringOpen = random.chance(0.2)
  const pauses = random.chance(0.1)
  const resumes = random.chance(0.8)
  const kill = async () => {
    await pass(delayMs)
    if (pauses) {
      running.kill('SIGSTOP')
      await pass(MAX_DELAY_MS)
      if (resumes) {
        running.kill('SIGCONT')
        await pass(delayMs)
      }
    }
    running.kill('SIGKILL')
  }
  let failure = ''
  running.stderr.setEncoding('utf8').on('data', (text: string) => (failure += text))
  if (duringOpen) void pass(START_MS).then(kill)
  else running.stdout.once('data', () => void kill())
  const [, signal] = (await once(running, 'close')) as [number | null, string | null]
  expect(signal, `the child ended by itself: ${failure}`).toBe('SIGKILL')
  for (const line of (await readFile(file, 'utf8')).split('\n').slice(0, -1)) witness.hear(line)
  return pauses
}

/** Opens the log at once, and finds everything that was ever acknowledged where it was acknowledged. */
async function expectAllThere(directory: string, witness: Witness): Promise<void> {
  const log = await Varve.open({ directory })
  expect(log.recovery.damage).toEqual([])
  const found = new Map((await log.listTopics()).map((topic) => [topic.name, topic]))
  witness.find([...found.keys()])
  for (const [name, known] of witness.topics) await expectWhole(log, name, known, witness)
  for (const { name, config } of found.values()) {
    const known = witness.topics.get(name)
    if (known !== undefined) expect([...known.segmentBytes], `segmentBytes of ${name}`).toContain(config.segmentBytes)
    witness.hear(`= ${name} ${config.segmentBytes}`)
  }
  await log.close()
}

async function expectWhole(log: Varve, name: string, known: KnownTopic, witness: Witness): Promise<void> {
  const found = new Map<string, string>()
  const ends = [-1, -1, -1]
  for await (const { partition, offset, value } of log.read(name)) {
    expect(offset).toBeGreaterThan(ends[partition])
    ends[partition] = offset
    found.set(`${partition} ${offset}`, value as string)
  }
  const missing = [...known.values].filter(([place, value]) => found.get(place) !== value)
  const what = `of ${known.values.size} acknowledged records of ${name} ${missing.length} are missing`
  expect(missing.slice(0, 5), what).toEqual([])
  // what was read counts from now on, acknowledged or not
  for (const [place, value] of found) witness.learn(name, place, value)
}

test(`of ${ROUNDS} processes killed at random moments, none loses what it acknowledged, in any mode`, async () => {
  const random = new SeededRandom()
  console.log(`kill -9: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; KILL_ROUNDS sets the rounds)`)
  const sums = { kills: 0, paused: 0, records: 0, topicChanges: 0 }
  while (sums.kills < ROUNDS) {
    const directory = await mkdtemp(join(tmpdir(), 'varve-kill-'))
    const witness = new Witness()
    try {
      for (let i = 0; i < ROUNDS_PER_DIRECTORY && sums.kills < ROUNDS; i++) {
        if (await workAndKill(directory, random.pick(MODES), random, witness)) sums.paused++
        sums.kills++
        // every other time the next writer recovers by itself, from a stop on top of a stop
        if (random.chance(0.5)) await expectAllThere(directory, witness)
      }
      await expectAllThere(directory, witness)
    } finally {
      await rm(directory, { recursive: true })
      await rm(`${directory}.acknowledged`, { force: true })
    }
    sums.records += witness.acknowledged
    sums.topicChanges += witness.changes
  }
  console.log(`kill -9: ${JSON.stringify(sums)}, all there`)
  expect(sums.records).toBeGreaterThan(ROUNDS)
}, 1_200_000)
