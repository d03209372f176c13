/** The snapshots of what idempotent producers have sent: when they are written, and which of them are used. */
import { describe, expect, test } from 'vitest'
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { ProducerSnapshots } from '../../src/storage/producer-snapshots.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, namesIn, putFile, recordsOf, rejection, segmentPath, valuesOf } from '../helpers/logs.ts'
import { opened, PARTITION, snapshotPath, snapshotsIn, TOPIC } from '../helpers/idempotent-producer.ts'

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

  test('that tell of what the disk has lost are dropped for good, and the log is read instead', async () => {
    const before = new MemoryStorage()
    const first = await opened(before)
    for (let i = 0; i < 6; i++) await first.send(i)
    // as of a disk that has not kept what it had synced: both tell of more than there is
    const storage = before.crash()
    const snapshots = new ProducerSnapshots(storage, PARTITION)
    for (const offset of [4, 6]) await snapshots.write(offset, [])
    await snapshots.remove(0)
    await changeFile(storage, segmentPath(TOPIC, 0, 0, '.log'), (content) => content.subarray(0, content.length / 2))
    const second = await opened(storage)
    expect(await valuesOf(second.log, TOPIC)).toHaveLength(3)
    expect(await snapshotsIn(storage)).toEqual([0])
    // once the log is as long again, a removal that was not durable would bring back what is not so
    for (let i = 0; i < 10; i++) await second.log.append(TOPIC, { value: 'x' })
    await second.log.flush()
    const crashed = storage.crash()
    expect(await snapshotsIn(crashed)).toEqual([0])
    const { log, send } = await opened(crashed)
    expect(await send(2)).toBe(2)
    expect(await send(4)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(3)).toBe(13)
    await log.close()
  })

  test('that are all damaged are as none: the log is read from its start', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0, { producerId: 8 })
    const values = ['x'.repeat(900_000)]
    for (let i = 0; i < 20; i++) await first.send(i, { values })
    await first.log.close()
    const second = await opened(storage)
    await second.send(20, { values })
    await second.log.close()
    expect(await snapshotsIn(storage)).toEqual([21, 22])
    for (const offset of [21, 22]) await changeFile(storage, snapshotPath(offset), (content) => content.fill(1, 2, 6))
    const { log, send } = await opened(storage)
    expect(await send(0, { producerId: 8 })).toBe(0)
    expect(await send(2, { producerId: 8 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(21, { values })).toBe(22)
    await log.close()
  })

  test('that are all damaged are as none, also where the start of the log is deleted', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage, {}, { segmentBytes: 300 })
    for (let i = 0; i < 20; i++) await first.send(i)
    await first.log.deleteRecords(TOPIC, { partition: 0, beforeOffset: 10 })
    await first.log.close()
    for (const offset of await snapshotsIn(storage)) await putFile(storage, snapshotPath(offset), 'damaged')
    const { log, send } = await opened(storage)
    expect(await Promise.all([16, 19, 21, 20].map((sequence) => send(sequence)))).toEqual([
      16,
      19,
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      20,
    ])
    await log.close()
  })

  test('that cannot be written or recovered fail nothing but what needs them', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const first = await opened(storage)
    const isSnapshot = (_: string, path: string) => path.includes('.snapshot')
    storage.failAt({ call: isSnapshot, code: 'EIO', sticky: true })
    expect(await first.send(0)).toBe('KAFKA_STORAGE_ERROR')
    storage.clearFaults()
    expect(await first.send(0)).toBe(0)
    // one that a close cannot write costs reading the log
    storage.failAt({ call: isSnapshot, code: 'EIO', sticky: true })
    await first.log.close()
    storage.clearFaults()
    expect(await snapshotsIn(storage)).toEqual([0])
    const second = await opened(storage)
    expect(await second.send(0)).toBe(0)
    expect(await second.send(1)).toBe(1)
    const crashed = new FaultyStorage((storage.inner as MemoryStorage).crash())
    await putFile(crashed, snapshotPath(9), 'x')
    crashed.failAt({ call: (kind, path) => kind === 'removeFile' && isSnapshot(kind, path), code: 'EIO' })
    expect(await rejection(opened(crashed))).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    const { log, send } = await opened(crashed)
    expect(await send(1)).toBe(1)
    await log.close()
  })

  test('know more than a compacted log: what it has kept of a producer may be older', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0)
    await first.send(0, { producerId: 8 })
    await first.send(0, { producerId: 9 })
    const { log: partitionLog } = first.log['engine'].topic(TOPIC).partition(0)
    // as if offsets 3 to 5 had been theirs, and were compacted away
    const gone = (producerId: number, epoch: number, lastSequence: number, at: number) => ({
      producerId,
      epoch,
      batch: { firstSequence: lastSequence, lastSequence, baseOffset: at, lastOffset: at, timestamp: 1_000 },
    })
    for (const value of ['x', 'y', 'z']) await first.log.append(TOPIC, { value })
    await first.log.close()
    const snapshots = new ProducerSnapshots(storage, partitionLog.directory)
    await snapshots.write(6, [gone(7, 0, 1, 3), gone(8, 1, 0, 4), gone(9, 0, 0, 2)])
    const { log, send } = await opened(storage)
    expect([await send(0), await send(1), await send(2)]).toEqual([0, 3, 6])
    expect(await send(0, { producerId: 8, epoch: 0 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await send(1, { producerId: 8, epoch: 1 })).toBe(7)
    expect(await send(0, { producerId: 9 })).toBe(2)
    await log.close()
  })

  test('and replays pass over the ends of transactions', async () => {
    const storage = new MemoryStorage()
    const first = await opened(storage)
    await first.send(0)
    const { writer, log: partitionLog } = first.log['engine'].topic(TOPIC).partition(0)
    const bytes = clientBatch(['x'], { producerId: 7, producerEpoch: 0, baseSequence: -1, attributes: 0x30 })
    const span = { start: 0, sizeBytes: bytes.length, recordCount: 1, maxTimestamp: 1_000 }
    await writer.runTask(async () => {
      partitionLog.append({ bytes, batches: [span] })
      await partitionLog.sync()
    })
    const { log, send } = await opened(storage.crash())
    expect(await send(1)).toBe(2)
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
