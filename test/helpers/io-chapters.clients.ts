/** Scripts of those who read: consumers that commit, readers, and another process beside. */
import type { Consumer } from '../../src/client/consumer.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { FILLER, prepared, SMALL, withLog } from './io-chapters.ts'
import type { Chapter, Scene } from './io-run.ts'

const GROUP = 'billing'
const OTHER = 'audit'
/** Who waits for room on the disk waits for ever where there is none. */
const PATIENCE_MS = 20_000

const groups: Chapter = {
  name: 'groups',
  prepare: () =>
    prepared((scene) =>
      withLog(scene, async (log) => {
        await scene.ledger.createTopic(log, { name: 'orders', partitions: 2 })
        for (const partition of [0, 1]) await scene.ledger.append(log, 'orders', partition, ['a', 'b'])
      }),
    ),
  run: (scene) =>
    withLog(scene, async (log) => {
      const { ledger } = scene
      await commitByHand(scene, log)
      await ledger.append(log, 'orders', 0, ['c'])
      await ledger.append(log, 'orders', 1, ['d'])
      await commitByItself(scene, log)
      await ledger.attempt('lag', async () => (await log.lag(GROUP)).map(({ lag }) => lag))
      const partitions = [0, 1].map((partition) => ({ topic: 'orders', partition }))
      const other = partitions.map(({ partition }) => ledger.triedToCommit(OTHER, 'orders', partition, 0))
      await ledger.attempt('reset', async () => {
        await log.resetOffsets(OTHER, { to: 'earliest', topics: ['orders'], dryRun: false })
        for (const fact of other) fact.ackedAt = ledger.now + 1
      })
      const one = ledger.triedToCommit(GROUP, 'orders', 0, null)
      await ledger.attempt('delete an offset', async () => {
        await log.deleteOffsets(GROUP, [partitions[0]])
        one.ackedAt = ledger.now + 1
      })
      const all = partitions.map(({ partition }) => ledger.triedToCommit(OTHER, 'orders', partition, null))
      await ledger.attempt('delete a group', async () => {
        await log.deleteGroup(OTHER)
        for (const fact of all) fact.ackedAt = ledger.now + 1
      })
    }),
}

/** Closes a consumer that has waited for too long; the returned function takes that back. */
function limit({ clock }: Scene, consumer: Consumer): () => void {
  return clock.setTimer(PATIENCE_MS, () => void consumer.close().catch(() => {}))
}

async function commitByHand(scene: Scene, log: Varve): Promise<void> {
  const { ledger } = scene
  const consumer = log.consumer({ groupId: GROUP, topics: ['orders'] })
  const cancel = limit(scene, consumer)
  await ledger.attempt('consume', async () => {
    let count = 0
    for await (const record of consumer) {
      await ledger.commit(consumer, GROUP, record)
      if (++count === 4) break
    }
  })
  cancel()
  await ledger.attempt('close the consumer', () => consumer.close())
}

async function commitByItself(scene: Scene, log: Varve): Promise<void> {
  const { ledger } = scene
  const consumer = log.consumer({ groupId: GROUP, topics: ['orders'] })
  const cancel = limit(scene, consumer)
  const last = new Map<number, ReturnType<typeof ledger.triedToCommit>>()
  const isAllHandled = () => [...last.values()].every(({ offset }) => offset === 3) && last.size === 2
  await ledger.attempt('run', async () => {
    await consumer.run(({ topic, partition, offset }: ConsumerRecord) => {
      last.set(partition, ledger.triedToCommit(GROUP, topic, partition, offset + 1))
      if (isAllHandled()) void consumer.close().catch(() => {})
    })
    // without an error everything that was handled is committed
    for (const fact of last.values()) fact.ackedAt = ledger.now + 1
  })
  cancel()
  await ledger.attempt('close the other consumer', () => consumer.close())
}

const readers: Chapter = {
  name: 'readers',
  prepare: () =>
    prepared((scene) =>
      withLog(scene, async (log) => {
        await scene.ledger.createTopic(log, { name: 'events', ...SMALL })
        await scene.ledger.createTopic(log, { name: 'tail', flush: { ms: 10 } })
        for (let i = 0; i < 4; i++) {
          scene.clock.advance(1_000)
          await scene.ledger.append(log, 'events', 0, [FILLER, FILLER])
        }
      }),
    ),
  run: (scene) =>
    withLog(scene, async (log) => {
      const { ledger, clock } = scene
      const read = (options: Parameters<Varve['read']>[1]) =>
        ledger.read(log, 'events', () => log.read('events', options), { partly: true })
      await read({ partition: 0, from: 3 })
      await read({ from: { timestamp: clock.now() + 2_500 } })
      await read({ order: 'time' })
      await Promise.all([follow(scene, log), ledger.append(log, 'events', 0, ['followed'])])
      await beside(scene, log)
      await ledger.attempt('batches', async () => {
        let count = 0
        for await (const batch of log.readBatches('events')) count += batch.recordCount
        return count
      })
    }),
}

/** Reads up to the record that is appended meanwhile; or as long as there is patience for. */
async function follow({ ledger, clock }: Scene, log: Varve): Promise<void> {
  const aborted = new AbortController()
  const cancel = clock.setTimer(PATIENCE_MS, () => aborted.abort())
  await ledger.attempt('follow', async () => {
    try {
      for await (const record of log.read('events', { partition: 0, from: 6, follow: true, signal: aborted.signal })) {
        if (record.offset === 8) break
      }
    } catch (error) {
      if (!aborted.signal.aborted) throw error
    }
  })
  cancel()
}

/** Another process reads what this one writes, the first time and when there is more. */
async function beside({ ledger, open }: Scene, log: Varve): Promise<void> {
  let other: Varve | null = null
  await ledger.attempt('open beside', async () => void (other = await open({ readOnly: true })))
  if (other === null) return
  const reader: Varve = other
  await ledger.read(reader, 'events')
  await ledger.append(log, 'tail', 0, ['written'])
  await ledger.read(reader, 'tail')
  await ledger.attempt('close beside', () => reader.close())
}

export const CLIENT_CHAPTERS: readonly Chapter[] = [groups, readers]
