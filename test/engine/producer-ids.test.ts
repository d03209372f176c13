/** The ids of idempotent producers: each is given out once in the life of a directory. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { DIRECTORY, openLog, rejection } from '../helpers/logs.ts'

const COPY = '/backups/copy'

test('ids ascend over a stop in order and a power cut, and none is given out twice', async () => {
  let storage = new MemoryStorage()
  const given: number[] = []
  for (let round = 0; round < 4; round++) {
    const { engine } = internals(await openLog({ storage }))
    const ids = await Promise.all(Array.from({ length: 1_001 }, () => engine.producerIds.take()))
    given.push(...ids)
    if (round % 2 === 0) await engine.close()
    storage = storage.crash()
  }
  expect(given).toEqual([...new Set(given)].sort((a, b) => a - b))
  expect(given.slice(0, 3)).toEqual([0, 1, 2])
})

test('an id is given out when its block is stored, and not before', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { engine } = internals(await openLog({ storage }))
  storage.failAt({ call: (kind, path) => kind === 'sync' && path.includes('checkpoint'), code: 'EIO' })
  expect(await rejection(engine.producerIds.take())).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  expect(await engine.producerIds.take()).toBe(0)
  await engine.close()
})

test('where a checkpoint is damaged the block that it may have recorded is passed over; where both are, all may be', async () => {
  const storage = new MemoryStorage()
  const first = internals(await openLog({ storage }))
  expect(await first.engine.producerIds.take()).toBe(0)
  await first.engine.close()
  await storage.removeFile(`${DIRECTORY}/checkpoint-a`)
  const second = internals(await openLog({ storage }))
  expect(await second.engine.producerIds.take()).toBeGreaterThanOrEqual(2_000)
  await second.engine.close()
  for (const name of ['checkpoint-a', 'checkpoint-b']) await storage.removeFile(`${DIRECTORY}/${name}`)
  const third = internals(await openLog({ storage }))
  expect(await third.engine.producerIds.take()).toBeGreaterThan(1_000_000)
  await third.engine.close()
})

test('a copy gives out none that the log gives out, before or after', async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: 't' })
  await log.backup(COPY)
  const copy = await openLog({ storage, directory: COPY })
  expect(await internals(log).engine.producerIds.take()).toBe(0)
  const id = await internals(copy).engine.producerIds.take()
  expect(id).toBeGreaterThan(1_000_000)
  expect(id % 1_000).toBe(0)
  expect(Number.isSafeInteger(id)).toBe(true)
  await copy.close()
  await log.close()
})

function internals(log: Awaited<ReturnType<typeof openLog>>) {
  return { engine: log['engine'] }
}
