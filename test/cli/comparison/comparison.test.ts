import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareFlushModes } from '../../../src/cli/comparison/comparison.ts'
import { LOADS } from '../../../src/cli/comparison/loads.ts'
import { syntheticValues } from '../../../src/cli/comparison/values.ts'

let directory: string
const values = syntheticValues(100)

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-comparison-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

test('it measures every load, and finds nothing at risk where nothing may be', async () => {
  const steps: number[] = []
  const { loads, floor, rounds, recordBytes } = await compareFlushModes({
    directory,
    values,
    seconds: 1,
    progress: (_what, done) => steps.push(done),
  })
  expect(rounds).toBe(1)
  expect(recordBytes).toBe(100)
  expect(loads.map(({ name, inFlight }) => [name, inFlight])).toEqual(
    LOADS.map(({ name, inFlight }) => [name, inFlight]),
  )
  for (const { records, latencyUs } of [...loads, floor]) {
    expect(records).toBeGreaterThan(0)
    expect(latencyUs.p50).toBeLessThanOrEqual(latencyUs.max)
  }
  const withFlush = (...modes: unknown[]) => loads.filter(({ flush }) => modes.includes(flush))
  for (const { records, fdatasyncs } of [floor, ...withFlush('each')]) expect(fdatasyncs).toBe(records)
  for (const { records, fdatasyncs } of withFlush('group')) expect(fdatasyncs).toBeLessThanOrEqual(records)
  for (const { fdatasyncs, checkpointSyncs } of withFlush('os')) expect(fdatasyncs).toBe(checkpointSyncs)
  const safe = withFlush('each', 'group')
  for (const { loss } of safe) expect(loss).toEqual({ records: 0, bytes: 0, ms: 0, ageMs: 0 })
  for (const { loss } of loads.filter((load) => !safe.includes(load))) expect(loss.records).toBeGreaterThan(0)
  expect(steps).toEqual(steps.toSorted((a, b) => a - b))
  expect(readdirSync(directory)).toEqual([])
})

test('it stops when it is told to, and leaves nothing behind', async () => {
  const controller = new AbortController()
  const progress = () => controller.abort(new Error('enough'))
  const comparing = compareFlushModes({ directory, values, seconds: 30, signal: controller.signal, progress })
  await expect(comparing).rejects.toThrow('enough')
  expect(readdirSync(directory)).toEqual([])
})

test('a directory that is not there is an error', async () => {
  await expect(compareFlushModes({ directory: join(directory, 'missing'), values, seconds: 1 })).rejects.toThrow(
    'ENOENT',
  )
})
