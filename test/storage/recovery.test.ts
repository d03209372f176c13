/** What a recovery makes of files that no writer leaves, and that only damage or somebody else does. */
import { describe, expect, test } from 'vitest'
import { readBatchHeader } from '../../src/codec/record-batch.ts'
import type { PartitionCheckpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { recoverLog, type RecoveryRequest } from '../../src/storage/recovery.ts'
import { namesIn, putFile } from '../helpers/logs.ts'
import { batchAt, contextOn, fileOf, PARTITION } from '../helpers/stored-log.ts'

async function diskWith(segments: { [baseOffset: number]: Buffer[] }): Promise<MemoryStorage> {
  const storage = new MemoryStorage()
  await storage.makeDirectory(PARTITION)
  for (const [baseOffset, batches] of Object.entries(segments))
    await putFile(storage, fileOf(Number(baseOffset)), Buffer.concat(batches))
  return storage
}

/** After an unclean stop, of a partition that no checkpoint knows, unless told otherwise. */
function recover(storage: MemoryStorage, changes: Partial<RecoveryRequest> & { readOnly?: boolean } = {}) {
  const { readOnly = false, ...request } = changes
  return recoverLog(contextOn(storage, { readOnly }), {
    checkpoint: null,
    clean: false,
    saveDirectory: '/log/recovery',
    extraReservation: 0,
    isNew: false,
    ...request,
  })
}

/** A checkpoint by which the first `durable` of these batches, all in one segment, are durable. */
function checkpointOf(batches: Buffer[], durable: number, changes: Partial<PartitionCheckpoint> = {}) {
  const sizeBytes = Buffer.concat(batches.slice(0, durable)).length
  const checkpoint: PartitionCheckpoint = {
    logStartOffset: 0,
    durableOffset: durable === 0 ? 0 : readBatchHeader(batches[durable - 1], 0).lastOffset + 1,
    durableSegment: 0,
    durablePosition: sizeBytes,
    reservedOffset: 0,
    leaderEpoch: 0,
    epochs: [{ epoch: 0, startOffset: 0 }],
    segments: [[0, sizeBytes]],
    sparse: false,
    ...changes,
  }
  return checkpoint
}

const baseOffsets = ({ segments }: { segments: { baseOffset: number }[] }) =>
  segments.map(({ baseOffset }) => baseOffset)

describe('of a partition that no checkpoint knows', () => {
  test('only files count, and a directory of such a name is left alone', async () => {
    const storage = await diskWith({ 0: [batchAt(0)] })
    await storage.makeDirectory(fileOf(5))
    const { state, report } = await recover(storage)
    expect(baseOffsets(state)).toEqual([0])
    expect(report).toMatchObject({ damage: [], cutBytes: 0 })
    expect(await namesIn(storage, PARTITION)).toContain(fileOf(5).split('/').at(-1))
  })

  test('a segment that was to replace others is reported, and not part of the log', async () => {
    const storage = await diskWith({ 0: [batchAt(0)] })
    const path = fileOf(0, '.log', '.swap')
    await putFile(storage, path, batchAt(0))
    const { state, report } = await recover(storage)
    expect(state.logEndOffset).toBe(1)
    expect(report.damage).toEqual([
      { path, position: 0, reason: 'was to replace others, and is not part of the log', offset: 0, nextOffset: 0 },
    ])
    expect(await namesIn(storage, PARTITION)).toContain(path.split('/').at(-1))
  })

  test('its end is cut where nothing valid follows, in no segment behind it', async () => {
    const torn = batchAt(1)
    torn[torn.length - 1] ^= 1
    const storage = await diskWith({ 0: [batchAt(0), torn], 2: [], 3: [Buffer.from('no batch')] })
    const { state, report } = await recover(storage)
    expect(state).toMatchObject({ logEndOffset: 1, contentEndOffset: 1 })
    expect(baseOffsets(state)).toEqual([0])
    expect(report).toMatchObject({ damage: [], cutBytes: torn.length + 8 })
    expect(report.savedTo).toHaveLength(3)
  })

  test('the same is damage where a later segment holds a batch, and nothing is cut', async () => {
    const torn = batchAt(1)
    torn[torn.length - 1] ^= 1
    const storage = await diskWith({ 0: [batchAt(0), torn], 2: [], 3: [batchAt(3)] })
    const { state, report } = await recover(storage)
    expect(state.logEndOffset).toBe(4)
    expect(baseOffsets(state)).toEqual([0, 2, 3])
    expect(report.cutBytes).toBe(0)
    expect(report.damage).toMatchObject([{ path: fileOf(0), offset: 1 }])
  })
})

describe('after an unclean stop', () => {
  test('a batch of an epoch that no open has recorded was never written: it is cut', async () => {
    const batches = [batchAt(0), batchAt(1), batchAt(2, { leaderEpoch: 2 })]
    for (const [extraReservation, end] of [
      [0, 2],
      [10, 2],
    ]) {
      const storage = await diskWith({ 0: batches })
      const { state, report } = await recover(storage, { checkpoint: checkpointOf(batches, 1), extraReservation })
      expect(state.contentEndOffset).toBe(end)
      expect(report.cutBytes).toBe(batches[2].length)
    }
  })

  test('one of the epoch after the recorded one may have been, where the later checkpoint is damaged', async () => {
    const batches = [batchAt(0), batchAt(1, { leaderEpoch: 1 })]
    for (const [extraReservation, end] of [
      [0, 1],
      [10, 2],
    ]) {
      const storage = await diskWith({ 0: batches })
      const { state } = await recover(storage, { checkpoint: checkpointOf(batches, 1), extraReservation })
      expect(state.contentEndOffset).toBe(end)
    }
  })

  test('segments that were begun behind lost records go, and offsets go on from what is there', async () => {
    const storage = await diskWith({ 0: [batchAt(0)], 5: [], 9: [] })
    const { state } = await recover(storage, { checkpoint: checkpointOf([batchAt(0)], 1) })
    expect(state.logEndOffset).toBe(1)
    expect(baseOffsets(state)).toEqual([0])
    expect(await namesIn(storage, PARTITION)).not.toContain(fileOf(9).split('/').at(-1))
  })

  test.each([
    ['saved and goes', [batchAt(3)]],
    ['goes, where it is empty', []],
  ])('a file of offsets that the one before it holds would hide them: it is %s', async (_, stray) => {
    const batches = [batchAt(0), batchAt(1, { recordCount: 5 })]
    const storage = await diskWith({ 0: batches, 3: stray })
    const { state, report } = await recover(storage, { checkpoint: checkpointOf(batches, 1) })
    expect(baseOffsets(state)).toEqual([0])
    expect(state).toMatchObject({ logEndOffset: 6, contentEndOffset: 6 })
    expect(report).toMatchObject({ cutBytes: Buffer.concat(stray).length, damage: [] })
    expect(report.savedTo).toHaveLength(stray.length)
    expect(await namesIn(storage, PARTITION)).not.toContain(fileOf(3).split('/').at(-1))
  })

  test('a checkpoint that lists no segment makes no damage of what is before its position', async () => {
    const checkpoint = checkpointOf([], 0, { segments: [], durableSegment: 5, durableOffset: 5, logStartOffset: 5 })
    const storage = await diskWith({ 0: [batchAt(0)], 5: [batchAt(5)] })
    const { state, report } = await recover(storage, { checkpoint })
    expect(baseOffsets(state)).toEqual([5])
    expect(report.damage).toEqual([])
  })
})

describe('of a reader beside the writer', () => {
  test('a partition without a segment is empty, and nothing is made', async () => {
    const storage = await diskWith({})
    const { state } = await recover(storage, { readOnly: true, clean: true })
    expect(state).toMatchObject({ logStartOffset: 0, logEndOffset: 0 })
    expect(baseOffsets(state)).toEqual([0])
    expect(await namesIn(storage, PARTITION)).toEqual([])
  })

  test('segments that were begun behind what is there are not seen, and stay', async () => {
    const storage = await diskWith({ 0: [batchAt(0)], 5: [], 9: [] })
    const before = await namesIn(storage, PARTITION)
    const checkpoint = checkpointOf([batchAt(0)], 1)
    const { state } = await recover(storage, { readOnly: true, clean: true, checkpoint })
    expect(baseOffsets(state)).toEqual([0])
    expect(await namesIn(storage, PARTITION)).toEqual(before)
  })
})
