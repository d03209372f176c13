import type { TopicDescription } from '../client/varve.ts'
import { topicDefaults } from '../engine/topic-config.ts'
import { output } from './output.ts'
import { formatSetting } from './settings.ts'
import { printTable } from './table.ts'
import { formatBytes, formatCount } from './units.ts'

/** Offsets from the first to the last of a topic: its records, and the gaps that recoveries and compaction leave. */
export function countRecords({ partitions }: TopicDescription): number {
  return partitions.reduce((sum, { logStartOffset, highWatermark }) => sum + highWatermark - logStartOffset, 0)
}

/** Bytes of log in all partitions. */
export function sizeOf({ partitions }: TopicDescription): number {
  return partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

/** Prints one line a topic. */
export function printTopics(topics: TopicDescription[]): void {
  printTable(
    [
      { head: 'topic', cell: ({ name }) => name },
      { head: 'partitions', cell: ({ partitions }) => partitions.length, shown: ({ partitions }) => formatCount(partitions.length), align: 'right' },
      { head: 'records', cell: countRecords, shown: (topic) => formatCount(countRecords(topic)), align: 'right' },
      { head: 'size', cell: sizeOf, shown: (topic) => formatBytes(sizeOf(topic)), align: 'right' },
      { head: 'values', cell: ({ config }) => formatSetting(config.valueCodec) },
      { head: 'flush', cell: ({ config }) => formatSetting(config.flush) },
    ],
    topics,
  )
}

/** Prints all there is to say of one topic. Into a pipe: `config` and `partition` lines, cells parted by tabs. */
export function printTopic(topic: TopicDescription): void {
  if (output.isTerminal) {
    const { name, topicId, partitions } = topic
    void output.line(`${name}  (id ${topicId}): ${countOf(partitions.length, 'partition')}, ${describeContent(topic)}\n`)
  }
  printPartitions(topic)
  if (output.isTerminal) void output.line('')
  const settings = Object.entries(topic.config).sort(([a], [b]) => (a < b ? -1 : 1))
  printTable(
    [
      ...(output.isTerminal ? [] : [{ head: '', cell: () => 'config' }]),
      { head: 'configuration', cell: ([key]) => key },
      { head: 'value', cell: ([, value]) => formatSetting(value) },
      { head: '', cell: (setting) => (isDefault(setting) ? 'default' : 'set') },
    ],
    settings,
  )
}

function printPartitions(topic: TopicDescription): void {
  printTable(
    [
      ...(output.isTerminal ? [] : [{ head: '', cell: () => 'partition' }]),
      { head: 'partition', cell: ({ partition }) => partition, align: 'right' },
      { head: 'start', cell: ({ logStartOffset }) => logStartOffset, shown: (row) => formatCount(row.logStartOffset), align: 'right' },
      { head: 'end', cell: ({ highWatermark }) => highWatermark, shown: (row) => formatCount(row.highWatermark), align: 'right' },
      { head: 'size', cell: ({ sizeBytes }) => sizeBytes, shown: (row) => formatBytes(row.sizeBytes), align: 'right' },
      { head: 'segments', cell: ({ segments }) => segments, shown: (row) => formatCount(row.segments), align: 'right' },
      { head: 'epoch', cell: ({ leaderEpoch }) => leaderEpoch, align: 'right' },
      { head: 'directory', cell: ({ directory }) => directory },
    ],
    topic.partitions,
  )
}

/** `1,707 records, 1.1 MB` */
export function describeContent(topic: TopicDescription): string {
  return `${countOf(countRecords(topic), 'record')}, ${formatBytes(sizeOf(topic))}`
}

/** `1 record`, `2 records` */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

function isDefault([key, value]: [string, unknown]): boolean {
  return formatSetting(value) === (formatSetting(topicDefaults[key as keyof typeof topicDefaults]) || 'group')
}
