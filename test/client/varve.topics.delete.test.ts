/** What deleteTopic promises. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import {
  contentOf,
  copyDirectory,
  DIRECTORY,
  idle,
  namesIn,
  openLog,
  putFile,
  rejection,
  valuesOf,
} from '../helpers/logs.ts'

async function withOrders(storage = new FaultyStorage(new MemoryStorage())) {
  const log = await openLog({ storage })
  const { topicId } = await log.createTopic({ name: 'orders', partitions: 2, segmentBytes: 300 })
  await log.createTopic({ name: 'other' })
  for (let i = 0; i < 8; i++) await log.append('orders', { value: i, partition: i % 2 })
  await log.append('other', { value: 'kept' })
  return { log, storage, topicId }
}

const ofOrders = (names: Iterable<string>) => [...names].filter((name) => name.includes('orders'))

test('when it resolves the topic is gone for every call, and so are all of its files', async () => {
  const { log, storage } = await withOrders()
  await log.deleteTopic('orders')
  expect((await log.listTopics()).map(({ name }) => name)).toEqual(['other'])
  expect(ofOrders((await contentOf(storage)).keys())).toEqual([])
  expect(await rejection(log.append('orders', { value: 1 }))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  expect(await rejection(log.describeTopic('orders'))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  expect(await rejection(log.deleteTopic('orders'))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  expect(await valuesOf(log, 'other')).toEqual(['kept'])
})

test('a power cut or a kill after it resolved brings nothing back', async () => {
  const { log, storage } = await withOrders()
  await log.deleteTopic('orders')
  const memory = storage.inner as MemoryStorage
  const keepAll = memory.crash({ choose: (write) => write.length, keepDirectoryOperation: () => true })
  for (const left of [memory.clone(), memory.crash(), keepAll]) {
    const again = await openLog({ storage: left })
    expect((await again.listTopics()).map(({ name }) => name)).toEqual(['other'])
    expect(again.recovery).toMatchObject({ unknownDirectories: [], damage: [] })
    expect(ofOrders((await contentOf(left)).keys())).toEqual([])
    expect(await valuesOf(again, 'other')).toEqual(['kept'])
  }
})

test('a reader that follows ends with an error that says so, at once', async () => {
  const { log } = await withOrders()
  const following = log.read('orders', { from: 'latest', follow: true })
  const next = rejection(following.next())
  const merged = rejection(log.read('orders', { from: 'latest', follow: true, order: 'time' }).next())
  await idle()
  await log.deleteTopic('orders')
  for (const error of [await next, await merged]) {
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', details: { topic: 'orders' } })
    expect(error.message).toContain("topic 'orders' was deleted")
  }
  expect(await following.next()).toEqual({ value: undefined, done: true })
})

test('a reader that is half way ends with an error too, never with a record of the next topic of that name', async () => {
  const { log } = await withOrders()
  // more than one read brings in
  for (let i = 0; i < 60; i++) await log.append('orders', { value: 'old'.repeat(300), partition: 0 })
  const reading = log.read('orders', { partition: 0 })
  await reading.next()
  await log.deleteTopic('orders')
  await log.createTopic({ name: 'orders' })
  await log.appendBatch(
    'orders',
    Array.from({ length: 80 }, () => ({ value: 'new' })),
  )
  const values: unknown[] = []
  const reads = async () => {
    for await (const { value } of reading) values.push(value)
  }
  expect(await rejection(reads())).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  expect(values).not.toContain('new')
})

test('appends in flight are acknowledged or fail with an error that says so', async () => {
  const { log } = await withOrders()
  const outcomeOf = (append: Promise<unknown>) =>
    append.then(
      () => 'acknowledged',
      (error: { code: string }) => error.code,
    )
  const appends = Array.from({ length: 20 }, (_, i) => outcomeOf(log.append('orders', { value: i })))
  const deleting = log.deleteTopic('orders')
  for (let i = 0; i < 20; i++) {
    appends.push(outcomeOf(log.append('orders', { value: i })))
    await idle(1)
  }
  await deleting
  expect(new Set(await Promise.all(appends))).toEqual(new Set(['acknowledged', 'UNKNOWN_TOPIC_OR_PARTITION']))
})

test('the name is free at once: the new topic has an id of its own, no records, and offsets from 0', async () => {
  const { log, storage, topicId } = await withOrders()
  const deleting = log.deleteTopic('orders')
  const created = log.createTopic({ name: 'orders', valueCodec: 'string' })
  await deleting
  expect((await created).topicId).not.toBe(topicId)
  expect((await created).partitions).toHaveLength(1)
  expect(await valuesOf(log, 'orders')).toEqual([])
  expect(await log.append('orders', { value: 'new' })).toMatchObject({ partition: 0, offset: 0 })
  const memory = storage.inner as MemoryStorage
  expect(await valuesOf(await openLog({ storage: memory.crash() }), 'orders')).toEqual(['new'])
  await log.close()
  expect(await valuesOf(await openLog({ storage }), 'orders')).toEqual(['new'])
})

test('over and over under one name, each topic is only itself', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  for (let round = 0; round < 20; round++) {
    await log.createTopic({ name: 'orders', partitions: 1 + (round % 3) })
    await log.append('orders', { value: round })
    expect(await valuesOf(log, 'orders')).toEqual([round])
    if (round < 19) await log.deleteTopic('orders')
  }
  await log.close()
  expect(await valuesOf(await openLog({ storage }), 'orders')).toEqual([19])
})

test('stopped at any call, a later open finds the topic whole or gone without a trace', async () => {
  const outcomes = new Set<string>()
  for (let call = 0; ; call++) {
    const { log, storage } = await withOrders()
    const memory = storage.inner as MemoryStorage
    storage.failAt({ call: storage.calls.length + call, code: 'EIO', sticky: true })
    const done = await log.deleteTopic('orders').then(
      () => true,
      () => false,
    )
    const keepAll = memory.crash({ choose: (write) => write.length, keepDirectoryOperation: () => true })
    for (const left of [memory.clone(), memory.crash(), keepAll]) {
      const again = await openLog({ storage: left })
      expect(again.recovery).toMatchObject({ unknownDirectories: [], damage: [] })
      const names = (await again.listTopics()).map(({ name }) => name)
      const records = names.includes('orders') ? (await valuesOf(again, 'orders')).length : 0
      outcomes.add(`${names.join(' ')}: ${records}`)
      if (names.includes('orders')) await again.deleteTopic('orders')
      expect(ofOrders((await contentOf(left)).keys())).toEqual([])
      await again.createTopic({ name: 'orders' })
      expect(await valuesOf(again, 'orders')).toEqual([])
      expect(await valuesOf(again, 'other')).toEqual(['kept'])
    }
    if (done) break
  }
  expect(outcomes).toEqual(new Set(['orders other: 8', 'other: 0']))
})

test('where the files cannot be removed it says so; the topic is gone all the same, and the next open removes them', async () => {
  const { log, storage } = await withOrders()
  storage.failAt({ call: (kind, path) => kind === 'rename' && path.endsWith('/orders-1'), code: 'EACCES' })
  const error = await rejection(log.deleteTopic('orders'))
  expect(error).toMatchObject({ code: 'PERMISSION_DENIED', details: { path: `${DIRECTORY}/orders-1` } })
  expect((await log.listTopics()).map(({ name }) => name)).toEqual(['other'])
  const memory = (storage.inner as MemoryStorage).clone()
  const again = await openLog({ storage: memory })
  expect(ofOrders((await contentOf(memory)).keys())).toEqual([])
  expect((await again.listTopics()).map(({ name }) => name)).toEqual(['other'])

  // and in this process the name can be used at once
  await log.createTopic({ name: 'orders', partitions: 3 })
  expect(await valuesOf(log, 'orders')).toEqual([])
})

test('completes at open what was interrupted, and only that: a stranger with such a name stays', async () => {
  const { log, storage, topicId } = await withOrders()
  const memory = storage.inner as MemoryStorage
  await copyDirectory(memory, `${DIRECTORY}/orders-0`, '/aside')
  await log.deleteTopic('orders')
  await log.close()
  // as an interrupted deletion leaves it, under its new name and under its old one
  const hex = Buffer.from(topicId, 'base64url').toString('hex')
  await copyDirectory(memory, '/aside', `${DIRECTORY}/orders-1.${hex}-delete`)
  await copyDirectory(memory, '/aside', `${DIRECTORY}/orders-0`)
  const stranger = `other-0.${'0'.repeat(32)}-delete`
  await putFile(memory, `${DIRECTORY}/${stranger}/00000000000000000000.log`, 'not ours')
  const again = await openLog({ storage: memory })
  expect(ofOrders(await namesIn(memory, DIRECTORY))).toEqual([])
  expect(await namesIn(memory, `${DIRECTORY}/${stranger}`)).toEqual(['00000000000000000000.log'])
  expect(await valuesOf(again, 'other')).toEqual(['kept'])
})

test('a directory of it that is gone already is no reason to fail', async () => {
  const { log, storage } = await withOrders()
  await storage.removeDirectory(`${DIRECTORY}/orders-1`)
  await log.deleteTopic('orders')
  expect(ofOrders((await contentOf(storage)).keys())).toEqual([])
  await log.close()
})
