/** What `read` and `readBatches` take, and what they refuse: at once, before anything is read. */
import { describe, expect, test } from 'vitest'
import type { ReadOptions } from '../../src/client/read-options.ts'
import type { Varve } from '../../src/client/varve.ts'
import { offsetsOf, openLog, recordsOf, thrown } from '../helpers/logs.ts'

async function withOrders(partitions: number): Promise<Varve> {
  const log = await openLog()
  await log.createTopic({ name: 'orders', partitions })
  for (let i = 0; i < 6; i++) await log.append('orders', { value: i, partition: i % partitions, timestamp: i * 10 })
  return log
}

describe('wrong options throw at once:', () => {
  const bad: [what: string, options: unknown, kind: unknown, message: string][] = [
    ['an unknown key', { form: 0 }, TypeError, "unknown option 'form'"],
    ['a misspelt key', { onoutofrange: 'earliest' }, TypeError, "(did you mean 'onOutOfRange'?)"],
    ['no object', 'earliest', TypeError, "options must be an object, not 'earliest'"],
    ['null', null, TypeError, ''],
    ['an array', [], TypeError, 'options must be an object, not an array'],
    [
      'from: a negative offset',
      { partition: 0, from: -1 },
      RangeError,
      "'from' must be 'earliest', 'latest', an offset",
    ],
    ['from: half an offset', { partition: 0, from: 0.5 }, RangeError, "'from' must be"],
    ['from: an offset beyond the safe integers', { partition: 0, from: 2 ** 53 }, RangeError, "'from' must be"],
    ['from: NaN', { partition: 0, from: NaN }, TypeError, "'from' must be"],
    ['from: a word', { from: 'end' }, TypeError, "'from' must be 'earliest', 'latest', an offset of at least 0"],
    ['from: text of digits', { partition: 0, from: '5' }, TypeError, "not '5'"],
    ['from: null', { from: null }, TypeError, 'not null'],
    ['from: true', { from: true }, TypeError, 'not true'],
    ['from: a Date', { from: new Date(5) }, TypeError, 'not the Date 1970-01-01T00:00:00.005Z: say { timestamp: date.'],
    ['from: a Map', { from: new Map([[0, 0]]) }, TypeError, "'from' must be 'earliest', 'latest', an offset"],
    ['from: a big integer', { partition: 0, from: 5n }, TypeError, 'not 5n'],
    ['from: a map with a wrong key', { from: { x: 0 } }, TypeError, "'from' has a key 'x': it takes { timestamp: ms }"],
    ['from: an empty key', { from: { '': 0 } }, TypeError, "'from' has a key ''"],
    ['from: half a partition', { from: { '0.5': 0 } }, TypeError, "'from' has a key '0.5'"],
    ['from: a time and more', { from: { timestamp: 5, x: 0 } }, TypeError, "has a key 'x' beside 'timestamp'"],
    ['from: a time that is a Date', { from: { timestamp: new Date(5) } }, TypeError, 'not the Date 1970'],
    ['from: a time without end', { from: { timestamp: Infinity } }, RangeError, "'timestamp' in 'from' must be"],
    ['from: a list', { from: [5] }, TypeError, 'not an array'],
    ['from: an empty map', { from: {} }, TypeError, "the map in 'from' names no partition"],
    [
      'from: a time that is no number',
      { from: { timestamp: '2024' } },
      TypeError,
      "'timestamp' in 'from' must be a number",
    ],
    [
      'from: a time that is not a number',
      { from: { timestamp: NaN } },
      TypeError,
      "'timestamp' in 'from' must be a number",
    ],
    ['from: a wrong place in a map', { from: { 0: 'earliest', 1: 'end' } }, TypeError, "not 'end'"],
    ['from: a map and a partition', { partition: 0, from: { 0: 0 } }, TypeError, "either a 'partition' or a map"],
    [
      'an offset without a partition',
      { from: 0 },
      TypeError,
      "an offset is about one partition, and topic 'orders' has 2",
    ],
    ['partition: text', { partition: '0' }, TypeError, "'partition' must be an integer"],
    ['partition: negative', { partition: -1 }, RangeError, "'partition' must be an integer of at least 0, not -1"],
    ['follow: a word', { follow: 'yes' }, TypeError, "'follow' must be true or false, not 'yes'"],
    ['order: unknown', { order: 'offset' }, TypeError, "'order' must be one of 'partition', 'time'"],
    ['onOutOfRange: unknown', { onOutOfRange: 'skip' }, TypeError, "must be one of 'error', 'earliest', 'latest'"],
    ['signal: a controller', { signal: new AbortController() }, TypeError, "'signal' must be an AbortSignal"],
  ]
  test.each(bad)('%s', async (_what, options, kind, message) => {
    const log = await withOrders(2)
    for (const call of [
      () => log.read('orders', options as ReadOptions),
      () => log.readBatches('orders', options as ReadOptions),
    ]) {
      const error = thrown(call)
      expect(error).toBeInstanceOf(kind)
      expect(error.message).toContain(message)
    }
  })

  const missing: [what: string, options: unknown, named: number][] = [
    ['as partition', { partition: 2 }, 2],
    ['in a map', { from: { 0: 0, 7: 0 } }, 7],
  ]
  test.each(missing)('a partition that is not there, named %s', async (_what, options, named) => {
    const log = await withOrders(2)
    const error = thrown(() => log.read('orders', options as ReadOptions))
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { topic: 'orders' } })
    expect(error.message).toContain(`topic 'orders' has partitions 0 to 1, not ${named}`)
  })

  test("order 'time' for readBatches, because it takes records one by one", async () => {
    const log = await withOrders(2)
    const error = thrown(() => log.readBatches('orders', { order: 'time' }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain('use read')
  })
})

describe('places to start from:', () => {
  test('every partition from its first record, unless told otherwise', async () => {
    const log = await withOrders(2)
    const records = await recordsOf(log, 'orders')
    expect(
      records.map(({ partition, offset }) => [partition, offset]).sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    ).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
      [1, 1],
      [1, 2],
    ])
    for (const options of [
      {},
      { from: 'earliest' },
      { from: undefined, partition: undefined, signal: undefined },
    ] as const) {
      expect(await recordsOf(log, 'orders', options)).toHaveLength(6)
    }
  })

  test('the end: nothing, unless it follows', async () => {
    const log = await withOrders(2)
    expect(await offsetsOf(log, 'orders', { from: 'latest' })).toEqual([])
    expect(await offsetsOf(log, 'orders', { from: 3, partition: 1 })).toEqual([])
  })

  test('an offset, of the one partition there is or of the one that is named', async () => {
    expect(await offsetsOf(await withOrders(1), 'orders', { from: 4 })).toEqual([4, 5])
    expect(await offsetsOf(await withOrders(2), 'orders', { from: 1, partition: 1 })).toEqual([1, 2])
  })

  test('a map reads the partitions that it names, each from its own place', async () => {
    const log = await withOrders(3)
    const from = { 2: 1, 0: 'latest', 1: { timestamp: 35 } } as const
    const records = await recordsOf(log, 'orders', { from })
    expect(records.map(({ partition, offset }) => `${partition}/${offset}`).sort((a, b) => (a < b ? -1 : 1))).toEqual([
      '1/1',
      '2/1',
    ])
    expect(await offsetsOf(log, 'orders', { from: { 1: 'earliest' } })).toEqual([0, 1])
  })

  test('a time, in every partition', async () => {
    const log = await withOrders(2)
    const records = await recordsOf(log, 'orders', { from: { timestamp: 29.5 } })
    expect(records.map(({ timestamp }) => timestamp).sort((a, b) => a - b)).toEqual([30, 40, 50])
  })
})
