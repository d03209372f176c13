import { existsSync, mkdirSync, copyFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Json, runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

async function describe(directory: string, topic: string): Promise<Json> {
  return JSON.parse(await varve(['topic', 'describe', topic, '--json', '-d', directory]))
}

test('a topic gets the partitions and configuration asked for, by either kind of name, and says so', async () => {
  const directory = temporaryDirectory()
  const words = [
    'topic',
    'create',
    'orders',
    '-p',
    '4',
    '-c',
    'retention.ms=604800000',
    '--config',
    'segmentBytes=1048576',
  ]
  const { code, stdout, stderr } = await runCli([
    ...words,
    '-c',
    'flush=10ms',
    '-c',
    'value.codec=json',
    '-d',
    directory,
  ])
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: `created topic 'orders' with 4 partitions in '${directory}'\n`,
    stderr: '',
  })
  const { partitions, config } = await describe(directory, 'orders')
  expect(partitions).toHaveLength(4)
  expect(config).toMatchObject({
    retentionMs: 604_800_000,
    segmentBytes: 1_048_576,
    flush: { ms: 10 },
    valueCodec: 'json',
  })
})

test('--json prints the description', async () => {
  const directory = temporaryDirectory()
  const created = JSON.parse(await varve(['topic', 'create', 'orders', '--json', '-d', directory]))
  expect(created).toEqual({ ...(await describe(directory, 'orders')), created: true })
})

test('a topic that exists is left as it is: an error, or with --if-not-exists a success', async () => {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 'orders', '-p', '2', '-d', directory])
  const again = await runCli(['topic', 'create', 'orders', '-p', '3', '-d', directory])
  expect(again).toEqual({ code: 1, stdout: '', stderr: "varve: topic 'orders' exists already\n" })
  const tolerant = await varve(['topic', 'create', 'orders', '-p', '3', '--if-not-exists', '-d', directory])
  expect(tolerant).toBe("topic 'orders' exists already, with 2 partitions\n")
})

test('an unknown configuration, or a value that it does not take, ends with 2, the choices, and nothing made', async () => {
  const directory = temporaryDirectory()
  const wrong: [string, string][] = [
    ['retentionMz=5', "there is no configuration 'retentionMz'; there are segmentBytes, segmentMs,"],
    ['retentionMs', '--config takes <key>=<value>'],
    ['retentionMs=soon', "retentionMs must be an integer of at least -1, not 'soon'"],
    ['retentionMs=1.5', "not '1.5'"],
    ['segmentBytes=13', 'segmentBytes must be an integer from 14 to 2147483647'],
    ['compressionType=zip', "compressionType must be one of 'none', 'gzip'"],
    ['valueCodec=xml', "valueCodec must be one of 'msgpack', 'json', 'string', 'bytes', not 'xml'"],
    ['partitioner=mine', "partitioner must be one of 'murmur3', 'murmur2', 'crc32', not 'mine'"],
    ['flush={"ms":10,"bites":1}', 'flush must be each, group, os, a loss window'],
  ]
  for (const [setting, message] of wrong) {
    const { code, stderr } = await runCli(['topic', 'create', 't', '-c', setting, '-d', directory])
    expect({ setting, code, stderr }).toEqual({ setting, code: 2, stderr: expect.stringContaining(message) })
  }
  expect(existsSync(directory)).toBe(false)
})

test('a name that no topic can have ends with 2, the rule, and nothing made', async () => {
  const directory = temporaryDirectory()
  const { code, stderr } = await runCli(['topic', 'create', 'a/b', '-d', directory])
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/^varve: a topic name must be 1 to 249 .*, not 'a\/b'\n$/),
  })
  expect(existsSync(directory)).toBe(false)
})

test('records that belong to no topic are not taken for the new one: adopt is offered', async () => {
  const directory = temporaryDirectory()
  await varve(['append', 'a', '--create', '-d', directory], { input: 'x' })
  mkdirSync(`${directory}/b-0`)
  for (const name of readdirSync(`${directory}/a-0`))
    copyFileSync(`${directory}/a-0/${name}`, `${directory}/b-0/${name}`)
  const { code, stderr } = await runCli(['topic', 'create', 'b', '-d', directory])
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`\`varve topic adopt b -d ${directory}\` takes them over`),
  })
})
