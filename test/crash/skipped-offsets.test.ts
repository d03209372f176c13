/** Offsets that were acknowledged or read before a power cut go to no other record, whatever happens next. */
import { expect, test } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { CHECKPOINT_FILES, parseCheckpoint } from '../../src/storage/checkpoint.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { changeFile, DIRECTORY, idle, openLog, recordsOf, valuesOf } from '../helpers/logs.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

/** A disk whose power went after three records were acknowledged and read, of which none was durable. */
async function diskThatLostThree(): Promise<MemoryStorage> {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', flush: 'os', valueCodec: 'string' })
  for (const value of ['a', 'b', 'c']) await log.append('t', { value })
  expect(await valuesOf(log, 't')).toEqual(['a', 'b', 'c'])
  return disk.crash()
}

test('they are skipped, and stay so through closes in order, kills and power cuts while nothing stands behind them', async () => {
  let disk = await diskThatLostThree()
  for (const stop of ['close', 'kill', 'power cut', 'close', 'power cut', 'kill'] as const) {
    const log = await openLog({ storage: disk })
    expect(await valuesOf(log, 't')).toEqual([])
    expect(log.offsets('t')[0].logEndOffset, `after a ${stop}`).toBeGreaterThan(2)
    if (stop === 'close') await log.close()
    else disk = stop === 'kill' ? disk.clone() : disk.crash()
  }
})

test('they stay skipped when a checkpoint is written while the first record behind them is not durable', async () => {
  const disk = await diskThatLostThree()
  const storage = new FaultyStorage(disk)
  const log = await openLog({ storage })
  await log.alterTopic('t', { flush: 'group' })
  const gate = new SyncGate()
  storage.syncGate = { pass: (path: string) => (path.includes('/t-') ? gate.pass(path) : undefined) } as SyncGate
  const appending = log.append('t', { value: 'd' })
  await gate.arrived()
  await log.createTopic({ name: 'other' })
  await idle()
  const again = await openLog({ storage: disk.crash() })
  const { offset } = await again.append('t', { value: 'e' })
  expect(offset).toBeGreaterThan(2)
  const records = await recordsOf(again, 't')
  expect(records.map((record) => [record.offset, record.value])).toEqual([[offset, 'e']])
  await again.close()
  gate.open()
  await appending
  await log.close()
})

test.each([
  ['the first reservation', 1, 3],
  ['a later one', 30_000, 4],
])('they go to no other record where the newest checkpoint, with %s, is damaged as well', async (_, size, batches) => {
  const disk = new MemoryStorage()
  const log = await openLog({ storage: disk })
  await log.createTopic({ name: 't', flush: 'os', valueCodec: 'string' })
  const records = Array.from({ length: size }, () => ({ value: '' }))
  for (let batch = 0; batch < batches; batch++) await log.appendBatch('t', records)
  const { highWatermark } = log.offsets('t')[0]
  await idle()
  const cut = disk.crash()
  const paths = CHECKPOINT_FILES.map((name) => `${DIRECTORY}/${name}`)
  const found = await Promise.all(paths.map(async (path) => parseCheckpoint(await cut.readFile(path), path)!.sequence))
  await changeFile(cut, paths[found[0] > found[1] ? 0 : 1], (content) => void (content[200] ^= 1))
  const again = await openLog({ storage: cut })
  expect(again.recovery.damage).toHaveLength(1)
  expect((await again.append('t', { value: 'next' })).offset).toBeGreaterThanOrEqual(highWatermark)
  await again.close()
})

test('a reader that goes on from where it stopped before the power cut finds what comes next, and nothing twice', async () => {
  const disk = await diskThatLostThree()
  const log = await openLog({ storage: disk })
  for (const value of ['d', 'e']) await log.append('t', { value })
  for (let from = 0; from <= 3; from++) expect(await valuesOf(log, 't', { from })).toEqual(['d', 'e'])
  const epochs: number[] = []
  for await (const batch of log.readBatches('t')) epochs.push(batch.leaderEpoch)
  expect(epochs).toEqual([1, 1])
  await log.close()
})

test('a read under way when the first record behind them is appended does not take them for damage', async () => {
  const disk = new MemoryStorage()
  const before = await openLog({ storage: disk })
  await before.createTopic({ name: 't', flush: 'os', valueCodec: 'string' })
  await before.append('t', { value: 'a' })
  await before.flush()
  await before.append('t', { value: 'lost' })
  const storage = new GatedReads(disk.crash())
  const log = await openLog({ storage })
  // the indexes are loaded, which the append would wait for
  expect(await valuesOf(log, 't', { from: 1 })).toEqual([])
  const records = log.read('t', { from: 1, follow: true })
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  storage.gate = (path, kind) => {
    if (kind !== 'read' || !path.includes('/t-0/')) return undefined
    // the append has to read, too
    storage.gate = () => undefined
    return opened
  }
  const next = records.next()
  await idle()
  const { offset } = await log.append('t', { value: 'b' })
  expect(offset).toBeGreaterThan(1)
  open()
  expect((await next).value).toMatchObject({ offset, value: 'b' })
  await log.close()
})
