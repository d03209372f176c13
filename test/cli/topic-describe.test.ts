import { expect, test } from 'vitest'
import { runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

test('into a pipe it gives a line for each partition and each configuration, and which of these were set', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '--partitions', '2', '-p', '1', '-c', 'retentionMs=5', '-d', directory], {
    input: 'x',
  })
  const lines = (await varve(['topic', 'describe', 't', '-d', directory])).split('\n')
  expect(lines[0]).toBe(`partition\t0\t0\t0\t0\t1\t0\t${directory}/t-0`)
  expect(lines[1]).toMatch(new RegExp(`^partition\t1\t0\t1\t\\d+\t1\t0\t${directory}/t-1$`))
  expect(lines).toContain('config\tretentionMs\t5\tset')
  expect(lines).toContain('config\tsegmentBytes\t1073741824\tdefault')
  expect(lines).toContain('config\tflush\tgroup\tdefault')
})

test('--json is one document with partitions and configuration', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '-d', directory], { input: 'x\ny\n' })
  expect(JSON.parse(await varve(['topic', 'describe', 't', '--json', '-d', directory]))).toMatchObject({
    name: 't',
    topicId: expect.stringMatching(/^[\w-]{22}$/),
    partitions: [{ partition: 0, logStartOffset: 0, logEndOffset: 2, highWatermark: 2, segments: 1, leaderEpoch: 0 }],
    config: { retentionMs: -1, flush: 'group' },
  })
})

test('a missing topic ends with 3', async () => {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 't', '-d', directory])
  expect(await runCli(['topic', 'describe', 'u', '-d', directory])).toMatchObject({ code: 3, stdout: '' })
})
