import type { Command } from 'commander'
import type { TopicConfig } from '../engine/topic-config.ts'
import { VarveError } from '../errors.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { CliFailure, ExitCode } from './exit.ts'
import { requireDirectory, withLog } from './log-access.ts'
import { output } from './output.ts'
import { configHelp, configOption } from './settings.ts'
import { describeContent } from './topic-view.ts'
import { countOf } from './units.ts'

interface AdoptOptions {
  directory: string
  config?: Partial<TopicConfig>
  json?: boolean
}

const EXAMPLES = `
The directories <topic>-0, <topic>-1, ... must be in the log's directory. Unless
said otherwise values are taken as bytes (valueCodec=bytes) and keys hashed as
Kafka's clients do (partitioner=murmur2). __consumer_offsets brings back what
consumer groups have committed; not all of its directories need be there.

Examples:
  cp -r /var/kafka-logs/orders-* ./events/ && varve topic adopt orders
  varve topic adopt orders -c valueCodec=json
  varve topic adopt __consumer_offsets
`

/** `varve topic adopt` */
export function registerTopicAdopt(topic: Command): void {
  topic
    .command('adopt <topic>')
    .description('take over partition directories that Kafka wrote, or that a lost catalog has left')
    .addOption(configOption())
    .addOption(directoryOption())
    .addOption(jsonOption('print the description of the topic as JSON'))
    .addHelpText('after', () => `\n${configHelp()}\n${EXAMPLES}`)
    .action(adoptTopic)
}

async function adoptTopic(name: string, { directory, config, json }: AdoptOptions): Promise<void> {
  await requireDirectory(directory)
  const topic = await withLog(directory, 'create', async (log) => {
    try {
      return await log.adoptTopic({ name, ...config })
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
      if (error.details.path === undefined) throw error
      const advice = `put all of '${name}-0', '${name}-1', ... into '${directory}' first`
      throw new CliFailure(
        ExitCode.missing,
        error.code,
        `'${error.details.path}' is no partition: ${advice}`,
        error.details,
      )
    }
  })
  if (json) void output.json(topic)
  else
    void output.line(
      `adopted topic '${name}': ${countOf(topic.partitions.length, 'partition')}, ${describeContent(topic)}`,
    )
}
