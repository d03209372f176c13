import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { runCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

async function newTopic(): Promise<string> {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 't', '-c', 'segmentMs=77', '-d', directory])
  return directory
}

test('it changes what is named, keeps the rest, and says what is new', async () => {
  const directory = await newTopic()
  const said = await varve([
    'topic',
    'alter',
    't',
    '-p',
    '3',
    '-c',
    'retention.ms=1000',
    '-c',
    'flush=each',
    '-d',
    directory,
  ])
  expect(said).toBe("topic 't' now has 3 partitions, retentionMs=1000, flush=each\n")
  const { partitions, config } = JSON.parse(await varve(['topic', 'describe', 't', '--json', '-d', directory]))
  expect(partitions).toHaveLength(3)
  expect(config).toMatchObject({ retentionMs: 1000, flush: 'each', segmentMs: 77 })
})

test('another value codec is warned of where there are records that the old one wrote', async () => {
  const directory = await newTopic()
  const alter = (codec: string) => runCli(['topic', 'alter', 't', '-c', `valueCodec=${codec}`, '-d', directory])
  expect(await alter('json')).toMatchObject({ code: 0, stderr: '' })
  await varve(['append', 't', '-d', directory, '-f', 'json'], { input: '1\n2\n' })
  expect(await alter('json')).toMatchObject({ code: 0, stderr: '' })
  const { code, stdout, stderr } = await alter('msgpack')
  expect({ code, stdout }).toEqual({ code: 0, stdout: "topic 't' now has valueCodec=msgpack\n" })
  expect(stderr).toBe(
    'varve: note: the 2 records that are there already will be decoded as msgpack, too, and may fail or come out wrong: ' +
      '`varve read t --value-codec json` still reads what json wrote\n',
  )
})

test('fewer partitions are refused with 1, and nothing else is changed either', async () => {
  const directory = await newTopic()
  const { code, stderr } = await runCli(['topic', 'alter', 't', '-p', '1', '-c', 'retentionMs=5', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('can only get more') })
  const { config } = JSON.parse(await varve(['topic', 'describe', 't', '--json', '-d', directory]))
  expect(config.retentionMs).toBe(-1)
})

test('nothing to change, and a new partitioner, are refused with 2; a missing topic with 3', async () => {
  const directory = await newTopic()
  const nothing = await runCli(['topic', 'alter', 't', '-d', directory])
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing to change') })
  const hasher = await runCli(['topic', 'alter', 't', '-c', 'partitioner=crc32', '-d', directory])
  expect(hasher).toMatchObject({ code: 2, stderr: expect.stringContaining('fixed when a topic is created') })
  expect(await runCli(['topic', 'alter', 'u', '-p', '2', '-d', directory])).toMatchObject({ code: 3 })
})

test('beside a live writer it is refused at once, naming the holder', async () => {
  const directory = await newTopic()
  await using _log = await Varve.open({ directory })
  const { code, stderr } = await runCli(['topic', 'alter', 't', '-p', '2', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`is held by process ${process.pid} `) })
})
