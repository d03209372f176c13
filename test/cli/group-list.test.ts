import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { logWithGroups, startMember } from '../helpers/cli-groups.ts'
import { runCli, runInTerminal, temporaryDirectory, varve } from '../helpers/run-cli.ts'

test('into a pipe each group is one line: id, state and members, parted by tabs', async () => {
  const directory = await logWithGroups({ billing: 1, archive: 2 })
  const { code, stdout, stderr } = await runCli(['group', 'list', '-d', directory])
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'archive\tEmpty\t0\nbilling\tEmpty\t0\n', stderr: '' })
})

test('--json is one document', async () => {
  const directory = await logWithGroups({ billing: 1 })
  expect(JSON.parse(await varve(['group', 'list', '--json', '-d', directory]))).toEqual([
    { groupId: 'billing', state: 'Empty', members: 0 },
  ])
})

test('a log without groups is no error; a directory without a log ends with 3', async () => {
  const directory = await logWithGroups()
  const nothing = await runCli(['group', 'list', '-d', directory])
  expect(nothing).toEqual({ code: 0, stdout: '', stderr: `no consumer groups in '${directory}' yet\n` })
  expect(await varve(['group', 'list', '--json', '-d', directory])).toBe('[]\n')
  const nowhere = await runCli(['group', 'list', '-d', temporaryDirectory()])
  expect(nowhere).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('there is no log in') })
})

test('it works beside a live writer and shows its groups', async () => {
  const directory = await logWithGroups({ archive: 1 })
  await using log = await Varve.open({ directory })
  await startMember(log, 'billing')
  await startMember(log, 'billing')
  expect(await varve(['group', 'list', '-d', directory])).toBe('archive\tEmpty\t0\nbilling\tStable\t2\n')
})

test('an id with control characters cannot break a line', async () => {
  const directory = await logWithGroups({ 'bil\nling\t2': 1 })
  expect(await varve(['group', 'list', '-d', directory])).toBe('"bil\\nling\\t2"\tEmpty\t0\n')
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('a terminal gets headings', async () => {
  const directory = await logWithGroups({ billing: 1 })
  const { stdout } = await runInTerminal(['group', 'list', '-d', directory])
  const [head, row] = stdout.replaceAll('\r\n', '\n').split('\n')
  expect(head).toMatch(/^group +state +members$/)
  expect(row).toMatch(/^billing +Empty +0$/)
})
