/** When a log rolls, where it may have gaps, and what it says of a failure. */
import { expect, test } from 'vitest'
import { VarveError } from '../../src/errors.ts'
import { thrown } from '../helpers/logs.ts'
import { batchAt, storedLog } from '../helpers/stored-log.ts'

const NOTHING = { sizeBytes: 0, recordCount: 0 }
const BATCH = { start: 0, sizeBytes: 100, recordCount: 1, maxTimestamp: 0 }

test('a segment ends before an offset outgrows int32 as seen from its first one, however little it holds', async () => {
  const { log } = await storedLog([[batchAt(0)]])
  await log.active.open()
  const most = 0x7fffffff - 1
  expect(log.mustPrepare({ ...BATCH, recordCount: most }, NOTHING)).toBe(false)
  expect(log.mustPrepare({ ...BATCH, recordCount: most + 1 }, NOTHING)).toBe(true)
  expect(log.mustPrepare(BATCH, { ...NOTHING, recordCount: most - 1 })).toBe(false)
  expect(log.mustPrepare(BATCH, { ...NOTHING, recordCount: most })).toBe(true)
})

test('the first failure is told by all that comes after it, whatever failed', async () => {
  for (const first of [new VarveError('INVALID_RECORD', 'a fault'), new TypeError('a fault'), 'a fault']) {
    const { log } = await storedLog([[batchAt(0)]])
    const failure = log.fail(first)
    expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', cause: first })
    expect(failure.message).toContain('a fault')
    expect(log.fail(new Error('another one'))).toBe(failure)
    expect(thrown(() => log.throwIfFailed())).toBe(failure)
  }
})

test('behind a gap only an epoch begins that has skipped it, or of which nothing tells what it has skipped', async () => {
  const epochs = [
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 5, skippedFrom: 3 },
    { epoch: 2, startOffset: 9 },
  ]
  const { log } = await storedLog([[batchAt(0)]], { epochs })
  expect([2, 3, 4].map((end) => log.mayStartAfterGap(5, end))).toEqual([false, true, true])
  expect([0, 8].map((end) => log.mayStartAfterGap(9, end))).toEqual([true, true])
  expect(log.mayStartAfterGap(7, 6)).toBe(false)
})
