import type { Command } from 'commander'
import { checkTopicName, type TopicConfig } from '../engine/topic-config.ts'
import { VarveError } from '../errors.ts'
import { directoryOption, directoryWords, integerArgument, jsonOption } from './arguments.ts'
import { withLog } from './log-access.ts'
import { output } from './output.ts'
import { configHelp, configOption } from './settings.ts'
import { countOf } from './units.ts'

interface CreateOptions {
  directory: string
  partitions: number
  config?: Partial<TopicConfig>
  ifNotExists?: boolean
  json?: boolean
}

const EXAMPLES = `
Examples:
  varve topic create orders --partitions 4
  varve topic create clicks -c retentionMs=604800000 -c compressionType=gzip -c flush=10ms
  varve topic create raw -c valueCodec=bytes -d /var/lib/events
`

/** `varve topic create` */
export function registerTopicCreate(topic: Command): void {
  topic
    .command('create <topic>')
    .description('create a topic, and the log itself where there is none yet')
    .option('-p, --partitions <n>', 'number of partitions', integerArgument(1), 1)
    .addOption(configOption())
    .option('--if-not-exists', 'succeed when the topic is there already, and leave it as it is')
    .addOption(directoryOption())
    .addOption(jsonOption('print the description of the topic as JSON'))
    .addHelpText('after', () => `\n${configHelp()}\n${EXAMPLES}`)
    .action(createTopic)
}

async function createTopic(name: string, options: CreateOptions): Promise<void> {
  const { directory, partitions, config, ifNotExists, json } = options
  // before a log is made for it
  checkTopicName(name)
  const { topic, created } = await withLog(directory, 'create', async (log) => {
    try {
      return { topic: await log.createTopic({ name, partitions, ...config }), created: true }
    } catch (error) {
      if (!(error instanceof VarveError) || error.code !== 'TOPIC_ALREADY_EXISTS') throw error
      if (error.details.path !== undefined) throw strayRecords(error, name, directory)
      if (!ifNotExists) throw error
      return { topic: await log.describeTopic(name), created: false }
    }
  })
  if (json) return void output.json({ ...topic, created })
  const size = countOf(topic.partitions.length, 'partition')
  if (created) void output.line(`created topic '${name}' with ${size} in '${directory}'`)
  else void output.line(`topic '${name}' exists already, with ${size}`)
}

function strayRecords({ details }: VarveError, name: string, directory: string): VarveError {
  const advice = `\`varve topic adopt ${name}${directoryWords(directory)}\` takes them over; or move the directory away`
  return new VarveError('TOPIC_ALREADY_EXISTS', `'${details.path}' holds records that belong to no topic: ${advice}`, {
    details,
  })
}
