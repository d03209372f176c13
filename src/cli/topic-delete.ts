import type { Command } from 'commander'
import { directoryOption, jsonOption } from './arguments.ts'
import { confirm, requireConfirmable } from './confirm.ts'
import { requireTopic, withLog } from './log-access.ts'
import { output } from './output.ts'
import { describeContent } from './topic-view.ts'

interface DeleteOptions {
  directory: string
  yes?: boolean
  json?: boolean
}

const EXAMPLES = `
Asks before it deletes. Where there is no terminal to ask on, it deletes only
with --yes.

Examples:
  varve topic delete orders
  varve topic delete orders --yes
`

/** `varve topic delete` */
export function registerTopicDelete(topic: Command): void {
  topic
    .command('delete <topic>')
    .description('delete a topic and all its records, for good')
    .option('-y, --yes', 'do not ask')
    .addOption(directoryOption())
    .addOption(jsonOption('print { topic, deleted } as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(deleteTopic)
}

async function deleteTopic(name: string, { directory, yes, json }: DeleteOptions): Promise<void> {
  requireConfirmable(`deleting topic '${name}'`, yes)
  const content = await withLog(directory, 'write', async (log) => {
    const topic = await requireTopic(log, name)
    if (!yes) await confirm(`Delete topic '${name}' with ${describeContent(topic)}?`)
    await log.deleteTopic(name)
    return describeContent(topic)
  })
  if (json) void output.json({ topic: name, deleted: true })
  else void output.line(`deleted topic '${name}' (${content})`)
}
