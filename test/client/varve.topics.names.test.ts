/** Which names a topic can have, and where its directories are. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { nodeStorage } from '../../src/storage/node-storage.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { contentOf, DIRECTORY, namesIn, openLog, rejection, valuesOf } from '../helpers/logs.ts'

const made: string[] = []

async function realDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-names-'))
  made.push(directory)
  return directory
}

afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true })
})

const good = ['a', 'Z', '0', '-', '_', '...', '.a', 'a.', 'a.b_c-D9', 'orders-1', 'x'.repeat(249)]

test.each(good)(
  "'%s' is a topic's name: created, written, read after a new open, deleted, on a real disk",
  async (name) => {
    const directory = await realDirectory()
    const log = await openLog({ directory, storage: nodeStorage() })
    await log.createTopic({ name, partitions: 2 })
    await log.append(name, { value: 1, partition: 0 })
    await log.append(name, { value: 2, partition: 1 })
    await log.close()

    const again = await openLog({ directory, storage: nodeStorage() })
    expect(await valuesOf(again, name)).toEqual([1, 2])
    expect(again.recovery.unknownDirectories).toEqual([])
    await again.deleteTopic(name)
    expect((await readdir(directory)).filter((file) => !/^(checkpoint|__varve|\.lock)/.test(file))).toEqual([])
    await again.close()
  },
)

const bad = [
  '.',
  '..',
  'x'.repeat(250),
  'a/b',
  '/',
  '../x',
  'a\\b',
  'a b',
  ' ',
  'a\n',
  'a\0',
  'ä',
  '日本語',
  '😀',
  'a:b',
  'a*',
  'a~1',
  'ａ',
]

test.each(bad)('%j is no name: one clear error, and nothing on the disk changes', async (name) => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  const before = await contentOf(storage, '/')
  for (const call of [log.createTopic({ name }), log.adoptTopic({ name })]) {
    const error = await rejection(call)
    expect(error).toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
    expect(error.message).toContain(
      "1 to 249 characters out of a-z, A-Z, 0-9, '.', '_' and '-', and neither '.' nor '..'",
    )
  }
  expect(await contentOf(storage, '/')).toEqual(before)
})

test('what is no string, or nothing at all, is a mistake of the caller', async () => {
  const log = await openLog()
  for (const name of [undefined, null, 5, {}, ['a'], '']) {
    const error = await rejection(log.createTopic({ name: name as string }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain("'name'")
  }
})

test('the name of an internal topic is taken', async () => {
  const log = await openLog()
  for (const call of [log.createTopic({ name: '__varve_catalog' }), log.adoptTopic({ name: '__varve_catalog' })]) {
    expect(await rejection(call)).toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
  }
  expect(await rejection(log.append('__varve_catalog', { value: 1 }))).toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
})

test('names that differ in case only are different topics, with directories that a file system can tell apart', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  const names = ['Orders', 'orders', 'ORDERS', 'oRDERS']
  for (const name of names) {
    await log.createTopic({ name, partitions: 2 })
    await log.append(name, { value: name, partition: 1 })
  }
  const directories = (await namesIn(storage, DIRECTORY)).map((name) => name.toLowerCase())
  expect(new Set(directories).size).toBe(directories.length)
  expect(directories.filter((name) => name.startsWith('orders'))).toHaveLength(8)
  // the first one keeps Kafka's name
  expect((await log.describeTopic('Orders')).partitions[0].directory).toBe(`${DIRECTORY}/Orders-0`)
  await log.close()

  const again = await openLog({ storage })
  for (const name of names) expect(await valuesOf(again, name)).toEqual([name])
  expect(again.recovery.unknownDirectories).toEqual([])
  await again.createPartitions('oRDERS', 3)
  const grown = (await namesIn(storage, DIRECTORY)).map((name) => name.toLowerCase())
  expect(new Set(grown).size).toBe(grown.length)
  // the one whose name it was is gone, and the others keep what they have
  await again.deleteTopic('Orders')
  for (const name of names.slice(1)) expect(await valuesOf(again, name)).toEqual([name])
})

const devices = ['CON', 'con', 'nul', 'nul.x', 'Aux.log.1', 'PRN', 'COM1', 'com9.txt', 'LPT0']

test.each(devices)(
  "'%s' is a device on Windows: its directories have other names, and everything works",
  async (name) => {
    const storage = new MemoryStorage()
    const log = await openLog({ storage })
    await log.createTopic({ name })
    await log.append(name, { value: 1 })
    for (const directory of await namesIn(storage, DIRECTORY)) {
      expect(directory.split(/[.-]/)[0].toLowerCase()).not.toBe(name.split('.')[0].toLowerCase())
    }
    await log.close()
    const again = await openLog({ storage })
    expect(await valuesOf(again, name)).toEqual([1])
    expect((await again.describeTopic(name)).name).toBe(name)
  },
)

test('names that only begin like a device keep their directories', async () => {
  const log = await openLog()
  for (const name of ['console', 'com10', 'null', 'auxiliary.x', 'x.con']) {
    expect((await log.createTopic({ name })).partitions[0].directory).toBe(`${DIRECTORY}/${name}-0`)
  }
})

test('a topic and one whose name looks like its partition do not mix', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 'a', partitions: 3 })
  await log.createTopic({ name: 'a-1', partitions: 3 })
  await log.append('a', { value: 'of a', partition: 1 })
  await log.append('a-1', { value: 'of a-1', partition: 0 })
  await log.deleteTopic('a')
  expect(await valuesOf(log, 'a-1')).toEqual(['of a-1'])
  await log.close()
  expect(await valuesOf(await openLog({ storage }), 'a-1')).toEqual(['of a-1'])
})

test.each([
  ['undefined', undefined],
  ['5', 5],
  ['an object', {}],
  ['null', null],
])('%s instead of a name is a TypeError of the call, and never a topic that is not there', async (shown, name) => {
  const log = await openLog()
  const topic = name as string
  const calls: [call: string, made: () => unknown][] = [
    ['append', () => log.append(topic, { value: 1 })],
    ['appendBatch', () => log.appendBatch(topic, [])],
    ['read', () => log.read(topic)],
    ['readBatches', () => log.readBatches(topic)],
    ['offsets', () => log.offsets(topic)],
    ['describeTopic', () => log.describeTopic(topic)],
    ['alterTopic', () => log.alterTopic(topic, {})],
    ['createPartitions', () => log.createPartitions(topic, 2)],
    ['deleteTopic', () => log.deleteTopic(topic)],
    ['deleteRecords', () => log.deleteRecords(topic, { partition: 0, beforeOffset: 0 })],
  ]
  for (const [call, made] of calls) {
    const error = await rejection((async () => made())())
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe(`${call}: the topic's name must be a string, not ${shown}`)
  }
})
