import { expect, test } from 'vitest'
import { MemoryStorage, Varve } from '../../src/index.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const VALUE = Buffer.from('a record')
const TURN = () => new Promise((resolve) => setImmediate(resolve))

/** A log with a window of 10 ms on a disk whose syncs wait at a gate, with one record that is durable already. */
async function openGated() {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const gate = new SyncGate()
  const log = await Varve.open({ directory: '/events', flush: { ms: 10 }, storage, clock })
  await log.createTopic({ name: 't', valueCodec: 'bytes' })
  await log.append('t', { value: VALUE })
  await log.flush()
  storage.syncDelay = (path) => gate.pass(path)
  return { storage, clock, gate, log }
}

test('flush waits for a sync that fell due while it waited for the one before', async () => {
  const { storage, clock, gate, log } = await openGated()
  await log.append('t', { value: VALUE })
  clock.advance(5)
  await gate.arrived()
  await log.append('t', { value: VALUE })
  const flushed = log.flush().then(() => log.offsets('t')[0].durableOffset)
  await TURN()
  clock.advance(6)
  gate.release()
  await gate.arrived()
  expect(await Promise.race([flushed, TURN()])).toBe(undefined)
  gate.open()
  expect(await flushed).toBe(3)
  storage.syncDelay = undefined
  await log.close()
})

test('a record whose write outlasts the window is durable before it is acknowledged', async () => {
  const { clock, gate, log } = await openGated()
  gate.open()
  await log.append('t', { value: VALUE })
  expect(log.offsets('t')[0]).toMatchObject({ logEndOffset: 2, durableOffset: 1 })
  // the clock jumps between the look at the window and the acknowledgement, as when a write blocks
  const monotonicMs = clock.monotonicMs.bind(clock)
  let looks = 0
  clock.monotonicMs = () => monotonicMs() + (looks++ < 2 ? 0 : 20)
  const { offset } = await log.append('t', { value: VALUE })
  expect(log.offsets('t')[0].durableOffset).toBe(offset + 1)
  await log.close()
})
