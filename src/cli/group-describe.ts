import type { Command } from 'commander'
import type { GroupDescription, GroupMember } from '../client/group-admin.ts'
import { directoryOption, jsonOption } from './arguments.ts'
import { withGroup } from './group-access.ts'
import { output } from './output.ts'
import { formatPartitions } from './partition-list.ts'
import { printTable, textColumn, countColumn, kindColumn, type Column } from './table.ts'
import { countOf, formatAge, formatCount, formatTime } from './units.ts'
import { safeText } from './values.ts'

type Offsets = GroupDescription['offsets'][number]

const EXAMPLES = `
Beside a live writer it shows what that has stored last: the members of the last
stable generation, and the committed offsets. "age" is that of the oldest record
that is not processed.

Examples:
  varve group describe billing
  varve group describe billing --json
  varve group describe billing | grep ^offset | cut -f 2-5
`

/** `varve group describe` */
export function registerGroupDescribe(group: Command): void {
  group
    .command('describe <group>')
    .description('show the members of a group, what they own, and how far it has come')
    .addOption(directoryOption())
    .addOption(jsonOption('print the description as JSON'))
    .addHelpText('after', EXAMPLES)
    .action(describeGroup)
}

async function describeGroup(groupId: string, options: { directory: string; json?: boolean }): Promise<void> {
  const { directory, json } = options
  const group = await withGroup({ directory, groupId, access: 'read' }, (log) => log.describeGroup(groupId))
  if (json) return void output.json(group)
  const { state, generation, assignor, members, offsets } = group
  if (output.isTerminal) {
    const by = assignor === null ? '' : `, assigned by ${assignor}`
    const lag = offsets.reduce((sum, each) => sum + each.lag, 0)
    const idle = members.filter(({ assignment }) => assignment.length === 0).length
    const count = `${countOf(members.length, 'member')}${idle > 0 ? ` (${formatCount(idle)} idle)` : ''}`
    void output.line(
      `${safeText(groupId)}: ${state}, generation ${generation}${by}, ${count}, ${countOf(lag, 'record')} behind\n`,
    )
  }
  if (members.length > 0) printTable([...kindColumn('member'), ...memberColumns], members)
  if (output.isTerminal && members.length > 0) void output.line('')
  printTable([...kindColumn('offset'), ...offsetColumns], offsets)
}

const memberColumns: Column<GroupMember>[] = [
  textColumn('member', ({ memberId }) => safeText(memberId)),
  textColumn('instance', ({ instanceId }) => safeText(instanceId ?? '')),
  textColumn('host', ({ clientHost }) => safeText(clientHost)),
  {
    head: 'partitions',
    cell: ({ assignment }) => formatPartitions(assignment),
    shown: ({ assignment }) => (assignment.length === 0 ? '(idle)' : formatPartitions(assignment)),
    align: 'left',
  },
]

const offsetColumns: Column<Offsets>[] = [
  textColumn('topic', ({ topic }) => topic),
  countColumn('partition', ({ partition }) => partition),
  { head: 'committed', cell: ({ committed }) => committed ?? '', shown: showCommitted, align: 'right' },
  countColumn('end', ({ end }) => end),
  countColumn('lag', ({ lag }) => lag),
  { head: 'age', cell: showOldest, shown: showAge, align: 'right' },
  textColumn('owner', ({ owner }) => safeText(owner ?? '')),
]

function showCommitted({ committed }: Offsets): string {
  return committed === null ? '-' : formatCount(committed)
}

function showOldest({ oldestTimestamp }: Offsets): string {
  return oldestTimestamp === null ? '' : formatTime(oldestTimestamp)
}

function showAge({ oldestTimestamp }: Offsets): string {
  return oldestTimestamp === null ? '' : formatAge(Date.now() - oldestTimestamp)
}
