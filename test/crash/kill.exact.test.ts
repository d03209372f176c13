/**
 * A process killed exactly at each system call that changes anything on the disk: with strace, which kills it as it enters the
 * call. `KILL_POINTS=all` takes every call instead of a sample; `VARVE_SEED=<seed>` repeats the sample.
 */
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/index.ts'
import { bundleChild } from '../helpers/bundled-child.ts'
import { ExactWitness } from '../helpers/exact-witness.ts'
import { inParallel } from '../helpers/in-parallel.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { callsIn, killAt, straceFault, traceCalls, underStrace, type SystemCall } from '../helpers/strace.ts'

const POINTS = process.env['KILL_POINTS'] === 'all' ? Infinity : Number(process.env['KILL_POINTS'] ?? 1000)
const AT_ONCE = 2
/** What each script goes on from. */
const SCRIPTS = { life: null, changes: 'life', groups: 'life' } as const
type Script = keyof typeof SCRIPTS

const fault = straceFault()
if (fault !== null) console.warn(`no process is killed at an exact system call: ${fault}`)

const child = bundleChild('exact-kill-child.ts')
const home = mkdtempSync(join(tmpdir(), 'varve-exact-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** A directory with what a script is to find: `log` and `facts`. */
let made = 0
function rootFor(script: Script): string {
  const root = join(home, `${made++}`)
  const before = SCRIPTS[script]
  cpSync(join(home, before ?? 'nothing'), root, { recursive: true })
  return root
}

function wordsFor(script: Script, root: string): string[] {
  return [child, script, join(root, 'log'), join(root, 'facts')]
}

// reason: it takes strace; the file warns at its top where that is not there
describe.skipIf(fault !== null)(
  `a process that is killed at a system call${fault === null ? '' : ` (${fault})`}`,
  () => {
    const calls: { script: Script; call: SystemCall }[] = []
    const random = new SeededRandom()

    beforeAll(async () => {
      cpSync(import.meta.dirname, join(home, 'nothing'), {
        recursive: true,
        filter: (path) => path === import.meta.dirname,
      })
      const life = rootFor('life')
      const { code, stderr } = await underStrace(['-e', 'trace=none'], wordsFor('life', life))
      expect(code, stderr).toBe(0)
      // what a kill leaves of a write that it comes upon: the first pages, here the first bytes
      for (const [topic, bytes] of [
        ['os-0', 30],
        ['each-0', 61],
        ['window-0', 1],
      ] as const) {
        const directory = join(life, 'log', topic)
        const last = readdirSync(directory)
          .filter((name) => name.endsWith('.log'))
          .sort()
          .at(-1)!
        const path = join(directory, last)
        appendFileSync(path, readFileSync(path).subarray(0, bytes))
      }
      cpSync(life, join(home, 'life'), { recursive: true })
      for (const script of Object.keys(SCRIPTS) as Script[]) {
        const root = rootFor(script)
        // what the process tells is no part of what it does
        const own = (await traceCalls(wordsFor(script, root), root)).filter(({ path }) => path !== 'facts')
        calls.push(...own.map((call) => ({ script, call })))
      }
    })

    test('can be killed at any of them, and each is told from the others', () => {
      const counts = Object.keys(SCRIPTS).map((script) => calls.filter((call) => call.script === script).length)
      console.log(`exact kills: ${counts.join(' + ')} system calls`)
      const keys = calls.map(({ script, call }) => `${script} ${call.name} ${call.path} ${call.nth}`)
      expect(new Set(keys).size).toBe(calls.length)
      expect(calls.length).toBeGreaterThan(1000)
    })

    test(`loses nothing that it acknowledged, at ${POINTS === Infinity ? 'each' : POINTS} of them`, async () => {
      console.log(`exact kills: ${random.toString()} (KILL_POINTS=all for all; repeat with VARVE_SEED=${random.seed})`)
      const stride = Math.max(1, calls.length / POINTS)
      const phase = random.next() * stride
      const chosen = calls.filter((_, i) => Math.floor((i + phase) / stride) !== Math.floor((i - 1 + phase) / stride))
      const sums = { points: 0, of: calls.length, acknowledged: 0, unacknowledged: 0 }
      const byName: Record<string, number> = {}
      await inParallel(AT_ONCE, chosen, async ({ script, call }) => {
        const root = rootFor(script)
        const { killed, trace, stderr } = await killAt(wordsFor(script, root), root, call)
        const what = `${script}, killed at ${call.name} ${call.path}, number ${call.nth}`
        expect(killed, `${what}: ${stderr}`).toBe(true)
        expect(callsIn(trace, call.name), `${what}\n${trace.join('\n')}`).toBe(call.nth)
        const witness = await expectAllThere(root).catch((error: Error) => {
          error.message = `${what}: ${error.message}`
          throw error
        })
        rmSync(root, { recursive: true })
        sums.points += 1
        sums.acknowledged += witness.appended
        sums.unacknowledged += witness.unacknowledged
        byName[call.name] = (byName[call.name] ?? 0) + 1
      })
      console.log(`exact kills: ${JSON.stringify(sums)}, ${JSON.stringify(byName)}`)
      expect(sums.points).toBe(chosen.length)
    }, 1_800_000)
  },
)

/** Opens the log, finds what was told, goes on, and opens it once more. */
async function expectAllThere(root: string): Promise<ExactWitness> {
  const directory = join(root, 'log')
  const witness = ExactWitness.from(readFileSync(join(root, 'facts'), { encoding: 'utf8', flag: 'a+' }))
  const log = await Varve.open({ directory })
  await witness.check(log)
  await witness.goOn(log)
  await log.close()
  const again = await Varve.open({ directory })
  const { clean, scannedBytes, cutBytes, damage } = again.recovery
  expect({ clean, scannedBytes, cutBytes, damage }).toEqual({ clean: true, scannedBytes: 0, cutBytes: 0, damage: [] })
  await witness.check(again)
  const topics = await again.listTopics()
  await again.close()
  // a creation that was interrupted may leave a directory that belongs to no topic, with nothing in it
  const partitions = topics.flatMap((topic) => topic.partitions.map(({ partition }) => `${topic.name}-${partition}`))
  const left = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const ours = left.filter((path) => !path.includes('/') || partitions.includes(path.split('/')[0]))
  expect(ours.filter((path) => /\.(tmp|cleaned|swap|lock)$|-delete$/.test(path))).toEqual([])
  return witness
}
