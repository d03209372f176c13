/** How offsets are reserved ahead: in good time, once, and again after a failure. */
import { expect, test } from 'vitest'
import { OffsetReservation, RESERVATION_OFFSETS } from '../../src/engine/offset-reservation.ts'
import type { PartitionLog } from '../../src/storage/partition-log.ts'
import { idle, outcomesOf } from '../helpers/logs.ts'

/** A reservation whose stores end when the test says so. */
function slowReservation() {
  const log = { logEndOffset: 0, reservedOffset: 0, reservationUnderWay: 0 }
  const stores: { resolve: () => void; reject: (error: Error) => void }[] = []
  const store = () => new Promise<void>((resolve, reject) => stores.push({ resolve, reject }))
  return { log, stores, reservation: new OffsetReservation(log as PartitionLog, store) }
}

/** One whose next store is under way in the background: more than half of the offsets are used up. */
async function halfUsed() {
  const slow = slowReservation()
  const first = slow.reservation.cover(1)
  await idle()
  slow.stores[0].resolve()
  await first
  expect(slow.log.reservedOffset).toBe(1 + RESERVATION_OFFSETS)
  slow.log.logEndOffset = slow.log.reservedOffset - 10
  await slow.reservation.cover(1)
  expect(slow.stores).toHaveLength(2)
  return slow
}

test('what the store under way covers is not stored again', async () => {
  const { log, stores, reservation } = await halfUsed()
  let isCovered = false
  const covered = reservation.cover(11).then(() => (isCovered = true))
  await idle()
  expect(isCovered).toBe(false)
  stores[1].resolve()
  await covered
  expect(stores).toHaveLength(2)
  expect(log.reservedOffset).toBeGreaterThanOrEqual(log.logEndOffset + 11)
})

test('one that fails in the background shows when it is needed, and is tried again then', async () => {
  const { log, stores, reservation } = await halfUsed()
  const covered = outcomesOf([reservation.cover(11)])
  stores[1].reject(new Error('EIO'))
  await idle()
  expect(stores).toHaveLength(3)
  stores[2].reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  expect(await covered).toEqual(['ENOSPC'])
  expect(log.reservedOffset).toBeLessThan(log.logEndOffset + 11)
})

test('idle waits for the store under way, also where it fails', async () => {
  const { stores, reservation } = await halfUsed()
  let isIdle = false
  const waiting = reservation.idle().then(() => (isIdle = true))
  await idle()
  expect(isIdle).toBe(false)
  stores[1].reject(new Error('EIO'))
  await waiting
})
