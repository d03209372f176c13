import type { Command } from 'commander'
import type { TopicDescription } from '../client/topic-description.ts'
import { valueCodecNames } from '../codec/value-codec.ts'
import type { TopicConfig } from '../engine/topic-config.ts'
import { directoryOption, integerArgument, jsonOption } from './arguments.ts'
import { usageError } from './exit.ts'
import { requireTopic, withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { configHelp, configOption, formatSetting } from './settings.ts'
import { countRecords } from './topic-view.ts'
import { countOf } from './units.ts'

interface AlterOptions {
  directory: string
  partitions?: number
  config?: Partial<TopicConfig>
  json?: boolean
}

const EXAMPLES = `
Examples:
  varve topic alter orders -c retention.ms=86400000
  varve topic alter orders --partitions 8
`

/** `varve topic alter` */
export function registerTopicAlter(topic: Command): void {
  topic
    .command('alter <topic>')
    .description('change the configuration of a topic, or add partitions; what is not named stays')
    .addOption(configOption())
    .option('-p, --partitions <n>', 'number of partitions in all: more than there are', integerArgument(1))
    .addOption(directoryOption())
    .addOption(jsonOption('print the description of the topic as JSON'))
    .addHelpText('after', () => `\n${configHelp()}\n\nThe partitioner is fixed when a topic is created.\n${EXAMPLES}`)
    .action(alterTopic)
}

async function alterTopic(name: string, { directory, partitions, config, json }: AlterOptions): Promise<void> {
  if (config === undefined && partitions === undefined) {
    throw usageError('nothing to change: give --config <key=value> or --partitions <n>')
  }
  if (config?.partitioner !== undefined) {
    throw usageError(
      "the partitioner is fixed when a topic is created: another one would break the order of a key's records",
    )
  }
  const topic = await withLog(directory, 'write', async (log) => {
    const before = await requireTopic(log, name)
    // partitions first: that is what may be refused, and then nothing has changed
    if (partitions !== undefined) await log.createPartitions(name, partitions)
    if (config !== undefined) await log.alterTopic(name, config)
    warnOfCodec(before, config?.valueCodec)
    return log.describeTopic(name)
  })
  if (json) return void output.json(topic)
  const changes = Object.entries(config ?? {}).map(([key, value]) => `${key}=${formatSetting(value)}`)
  if (partitions !== undefined) changes.unshift(countOf(partitions, 'partition'))
  void output.line(`topic '${name}' now has ${changes.join(', ')}`)
}

/** A record does not say which codec wrote it: those that are there are decoded by the new one from now on. */
function warnOfCodec(before: TopicDescription, changed: TopicConfig['valueCodec'] | undefined): void {
  const [was, is] = [formatSetting(before.config.valueCodec), formatSetting(changed)]
  const records = countRecords(before)
  if (changed === undefined || was === is || records === 0) return
  const number = records === 1 ? 'the 1 record that is' : `the ${countOf(records, 'record')} that are`
  const isNamed = (valueCodecNames as readonly string[]).includes(was)
  const way = isNamed ? `: \`varve read ${before.name} --value-codec ${was}\` still reads what ${was} wrote` : ''
  say(`varve: note: ${number} there already will be decoded as ${is}, too, and may fail or come out wrong${way}`)
}
