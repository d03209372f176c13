/** Two processes race for one log: `VARVE_SEED=<seed>` repeats the delays, `LOCK_ROUNDS` sets the number of races. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import type { OpenReport } from '../helpers/open-child.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = Number(process.env['LOCK_ROUNDS'] ?? 200)
const CHILD = new URL('../helpers/open-child.ts', import.meta.url).pathname
const TSX = import.meta.resolve('tsx')

class Racer {
  private constructor(
    readonly process: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async start(directory: string): Promise<Racer> {
    const child = spawn(process.execPath, ['--import', TSX, CHILD, directory])
    child.stderr.pipe(process.stderr)
    const racer = new Racer(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]())
    racers.add(racer)
    expect(await racer.read()).toBe('ready')
    return racer
  }

  async open(delayUs: number): Promise<OpenReport> {
    this.process.stdin.write(`open ${delayUs}\n`)
    return JSON.parse(await this.read()) as OpenReport
  }

  async close(): Promise<void> {
    this.process.stdin.write('close\n')
    expect(await this.read()).toBe('closed')
  }

  async kill(): Promise<void> {
    racers.delete(this)
    if (this.process.exitCode === null && this.process.kill('SIGKILL')) await once(this.process, 'exit')
  }

  private async read(): Promise<string> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error(`process ${this.process.pid} has ended`)
    return value
  }
}

const racers = new Set<Racer>()
afterEach(() => Promise.all([...racers].map((racer) => racer.kill())))

test(
  `of two processes that open a log exactly one gets it, ${ROUNDS} times, and the other one is told who`,
  { timeout: 120_000 },
  async () => {
    const random = new SeededRandom()
    console.log(`lock: ${random.toString()} (repeat with VARVE_SEED=${random.seed})`)
    const directory = await mkdtemp(join(tmpdir(), 'varve-lock-'))
    const pair = await Promise.all([Racer.start(directory), Racer.start(directory)])
    const wins = [0, 0]
    let kills = 0
    for (let round = 0; round < ROUNDS; round++) {
      // delays that differ by less than an open takes
      const reports = await Promise.all(pair.map((racer) => racer.open(random.below(2000))))
      const what = `round ${round}: ${JSON.stringify(reports)}`
      expect(
        reports.filter(({ opened }) => opened),
        what,
      ).toHaveLength(1)
      const winner = reports.findIndex(({ opened }) => opened)
      const loser = reports[1 - winner]
      expect(loser.code, what).toBe('LOCKED')
      expect(loser.message, what).toContain(`process ${reports[winner].pid} `)
      expect(loser.message, what).toContain(directory)
      wins[winner] += 1
      if (random.chance(0.9)) await pair[winner].close()
      else {
        // the next open succeeds at once, and the process that was killed has a successor in the next race
        await pair[winner].kill()
        const next = await pair[1 - winner].open(0)
        expect(next, `after the kill in ${what}`).toMatchObject({ opened: true })
        await pair[1 - winner].close()
        pair[winner] = await Racer.start(directory)
        kills += 1
      }
    }
    console.log(`lock: ${wins.join(' : ')} races won, ${kills} winners killed`)
    expect(Math.min(...wins), 'a race that one side always wins is none').toBeGreaterThan(0)
    // what all these opens leave is a log
    const log = await Varve.open({ directory })
    expect(log.recovery.damage).toEqual([])
    await log.close()
    await rm(directory, { recursive: true })
  },
)
