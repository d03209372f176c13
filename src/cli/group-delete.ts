import type { Command } from 'commander'
import type { PartitionLag } from '../client/group-admin.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { confirm, requireConfirmable } from './confirm.ts'
import { CliFailure, ExitCode } from './exit.ts'
import { withGroup } from './group-access.ts'
import { output } from './output.ts'
import { countOf } from './units.ts'

interface DeleteOptions {
  directory: string
  topic?: string
  yes?: boolean
  json?: boolean
}

const EXAMPLES = `
A group of that id begins anew; of a group that has members nothing is deleted.
Asks before it deletes. Where there is no terminal to ask on, it deletes only
with --yes.

Examples:
  varve group delete billing
  varve group delete billing --topic orders --yes
`

/** `varve group delete` */
export function registerGroupDelete(group: Command): void {
  group
    .command('delete <group>')
    .description('forget a group and its place, or its place in one topic')
    .option('-t, --topic <topic>', 'forget only what it has committed of this topic')
    .option('-y, --yes', 'do not ask')
    .addOption(directoryOption())
    .addOption(jsonOption('print { group, topic, partitions, deleted } as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(deleteGroup)
}

async function deleteGroup(groupId: string, { directory, topic, yes, json }: DeleteOptions): Promise<void> {
  const what = topic === undefined ? `group '${groupId}'` : `what group '${groupId}' has committed of topic '${topic}'`
  requireConfirmable(`deleting ${what}`, yes)
  const partitions = await withGroup({ directory, groupId, access: 'write' }, async (log) => {
    const { offsets } = await log.describeGroup(groupId)
    const committed = offsets.filter((each) => each.committed !== null && (topic === undefined || each.topic === topic))
    if (topic !== undefined && committed.length === 0) throw nothingCommitted(groupId, topic, offsets)
    if (!yes) await confirm(`Delete ${what} (${countOf(committed.length, 'committed offset')})?`)
    if (topic === undefined) await log.deleteGroup(groupId)
    else
      await log.deleteOffsets(
        groupId,
        committed.map(({ topic, partition }) => ({ topic, partition })),
      )
    return committed.length
  })
  if (json) void output.json({ group: groupId, topic: topic ?? null, partitions, deleted: true })
  else void output.line(`deleted ${what} (${countOf(partitions, 'committed offset')})`)
}

function nothingCommitted(groupId: string, topic: string, offsets: PartitionLag[]): CliFailure {
  const topics = new Set(offsets.filter(({ committed }) => committed !== null).map((each) => each.topic))
  const known = topics.size === 0 ? 'nor of any other' : `only of ${[...topics].join(', ')}`
  const message = `group '${groupId}' has committed nothing of topic '${topic}', ${known}`
  return new CliFailure(ExitCode.missing, 'UNKNOWN_TOPIC_OR_PARTITION', message, { topic })
}
