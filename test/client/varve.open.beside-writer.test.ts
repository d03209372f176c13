/** A reader and a verification beside a writer that rolls, deletes segments, and creates and deletes topics. */
import { expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { verifyDirectory } from '../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { DIRECTORY, idle, offsetsOf, openLog, outcomesOf } from '../helpers/logs.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = 150

async function write(log: Varve, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    for (let i = 0; i < 12; i++) await log.append('t', { value: Buffer.alloc(100) })
    await log.enforceRetention()
    await log.createTopic({ name: 'x', valueCodec: 'bytes' })
    await log.append('x', { value: Buffer.alloc(10) })
    await idle()
    await log.deleteTopic('x')
  }
}

test('they see what is there or is gone, and never take it for damage', async () => {
  const random = new SeededRandom()
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', segmentBytes: 1000, retentionBytes: 3000, valueCodec: 'bytes' })
  let done = false
  const writing = write(log, () => done)
  const slow = new GatedReads(disk)
  slow.gate = () => (random.chance(0.3) ? idle(random.below(6)) : undefined)
  const seen = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const reader = await openLog({ storage: slow, readOnly: true })
    expect(reader.recovery.damage, `seed ${random.seed}, round ${round}`).toEqual([])
    for (const topic of ['t', 'x']) {
      const [outcome] = await outcomesOf([
        (async () => {
          const offsets = await offsetsOf(reader, topic)
          for (const [i, offset] of offsets.entries()) expect(offset).toBe(offsets[0] + i)
        })(),
      ])
      seen.add(`${topic} ${outcome}`)
    }
    await reader.close()
    const { damage } = await verifyDirectory(DIRECTORY, { storage: slow })
    expect(damage, `seed ${random.seed}, round ${round}`).toEqual([])
  }
  done = true
  await writing
  await log.close()
  const possible = ['t done', 't OFFSET_OUT_OF_RANGE', 'x done', 'x UNKNOWN_TOPIC_OR_PARTITION']
  expect(
    [...seen].filter((outcome) => !possible.includes(outcome)),
    `seed ${random.seed}`,
  ).toEqual([])
  expect(seen).toContain('t done')
})

test('a verification that retention outruns again and again finds no damage', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', segmentBytes: 1000, retentionBytes: 3000, valueCodec: 'bytes' })
  const roll = async () => {
    for (let i = 0; i < 50; i++) await log.append('t', { value: Buffer.alloc(100) })
    await log.enforceRetention()
  }
  await roll()
  const slow = new GatedReads(disk)
  let rolls = 0
  // whenever one of its files is read, the others are soon gone
  slow.gate = (path, kind) => (kind === 'read' && /t-0.*\.log$/.test(path) ? (rolls++, roll()) : undefined)
  const { damage, partitions } = await verifyDirectory(DIRECTORY, { storage: slow })
  expect(damage).toEqual([])
  expect(partitions.map(({ topic }) => topic)).toContain('t')
  expect(rolls).toBeGreaterThanOrEqual(3)
  // but what stays is judged
  const metadata = `${DIRECTORY}/t-0/partition.metadata`
  await disk.removeFile(metadata)
  const { damage: left } = await verifyDirectory(DIRECTORY, { storage: slow })
  expect(left).toMatchObject([{ path: metadata, reason: 'file is missing' }])
  await log.close()
})

test('they read the checkpoint whole only when it has changed, however many partitions they look into', async () => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 'wide', partitions: 50 })
  await log.appendBatch(
    'wide',
    Array.from({ length: 50 }, (_, partition) => ({ value: partition, partition })),
  )
  const storage = new FaultyStorage(disk)
  const reader = await openLog({ storage, readOnly: true })
  const readWhole = () => storage.calls.filter(({ kind, path }) => kind === 'readFile' && path.includes('checkpoint-'))
  const before = readWhole().length
  const readAll = async () => {
    const found: unknown[] = []
    for await (const { value } of reader.read('wide')) found.push(value)
    return found.length
  }
  expect(await readAll()).toBe(50)
  expect(await readAll()).toBe(50)
  expect(readWhole().length).toBe(before)
  await log.deleteRecords('wide', { partition: 7, beforeOffset: 1 })
  expect(await readAll()).toBe(49)
  expect(readWhole().length).toBe(before + 2)
  await reader.close()
  await log.close()
})
