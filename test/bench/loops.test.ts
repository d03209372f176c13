import { expect, test } from 'vitest'
import { inFlightFor, passOver, repeatFor } from '../../bench/loops.ts'
import type { Scale } from '../../bench/workload.ts'

const SCALE: Scale = { seconds: 10, runs: 1, bytesMax: 10_000, smoke: true }
const pause = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a loop ends when its bytes have passed, and has taken the time of every step', async () => {
  let steps = 0
  const sample = await repeatFor(SCALE, { recordBytes: 100, records: 10 }, () => {
    steps++
    return pause()
  })
  expect(steps - 10).toBe(3)
  expect(sample.megabytesPerSecond).toBeCloseTo(sample.recordsPerSecond! / 1e4, 6)
  expect(sample.latencyP50Us).toBeLessThanOrEqual(sample.latencyMaxUs!)
  expect(sample.cpuUsPerRecord).toBeGreaterThan(0)
  expect(sample.peakRssBytes).toBeGreaterThan(1e6)
})

test('so many calls are in flight at any moment, and never more', async () => {
  let inFlight = 0
  let most = 0
  let calls = 0
  await inFlightFor(SCALE, { recordBytes: 10, inFlight: 64 }, async (i) => {
    expect(i).toBe(calls++)
    most = Math.max(most, ++inFlight)
    await pause()
    inFlight--
  })
  expect(most).toBe(64)
  expect(calls).toBe(1000)
})

test('a loop ends when its time is over', async () => {
  const scale = { ...SCALE, seconds: 0.05, bytesMax: Infinity }
  const start = performance.now()
  await inFlightFor(scale, { recordBytes: 10, inFlight: 4 }, pause)
  expect(performance.now() - start).toBeGreaterThanOrEqual(50)
})

test('a pass that misses a record is an error', async () => {
  await expect(passOver({ records: 2, recordBytes: 1 }, async () => 1)).rejects.toThrow('read 1 of 2 records')
})
