import { expect, test } from 'vitest'
import { FakeClock } from './fake-clock.ts'

test('advance fires timers in the order in which they are due, each at its own time', () => {
  const clock = new FakeClock(1_000)
  const fired: [string, number, number][] = []
  const note = (name: string) => () => void fired.push([name, clock.monotonicMs(), clock.now()])
  clock.setTimer(30, note('late'))
  clock.setTimer(10, () => {
    note('early')()
    clock.setTimer(5, note('set by a timer'))
  })
  clock.setTimer(10, note('early too'))
  const cancel = clock.setTimer(20, note('cancelled'))
  cancel()
  clock.advance(29)
  expect(fired).toEqual([
    ['early', 10, 1_010],
    ['early too', 10, 1_010],
    ['set by a timer', 15, 1_015],
  ])
  expect(clock.timerCount).toBe(1)
  clock.advance(1)
  expect(fired.at(-1)).toEqual(['late', 30, 1_030])
})

test('the wall clock can be set without moving time', () => {
  const clock = new FakeClock(1_000)
  clock.advance(5)
  clock.setWallClock(10)
  clock.advance(5)
  expect([clock.now(), clock.monotonicMs()]).toEqual([15, 10])
  expect(() => clock.advance(-1)).toThrow(RangeError)
})

test('advanceSlowly lets what a timer set going run before time goes on', async () => {
  const clock = new FakeClock()
  const times: number[] = []
  const loop = async () => {
    for (let round = 0; round < 3; round++) {
      await new Promise<void>((resolve) => void clock.setTimer(10, resolve))
      times.push(clock.monotonicMs())
    }
  }
  const done = loop()
  await clock.advanceSlowly(100)
  await done
  expect(times).toEqual([10, 20, 30])
  expect(clock.monotonicMs()).toBe(100)
})

test('defer waits for the event loop, or for what the test says', async () => {
  const clock = new FakeClock()
  const order: string[] = []
  const deferred = new Promise<void>((resolve) => clock.defer(() => resolve(void order.push('deferred'))))
  await Promise.resolve().then(() => order.push('microtask'))
  await deferred
  expect(order).toEqual(['microtask', 'deferred'])
  clock.deferWith = (callback) => callback()
  clock.defer(() => order.push('at once'))
  expect(order.at(-1)).toBe('at once')
})

test('holds are counted, each given back once', () => {
  const clock = new FakeClock()
  const [first, second] = [clock.hold(), clock.hold()]
  first()
  first()
  expect(clock.holdCount).toBe(1)
  second()
  expect(clock.holdCount).toBe(0)
})
