import { describe, expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { dumpFile, type DumpEntry, type DumpOptions } from '../../src/inspect/dump-file.ts'
import type { DumpedBatch } from '../../src/inspect/dump-log.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { asGolden, goldenPartitions, type GoldenBatch } from '../golden/golden-log.ts'
import { FakeClock } from '../helpers/fake-clock.ts'

const LOG = '/log/a-0/00000000000000000000.log'

async function dump(storage: MemoryStorage | undefined, path: string, options: DumpOptions = {}): Promise<DumpEntry[]> {
  const entries: DumpEntry[] = []
  for await (const entry of dumpFile(path, storage === undefined ? options : { ...options, storage }))
    entries.push(entry)
  return entries
}

async function replace(storage: MemoryStorage, path: string, content: Uint8Array): Promise<void> {
  await storage.removeFile(path).catch(() => {})
  const file = await storage.openFile(path, 'create')
  file.write(content, 0)
  await file.close()
}

/** A closed log with one topic, `a`, of `count` batches of one record each. */
async function logOf(count: number): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  const clock = new FakeClock(1_000_000)
  const log = await Varve.open({ directory: '/log', storage, clock })
  await log.createTopic({ name: 'a', valueCodec: 'string', indexIntervalBytes: 150 })
  for (let i = 0; i < count; i++) {
    clock.advance(1000)
    await log.append('a', { key: i % 2 === 0 ? 'even' : null, value: `value ${i}`, headers: { n: `${i}` } })
  }
  await log.close()
  return storage
}

function batchesOf(entries: DumpEntry[]): DumpedBatch[] {
  return entries.filter((entry) => entry.kind === 'batch')
}

describe('of a segment', () => {
  test('every batch is listed with its place and all that its header says', async () => {
    const storage = await logOf(3)
    const entries = await dump(storage, LOG)
    const content = await storage.readFile(LOG)
    const header = readBatchHeader(content, 0)
    expect(entries).toHaveLength(3)
    expect(entries[1]).toEqual({
      kind: 'batch',
      position: header.sizeBytes,
      baseOffset: 1,
      lastOffset: 1,
      count: 1,
      sizeBytes: readBatchHeader(content, header.sizeBytes).sizeBytes,
      leaderEpoch: 0,
      magic: 2,
      crc: content.toString('hex', header.sizeBytes + 17, header.sizeBytes + 21),
      crcOk: true,
      compression: 'none',
      timestampType: 'CreateTime',
      isTransactional: false,
      isControl: false,
      baseTimestamp: 1_002_000,
      maxTimestamp: 1_002_000,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
    })
  })

  test('the records are listed on request, as bytes of their own', async () => {
    const storage = await logOf(3)
    const batches = batchesOf(await dump(storage, LOG, { records: true }))
    expect(batches.map(({ records }) => records)).toEqual(
      [0, 1, 2].map((i) => [
        {
          offset: i,
          timestamp: 1_000_000 + (i + 1) * 1000,
          key: i === 1 ? null : Buffer.from('even'),
          value: Buffer.from(`value ${i}`),
          headers: [['n', Buffer.from(`${i}`)]],
        },
      ]),
    )
  })

  test('a damaged batch is listed as such, and the others after it', async () => {
    const storage = await logOf(5)
    const content = await storage.readFile(LOG)
    const whole = batchesOf(await dump(storage, LOG))
    content[whole[2].position + 70] ^= 1
    await replace(storage, LOG, content)
    const entries = await dump(storage, LOG)
    expect(entries[2]).toEqual({ ...whole[2], crcOk: false })
    const { position } = whole[2]
    expect(entries[3]).toEqual({ kind: 'damage', position, nextPosition: whole[3].position, reason: 'checksum' })
    expect([...entries.slice(0, 2), ...entries.slice(4)]).toEqual([whole[0], whole[1], whole[3], whole[4]])
  })

  test('bytes that are no batch at all are one entry, up to where batches begin again', async () => {
    const storage = await logOf(5)
    const content = await storage.readFile(LOG)
    const whole = batchesOf(await dump(storage, LOG))
    const [position, nextPosition] = [whole[1].position, whole[3].position]
    await replace(storage, LOG, content.fill(0xee, position, nextPosition))
    const entries = await dump(storage, LOG)
    expect(entries).toEqual([
      whole[0],
      { kind: 'damage', position, nextPosition, reason: expect.any(String) },
      whole[3],
      whole[4],
    ])
  })

  test('a batch that the file ends within is named, with what its header says', async () => {
    const storage = await logOf(3)
    const content = await storage.readFile(LOG)
    await replace(storage, LOG, content.subarray(0, content.length - 1))
    const entries = await dump(storage, LOG)
    const { position } = entries[2]
    expect(entries[2]).toMatchObject({ kind: 'batch', baseOffset: 2, crcOk: false })
    expect(entries.slice(3)).toEqual([
      { kind: 'damage', position, nextPosition: content.length - 1, reason: 'incomplete' },
    ])
  })

  test('zeros at the end are room that was laid out ahead, not damage', async () => {
    const storage = await logOf(3)
    const before = await dump(storage, LOG)
    await replace(storage, LOG, Buffer.concat([await storage.readFile(LOG), Buffer.alloc(3_000_000)]))
    expect(await dump(storage, LOG)).toEqual(before)
  })

  test('batches larger than what is read at a time are whole', async () => {
    const storage = new MemoryStorage()
    const log = await Varve.open({ directory: '/log', storage, clock: new FakeClock() })
    await log.createTopic({ name: 'a', valueCodec: 'bytes', maxMessageBytes: 8_000_000 })
    const sizes = [10, 3_000_000, 20, 900_000, 900_000, 5_000_000, 30]
    for (const [i, size] of sizes.entries()) await log.append('a', { value: Buffer.alloc(size, i) })
    await log.close()
    const batches = batchesOf(await dump(storage, LOG, { records: true }))
    for (const [i, { records }] of batches.entries()) {
      expect(records?.[0].value?.equals(Buffer.alloc(sizes[i], i)), `value ${i}`).toBe(true)
    }
    expect(batches).toHaveLength(sizes.length)
    expect(batches.every(({ crcOk }) => crcOk)).toBe(true)
  })
})

describe('of an index', () => {
  test('every entry is listed: which batch stands where', async () => {
    const storage = await logOf(12)
    const entries = await dump(storage, LOG.replace('.log', '.index'))
    const batches = batchesOf(await dump(storage, LOG))
    expect(entries.length).toBeGreaterThan(3)
    for (const [i, entry] of entries.entries()) {
      const batch = batches.find(({ position }) => entry.kind === 'index' && position === entry.logPosition)
      expect(entry).toEqual({ kind: 'index', position: i * 8, offset: batch?.lastOffset, logPosition: batch?.position })
    }
  })

  test('and of a time index: which timestamp is the greatest up to which offset', async () => {
    const storage = await logOf(12)
    const entries = await dump(storage, LOG.replace('.log', '.timeindex'))
    expect(entries.at(-1)).toEqual({
      kind: 'timeindex',
      position: (entries.length - 1) * 12,
      timestamp: 1_012_000,
      offset: 11,
    })
  })

  test('entries that do not increase, and half an entry at the end, are damage', async () => {
    const storage = await logOf(12)
    for (const [suffix, entryBytes] of [
      ['.index', 8],
      ['.timeindex', 12],
    ] as const) {
      const path = LOG.replace('.log', suffix)
      const content = await storage.readFile(path)
      const repeated = Buffer.concat([content.subarray(0, entryBytes), content, content.subarray(0, 5)])
      await replace(storage, path, repeated)
      const damage = (await dump(storage, path)).filter(({ kind }) => kind === 'damage')
      expect(damage).toEqual([
        { kind: 'damage', position: entryBytes, nextPosition: 2 * entryBytes, reason: 'not increasing' },
        { kind: 'damage', position: repeated.length - 5, nextPosition: repeated.length, reason: 'not a whole entry' },
      ])
    }
  })

  test('the zeros that Kafka lays out ahead are left out', async () => {
    const storage = await logOf(12)
    for (const suffix of ['.index', '.timeindex']) {
      const path = LOG.replace('.log', suffix)
      const before = await dump(storage, path)
      await replace(storage, path, Buffer.concat([await storage.readFile(path), Buffer.alloc(24 * 50)]))
      expect(await dump(storage, path)).toEqual(before)
    }
  })

  test('a time index of one record of 1970 is not taken for zeros', async () => {
    const storage = new MemoryStorage()
    await replace(storage, '/00000000000000000000.timeindex', Buffer.alloc(12))
    const entry = { kind: 'timeindex', position: 0, timestamp: 0, offset: 0 }
    expect(await dump(storage, '/00000000000000000000.timeindex')).toEqual([entry])
  })
})

describe('of a checkpoint', () => {
  test('all that it says is listed, and a damaged one is damage', async () => {
    const storage = await logOf(3)
    const [a] = await dump(storage, '/log/checkpoint-a')
    const [b] = await dump(storage, '/log/checkpoint-b')
    if (a.kind !== 'checkpoint' || b.kind !== 'checkpoint') throw new Error('no checkpoints')
    expect(Math.abs(a.sequence - b.sequence)).toBe(1)
    const newest = a.sequence > b.sequence ? a : b
    expect(newest).toMatchObject({ position: 0, format: 1, checkpoint: { clean: true } })
    const content = await storage.readFile('/log/checkpoint-a')
    content[20] ^= 1
    await replace(storage, '/log/checkpoint-a', content)
    const damage = { kind: 'damage', position: 0, nextPosition: content.length, reason: 'checksum or format' }
    expect(await dump(storage, '/log/checkpoint-a')).toEqual([damage])
  })
})

describe('of what Kafka wrote', () => {
  test.each(goldenPartitions)('$name is listed as Kafka lists it, records and all', async ({ path, segments }) => {
    for (const { file, batches } of segments) {
      const entries = await dump(undefined, `${path}/${file}`, { records: true })
      expect(entries.map((entry) => (entry.kind === 'batch' ? asKafkaLists(entry) : entry))).toEqual(batches)
      for (const suffix of ['.index', '.timeindex']) {
        const index = await dump(undefined, `${path}/${file.replace('.log', suffix)}`)
        expect(index.filter(({ kind }) => kind === 'damage')).toEqual([])
      }
    }
  })

  test('how transactions ended is told', async () => {
    const controls: unknown[] = []
    const { path, segments } = goldenPartitions.find(({ name }) => name === 'transactions-0')!
    for (const { file } of segments) {
      for (const batch of batchesOf(await dump(undefined, `${path}/${file}`, { records: true }))) {
        expect(batch.records?.every(({ control }) => (control !== undefined) === batch.isControl)).toBe(true)
        if (batch.isControl) controls.push(batch.records?.[0].control)
      }
    }
    expect(new Set(controls)).toEqual(new Set(['commit', 'abort']))
  })
})

/** A batch in the words of the golden files. */
function asKafkaLists(batch: DumpedBatch): GoldenBatch {
  const {
    kind: _,
    magic,
    crc,
    crcOk,
    compression,
    count,
    isControl,
    isTransactional,
    deleteHorizon,
    records = [],
    ...same
  } = batch
  expect({ magic, crcOk }).toEqual({ magic: 2, crcOk: true })
  const flags: GoldenBatch['flags'] = isTransactional ? ['transactional'] : []
  if (isControl) flags.push('control')
  if (deleteHorizon !== undefined) flags.push('deleteHorizon')
  return {
    ...same,
    checksum: parseInt(crc, 16),
    compressionType: compression as GoldenBatch['compressionType'],
    recordCount: count,
    flags,
    records: records.map(({ key: keyBytes, value: valueBytes, headers: rawHeaders, ...place }) =>
      asGolden({ ...place, keyBytes, valueBytes, rawHeaders } as ConsumerRecord),
    ),
  }
}

describe('calls', () => {
  test('a name that is none of these files is a TypeError that says which can be listed', async () => {
    for (const path of ['/log', '/log/a-0/partition.metadata', 'x.log', '/log/00000000000000000000.snapshot', '']) {
      await expect(dump(new MemoryStorage(), path)).rejects.toThrow(TypeError)
    }
    await expect(dump(new MemoryStorage(), '/x.log')).rejects.toThrow('.log, .index or .timeindex')
  })

  test('a listing that is given up closes the file', async () => {
    const storage = await logOf(5)
    let open = 0
    const counting = new Proxy(storage, {
      get: (target, key) =>
        key !== 'openFile'
          ? (Reflect.get(target, key) as unknown)
          : async (path: string) => {
              const file = await target.openFile(path, 'read')
              open++
              return Object.assign(file, { close: async () => void open-- })
            },
    })
    for await (const _ of dumpFile(LOG, { storage: counting })) break
    expect(open).toBe(0)
  })
})
