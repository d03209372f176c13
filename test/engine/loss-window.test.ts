import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LossWindow } from '../../src/engine/loss-window.ts'

describe('the window stalls the next acknowledgement', () => {
  test('when the oldest one that is not durable is as old as the bound', () => {
    const window = new LossWindow({ ms: 10 })
    expect(window.mustStall(1, 1, 1000)).toBe(false)
    window.acknowledged(1, 1, 1000)
    window.acknowledged(1, 1, 1005)
    expect(window.mustStall(1, 1, 1009.9)).toBe(false)
    expect(window.mustStall(1, 1, 1010)).toBe(true)
  })

  test('when it would take the bytes or the records beyond their bound, and not one before', () => {
    const bytes = new LossWindow({ ms: 10, bytes: 100 })
    bytes.acknowledged(60, 1, 0)
    expect(bytes.mustStall(40, 1, 0)).toBe(false)
    expect(bytes.mustStall(41, 1, 0)).toBe(true)
    const records = new LossWindow({ ms: 10, records: 3 })
    records.acknowledged(60, 2, 0)
    expect(records.mustStall(1000, 1, 0)).toBe(false)
    expect(records.mustStall(1, 2, 0)).toBe(true)
  })

  test('by what a sync is about to cover as well, until it has ended', () => {
    const window = new LossWindow({ ms: 10, records: 2 })
    window.acknowledged(1, 2, 0)
    window.syncStarted()
    expect(window.mustStall(1, 1, 1)).toBe(true)
    expect(new LossWindow({ ms: 10 }).mustStall(1, 1, 100)).toBe(false)
    window.syncEnded()
    expect(window.mustStall(1, 1, 100)).toBe(false)
  })

  test('when it exceeds the window by itself', () => {
    expect(new LossWindow({ ms: 10, bytes: 100 }).mustStall(101, 1, 0)).toBe(true)
    expect(new LossWindow({ ms: 10, records: 5 }).mustStall(1, 6, 0)).toBe(true)
    expect(new LossWindow({ ms: 10 }).mustStall(2 ** 30, 10_000, 0)).toBe(false)
  })
})

describe('a sync is due', () => {
  test('never while nothing is unsynced', () => {
    const window = new LossWindow({ ms: 10, bytes: 100, records: 10 })
    expect(window.syncDueInMs(5)).toBe(Infinity)
    window.acknowledged(1, 1, 5)
    window.syncStarted()
    expect(window.syncDueInMs(5000)).toBe(Infinity)
  })

  test('half a bound after the oldest acknowledgement that no sync covers', () => {
    const window = new LossWindow({ ms: 10 })
    window.acknowledged(1, 1, 100)
    window.acknowledged(1, 1, 103)
    expect(window.syncDueInMs(103)).toBe(2)
    window.syncStarted()
    window.acknowledged(1, 1, 104)
    expect(window.syncDueInMs(104)).toBe(5)
  })

  test('at once at half of the bytes or records', () => {
    const window = new LossWindow({ ms: 1000, bytes: 100, records: 10 })
    window.acknowledged(49, 4, 0)
    expect(window.syncDueInMs(0)).toBe(500)
    window.acknowledged(1, 0, 0)
    expect(window.syncDueInMs(0)).toBe(0)
    const records = new LossWindow({ ms: 1000, records: 3 })
    records.acknowledged(1, 2, 0)
    expect(records.syncDueInMs(0)).toBe(0)
  })
})

test('whatever comes when, what is acknowledged and not durable stays within every bound', () => {
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('append' as const),
      bytes: fc.integer({ min: 1, max: 60 }),
      records: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ kind: fc.constant('sync ends' as const) }),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const bounds = { ms: 10, bytes: 100, records: 6 }
      const window = new LossWindow(bounds)
      let nowMs = 0
      let unsynced: { bytes: number; records: number; ms: number }[] = []
      let underWay: typeof unsynced | null = null
      for (const happened of events) {
        if (happened.kind === 'time') nowMs += happened.ms
        else if (happened.kind === 'sync ends' && underWay !== null) {
          window.syncEnded()
          underWay = null
        } else if (happened.kind === 'append') {
          const { bytes, records } = happened
          if (!window.mustStall(bytes, records, nowMs)) {
            window.acknowledged(bytes, records, nowMs)
            unsynced.push({ bytes, records, ms: nowMs })
          }
        }
        if (underWay === null && window.syncDueInMs(nowMs) <= 0) {
          window.syncStarted()
          underWay = unsynced
          unsynced = []
        }
        const lost = [...(underWay ?? []), ...unsynced]
        expect(lost.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(bounds.bytes)
        expect(lost.reduce((sum, one) => sum + one.records, 0)).toBeLessThanOrEqual(bounds.records)
        if (lost.length > 0) expect(lost.at(-1)!.ms - lost[0].ms).toBeLessThan(bounds.ms)
        // on a disk that keeps up nothing waits longer than half the bound before its sync begins
        if (underWay === null && unsynced.length > 0) expect(nowMs - unsynced[0].ms).toBeLessThan(bounds.ms / 2)
      }
    }),
    { numRuns: 500 },
  )
})
