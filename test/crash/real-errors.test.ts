/** Errors and delays of the kernel itself, which strace puts in the place of what a system call of the process does. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Varve } from '../../src/index.ts'
import { bundleChild } from '../helpers/bundled-child.ts'
import { ExactWitness } from '../helpers/exact-witness.ts'
import { inParallel } from '../helpers/in-parallel.ts'
import { SLOW_WINDOW } from '../helpers/slow-window.ts'
import { straceFault, traceCalls, withInjection } from '../helpers/strace.ts'

const DELAY_MS = 1_000
const AT_ONCE = 3

const fault = straceFault()
if (fault !== null) console.warn(`no system call is made to fail: ${fault}`)

const child = bundleChild('real-errors-child.ts')
const home = mkdtempSync(join(tmpdir(), 'varve-errors-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

let made = 0
function newRoot(): string {
  const root = join(home, `${made++}`)
  mkdirSync(root)
  return root
}

function wordsFor(script: string, root: string): string[] {
  return [child, script, join(root, 'log'), join(root, 'facts')]
}

// reason: it takes strace; the file warns at its top where that is not there
describe.skipIf(fault !== null)(`a kernel that fails${fault === null ? '' : ` (${fault})`}`, () => {
  test('at any sync is a typed error, no acknowledgement, and no loss of what was acknowledged', async () => {
    const reference = newRoot()
    const all = await traceCalls(wordsFor('errors', reference), reference)
    const syncs = all.filter(({ name }) => name === 'fsync' || name === 'fdatasync')
    const codes = new Map<string, number>()
    await inParallel(AT_ONCE, syncs, async (call) => {
      const root = newRoot()
      const words = wordsFor('errors', root)
      const { code, stdout, stderr, trace } = await withInjection(words, root, call, 'error=EIO', join(root, 'facts'))
      const what = `EIO at ${call.name} ${call.path}, number ${call.nth}: ${stdout}`
      expect(code, `${what}${stderr}`).toBe(0)
      expect(stderr, what).toContain('(INJECTED)')
      for (const line of stdout.split('\n').slice(0, -1)) {
        const name = line.split(' ')[1]
        codes.set(name, (codes.get(name) ?? 0) + 1)
      }
      const facts = readFileSync(join(root, 'facts'), { encoding: 'utf8', flag: 'a+' })
      expectNoneAfterFailure(trace, call.path, what)
      await expectAllThere(root, facts).catch((error: Error) => {
        error.message = `${what}${error.message}`
        throw error
      })
      rmSync(root, { recursive: true })
    })
    console.log(`EIO at each of ${syncs.length} syncs: ${JSON.stringify(Object.fromEntries(codes))}`)
    expect(syncs.length).toBeGreaterThan(50)
    expect([...codes.keys()].filter((code) => code !== 'UNKNOWN_TOPIC_OR_PARTITION')).toEqual(['KAFKA_STORAGE_ERROR'])
  }, 300_000)

  test('to be fast has the writer stall, rather than more at stake than the window', async () => {
    const root = newRoot()
    const call = { name: 'fdatasync', path: 'log/t-0/00000000000000000000.log', nth: 0 }
    const { code, stdout, stderr } = await withInjection(
      wordsFor('slow', root),
      root,
      call,
      `delay_enter=${DELAY_MS * 1000}`,
    )
    expect(code, stderr).toBe(0)
    const acknowledged = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' ').map(Number))
      .sort(([a], [b]) => a - b)
    expect(acknowledged).toHaveLength(100)
    for (const [i, [, durableOffset, notBefore]] of acknowledged.entries()) {
      const atStake = acknowledged.slice(durableOffset, i + 1)
      expect(atStake.length, `records at stake with record ${i}`).toBeLessThanOrEqual(SLOW_WINDOW.records)
      // without a stall it would be as long as the disk takes; half of that leaves room for a machine that is busy
      const ms = notBefore - (atStake[0]?.[3] ?? notBefore)
      expect(ms, `ms at stake with record ${i}`).toBeLessThan(SLOW_WINDOW.ms + DELAY_MS / 2)
    }
  })
})

/** A partition whose log could not be synced takes nothing more, nor acknowledges what waited for that sync. */
function expectNoneAfterFailure(trace: readonly string[], path: string, what: string): void {
  const topic = /^log\/(\w+)-0\/\d+\.log$/.exec(path)?.[1]
  if (topic === undefined) return
  const after = trace.slice(trace.findIndex((line) => line.includes('(INJECTED)')) + 1)
  const about = after.filter((line) => line.includes(String.raw`\"topic\":\"${topic}\"`))
  const isAcknowledgement = (line: string) => line.includes(String.raw`\"is\":\"appended\"`)
  // in the other modes what was under way did not wait for it
  const first = topic === 'each' || topic === 'group' ? 0 : about.findIndex((line) => !isAcknowledgement(line))
  expect(first < 0 ? [] : about.slice(first).filter(isAcknowledgement), what).toEqual([])
}

async function expectAllThere(root: string, facts: string): Promise<void> {
  const directory = join(root, 'log')
  const witness = ExactWitness.from(facts)
  const log = await Varve.open({ directory })
  await witness.check(log)
  await witness.goOn(log)
  await log.close()
  const again = await Varve.open({ directory })
  expect(again.recovery).toMatchObject({ clean: true, scannedBytes: 0, cutBytes: 0, damage: [] })
  await witness.check(again)
  await again.close()
}
