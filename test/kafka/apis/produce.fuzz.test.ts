/**
 * Batches with anything wrong in them, under a checksum that is right: each is stored as it came or refused, and whoever
 * reads on meets nothing but errors that say so. `VARVE_SEED` replays a run, `VARVE_FUZZ_BATCHES` tries more.
 */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  compress,
  compressionIds,
  isCompressionAvailable,
  type CompressionType,
} from '../../../src/codec/compression.ts'
import { VarveError } from '../../../src/errors.ts'
import { fetch } from '../../../src/kafka/apis/fetch.ts'
import { listOffsets } from '../../../src/kafka/apis/list-offsets.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { verifyDirectory } from '../../../src/inspect/verify-directory.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
import { KafkaSession } from '../../helpers/kafka-session.ts'
import { DIRECTORY } from '../../helpers/logs.ts'
import { rawBatch, rawRecord, resealed } from '../../helpers/raw-batch.ts'
import { SeededRandom } from '../../helpers/seeded-random.ts'

const BATCHES = Number(process.env['VARVE_FUZZ_BATCHES'] ?? 4_000)
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const MIB = 1024 * 1024
const CODECS = (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as CompressionType[]).filter(isCompressionAvailable)
const INTERESTING = [0, 1, -1, 2, 255, 0x7fff, 0x7fffffff, -0x80000000]
/** Where the fields of a batch's header that the checksum covers begin, and of how many bytes they are. */
const FIELDS: readonly [at: number, size: number][] = [
  [0, 4],
  [8, 4],
  [12, 4],
  [16, 1],
  [21, 2],
  [23, 4],
  [27, 4],
  [31, 4],
  [35, 4],
  [39, 4],
  [43, 4],
  [51, 2],
  [53, 4],
  [57, 4],
]

async function open(storage = new MemoryStorage()): Promise<KafkaSession> {
  const session = await KafkaSession.open({}, { storage })
  await session.log.createTopic({ name: 'plain', valueCodec: 'bytes' })
  await session.log.createTopic({
    name: 'compacted',
    valueCodec: 'bytes',
    cleanupPolicy: 'compact',
    segmentBytes: 4_000,
  })
  return session
}

/** The error that a batch is answered with. */
async function send({ client }: KafkaSession, name: string, batch: Buffer): Promise<number> {
  const topicData = [{ name, topicId: NO_TOPIC_ID, partitionData: [{ index: 0, records: [batch] }] }]
  const { responses } = await client.send(produce, 9, { acks: -1, topicData })
  return responses[0].partitionResponses[0].errorCode
}

/** The error that is told to whoever looks for a time. */
async function lookFor({ client }: KafkaSession, name: string, timestamp: number): Promise<number> {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }]
  const { topics } = await client.send(listOffsets, 7, { topics: [{ name, partitions }] })
  return topics[0].partitions[0].errorCode
}

/** Reads a topic in this process to its end, over batches that hold nonsense under their checksums; how many those are. */
async function readThrough({ log }: KafkaSession, name: string): Promise<number> {
  let nonsense = 0
  for await (const batch of log.readBatches(name)) {
    try {
      batch.records()
    } catch (error) {
      expect(error).toBeInstanceOf(VarveError)
      nonsense++
    }
  }
  return nonsense
}

function mutant(random: SeededRandom): Buffer {
  const values = ['one', 'two', 'three'].slice(random.below(3))
  const batch = clientBatch(values, { compression: random.pick(CODECS) })
  for (let count = random.pick([1, 1, 2]); count > 0; count--) {
    if (random.chance(0.5)) {
      const [at, size] = random.pick(FIELDS)
      const before = batch.readIntBE(at, size)
      const value = random.pick([...INTERESTING, before + 1, before - 1])
      batch.writeIntBE(Number(BigInt.asIntN(size * 8, BigInt(value))), at, size)
    } else batch[61 + random.below(batch.length - 61)] = random.below(256)
  }
  return random.chance(0.9) ? resealed(batch) : batch
}

test(`${BATCHES} mutated batches are stored as they came or refused, and the log is sound`, async () => {
  const random = new SeededRandom()
  const replay = `VARVE_SEED=${random.seed} VARVE_FUZZ_BATCHES=${BATCHES} npx vitest run test/kafka/apis/produce.fuzz.test.ts`
  console.log(replay)
  const storage = new MemoryStorage()
  const errors = new Map<number, number>()
  {
    await using session = await open(storage)
    const { client, warnings } = session
    for (let i = 0; i < BATCHES; i++) {
      const code = await send(session, random.pick(['plain', 'compacted']), mutant(random))
      errors.set(code, (errors.get(code) ?? 0) + 1)
    }
    expect(errors.get(-1), replay).toBeUndefined()
    expect(errors.get(0), replay).toBeGreaterThan(0)
    expect(errors.size, replay).toBeGreaterThan(4)
    for (const name of ['plain', 'compacted']) {
      for (const timestamp of [-3, 0, 1_000, 1_001, Number.MAX_SAFE_INTEGER])
        expect([0, 2, 76, 87], replay).toContain(await lookFor(session, name, timestamp))
      const nothing = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: NO_TOPIC_ID, highWatermark: -1 }
      const asked = { partition: 0, fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: MIB, ...nothing }
      const { responses } = await client.send(fetch, 12, {
        topics: [{ topic: name, topicId: NO_TOPIC_ID, partitions: [asked] }],
      })
      expect(responses[0].partitions[0].errorCode, replay).toBe(0)
      await readThrough(session, name)
    }
    expect(warnings, replay).toEqual([])
  }
  expect((await verifyDirectory(DIRECTORY, { storage })).damage, replay).toEqual([])
})

describe('a bomb: a few KiB that swell to more than is allowed', () => {
  /** Records of one byte each, all alike: as many as there is room for. */
  const record = rawRecord([0], 0, 0, -1, -1, 0)
  const body = Buffer.alloc(64 * MIB, record)

  test.each(CODECS.filter((codec) => codec !== 'none'))(
    '%s: it is refused where records are looked into',
    async (codec) => {
      await using session = await open()
      const compressed = codec === 'gzip' ? gzipSync(body) : compress(codec, body)
      const recordCount = body.length / record.length
      const bomb = rawBatch(compressed, { recordCount, baseTimestamp: 1_000, attributes: compressionIds[codec] })
      const isSmall = bomb.length < MIB
      const before = process.memoryUsage.rss()
      expect(await send(session, 'compacted', bomb)).toBe(isSmall ? 2 : 10)
      expect(await send(session, 'plain', bomb)).toBe(isSmall ? 0 : 10)
      if (isSmall) expect(await lookFor(session, 'plain', 1_000)).toBe(2)
      expect(process.memoryUsage.rss() - before).toBeLessThan(512 * MIB)
      expect(session.warnings).toEqual([])
    },
  )
})
