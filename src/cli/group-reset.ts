import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { OffsetReset, ResetOptions, ResetTarget } from '../client/offset-reset.ts'
import type { TopicPartition } from '../group/assignors/assignor.ts'
import { directoryOption, directoryWords, integerArgument, jsonOption, repeatable } from './arguments.ts'
import { cannotRead, usageError } from './exit.ts'
import { withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { countColumn, printTable, textColumn, type Column } from './table.ts'
import { formatCount, parseTime } from './units.ts'

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
Shows what would be done; --execute does it. A group that has members is refused,
and an offset that a partition does not hold becomes the nearest one that it does.
A file has lines of topic, partition and offset, parted by commas or tabs.

Examples:
  varve group reset billing --to-earliest
  varve group reset billing --to-datetime 2026-01-31T12:00 --topic orders --execute
  varve group reset billing --shift-by -100 --topic orders:0,2 --execute
  varve group reset billing --from-file offsets.csv --execute
`

/** `varve group reset` */
export function registerGroupReset(group: Command): void {
  group
    .command('reset <group>')
    .description('have a group go on elsewhere; only shows what would be done without --execute')
    .option('-t, --topic <topic[:partitions]>', 'this topic only, or these partitions of it: orders:0,2', repeatable)
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
  const plan = await withLog(directory, 'write', (log) => log.resetOffsets(groupId, reset))
  if (json) void output.json(plan)
  else printTable(columns, plan)
  const command = `the same with --execute${directoryWords(directory)}`
  if (!execute) say(`nothing was changed: ${command} does it`)
  else if (!json && output.isTerminal) say(`group '${groupId}' goes on there`)
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
  return topic === undefined ? { to } : { to, topics: topic.flatMap(parseTopic) }
}

/** Reads `orders` or `orders:0,2`. */
function parseTopic(text: string): (string | TopicPartition)[] {
  const at = text.lastIndexOf(':')
  if (at < 0) return [text]
  const topic = text.slice(0, at)
  return text
    .slice(at + 1)
    .split(',')
    .map((number) => {
      if (!/^\d{1,6}$/.test(number))
        throw usageError(`--topic: '${text}' must be a topic, or topic:partition,partition`)
      return { topic, partition: Number(number) }
    })
}

function readOffsets(file: string): (TopicPartition & { offset: number })[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw cannotRead(file, error)
  }
  const offsets: (TopicPartition & { offset: number })[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const fields = /^\s*"?([\w.-]+)"?\s*[,\t]\s*(\d{1,6})\s*[,\t]\s*(\d{1,16})\s*$/.exec(line)
    if (fields === null) {
      throw usageError(`${file}:${index + 1}: a line must be topic, partition and offset, parted by commas or tabs`)
    }
    offsets.push({ topic: fields[1], partition: Number(fields[2]), offset: Number(fields[3]) })
  }
  if (offsets.length === 0) throw usageError(`'${file}' holds no offsets`)
  return offsets
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
