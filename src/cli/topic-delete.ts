import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import type { TopicDescription } from '../client/varve.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { CliFailure, ExitCode, usageError } from './exit.ts'
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
  if (!yes && !process.stdin.isTTY) {
    throw usageError(`deleting topic '${name}' cannot be undone: add --yes to do it without being asked`)
  }
  const content = await withLog(directory, 'write', async (log) => {
    const topic = await requireTopic(log, name)
    if (!yes) await confirm(topic)
    await log.deleteTopic(name)
    return describeContent(topic)
  })
  if (json) void output.json({ topic: name, deleted: true })
  else void output.line(`deleted topic '${name}' (${content})`)
}

async function confirm(topic: TopicDescription): Promise<void> {
  const question = `Delete topic '${topic.name}' with ${describeContent(topic)}? This cannot be undone. Type yes to delete it: `
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const ended = new AbortController()
  terminal.on('close', () => ended.abort())
  try {
    const answer = await terminal.question(question, { signal: ended.signal }).catch(() => '')
    if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    terminal.close()
  }
  throw new CliFailure(ExitCode.failed, 'NOT_CONFIRMED', 'nothing was deleted')
}
