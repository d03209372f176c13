import type { TopicDescription } from '../client/topic-description.ts'
import { topicDefaults } from '../engine/topic-config.ts'
import { output } from './output.ts'
import { formatSetting } from './settings.ts'
import { bytesColumn, countColumn, kindColumn, printTable, textColumn, type Column } from './table.ts'
import { countOf, formatBytes } from './units.ts'

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
  const columns = [
    textColumn<TopicDescription>('topic', ({ name }) => name),
    countColumn<TopicDescription>('partitions', ({ partitions }) => partitions.length),
    countColumn('records', countRecords),
    bytesColumn('size', sizeOf),
    textColumn<TopicDescription>('values', ({ config }) => formatSetting(config.valueCodec)),
    textColumn<TopicDescription>('flush', ({ config }) => formatSetting(config.flush)),
  ]
  printTable(columns, topics)
}

/** Prints all there is to say of one topic. Into a pipe: `partition` and `config` lines, cells parted by tabs. */
export function printTopic(topic: TopicDescription): void {
  if (output.isTerminal) {
    const { name, topicId, partitions } = topic
    void output.line(
      `${name}  (id ${topicId}): ${countOf(partitions.length, 'partition')}, ${describeContent(topic)}\n`,
    )
  }
  printTable([...kindColumn('partition'), ...partitionColumns], topic.partitions)
  if (output.isTerminal) void output.line('')
  const settings = Object.entries(topic.config).sort(([a], [b]) => (a < b ? -1 : 1))
  printTable([...kindColumn('config'), ...settingColumns], settings)
}

type Partition = TopicDescription['partitions'][number]
type Setting = [key: string, value: unknown]

const partitionColumns: Column<Partition>[] = [
  countColumn('partition', ({ partition }) => partition),
  countColumn('start', ({ logStartOffset }) => logStartOffset),
  countColumn('end', ({ highWatermark }) => highWatermark),
  bytesColumn('size', ({ sizeBytes }) => sizeBytes),
  countColumn('segments', ({ segments }) => segments),
  countColumn('epoch', ({ leaderEpoch }) => leaderEpoch),
  textColumn('directory', ({ directory }) => directory),
]

const settingColumns: Column<Setting>[] = [
  textColumn('configuration', ([key]) => key),
  textColumn('value', ([, value]) => formatSetting(value)),
  textColumn('', (setting) => (isDefault(setting) ? 'default' : 'set')),
]

/** `1,707 records, 1.1 MB` */
export function describeContent(topic: TopicDescription): string {
  return `${countOf(countRecords(topic), 'record')}, ${formatBytes(sizeOf(topic))}`
}

function isDefault([key, value]: Setting): boolean {
  return formatSetting(value) === (formatSetting(topicDefaults[key as keyof typeof topicDefaults]) || 'group')
}
