import { InvalidArgumentError, Option, type Command } from 'commander'
import type { ReadOptions, ReadPosition } from '../client/read-options.ts'
import type { TopicDescription } from '../client/topic-description.ts'
import type { Varve } from '../client/varve.ts'
import { directoryOption, integerArgument, jsonOption, valueCodecOption } from './arguments.ts'
import { CliFailure, ExitCode, usageError } from './exit.ts'
import { Interruption } from './interruption.ts'
import { requirePartition, requireTopic, withLog } from './log-access.ts'
import { output } from './output.ts'
import { Progress } from './progress.ts'
import { recordPrinter, type RecordPrinter } from './record-printer.ts'
import { formatSetting } from './settings.ts'
import { parseTime } from './units.ts'

/** The options that `read` and `replay` share. */
export interface ReadRunOptions {
  directory: string
  from?: ReadPosition
  partition?: number
  max?: number
  order?: 'partition' | 'time'
  json?: boolean
  format?: string
  valueCodec?: string
  follow?: boolean
  /** Print no records. */
  quiet?: boolean
}

/** How often the progress bar is told, in records: asking for the time costs more than many a record. */
const UPDATE_RECORDS = 256
const ORDERS = ['partition', 'time']

/** What was read. */
export interface ReadSummary {
  topic: string
  records: number
  /** Of keys and values. */
  bytes: number
  seconds: number
}

/** Adds the options that `read` and `replay` share. */
export function addReadOptions(command: Command): Command {
  return command
    .option('-f, --from <place>', 'earliest, latest, an offset (of one partition), or an ISO 8601 time', parsePlace)
    .option('-p, --partition <n>', 'this partition only', integerArgument(0))
    .option('-n, --max <n>', 'stop after so many records', integerArgument(1))
    .addOption(new Option('--order <order>', 'how partitions are put together').choices(ORDERS).default('partition'))
    .addOption(jsonOption('print each record as one line of JSON').conflicts('format'))
    .option('-F, --format <format>', "print records by a format such as '%o %k %v\\n'")
    .addOption(valueCodecOption())
    .addOption(directoryOption())
}

/** Reads `earliest`, `latest`, an offset or a time. */
export function parsePlace(text: string): ReadPosition {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d+$/.test(text)) return integerArgument(0)(text)
  const timestamp = parseTime(text)
  if (timestamp !== null) return { timestamp }
  throw new InvalidArgumentError(
    'It must be earliest, latest, an offset, or an ISO 8601 time such as 2026-01-31T12:00:00Z.',
  )
}

/** Reads a topic and prints its records. */
export async function runRead(name: string, options: ReadRunOptions, showProgress: boolean): Promise<ReadSummary> {
  // a wrong format is found before anything is opened
  recordPrinter({ ...options, valueCodec: 'bytes', isTerminal: false })
  return withLog(options.directory, 'read', async (log) => {
    const topic = await requireTopic(log, name)
    requirePartition(topic, options.partition)
    checkPlace(topic, options)
    const valueCodec = options.valueCodec ?? formatSetting(topic.config.valueCodec)
    const print = options.quiet ? null : recordPrinter({ ...options, valueCodec, isTerminal: output.isTerminal })
    return new ReadRun(log, topic, options, print, showProgress).run()
  })
}

function checkPlace({ name, partitions }: TopicDescription, { from, partition }: ReadRunOptions): void {
  if (typeof from !== 'number') return
  if (partition === undefined && partitions.length > 1) {
    throw usageError(
      `offset ${from} is a place in one partition, and topic '${name}' has ${partitions.length}: add --partition <n>`,
    )
  }
  const { logStartOffset: start, highWatermark: end } = partitions[partition ?? 0]
  if (from >= start && from <= end) return
  const range = start === end ? `it is empty, and its next offset is ${end}` : `it holds ${start} to ${end - 1}`
  const message = `offset ${from} of ${name}-${partition ?? 0} is out of range: ${range}`
  throw new CliFailure(ExitCode.failed, 'OFFSET_OUT_OF_RANGE', message, {
    topic: name,
    partition: partition ?? 0,
    offset: from,
  })
}

class ReadRun {
  private records = 0
  private bytes = 0
  private readonly progress: Progress
  /** Per partition: the first offset that was not read yet. */
  private readonly positions: Map<number, number>
  private readonly starts: number

  constructor(
    private readonly log: Varve,
    private readonly topic: TopicDescription,
    private readonly options: ReadRunOptions,
    private readonly print: RecordPrinter | null,
    showProgress: boolean,
  ) {
    const read = topic.partitions.filter(
      ({ partition }) => options.partition === undefined || partition === options.partition,
    )
    const startOf = (logStartOffset: number) => (typeof options.from === 'number' ? options.from : logStartOffset)
    this.positions = new Map(read.map(({ partition, logStartOffset }) => [partition, startOf(logStartOffset)]))
    this.starts = sum(this.positions.values())
    const total = sum(read.map(({ highWatermark }) => highWatermark)) - this.starts
    this.progress = new Progress(Math.min(total, options.max ?? Infinity), 'records', showProgress)
  }

  async run(): Promise<ReadSummary> {
    using interruption = new Interruption()
    const started = performance.now()
    try {
      await this.readAll(interruption.signal)
    } catch (error) {
      if (error !== interruption.signal.reason) throw error
      // someone who follows a log ends it so: that is no failure
      if (!this.options.follow) process.exitCode = interruption.exitCode!
    } finally {
      this.progress.stop()
    }
    const seconds = (performance.now() - started) / 1000
    return { topic: this.topic.name, records: this.records, bytes: this.bytes, seconds }
  }

  private async readAll(signal: AbortSignal): Promise<void> {
    const { from = 'earliest', partition, order = 'partition', follow = false, max = Infinity } = this.options
    const options: ReadOptions = { from, order, follow, signal }
    if (partition !== undefined) options.partition = partition
    for await (const record of this.log.read(this.topic.name, options)) {
      if (this.print !== null) {
        const waiting = output.write(this.print(record))
        if (waiting !== undefined) await waiting
      }
      this.records++
      this.bytes += (record.keyBytes?.length ?? 0) + (record.valueBytes?.length ?? 0)
      this.positions.set(record.partition, record.offset + 1)
      if (this.records >= max) return
      if (this.records % UPDATE_RECORDS === 0) this.showProgress()
    }
  }

  private showProgress(): void {
    const done = this.options.max === undefined ? sum(this.positions.values()) - this.starts : this.records
    this.progress.update({ done, records: this.records })
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
