/**
 * A process is killed at every storage call, the next one goes on with what it finds, and then the power goes: what the
 * killed one had not synced yet must have been made durable by the next before it built on it.
 */
import { expect, test } from 'vitest'
import { Varve } from '../../src/client/varve.ts'
import type { Flush } from '../../src/engine/flush.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { FakeClock } from '../helpers/fake-clock.ts'
import { ObservedStorage } from '../helpers/observed-storage.ts'
import { powerCuts } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const DIRECTORY = '/home/user/events'

async function openOn(storage: Storage): Promise<Varve> {
  const log = await Varve.open({ directory: DIRECTORY, storage, clock: new FakeClock() })
  return log
}

/** Starts a log, or goes on with one, far enough to have segments in two partitions; returns what was acknowledged. */
async function use(log: Varve, run: string): Promise<string[]> {
  const acknowledged: string[] = []
  if (!(await log.listTopics()).some(({ name }) => name === 't')) {
    await log.createTopic({ name: 't', partitions: 1, segmentBytes: 200, valueCodec: 'string' })
  }
  if ((await log.describeTopic('t')).partitions.length === 1) await log.createPartitions('t', 2)
  for (let i = 0; i < 4; i++) {
    const value = `${run} ${i} ${'.'.repeat(60)}`
    await log.append('t', { partition: i % 2, value })
    acknowledged.push(value)
  }
  return acknowledged
}

async function valuesIn(storage: Storage): Promise<unknown[]> {
  const log = await openOn(storage)
  const values: unknown[] = []
  for await (const { value } of log.read('t')) values.push(value)
  expect(log.recovery.damage.filter(({ path }) => !path.includes('/checkpoint-'))).toEqual([])
  await log.close()
  return values
}

test('nothing that was acknowledged after a kill hangs on what the killed process had not synced', async () => {
  const random = new SeededRandom(1)
  let states = 0
  for (const flush of ['group', 'os'] satisfies Flush[]) {
    const kills: { call: string; disk: MemoryStorage; acknowledged: string[] }[] = []
    const disk = new MemoryStorage()
    let acknowledged: string[] = []
    const storage = new ObservedStorage(disk, (call, path) =>
      kills.push({ call: `${call} ${path}`, disk: disk.clone(), acknowledged }),
    )
    const log = await openOn(storage)
    acknowledged = await use(log, `first ${flush}`)
    await log.alterTopic('t', { flush })
    acknowledged = [...acknowledged, ...(await use(log, `second ${flush}`))]
    await log.close()
    for (const { call, disk: killed, acknowledged: before } of kills) {
      const next = await openOn(killed)
      const after = await use(next, 'after the kill')
      await next.flush()
      for (const { name, options } of powerCuts(killed, random, 2)) {
        states += 1
        const found = await valuesIn(killed.crash(options))
        const missing = [...before, ...after].filter((value) => !found.includes(value))
        expect(missing, `${flush}: killed after ${call}, then a power cut, ${name}`).toEqual([])
      }
    }
  }
  expect(states).toBeGreaterThan(200)
})
