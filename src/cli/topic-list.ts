import type { Command } from 'commander'
import { directoryOption, directoryWords, jsonOption } from './arguments.ts'
import { withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { printTopics } from './topic-view.ts'

const EXAMPLES = `
Prints topic, partitions, records, size in bytes, value codec and flush mode.
Into a pipe they are parted by tabs, without headings.

Examples:
  varve topic list
  varve topic list -d /var/lib/events | cut -f 1
  varve topic list --json
`

/** `varve topic list` */
export function registerTopicList(topic: Command): void {
  topic
    .command('list')
    .description('list the topics; works beside a live writer')
    .addOption(directoryOption())
    .addOption(jsonOption('print { topics, unknownDirectories } as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(listTopics)
}

async function listTopics({ directory, json }: { directory: string; json?: boolean }): Promise<void> {
  const { topics, unknownDirectories } = await withLog(directory, 'read', async (log) => ({
    topics: await log.listTopics(),
    unknownDirectories: log.recovery.unknownDirectories,
  }))
  if (json) return void output.json({ topics, unknownDirectories })
  if (topics.length > 0) printTopics(topics)
  else say(`no topics in '${directory}' yet: \`varve topic create <name>${directoryWords(directory)}\` makes one`)
  for (const name of new Set(unknownDirectories.map((unknown) => unknown.topic))) {
    const advice = `\`varve topic adopt ${name}${directoryWords(directory)}\` takes them over`
    say(`varve: directories of a topic '${name}' are not in the catalog: ${advice}`)
  }
}
