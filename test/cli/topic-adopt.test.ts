import { cpSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { jsonLines, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

/** A directory with the partitions of a topic and no catalog that knows them. */
async function orphans(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['append', 't', '--create', '--partitions', '2', '-p', '1', '-c', 'valueCodec=json', '-d', directory], {
    input: '{"a":1}',
  })
  rmSync(`${directory}/__varve_catalog-0`, { recursive: true })
  rmSync(`${directory}/checkpoint-a`)
  rmSync(`${directory}/checkpoint-b`, { force: true })
  return directory
}

test('partition directories without a catalog become a topic again, with every record', async () => {
  const directory = await orphans()
  const said = await varve(['topic', 'adopt', 't', '-c', 'valueCodec=json', '-d', directory])
  expect(said).toMatch(/^adopted topic 't': 2 partitions, 1 record, \d+ B\n$/)
  expect(jsonLines(await varve(['read', 't', '--json', '-d', directory]))).toMatchObject([
    { partition: 1, offset: 0, value: { a: 1 } },
  ])
})

test('--json prints the description; without a codec values are bytes', async () => {
  const directory = await orphans()
  const { partitions, config } = JSON.parse(await varve(['topic', 'adopt', 't', '--json', '-d', directory]))
  expect(partitions).toHaveLength(2)
  expect(config).toMatchObject({ valueCodec: 'bytes', partitioner: 'murmur2' })
})

test('a partition that is missing ends with 3 and its name; a directory that is missing is not made', async () => {
  const directory = await orphans()
  cpSync(`${directory}/t-1`, `${directory}/u-1`, { recursive: true })
  const { code, stderr } = await runCli(['topic', 'adopt', 'u', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining(`'${directory}/u-0' is no partition`) })
  const nowhere = await runCli(['topic', 'adopt', 'u', '-d', `${directory}/nowhere`])
  expect(nowhere).toEqual({ code: 3, stdout: '', stderr: `varve: there is no directory '${directory}/nowhere'\n` })
})

test('__consumer_offsets brings back what groups have committed, before their topics or after', async () => {
  const directory = await orphans()
  await varve(['topic', 'adopt', 't', '-c', 'valueCodec=json', '-d', directory])
  const none = await runCli(['topic', 'adopt', '__consumer_offsets', '-d', directory])
  expect(none).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('holds no partition of it that belongs to no'),
  })
  await varve(['group', 'reset', 'billing', '-t', 't', '--to-latest', '--execute', '-d', directory])
  const lag = ['group', 'describe', 'billing', '-d', directory]
  const before = await varve(lag)
  rmSync(`${directory}/__varve_catalog-0`, { recursive: true })
  const said = await varve(['topic', 'adopt', '__consumer_offsets', '-d', directory])
  expect(said).toMatch(/^adopted topic '__consumer_offsets': 1 partition, \d+ records?, \d+ B\n$/)
  await varve(['topic', 'adopt', 't', '-c', 'valueCodec=json', '-d', directory])
  expect(await varve(lag)).toBe(before)
  const refused = await runCli(['topic', 'adopt', '__consumer_offsets', '-c', 'valueCodec=json', '-d', directory])
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("takes no 'valueCodec'") })
})
