/** What goes on by itself: what is told of it when it fails, and how it ends. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { idle, openLog } from '../helpers/logs.ts'

/** A topic with several segments of which retention keeps the last, looked at every second. */
async function retained(partitions = 1) {
  const clock = new FakeClock()
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await openLog({ storage, clock, retentionCheckMs: 1000, compactionCheckMs: 2 ** 31 - 1 })
  await log.createTopic({ name: 't', partitions, valueCodec: 'bytes', segmentBytes: 500, retentionBytes: 0 })
  const fill = async () => {
    for (let i = 0; i < 8 * partitions; i++)
      await log.append('t', { value: Buffer.alloc(200), partition: i % partitions })
  }
  await fill()
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warnings.mockRestore())
  return { clock, storage, log, warnings, fill }
}

test('a failure that goes on is told once, and again when it comes back', async () => {
  const { clock, storage, log, warnings, fill } = await retained()
  const fail = () => storage.failAt({ call: (kind) => kind === 'write', code: 'EIO', sticky: true, takesEffect: false })
  const round = async () => {
    clock.advance(1000)
    await idle(30)
  }
  const restore = fail()
  await round()
  await round()
  expect(warnings).toHaveBeenCalledTimes(1)
  restore()
  await round()
  await fill()
  fail()
  await round()
  expect(warnings).toHaveBeenCalledTimes(2)
  storage.clearFaults()
  await log.close()
})

test('a partition that is closed meanwhile is no failure of retention', async () => {
  const { storage, log } = await retained(2)
  const [, second] = log['engine'].topic('t').partitions
  const closing: Promise<void>[] = []
  storage.failAt({
    call: (kind) => {
      if (kind === 'removeFile' && closing.length === 0)
        closing.push(second.close(new VarveError('CLOSED', 'it is closed')))
      return false
    },
    code: 'EIO',
  })
  await log.enforceRetention()
  await Promise.all(closing)
  expect(closing.length).toBeGreaterThan(0)
  expect(log.offsets('t').map(({ logStartOffset }) => logStartOffset > 0)).toEqual([true, false])
})

test('a round that is under way when the log is closed is the last one, and no failure', async () => {
  const { clock, storage, log, warnings } = await retained()
  const closing: Promise<void>[] = []
  storage.failAt({
    call: (kind) => {
      if (kind === 'removeFile' && closing.length === 0) closing.push(log.close())
      return false
    },
    code: 'EIO',
  })
  clock.advance(1000)
  await idle(30)
  expect(closing).toHaveLength(1)
  await closing[0]
  expect(clock.timerCount).toBe(0)
  expect(warnings).not.toHaveBeenCalled()
})
