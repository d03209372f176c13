/** The two files of the checkpoint, beside what `varve.open.checkpoint.test.ts` says of them. */
import { expect, test } from 'vitest'
import { CheckpointFiles } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { rejection } from '../helpers/logs.ts'

async function checkpointFiles() {
  const storage = new FaultyStorage(new MemoryStorage())
  await storage.makeDirectory('/log')
  return { storage, files: new CheckpointFiles(storage, '/log') }
}

test('who looks again finds what another process has stored meanwhile, from the first one on', async () => {
  const { storage, files } = await checkpointFiles()
  const reader = new CheckpointFiles(storage, '/log')
  expect(await reader.reload()).toEqual({ checkpoint: null, sequence: 0, damaged: [] })
  for (const sequence of [1, 2, 3]) {
    await files.store({ clean: sequence === 3, partitions: {} })
    expect(await reader.reload()).toEqual({
      checkpoint: { clean: sequence === 3, partitions: {} },
      sequence,
      damaged: [],
    })
  }
})

test('who looks again and cannot read is told of which directory, and finds it when it can be read', async () => {
  const { storage, files } = await checkpointFiles()
  await files.store({ clean: false, partitions: {} })
  const reader = new CheckpointFiles(storage, '/log')
  storage.failAt({ call: (kind) => kind === 'read', code: 'EIO' })
  expect(await rejection(reader.reload())).toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    details: { path: '/log' },
    cause: { code: 'EIO' },
  })
  expect(await reader.reload()).toMatchObject({ sequence: 1, damaged: [] })
})

test('a file that cannot be closed keeps no other one open, and is told', async () => {
  const { storage, files } = await checkpointFiles()
  await files.store({ clean: false, partitions: {} })
  await files.store({ clean: true, partitions: {} })
  storage.failAt({ call: (kind, path) => kind === 'close' && path.endsWith('checkpoint-a'), code: 'EIO' })
  expect(await rejection(files.close())).toMatchObject({ code: 'EIO' })
  expect(storage.counts.close).toBe(2)
  // and there is nothing left to close
  await files.close()
})

test("the newest under the other one's name is not the one that is written over next", async () => {
  const { storage, files } = await checkpointFiles()
  await files.store({ clean: false, partitions: {} })
  await files.store({ clean: true, partitions: {} })
  await files.close()
  await storage.rename('/log/checkpoint-a', '/log/newest')
  await storage.rename('/log/checkpoint-b', '/log/checkpoint-a')
  await storage.rename('/log/newest', '/log/checkpoint-b')
  const newest = await storage.readFile('/log/checkpoint-b')
  const again = new CheckpointFiles(storage, '/log')
  expect((await again.load()).checkpoint).toEqual({ clean: true, partitions: {} })
  await again.store({ clean: false, partitions: {} })
  expect(await storage.readFile('/log/checkpoint-b')).toEqual(newest)
  await again.close()
})
