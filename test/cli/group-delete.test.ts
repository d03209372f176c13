import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { logWithGroups, startMember } from '../helpers/cli-groups.ts'
import { runCli, runInTerminal, varve } from '../helpers/run-cli.ts'

test('with --yes the group is gone, and no other', async () => {
  const directory = await logWithGroups({ billing: 1, archive: 1 })
  expect(await varve(['group', 'delete', 'billing', '--yes', '-d', directory])).toBe(
    "deleted group 'billing' (2 committed offsets)\n",
  )
  expect(await varve(['group', 'list', '-d', directory])).toBe('archive\tEmpty\t0\n')
})

test('--topic forgets what is committed of that topic only', async () => {
  const directory = await logWithGroups({ billing: 1 })
  await varve(['topic', 'create', 'u', '-d', directory])
  await varve(['group', 'reset', 'billing', '--topic', 'u', '--to-latest', '--execute', '-d', directory])
  expect(await varve(['group', 'delete', 'billing', '--topic', 't', '-y', '-d', directory])).toBe(
    "deleted what group 'billing' has committed of topic 't' (2 committed offsets)\n",
  )
  expect(await varve(['group', 'describe', 'billing', '-d', directory])).toBe('offset\tu\t0\t0\t0\t0\t\t\n')
})

test('--topic of which nothing is committed ends with 3 and the topics there are', async () => {
  const directory = await logWithGroups({ billing: 1 })
  const { code, stderr } = await runCli(['group', 'delete', 'billing', '--topic', 'u', '--yes', '-d', directory])
  const message = "varve: group 'billing' has committed nothing of topic 'u', only of t\n"
  expect({ code, stderr }).toEqual({ code: 3, stderr: message })
})

test('--json says what was deleted; a missing group ends with 3, an empty id with 2', async () => {
  const directory = await logWithGroups({ billing: 1 })
  const words = ['group', 'delete', 'billing', '-y', '--json', '-d', directory]
  expect(JSON.parse(await varve(words))).toEqual({ group: 'billing', topic: null, partitions: 2, deleted: true })
  const again = await runCli(words)
  expect({ code: again.code, error: JSON.parse(again.stdout) }).toMatchObject({
    code: 3,
    error: { error: { code: 'GROUP_ID_NOT_FOUND', message: expect.stringContaining('(there is none)') } },
  })
  expect(await runCli(['group', 'delete', '', '-y', '-d', directory])).toMatchObject({ code: 2 })
})

test('without --yes and without a terminal to ask on it refuses with 2 and deletes nothing', async () => {
  const directory = await logWithGroups({ billing: 1 })
  const { code, stderr } = await runCli(['group', 'delete', 'billing', '-d', directory], { input: 'yes\n' })
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('add --yes') })
  expect(await varve(['group', 'list', '-d', directory])).toBe('billing\tEmpty\t0\n')
})

test('a group of a program that runs is refused with 1, naming the holder', async () => {
  const directory = await logWithGroups()
  await using log = await Varve.open({ directory })
  await startMember(log, 'billing')
  const { code, stderr } = await runCli(['group', 'delete', 'billing', '--yes', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`is held by process ${process.pid} `) })
  await expect(log.deleteGroup('billing')).rejects.toMatchObject({ code: 'NON_EMPTY_GROUP' })
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('on a terminal it asks, and deletes only on a yes', async () => {
  const directory = await logWithGroups({ billing: 1 })
  const declined = await runInTerminal(['group', 'delete', 'billing', '-d', directory], { input: 'no\n' })
  expect(declined.code).toBe(1)
  expect(declined.stdout).toMatch(/Delete group 'billing' \(2 committed offsets\)\? This cannot be undone/)
  expect(declined.stdout).toContain('nothing was deleted')
  const confirmed = await runInTerminal(['group', 'delete', 'billing', '-d', directory], { input: 'yes\n' })
  expect(confirmed.code).toBe(0)
  expect(await varve(['group', 'list', '-d', directory])).toBe('')
})
