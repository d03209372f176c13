import { expect, test } from 'vitest'
import { LossMeter, NO_LOSS, worseLoss } from '../../../src/cli/comparison/loss-meter.ts'

test('nothing is at risk while each record is durable before it is acknowledged', () => {
  const meter = new LossMeter()
  let durable = 0
  meter.start(() => durable)
  for (let offset = 0; offset < 10; offset++) {
    durable = offset + 1
    meter.acknowledge(offset, 100, offset)
  }
  expect(meter.stop(10)).toEqual(NO_LOSS)
})

test('the worst moment counts, even when it lies just before a sync', () => {
  const meter = new LossMeter()
  let durable = 0
  meter.start(() => durable)
  meter.acknowledge(0, 100, 10)
  meter.acknowledge(1, 50, 13)
  meter.look(17)
  durable = 2
  meter.acknowledge(2, 10, 18)
  expect(meter.stop(19)).toEqual({ records: 2, bytes: 150, ms: 3, ageMs: 7 })
})

test('a record acknowledged out of turn is an error', () => {
  const meter = new LossMeter()
  meter.start(() => 0)
  meter.acknowledge(0, 1, 0)
  expect(() => meter.acknowledge(2, 1, 0)).toThrow('offset 2 was acknowledged after 0')
})

test('a stopped meter looks no more, and a new start forgets', () => {
  const meter = new LossMeter()
  meter.start(() => 0)
  meter.acknowledge(0, 1, 0)
  meter.stop(1)
  meter.look(100)
  meter.start(() => 0)
  expect(meter.stop(200)).toEqual(NO_LOSS)
})

test('it follows more records than it has room for at first', () => {
  const meter = new LossMeter()
  meter.start(() => 1)
  const records = 1024 * 1024 + 10
  for (let offset = 0; offset < records; offset++) meter.acknowledge(offset, 2, offset)
  expect(meter.stop(records)).toEqual({
    records: records - 1,
    bytes: 2 * (records - 1),
    ms: records - 2,
    ageMs: records - 1,
  })
})

test('the worse of two is worse in each respect', () => {
  const a = { records: 1, bytes: 20, ms: 3, ageMs: 40 }
  const b = { records: 10, bytes: 2, ms: 30, ageMs: 4 }
  expect(worseLoss(a, b)).toEqual({ records: 10, bytes: 20, ms: 30, ageMs: 40 })
})
