import type { Command } from 'commander'
import { directoryOption, jsonOption } from './arguments.ts'
import { requireTopic, withLog } from './log-access.ts'
import { output } from './output.ts'
import { printTopic } from './topic-view.ts'

const EXAMPLES = `
Prints each partition (first offset, end, size in bytes, segments, leader epoch,
directory) and the configuration in force.

Examples:
  varve topic describe orders
  varve topic describe orders --json
`

/** `varve topic describe` */
export function registerTopicDescribe(topic: Command): void {
  topic
    .command('describe <topic>')
    .description('show the partitions and the configuration of a topic; works beside a live writer')
    .addOption(directoryOption())
    .addOption(jsonOption('print the description as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(describeTopic)
}

async function describeTopic(name: string, { directory, json }: { directory: string; json?: boolean }): Promise<void> {
  const topic = await withLog(directory, 'read', (log) => requireTopic(log, name))
  if (json) void output.json(topic)
  else printTopic(topic)
}
