import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { OffsetReset, ResetOptions, ResetTarget } from '../client/offset-reset.ts'
import type { TopicDescription } from '../client/topic-description.ts'
import type { Varve } from '../client/varve.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'
import { directoryOption, integerArgument, jsonOption, repeatable } from './arguments.ts'
import { cannotRead, usageError } from './exit.ts'
import { withGroup } from './group-access.ts'
import { requirePartition, requireTopic } from './log-access.ts'
import { output, say } from './output.ts'
import { parsePartitions } from './partition-list.ts'
import { countColumn, printTable, textColumn, type Column } from './table.ts'
import { formatCount, parseTime } from './units.ts'
import { safeText } from './values.ts'

type TopicOffset = TopicPartition & { offset: number }

interface Options {
  directory: string
  topic?: string[]
  toEarliest?: boolean
  toLatest?: boolean
  toDatetime?: number
  toOffset?: number
  shiftBy?: number
  fromFile?: string
  execute?: boolean
  json?: boolean
}

const EXAMPLES = `
Prints topic, partition, and the offsets that the group goes on from: as it is,
and as it will be. That works beside a live writer and changes nothing.
--execute does it, and needs the log for itself; a group that has members is
refused.
An offset that a partition does not hold becomes the nearest one that it does.

A group that there is not yet begins in the topics that are named. A file has
lines of topic, partition and offset, parted by commas or tabs, as this prints:
  varve group describe billing | grep ^offset | cut -f 2-4

Examples:
  varve group reset billing --to-earliest
  varve group reset billing --to-datetime 2026-01-31T12:00 --topic orders --execute
  varve group reset billing --shift-by -100 --topic orders:0-3,7 --execute
  varve group reset billing --from-file offsets.csv --execute
`

/** `varve group reset` */
export function registerGroupReset(group: Command): void {
  group
    .command('reset <group>')
    .description('have a group go on elsewhere; only shows what would be done without --execute')
    .option('-t, --topic <topic[:partitions]>', 'this topic only, or these partitions: orders:0-3,7', repeatable)
    .option('--to-earliest', 'where each partition begins')
    .option('--to-latest', 'where each partition ends')
    .option('--to-datetime <time>', 'the first record at or after an ISO 8601 time', timeArgument)
    .option('--to-offset <n>', 'this offset, in every partition named', integerArgument(0))
    .option('--shift-by <n>', 'so many records on from where it is; back if negative', shiftArgument)
    .option('--from-file <file>', 'the offsets in a file')
    .option('--execute', 'do it')
    .addOption(directoryOption())
    .addOption(new Option('--dry-run', 'only show what would be done: the default').conflicts('execute'))
    .addOption(jsonOption('print [{ topic, partition, from, to }] as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(resetGroup)
}

async function resetGroup(groupId: string, options: Options): Promise<void> {
  const { directory, execute = false, json } = options
  const reset: ResetOptions = { ...whatToReset(options), dryRun: !execute }
  const advice = ': name the topics that it is to begin with, or correct the id'
  const access = execute ? 'write' : 'read'
  const plan = await withGroup({ directory, groupId, access, advice }, async (log) => {
    await requireTopics(log, reset.topics ?? reset.offsets ?? [])
    return log.resetOffsets(groupId, reset)
  })
  if (json) void output.json(plan)
  else printTable(columns, plan)
  if (!execute) say('nothing was changed: the same with --execute does it')
  else if (!json && output.isTerminal) say(`group '${safeText(groupId)}' goes on there`)
}

async function requireTopics(log: Varve, named: readonly (string | TopicPartition)[]): Promise<void> {
  const topics = new Map<string, TopicDescription>()
  for (const each of named) {
    const name = typeof each === 'string' ? each : each.topic
    const topic = topics.get(name) ?? (await requireTopic(log, name))
    topics.set(name, topic)
    if (typeof each !== 'string') requirePartition(topic, each.partition)
  }
}

const columns: Column<OffsetReset>[] = [
  textColumn('topic', ({ topic }) => topic),
  countColumn('partition', ({ partition }) => partition),
  {
    head: 'from',
    cell: ({ from }) => from ?? '',
    shown: ({ from }) => (from === null ? '-' : formatCount(from)),
    align: 'right',
  },
  countColumn('to', ({ to }) => to),
]

function whatToReset({ topic, fromFile, ...options }: Options): Omit<ResetOptions, 'dryRun'> {
  const targets: ResetTarget[] = []
  if (options.toEarliest) targets.push('earliest')
  if (options.toLatest) targets.push('latest')
  if (options.toDatetime !== undefined) targets.push({ timestamp: options.toDatetime })
  if (options.toOffset !== undefined) targets.push({ offset: options.toOffset })
  if (options.shiftBy !== undefined) targets.push({ shiftBy: options.shiftBy })
  if (targets.length + (fromFile === undefined ? 0 : 1) !== 1) {
    const ways = '--to-earliest, --to-latest, --to-datetime, --to-offset, --shift-by and --from-file'
    throw usageError(`where to go on must be said in one way: give one of ${ways}`)
  }
  if (fromFile !== undefined) {
    if (topic !== undefined) throw usageError('a file names its topics itself: leave --topic out')
    return { offsets: readOffsets(fromFile) }
  }
  const [to] = targets
  return topic === undefined ? { to } : { to, topics: topic.flatMap(parsePartitions) }
}

function readOffsets(file: string): TopicOffset[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw cannotRead(file, error)
  }
  const found = new Map<string, TopicOffset & { line: number }>()
  for (const [index, content] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    // as `group describe` prints a partition of which nothing is committed
    if (content.trim() === '' || /^[\w.-]+\t\d+\t$/.test(content)) continue
    const line = index + 1
    const given = parseOffset(content)
    if (given === null) {
      const form = 'topic, partition and offset, parted by commas or tabs'
      throw usageError(`${file}:${line}: a line must be ${form}, not ${JSON.stringify(content.slice(0, 80))}`)
    }
    const key = `${given.topic}:${given.partition}`
    const before = found.get(key)
    if (before !== undefined) throw usageError(`${file}:${line}: ${key} stands in line ${before.line} already`)
    found.set(key, { ...given, line })
  }
  if (found.size === 0) throw usageError(`'${file}' holds no offsets`)
  return [...found.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset }))
}

function parseOffset(line: string): TopicOffset | null {
  const fields = /^\s*(["']?)([\w.-]+)\1\s*[,\t]\s*(\d{1,6})\s*[,\t]\s*(\d{1,16})\s*$/.exec(line)
  if (fields === null || !Number.isSafeInteger(Number(fields[4]))) return null
  return { topic: fields[2], partition: Number(fields[3]), offset: Number(fields[4]) }
}

function timeArgument(text: string): number {
  const timestamp = parseTime(text)
  if (timestamp !== null) return timestamp
  throw new InvalidArgumentError('It must be an ISO 8601 date or time, as in 2026-01-31T12:00.')
}

function shiftArgument(text: string): number {
  const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It must be an integer.')
}
