/** What is remembered of idempotent producers: which batches are taken, known again or refused, also after a restart. */
import { describe, expect, test } from 'vitest'
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import { findSnapshotFault } from '../../src/codec/producer-snapshot.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { SyncGate } from '../helpers/sync-gate.ts'
import { changeFile, DIRECTORY, namesIn, openLog, putFile, recordsOf, segmentPath, valuesOf } from '../helpers/logs.ts'

const TOPIC = 't'
const PARTITION = `${DIRECTORY}/${TOPIC}-0`
const LAST_SEQUENCE = 2 ** 31 - 1

async function opened(storage: Storage, options: Partial<VarveOptions> = {}, config: Partial<TopicConfig> = {}) {
  const log = await openLog({ storage, ...options })
  const isThere = (await log.listTopics()).length > 0
  if (!isThere) await log.createTopic({ name: TOPIC, valueCodec: 'string', ...config })
  const topic = log['engine'].topic(TOPIC)
  /** Sends a batch of a producer; gives its offset, or the error's code. */
  const send = (baseSequence: number, { producerId = 7, epoch = 0, values = ['x'] } = {}): Promise<number | string> => {
    const batch = clientBatch(values, { producerId, producerEpoch: epoch, baseSequence })
    return topic.appendReceived(topic.partition(0), batch, checkReceivedBatch(batch, 1_000_000, true)).then(
      ({ baseOffset }) => baseOffset,
      (error: { code: string }) => error.code,
    )
  }
  return { log, send }
}

const snapshotsIn = async (storage: Storage) =>
  (await namesIn(storage, PARTITION)).filter((name) => name.endsWith('.snapshot')).map((name) => Number.parseInt(name))

describe('a batch', () => {
  test('of one of the last five is known again, and gets the offset that it has', async () => {
    const { log, send } = await opened(new MemoryStorage())
    for (let i = 0; i < 8; i++) expect(await send(i * 2, { values: ['a', 'b'] })).toBe(i * 2)
    for (let i = 3; i < 8; i++) expect(await send(i * 2, { values: ['a', 'b'] })).toBe(i * 2)
    expect(await send(4, { values: ['a', 'b'] })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(16)).toBe(16)
    expect((await valuesOf(log, TOPIC)).length).toBe(17)
    await log.close()
  })

  test('that comes again with others under way is not doubled', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await Promise.all([send(0), send(1), send(1), send(0), send(2)])).toEqual([0, 1, 1, 0, 2])
    expect(log.offsets(TOPIC)[0].logEndOffset).toBe(3)
    await log.close()
  })

  test('that begins like a known one but is longer is no duplicate', async () => {
    const { log, send } = await opened(new MemoryStorage())
    await send(0)
    expect(await send(0, { values: ['a', 'b'] })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    await log.close()
  })

  test('after a gap is refused, and all that follow until the gap is filled', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await Promise.all([send(0), send(2), send(3), send(1), send(2)])).toEqual([
      0,
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      1,
      2,
    ])
    await log.close()
  })

  test('of an older epoch is refused, and a new epoch begins with 0', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(0, { epoch: 3 })).toBe(0)
    expect(await send(1, { epoch: 2 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await send(1, { epoch: 4 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(0, { epoch: 4 })).toBe(1)
    expect(await send(1, { epoch: 3 })).toBe('INVALID_PRODUCER_EPOCH')
    await log.close()
  })

  test('after the greatest sequence has 0, also one that goes over it', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(LAST_SEQUENCE - 1)).toBe(0)
    expect(await send(LAST_SEQUENCE, { values: ['a', 'b'] })).toBe(1)
    expect(await send(0)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(1)).toBe(3)
    expect(await send(LAST_SEQUENCE, { values: ['a', 'b'] })).toBe(1)
    await log.close()
  })

  test('of a producer that nobody knows is taken with any sequence, and producers do not mix', async () => {
    const { log, send } = await opened(new MemoryStorage())
    expect(await send(55)).toBe(0)
    expect(await send(0, { producerId: 8 })).toBe(1)
    expect(await send(56)).toBe(2)
    expect(await send(1, { producerId: 8 })).toBe(3)
    await log.close()
  })
})

describe('after a restart', () => {
  test('in order the last batch is known again, from a snapshot as Kafka writes them at the end offset', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    for (let i = 0; i < 3; i++) await first.send(i)
    await first.log.close()
    expect(await snapshotsIn(storage)).toEqual([0, 3])
    const content = await storage.readFile(`${PARTITION}/${'3'.padStart(20, '0')}.snapshot`)
    expect(findSnapshotFault(content)).toBe(null)
    expect(content.toString('hex', 6)).toBe(
      '00000001' +
        '0000000000000007' +
        '0000' +
        '00000002' +
        '0000000000000002' +
        '00000000' +
        '00000000000003e8' +
        'ffffffff' +
        'ffffffffffffffff',
    )
    const { log, send } = await opened(storage)
    expect(await send(2)).toBe(2)
    expect(await send(4)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(3)).toBe(3)
    await log.close()
  })

  test('in order the last five batches are known again, although a snapshot tells of one', async () => {
    for (const segmentBytes of [100, 250, 2 ** 20]) {
      const storage = new MemoryStorage()
      const first = await opened(storage, {}, { segmentBytes })
      for (let i = 0; i < 9; i++) await first.send(i)
      await first.log.close()
      const { log, send } = await opened(storage)
      expect(await Promise.all([4, 5, 6, 7, 8, 3, 9].map((sequence) => send(sequence)))).toEqual([
        4,
        5,
        6,
        7,
        8,
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        9,
      ])
      await log.close()
    }
  })

  test('a producer that was silent for long is known from the snapshot, one that went on from the log', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0, { producerId: 8 })
    const values = ['x'.repeat(900_000)]
    for (let i = 0; i < 45; i++) await first.send(i, { values })
    await first.log.close()
    const { log, send } = await opened(storage)
    expect(await send(0, { producerId: 8 })).toBe(0)
    expect(await send(2, { producerId: 8 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await Promise.all([40, 41, 42, 43, 44].map((sequence) => send(sequence, { values })))).toEqual([
      41, 42, 43, 44, 45,
    ])
    await log.close()
  })

  test('a snapshot that was taken while a sync was under way waits until what it tells of is durable', async () => {
    const storage = new MemoryStorage()
    const options = { flush: { ms: 60_000 } }
    const first = await opened(storage, options, { segmentBytes: 200 })
    await first.send(0)
    await first.log.flush()
    const gate = new SyncGate()
    await first.send(1)
    storage.syncDelay = (path) => (path.endsWith('.log') ? gate.pass(path) : undefined)
    const flushed = first.log.flush()
    await gate.arrived()
    const partition = first.log['engine'].topic(TOPIC).partition(0)
    // as a roll does that comes while the sync is under way
    partition.log.producers.capture(partition.log.logEndOffset + 1)
    gate.open()
    await flushed
    expect(Math.max(...(await snapshotsIn(storage)))).toBeLessThanOrEqual(2)
    await first.log.close()
  })

  test('after a power cut all that is durable is known again, from the log', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    for (let i = 0; i < 7; i++) await first.send(i)
    const { log, send } = await opened(storage.crash())
    expect(await Promise.all([2, 3, 4, 5, 6].map((sequence) => send(sequence)))).toEqual([2, 3, 4, 5, 6])
    expect(await send(8)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(7)).toBe(7)
    await log.close()
  })

  test('what a power cut took is taken again, whatever a snapshot might have said of it', async () => {
    const storage = new MemoryStorage()
    const options = { flush: 'os' as const }
    const first = await opened(storage, options, { segmentBytes: 200 })
    await first.send(0)
    await first.log.flush()
    for (let i = 1; i < 10; i++) await first.send(i)
    const crashed = storage.crash()
    const { log, send } = await opened(crashed, options)
    expect((await valuesOf(log, TOPIC)).length).toBe(1)
    expect(await send(0)).toBe(0)
    const again = await send(1)
    expect(again).toBeGreaterThanOrEqual(10)
    expect(await send(1)).toBe(again)
    await log.close()
  })

  test.each(['cut short', 'a wrong byte', 'gone'])(
    'a snapshot that is damaged (%s) costs nothing but a look',
    async (damage) => {
      const storage = new MemoryStorage()
      const first = await opened(storage, {}, { segmentBytes: 300 })
      for (let i = 0; i < 20; i++) await first.send(i)
      await first.log.close()
      const newest = Math.max(...(await snapshotsIn(storage)))
      expect(newest).toBe(20)
      const path = `${PARTITION}/${String(newest).padStart(20, '0')}.snapshot`
      if (damage === 'gone') await storage.removeFile(path)
      else
        await changeFile(storage, path, (content) => {
          if (damage === 'cut short') return content.subarray(0, 30)
          content[20] ^= 1
          return content
        })
      const { log, send } = await opened(storage)
      expect(await Promise.all([18, 19, 21, 20].map((sequence) => send(sequence)))).toEqual([
        18,
        19,
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        20,
      ])
      await log.close()
    },
  )
})

describe('snapshots', () => {
  test('of records that are cut off are gone when others get their offsets, and so is a half-written one', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0)
    const cut = storage.crash()
    // as where the disk has lost what it had synced
    for (const name of [`${'9'.padStart(20, '0')}.snapshot`, `${'9'.padStart(20, '0')}.snapshot.tmp`])
      await putFile(cut, `${PARTITION}/${name}`, Buffer.from('0001', 'hex'))
    await changeFile(cut, segmentPath(TOPIC, 0, 0, '.log'), (content) => Buffer.concat([content, Buffer.from('torn')]))
    const { log } = await opened(cut)
    expect(await snapshotsIn(cut)).toEqual([0])
    expect((await namesIn(cut, PARTITION)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    await log.close()
  })

  test('aside, a batch that is sent again is answered with the time of its append', async () => {
    const { log, send } = await opened(new MemoryStorage(), {}, { messageTimestampType: 'LogAppendTime' })
    await send(0)
    const batch = () => clientBatch(['x'], { producerId: 7, producerEpoch: 0, baseSequence: 0 })
    const topic = log['engine'].topic(TOPIC)
    const again = batch()
    const answer = await topic.appendReceived(topic.partition(0), again, checkReceivedBatch(again, 1_000_000, true))
    const [record] = await recordsOf(log, TOPIC)
    expect(answer).toEqual({ baseOffset: 0, appendTime: record.timestamp })
    await log.close()
  })

  test('are none where there is no idempotent producer', async () => {
    const storage = new MemoryStorage()
    const { log } = await opened(storage)
    await log.append(TOPIC, { value: 'x' })
    await log.close()
    expect(await snapshotsIn(storage)).toEqual([])
  })

  test('begin where the first such producer comes: what is before is not read', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    for (let i = 0; i < 5; i++) await first.log.append(TOPIC, { value: 'x' })
    await first.send(0)
    expect(await snapshotsIn(storage)).toEqual([5])
    const { log, send } = await opened(storage.crash())
    expect(await send(0)).toBe(5)
    await log.close()
  })

  test('are written when a segment is full, and only the last two are kept', async () => {
    const storage = new MemoryStorage()
    const { log, send } = await opened(storage, {}, { segmentBytes: 200 })
    for (let i = 0; i < 20; i++) await send(i)
    const found = await snapshotsIn(storage)
    expect(found.length).toBe(2)
    const bases = (await namesIn(storage, PARTITION)).filter((name) => name.endsWith('.log'))
    expect(bases).toContain(`${String(found[1]).padStart(20, '0')}.log`)
    expect((await namesIn(storage, PARTITION)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    await log.close()
  })
})
