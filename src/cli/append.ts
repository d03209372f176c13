import { InvalidArgumentError, type Command } from 'commander'
import type { TopicDescription } from '../client/topic-description.ts'
import type { Varve } from '../client/varve.ts'
import type { Flush } from '../engine/flush.ts'
import type { HeaderValue } from '../engine/record-encoding.ts'
import type { TopicConfig } from '../engine/topic-config.ts'
import { AppendRun, fieldsOfText, openSource, type LineSource } from './append-run.ts'
import {
  directoryOption,
  directoryWords,
  formatFlush,
  integerArgument,
  jsonOption,
  parseFlushOption,
} from './arguments.ts'
import { CliFailure, ExitCode, usageError } from './exit.ts'
import type { LineFormat } from './line-records.ts'
import { requirePartition, requireTopic, withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { configOption } from './settings.ts'
import { countOf, formatRate } from './units.ts'

interface AppendOptions {
  directory: string
  format?: LineFormat
  key?: string
  timestamp?: string
  partition?: number
  header?: [string, HeaderValue][]
  batch: number
  flush?: Flush
  skipInvalid?: boolean
  create?: boolean
  partitions?: number
  config?: Partial<TopicConfig>
  json?: boolean
}

const HELP = `
Each line is one record. json: any JSON value; blank lines are passed over, and
null makes a record without a value. lines: the text of the line. Without
--format the file's name decides (.ndjson .jsonl .json, or .txt .log .csv .tsv),
else the first byte: { means json.

A line that is no record ends the command with its number and exit code 1; what
came before it is appended. Ctrl-C ends it in order: what was read is appended.

Examples:
  varve append orders orders.ndjson --key customer.id --timestamp createdAt
  tail -f app.log | varve append logs --format lines --header host=web-1
  echo '{"total":89.99}' | varve append orders --create --partitions 4
  varve append orders big.ndjson --flush 10ms --json
`

/** `varve append` */
export function registerAppend(program: Command): void {
  program
    .command('append <topic> [file]')
    .description('append the lines of a file, or of standard input, to a topic')
    .option('-f, --format <format>', 'json (one value a line) or lines', parseFormat)
    .option('-k, --key <field>', 'JSON field that gives the key; a.b leads into objects')
    .option('-t, --timestamp <field>', 'JSON field that gives the timestamp: milliseconds or ISO 8601')
    .option('-p, --partition <n>', 'append to this partition, whatever the key', integerArgument(0))
    .option('-H, --header <name=value>', 'a header for every record; repeatable', parseHeader)
    .option('-b, --batch <n>', 'records that are appended together at most', integerArgument(1), 1000)
    .option('--flush <mode>', 'each, group (the default), os, or a loss window such as 10ms', parseFlushOption)
    .option('--skip-invalid', 'leave out the lines that are no records, and count them')
    .option('--create', 'create the topic if it is missing')
    .option('--partitions <n>', 'with --create: number of partitions', integerArgument(1))
    .addOption(configOption())
    .addOption(directoryOption())
    .addOption(jsonOption('print the summary as JSON on standard output'))
    .addHelpText('after', HELP)
    .action(append)
}

async function append(topic: string, file: string | undefined, options: AppendOptions): Promise<void> {
  const { directory, create, json, flush } = options
  if (!create && (options.partitions ?? options.config) !== undefined) {
    throw usageError('--partitions and --config are for a topic that --create makes')
  }
  if (options.format === 'lines' && (options.key ?? options.timestamp) !== undefined) throw fieldsOfText()
  const source = await openSource(file)
  try {
    const { summary, exitCode } = await withLog(
      directory,
      create ? 'create' : 'write',
      async (log) => {
        const description = await findTopic(log, topic, options)
        checkFlush(description, flush, directory)
        requirePartition(description, options.partition)
        if (source.stream === process.stdin && process.stdin.isTTY) say('Type one record a line; Ctrl-D ends.')
        return runAppend(log, description, source, options)
      },
      flush,
    )
    if (json) void output.json(summary)
    else {
      const { records, bytes, skipped, seconds } = summary
      const interrupted = exitCode === ExitCode.ok ? '' : 'interrupted: '
      const rest = skipped === 0 ? '' : `; ${countOf(skipped, 'line')} skipped`
      say(`${interrupted}appended to '${topic}': ${formatRate(records, bytes, seconds)}${rest}`)
    }
    process.exitCode = exitCode
  } finally {
    source.stream.destroy()
  }
}

function runAppend(log: Varve, topic: TopicDescription, source: LineSource, options: AppendOptions) {
  const { format = null, key, timestamp, partition, header, batch, skipInvalid = false } = options
  const run = new AppendRun(log, topic, source, {
    format,
    batchRecords: batch,
    skipInvalid,
    ...(key !== undefined && { key }),
    ...(timestamp !== undefined && { timestamp }),
    ...(partition !== undefined && { partition }),
    ...(header !== undefined && { headers: header }),
  })
  return run.run()
}

async function findTopic(log: Varve, name: string, options: AppendOptions): Promise<TopicDescription> {
  const { create, partitions, config } = options
  const exists = (await log.listTopics()).some((topic) => topic.name === name)
  if (create && !exists) return log.createTopic({ name, partitions: partitions ?? 1, ...config })
  try {
    return await requireTopic(log, name)
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    throw new CliFailure(error.exitCode, error.code, `${error.message}; or append with --create`, error.details)
  }
}

/** A topic's own flush mode goes before the log's, so asking for another one would do nothing. */
function checkFlush({ name, config }: TopicDescription, flush: Flush | undefined, directory: string): void {
  if (flush === undefined) return
  const own = formatFlush(config.flush!)
  if (own === formatFlush(flush)) return
  const advice = `\`varve topic alter ${name} -c flush=${formatFlush(flush)}${directoryWords(directory)}\` changes that`
  const message = `topic '${name}' is set to flush=${own}, which --flush cannot override: ${advice}`
  throw new CliFailure(ExitCode.failed, 'INVALID_CONFIG', message, { topic: name })
}

function parseFormat(text: string): LineFormat {
  if (text === 'json' || text === 'lines') return text
  throw new InvalidArgumentError('It must be json or lines.')
}

function parseHeader(text: string, previous: [string, HeaderValue][] = []): [string, HeaderValue][] {
  const at = text.indexOf('=')
  if (at <= 0) throw new InvalidArgumentError('It must be <name>=<value>.')
  return [...previous, [text.slice(0, at), text.slice(at + 1)]]
}
