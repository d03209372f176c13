import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runCli, runInTerminal, temporaryDirectory, varve } from '../helpers/run-cli.ts'

async function topicWithRecords(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '-d', directory], { input: 'x\ny\n' })
  return directory
}

test('with --yes the topic is gone, its files too', async () => {
  const directory = await topicWithRecords()
  expect(await varve(['topic', 'delete', 't', '--yes', '-d', directory])).toMatch(
    /^deleted topic 't' \(2 records, \d+ B\)\n$/,
  )
  expect(existsSync(`${directory}/t-0`)).toBe(false)
  expect((await runCli(['read', 't', '-d', directory])).code).toBe(3)
})

test('--json says what was deleted; a missing topic ends with 3', async () => {
  const directory = await topicWithRecords()
  expect(JSON.parse(await varve(['topic', 'delete', 't', '-y', '--json', '-d', directory]))).toEqual({
    topic: 't',
    deleted: true,
  })
  expect(await runCli(['topic', 'delete', 't', '-y', '-d', directory])).toMatchObject({ code: 3, stdout: '' })
})

test('without --yes and without a terminal to ask on it refuses with 2 and deletes nothing', async () => {
  const directory = await topicWithRecords()
  const { code, stderr } = await runCli(['topic', 'delete', 't', '-d', directory], { input: 'yes\n' })
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('add --yes') })
  expect(await varve(['topic', 'list', '-d', directory])).toMatch(/^t\t1\t2\t/)
})

// reason: `script`, which makes the terminal, takes other options elsewhere
test.skipIf(process.platform !== 'linux')('on a terminal it asks, and deletes only on a yes', async () => {
  const directory = await topicWithRecords()
  const declined = await runInTerminal(['topic', 'delete', 't', '-d', directory], { input: 'no\n' })
  expect(declined.code).toBe(1)
  expect(declined.stdout).toMatch(/Delete topic 't' with 2 records, \d+ B\? This cannot be undone/)
  expect(declined.stdout).toContain('nothing was deleted')
  const confirmed = await runInTerminal(['topic', 'delete', 't', '-d', directory], { input: 'yes\n' })
  expect(confirmed.code).toBe(0)
  expect(await varve(['topic', 'list', '-d', directory])).toBe('')
})
