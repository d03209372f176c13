import type { TopicPartition } from '../group/assignors/assignor.ts'
import { usageError } from './exit.ts'

/** More partitions than a topic has; what is larger is a slip. */
const PARTITION_MAX = 999_999

/**
 * Reads `orders`, `orders:0,2` or `orders:0-3,7`.
 *
 * @throws CliFailure USAGE
 */
export function parsePartitions(text: string): (string | TopicPartition)[] {
  const [topic, list, ...others] = text.split(':')
  if (list === undefined) return [topic]
  const found = new Set<number>()
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? []
    if (first === undefined || Number(last) < Number(first) || topic === '' || others.length > 0) {
      throw usageError(`'${text}' is no topic and partitions: write orders, orders:0,2 or orders:0-3,7`)
    }
    for (let partition = Number(first); partition <= Math.min(Number(last), PARTITION_MAX); partition++)
      found.add(partition)
  }
  return [...found].map((partition) => ({ topic, partition }))
}

/** Writes partitions as {@link parsePartitions} reads them, topics parted by spaces: `clicks:0 orders:0-3,7`. */
export function formatPartitions(partitions: readonly TopicPartition[]): string {
  const numbers = new Map<string, number[]>()
  for (const { topic, partition } of partitions) numbers.set(topic, [...(numbers.get(topic) ?? []), partition])
  return [...numbers].map(([topic, list]) => `${topic}:${formatRanges(list)}`).join(' ')
}

function formatRanges(numbers: readonly number[]): string {
  const ranges: { first: number; last: number }[] = []
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const range = ranges.at(-1)
    if (range !== undefined && number === range.last + 1) range.last = number
    else ranges.push({ first: number, last: number })
  }
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}
