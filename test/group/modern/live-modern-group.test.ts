/** What is told is durable before it is told, and time passes. */
import { expect, test } from 'vitest'
import { internalsOf } from '../../../src/client/internals.ts'
import type { Varve } from '../../../src/client/varve.ts'
import type { VarveError } from '../../../src/errors.ts'
import type { HeartbeatRequest } from '../../../src/group/modern/modern-group.ts'
import { MemoryStorage } from '../../../src/storage/memory-storage.ts'
import { fakeLog, GROUP, ORDERS } from '../../helpers/consuming.ts'
import { FaultyStorage } from '../../helpers/faulty-storage.ts'
import { idle, openLog, rejection } from '../../helpers/logs.ts'
import { SyncGate } from '../../helpers/sync-gate.ts'

function heartbeat(log: Varve, memberId: string, said: Partial<HeartbeatRequest> = {}) {
  const who = { memberId, instanceId: null, rackId: null, clientId: 'test', clientHost: '/127.0.0.1' }
  const all = { rebalanceTimeoutMs: 60_000, topics: [ORDERS], pattern: null, assignor: null, owned: new Set<string>() }
  const request = { ...who, ...all, epoch: 0, requiresMemberId: true, ...said }
  return internalsOf('a test', log).coordinator.modernHeartbeat(GROUP, request)
}

const stateOf = async (log: Varve) => (await log.describeGroup(GROUP)).state

test('an answer waits for the disk, one that tells nothing new as well', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const { log } = await fakeLog(0, 2, { storage })
  await heartbeat(log, 'a')
  storage.syncGate = new SyncGate()
  const told: string[] = []
  const join = heartbeat(log, 'b').then(() => told.push('b'))
  const beat = heartbeat(log, 'a', { epoch: 2, topics: null }).then(() => told.push('a'))
  await idle(30)
  expect(told).toEqual([])
  storage.syncGate.open()
  await Promise.all([join, beat])
  expect(told).toEqual(['b', 'a'])
  await log.close()
})

test('what could not be stored is not told, and is stored with what comes next', async () => {
  const inner = new MemoryStorage()
  const storage = new FaultyStorage(inner)
  const { log } = await fakeLog(0, 2, { storage })
  await heartbeat(log, 'a')
  const isOffsets = (kind: string, path: string) => kind === 'write' && path.includes('__consumer_offsets')
  storage.failAt({ call: isOffsets, code: 'ENOSPC', sticky: true })
  expect((await rejection(heartbeat(log, 'b'))).code).toBe('DISK_FULL')
  expect((await rejection(heartbeat(log, 'a', { epoch: 2 }))).code).toBe('DISK_FULL')
  storage.clearFaults()
  await heartbeat(log, 'a', { epoch: 2 })
  const after = await openLog({ storage: inner.clone() })
  expect((await after.describeGroup(GROUP)).members.map(({ memberId }) => memberId)).toEqual(['a', 'b'])
  await after.close()
  await log.close()
})

test('members that are not heard of go by themselves, but not for the time that this process stood still', async () => {
  const { log, clock } = await fakeLog(0, 2)
  await heartbeat(log, 'a')
  expect(await stateOf(log)).toBe('Stable')
  const now = clock.monotonicMs.bind(clock)
  // it wakes ten minutes late
  clock.monotonicMs = () => now() + 600_000
  await clock.advanceSlowly(45_000)
  expect(await stateOf(log)).toBe('Stable')
  await clock.advanceSlowly(4_999)
  expect(await stateOf(log)).toBe('Stable')
  await clock.advanceSlowly(1)
  expect(await stateOf(log)).toBe('Empty')
  await log.close()
  expect(clock.timerCount).toBe(0)
})

test('who joins while the group is deleted comes again, and is not deleted with it', async () => {
  const inner = new MemoryStorage()
  const storage = new FaultyStorage(inner)
  const { log } = await fakeLog(0, 2, { storage })
  const commit = () => log.resetOffsets(GROUP, { offsets: [{ topic: ORDERS, partition: 0, offset: 0 }], dryRun: false })
  await commit()
  storage.syncGate = new SyncGate()
  const committing = commit()
  await idle(10)
  const deleting = log.deleteGroup(GROUP)
  await idle(10)
  const joining = heartbeat(log, 'a').catch((error: unknown) => error as VarveError)
  await idle(10)
  storage.syncGate.open()
  await Promise.all([committing, deleting])
  expect(await joining).toMatchObject({ code: 'COORDINATOR_NOT_AVAILABLE', retriable: true })
  await heartbeat(log, 'a')
  const after = await openLog({ storage: inner.clone() })
  expect((await after.describeGroup(GROUP)).members.map(({ memberId }) => memberId)).toEqual(['a'])
  await after.close()
  await log.close()
})
