import type { Command } from 'commander'
import type { GroupListing } from '../client/group-admin.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { withLog } from './log-access.ts'
import { output, say } from './output.ts'
import { countColumn, printTable, textColumn } from './table.ts'
import { safeText } from './values.ts'

const EXAMPLES = `
Prints group, state and members. Into a pipe they are parted by tabs, without
headings.

Examples:
  varve group list
  varve group list --json
`

/** `varve group list` */
export function registerGroupList(group: Command): void {
  group
    .command('list')
    .description('list the consumer groups; works beside a live writer')
    .addOption(directoryOption())
    .addOption(jsonOption('print the groups as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(listGroups)
}

async function listGroups({ directory, json }: { directory: string; json?: boolean }): Promise<void> {
  const groups = await withLog(directory, 'read', (log) => log.listGroups())
  if (json) return void output.json(groups)
  if (groups.length === 0) return say(`no consumer groups in '${directory}' yet`)
  const columns = [
    textColumn<GroupListing>('group', ({ groupId }) => safeText(groupId)),
    textColumn<GroupListing>('state', ({ state }) => state),
    countColumn<GroupListing>('members', ({ members }) => members),
  ]
  printTable(columns, groups)
}
