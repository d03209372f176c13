import { expect, test } from 'vitest'
import { formatPartitions, parsePartitions } from '../../src/cli/partition-list.ts'

test('a topic alone stands for all of its partitions', () => {
  expect(parsePartitions('orders')).toEqual(['orders'])
})

test('partitions are numbers and ranges, each counted once', () => {
  const numbers = (text: string) =>
    parsePartitions(text).map((each) => (typeof each === 'string' ? each : each.partition))
  expect(parsePartitions('orders:7')).toEqual([{ topic: 'orders', partition: 7 }])
  expect(numbers('orders:0,2')).toEqual([0, 2])
  expect(numbers('orders:0-3,7,2')).toEqual([0, 1, 2, 3, 7])
})

test.each(['orders:', 'orders:a', 'orders:0,', 'orders:3-1', 'orders:-1', 'orders:1-', 'orders:0 1', ':1', 'a:b:1'])(
  '%s is refused with what can be written',
  (text) => {
    expect(() => parsePartitions(text)).toThrow(`'${text}' is no topic and partitions: write orders, orders:0,2 or`)
  },
)

test('partitions are written as they are read, neighbours as a range', () => {
  const list = [3, 0, 1, 7].map((partition) => ({ topic: 'orders', partition }))
  expect(formatPartitions([...list, { topic: 'clicks', partition: 5 }])).toBe('orders:0-1,3,7 clicks:5')
  expect(formatPartitions([])).toBe('')
  expect(parsePartitions(formatPartitions(list))).toEqual(expect.arrayContaining(list))
})
