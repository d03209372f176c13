import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { FIRST_MS, logWithGroups, RECORDS, startMember } from '../helpers/cli-groups.ts'
import { runCli, runInTerminal, varve } from '../helpers/run-cli.ts'

test('into a pipe it gives a line for each partition: committed, end, lag, and when the oldest record left is from', async () => {
  const directory = await logWithGroups({ billing: 4, done: RECORDS })
  const oldest = new Date(FIRST_MS + 4 * 60_000).toISOString()
  expect(await varve(['group', 'describe', 'billing', '-d', directory])).toBe(
    `offset\tt\t0\t4\t10\t6\t${oldest}\t\noffset\tt\t1\t4\t10\t6\t${oldest}\t\n`,
  )
  expect(await varve(['group', 'describe', 'done', '-d', directory])).toBe(
    'offset\tt\t0\t10\t10\t0\t\t\noffset\tt\t1\t10\t10\t0\t\t\n',
  )
})

test('it works beside a live writer: members, what they own, who is idle', async () => {
  const directory = await logWithGroups()
  await using log = await Varve.open({ directory })
  await startMember(log, 'billing', { instanceId: 'desk', clientId: 'worker' })
  const idle = log.consumer({ groupId: 'other', topics: ['t'] })
  await startMember(log, 'other')
  void idle.run(() => {}).catch(() => {})
  await expect.poll(async () => (await log.describeGroup('other')).members.length).toBe(2)
  const lines = (await varve(['group', 'describe', 'billing', '-d', directory])).trimEnd().split('\n')
  expect(lines[0]).toMatch(/^member\tdesk-\w+\tdesk\tembedded\tt:0-1$/)
  const [, member] = lines[0].split('\t')
  for (const [partition, line] of lines.slice(1).entries()) {
    expect(line).toMatch(new RegExp(`^offset\tt\t${partition}\t\\d*\t10\t\\d+\t[\\dTZ:.-]*\t${member}$`))
  }
  expect(lines).toHaveLength(3)
})

test('--json is one document', async () => {
  const directory = await logWithGroups({ billing: 4 })
  expect(JSON.parse(await varve(['group', 'describe', 'billing', '--json', '-d', directory]))).toMatchObject({
    groupId: 'billing',
    state: 'Empty',
    members: [],
    offsets: [
      { topic: 't', partition: 0, committed: 4, end: 10, lag: 6, owner: null },
      { topic: 't', partition: 1, committed: 4, end: 10, lag: 6, owner: null },
    ],
  })
})

test('a missing group ends with 3 and the groups there are; an empty id with 2', async () => {
  const directory = await logWithGroups({ billing: 1, archive: 1 })
  const missing = await runCli(['group', 'describe', 'biling', '-d', directory])
  const message = `there is no group 'biling' in '${directory}' (groups there: archive, billing)`
  expect(missing).toEqual({ code: 3, stdout: '', stderr: `varve: ${message}\n` })
  const json = await runCli(['group', 'describe', 'biling', '--json', '-d', directory])
  expect(JSON.parse(json.stdout)).toEqual({
    error: { code: 'GROUP_ID_NOT_FOUND', message, details: { group: 'biling' } },
  })
  const empty = await runCli(['group', 'describe', '', '-d', directory])
  expect(empty).toEqual({ code: 2, stdout: '', stderr: "varve: the group's id is empty\n" })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('a terminal gets a summary, headings, and who is idle', async () => {
  const directory = await logWithGroups({ archive: 1 })
  await using log = await Varve.open({ directory })
  for (const _ of [1, 2]) await startMember(log, 'billing', { topics: ['t'], maxPrefetchBytes: 1 })
  void log
    .consumer({ groupId: 'billing', topics: ['t'] })
    .run(() => {})
    .catch(() => {})
  const isSettled = async () => {
    const { state, members } = await log.describeGroup('billing')
    return state === 'Stable' && members.length === 3
  }
  await expect.poll(isSettled).toBe(true)
  const { stdout } = await runInTerminal(['group', 'describe', 'billing', '-d', directory])
  const text = stdout.replaceAll('\r\n', '\n')
  expect(text).toMatch(/^billing: Stable, generation \d+, assigned by cooperative-sticky, 3 members \(1 idle\), /)
  expect(text).toMatch(/\n\nmember +instance +host +partitions\nvarve-\w+ +embedded {2}\S/)
  expect(text).toMatch(/ {2}\(idle\)\n/)
  expect(text).toMatch(/\n\ntopic +partition +committed +end +lag +age +owner\nt +0 +/)
  const behind = await runInTerminal(['group', 'describe', 'archive', '-d', directory])
  expect(behind.stdout).toMatch(/^archive: Empty, generation 0, 0 members, 18 records behind\r\n/)
  expect(behind.stdout).toMatch(/\r\nt +1 +1 +10 +9 +(\d[\d,]* days)?/)
})
