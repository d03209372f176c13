/** What is kept of groups: it survives, it is what memory says, it is forgotten with its topic, and damage is never "nothing". */
import { describe, expect, test } from 'vitest'
import type { Varve } from '../../src/client/varve.ts'
import { GroupLog, type GroupImage } from '../../src/group/group-log.ts'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import {
  appendEach,
  committedBy,
  consumerOf,
  fakeLog,
  GROUP,
  ORDERS,
  ordersLog,
  take,
  until,
  untilLater,
} from '../helpers/consuming.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { changeFile, DIRECTORY, idle, namesIn, openLog, outcomesOf, rejection, segmentPath } from '../helpers/logs.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'
import { SyncGate } from '../helpers/sync-gate.ts'

const random = new SeededRandom()
const OFFSETS = '__consumer_offsets'
const PARTITION = offsetsPartitionFor(GROUP)
const at = (partition: number, offset: number) => ({ topic: ORDERS, partition, offset })

async function segmentsOf(log: Varve): Promise<{ sizeBytes: number }[]> {
  return log['engine'].topics.get(OFFSETS)!.partitions.map(({ log: { sizeBytes } }) => ({ sizeBytes }))
}

/** What every loaded partition of committed offsets holds in memory, and what replaying it gives. */
async function expectReplayed(log: Varve): Promise<void> {
  for (const loading of log['coordinator']['logs'].values()) {
    const live = await loading
    const replayed = new GroupLog(live.partition, log['engine'].clock)
    await replayed.replay()
    expect(JSON.stringify([...replayed.images].map(shown))).toBe(JSON.stringify([...live.images].map(shown)))
  }
}

function shown([groupId, { offsets, stored }]: [string, GroupImage]): unknown {
  return [
    groupId,
    [...offsets].map(([topic, partitions]) => [topic, [...partitions].sort(([a], [b]) => a - b)]),
    stored,
  ]
}

async function commitAs(log: Varve, groupId: string, offset: number, topic = ORDERS): Promise<void> {
  await log.resetOffsets(groupId, { offsets: [{ topic, partition: 0, offset }], dryRun: false })
}

test('memory is what a replay gives, after every kind of step, and so is what the next open finds', async () => {
  let storage = new MemoryStorage()
  let log = await ordersLog(6, 2, { storage })
  const reopen = async (how: 'closed' | 'killed' | 'cut') => {
    if (how === 'closed') await log.close()
    else storage = how === 'cut' ? storage.crash() : storage.clone()
    log = await openLog({ storage })
  }
  const steps: [string, () => Promise<unknown>][] = [
    ['a commit from outside', () => commitAs(log, GROUP, 2)],
    ['a member that joins', async () => take(consumerOf(log), 1)],
    [
      'a member that commits and goes',
      async () => {
        await appendEach(log, 1)
        const consumer = consumerOf(log)
        for await (const record of consumer) {
          await consumer.commit({ ...at(record.partition, record.offset), metadata: 'x' })
          await consumer.commit(record)
          break
        }
        await consumer.close()
      },
    ],
    [
      'offsets that are deleted',
      async () => {
        await commitAs(log, 'other', 2)
        await log.deleteOffsets('other', [{ topic: ORDERS, partition: 0 }])
      },
    ],
    [
      'a group that is deleted',
      async () => {
        await commitAs(log, 'gone', 2)
        await log.deleteGroup('gone')
      },
    ],
    [
      'a topic that is deleted',
      async () => {
        await log.createTopic({ name: 'refunds' })
        await commitAs(log, GROUP, 0, 'refunds')
        await log.deleteTopic('refunds')
      },
    ],
  ]
  for (const [name, step] of steps) {
    for (const how of ['closed', 'killed', 'cut'] as const) {
      await step()
      await idle(20)
      await expectReplayed(log)
      const groups = (await log.listGroups()).map(({ groupId }) => groupId)
      const committed = await committedBy(log)
      await reopen(how)
      expect(
        (await log.listGroups()).map(({ groupId }) => groupId),
        `${name}, ${how}`,
      ).toEqual(groups)
      expect(await committedBy(log), `${name}, ${how}`).toEqual(committed)
      await idle(20)
      await expectReplayed(log)
    }
  }
  await log.close()
})

test('members of a process that was killed are gone at once: nobody waits for them, and nobody sees them', async () => {
  const storage = new MemoryStorage()
  const { log } = await fakeLog(3, 2, { storage })
  const consumers = [consumerOf(log), consumerOf(log, { instanceId: 'a' })]
  const runs = consumers.map((consumer) => consumer.run(() => {}))
  await until(() => consumers.every((consumer) => consumer.assignment().length === 1))
  const { generation } = await log.describeGroup(GROUP)
  for (const see of ['describe', 'list', 'consume', 'reset'] as const) {
    const again = await openLog({ storage: storage.clone() })
    if (see === 'describe') expect(await again.describeGroup(GROUP)).toMatchObject({ state: 'Empty', members: [] })
    if (see === 'list') expect(await again.listGroups()).toEqual([{ groupId: GROUP, state: 'Empty', members: 0 }])
    if (see === 'consume') {
      const consumer = consumerOf(again)
      await take(consumer, 1)
      expect((await again.describeGroup(GROUP)).generation).toBeGreaterThan(generation)
    }
    if (see === 'reset') await again.resetOffsets(GROUP, { to: 'latest', topics: [ORDERS], dryRun: false })
    await again.close()
  }
  await log.close()
  await Promise.all(runs)
})

/** As if so many commits had been made that they fill segments. */
function makeSegmentsSmall(log: Varve): void {
  const topic = log['engine'].topics.get(OFFSETS)!
  const config = { ...topic.record.config, segmentBytes: 1_000, deleteRetentionMs: 1_000 }
  topic.configure({ ...topic.record, config }, {})
}

describe('a reader beside the writer', () => {
  test('sees what is stored, as it grows', async () => {
    const storage = new MemoryStorage()
    const { log } = await fakeLog(6, 2, { storage })
    const reader = await openLog({ storage, readOnly: true })
    expect(await reader.listGroups()).toEqual([])
    expect((await rejection(reader.describeGroup(GROUP))).code).toBe('GROUP_ID_NOT_FOUND')
    await commitAs(log, GROUP, 1)
    const beside = await openLog({ storage, readOnly: true })
    expect(await committedBy(beside)).toEqual([1, null])
    const consumer = consumerOf(log)
    await take(consumer, 1)
    await until(() => consumer.assignment().length === 2)
    for (const offset of [2, 5, 3]) {
      await consumer.commit([at(0, offset), at(1, offset)])
      // of two looks at a time neither brings back what the other has replaced
      const looks = await Promise.all([beside.describeGroup(GROUP), beside.describeGroup(GROUP), committedBy(beside)])
      expect(looks[0]).toMatchObject({ state: 'Stable', assignor: 'cooperative-sticky' })
      expect(looks[1].offsets.map(({ committed }) => committed)).toEqual([offset, offset])
      expect(looks[2]).toEqual([offset, offset])
    }
    const refused = [
      beside.resetOffsets(GROUP, { to: 'latest', dryRun: false }),
      beside.deleteGroup(GROUP),
      beside.deleteOffsets(GROUP, [{ topic: ORDERS, partition: 0 }]),
      beside.createTopic({ name: 'new' }),
    ]
    expect(await outcomesOf(refused)).toEqual(Array(4).fill('READ_ONLY'))
    await Promise.all([reader.close(), beside.close()])
    await log.close()
  })
})

describe('compaction', () => {
  const neighbour = Array.from({ length: 1_000 }, (_, i) => `neighbour-${i}`).find(
    (groupId) => offsetsPartitionFor(groupId) === PARTITION,
  )!

  /** What a log holds of the groups, members and all. */
  async function keptIn(storage: MemoryStorage): Promise<string> {
    const reader = await openLog({ storage, readOnly: true })
    await reader.listGroups()
    const { images } = (await reader['coordinator']['logs'].get(PARTITION))!
    await reader.close()
    return JSON.stringify([...images].sort(([a], [b]) => (a < b ? -1 : 1)).map(shown))
  }

  test('goes on by itself, and leaves the latest of everything, for whoever reads it then', async () => {
    const storage = new MemoryStorage()
    const { log, clock } = await fakeLog(6, 2, { storage })
    await commitAs(log, neighbour, 1)
    makeSegmentsSmall(log)
    const reader = await openLog({ storage, readOnly: true })
    const consumer = consumerOf(log)
    await take(consumer, 1)
    for (let i = 0; i < 100; i++) {
      await consumer.commit([at(0, i % 6), { ...at(1, (i + 1) % 7), metadata: `commit ${i}` }])
      if (i % 30 === 0) expect(await committedBy(reader)).toEqual([i % 6, (i + 1) % 7])
    }
    const before = await keptIn(storage)
    const [{ sizeBytes }] = await segmentsOf(log)
    await clock.advanceSlowly(15_000)
    await until(async () => (await segmentsOf(log))[0].sizeBytes < sizeBytes / 4, 'a compaction')
    await idle(20)
    expect(await keptIn(storage)).toBe(before)
    await expectReplayed(log)
    expect(await committedBy(reader)).toEqual([3, 2])
    expect(await committedBy(reader, neighbour)).toEqual([1, null])
    const killed = storage.clone()
    await log.close()
    await reader.close()
    for (const disk of [killed, storage]) {
      const again = await openLog({ storage: disk })
      expect(again.recovery.damage).toEqual([])
      expect(await committedBy(again)).toEqual([3, 2])
      expect(await committedBy(again, neighbour)).toEqual([1, null])
      await again.close()
    }
  })

  test('of a deletion that a reader beside the writer has not seen yet: it sees that the group is gone', async () => {
    const storage = new MemoryStorage()
    const { log, clock } = await fakeLog(6, 2, { storage, compactionCheckMs: 2 ** 31 - 1 })
    await commitAs(log, GROUP, 2)
    makeSegmentsSmall(log)
    const reader = await openLog({ storage, readOnly: true })
    expect(await committedBy(reader)).toEqual([2, null])
    await log.deleteGroup(GROUP)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) await commitAs(log, neighbour, i % 6)
      await log.compact()
      clock.advance(2_000)
    }
    expect((await reader.listGroups()).map(({ groupId }) => groupId)).toEqual([neighbour])
    expect(await committedBy(reader, neighbour)).toEqual([1, null])
    await reader.close()
    await log.close()
  })
})

test(`a reader beside a writer that compacts hears of no damage, and finds what is committed (${random.seed})`, async () => {
  const storage = new MemoryStorage()
  const log = await openLog({ storage })
  await log.createTopic({ name: ORDERS })
  await log.appendBatch(
    ORDERS,
    Array.from({ length: 10_000 }, (_, value) => ({ value })),
  )
  await commitAs(log, GROUP, 0)
  makeSegmentsSmall(log)
  let [begun, done, isOver] = [0, 0, false]
  const writing = (async () => {
    while (!isOver) {
      for (let i = 0; i < 10; i++) {
        await commitAs(log, GROUP, ++begun)
        done = begun
      }
      await log.compact()
      await idle(random.below(3))
    }
  })()
  const slow = new GatedReads(storage)
  slow.gate = () => (random.chance(0.3) ? idle(random.below(4)) : undefined)
  const kept = await openLog({ storage: slow, readOnly: true })
  for (let i = 0; i < 40; i++) {
    const before = done
    const reader = random.chance(0.3) ? await openLog({ storage: slow, readOnly: true }) : kept
    const [{ committed }] = (await reader.describeGroup(GROUP)).offsets
    expect(committed).toBeGreaterThanOrEqual(before)
    expect(committed).toBeLessThanOrEqual(begun)
    if (reader !== kept) await reader.close()
  }
  await kept.close()
  isOver = true
  await writing
  await log.close()
}, 60_000)

test('what cannot be read at the moment is no damage, and nothing may be given up for it', async () => {
  const storage = new FaultyStorage(new MemoryStorage())
  const log = await ordersLog(3, 1, { storage })
  await commitAs(log, GROUP, 2)
  await log.close()
  const again = await openLog({ storage })
  storage.failAt({ call: (kind, path) => kind === 'read' && path.includes(OFFSETS), code: 'EIO', sticky: true })
  const error = await rejection(again.lag(GROUP))
  expect(error.code).toBe('KAFKA_STORAGE_ERROR')
  expect(error.message).not.toContain('deleteRecords')
  const given = rejection(again.deleteRecords(OFFSETS, { partition: PARTITION, beforeOffset: 1 }))
  expect((await given).code).toBe('INVALID_TOPIC_EXCEPTION')
  storage.clearFaults()
  expect(await committedBy(again)).toEqual([2])
  await again.close()
})

describe('the internal topic', () => {
  test('is hidden, is changed by nobody else, and has only the partitions that are used', async () => {
    const storage = new MemoryStorage()
    const log = await ordersLog(1, 1, { storage })
    const partitionsMade = async () => (await namesIn(storage, DIRECTORY)).filter((name) => name.startsWith(OFFSETS))
    await log.listGroups()
    expect(await outcomesOf([log.describeGroup('no'), log.lag('no'), log.deleteGroup('no')])).toEqual(
      Array(3).fill('GROUP_ID_NOT_FOUND'),
    )
    await outcomesOf([
      log.deleteOffsets('no', [{ topic: ORDERS, partition: 0 }]),
      log.resetOffsets('no', { to: 'latest' }),
    ])
    await consumerOf(log, { groupId: 'never consumed' }).close()
    expect(await partitionsMade()).toEqual([])
    await commitAs(log, GROUP, 1)
    expect(await partitionsMade()).toEqual([`${OFFSETS}-${PARTITION}`])
    expect((await log.listTopics()).map(({ name }) => name)).toEqual([ORDERS])
    const refused = [
      log.append(OFFSETS, { value: 'x', partition: PARTITION }),
      log.appendBatch(OFFSETS, [{ value: 'x', partition: PARTITION }]),
      log.alterTopic(OFFSETS, { retentionMs: 1 }),
      log.deleteTopic(OFFSETS),
      log.createTopic({ name: OFFSETS }),
      log.createPartitions(OFFSETS, 60),
      log.deleteRecords(OFFSETS, { partition: PARTITION, beforeOffset: 1 }),
    ]
    expect(await outcomesOf(refused)).toEqual(Array(7).fill('INVALID_TOPIC_EXCEPTION'))
    expect(await committedBy(log)).toEqual([1])
    await log.close()
  })
})

describe('a topic that is deleted', () => {
  test('takes the offsets of all groups with it: one of its name begins anew', async () => {
    const log = await ordersLog(5)
    for (const group of [GROUP, 'a', 'b', 'c']) await commitAs(log, group, 3)
    await log.deleteTopic(ORDERS)
    expect(await log.listGroups()).toEqual([])
    await log.createTopic({ name: ORDERS })
    await appendEach(log, 2)
    expect(await take(consumerOf(log), 2)).toEqual(['0/0', '0/1'])
    await log.close()
  })

  test('creating one that is there already changes nothing', async () => {
    const log = await ordersLog(5)
    await commitAs(log, GROUP, 3)
    expect((await rejection(log.createTopic({ name: ORDERS }))).code).toBe('TOPIC_ALREADY_EXISTS')
    expect(await committedBy(log)).toEqual([3])
    await log.close()
  })

  test('and a stop between the two: the offsets are forgotten before there is another one', async () => {
    const storage = new FaultyStorage(new MemoryStorage())
    const log = await ordersLog(5, 1, { storage })
    await commitAs(log, GROUP, 3)
    const offsetsLog = (kind: string, path: string) => kind === 'write' && path.includes(OFFSETS)
    storage.failAt({ call: offsetsLog, code: 'ENOSPC', sticky: true })
    // the topic is gone all the same
    await log.deleteTopic(ORDERS)
    const again = await openLog({ storage: (storage.inner as MemoryStorage).clone() })
    expect(await again.listTopics()).toEqual([])
    await again.createTopic({ name: ORDERS })
    await appendEach(again, 5)
    expect(await take(consumerOf(again), 2)).toEqual(['0/0', '0/1'])
    await again.close()
    storage.clearFaults()
    await log.close()
  })

  test('and a commit on its way: it is forgotten too', async () => {
    const storage = new MemoryStorage()
    const log = await ordersLog(5, 1, { storage })
    const consumer = consumerOf(log)
    await take(consumer, 1)
    await until(() => consumer.assignment().length === 1)
    const gate = new SyncGate()
    // everything but the commit goes on
    storage.syncDelay = (path) => (path.includes(OFFSETS) ? gate.pass(path) : undefined)
    const commit = consumer.commit(at(0, 3))
    await gate.arrived()
    const deleting = log.deleteTopic(ORDERS)
    await until(async () => (await log.listTopics()).length === 0)
    await idle(50)
    gate.open()
    await commit
    await deleting
    expect((await log['coordinator'].image(GROUP))?.offsets).toEqual(new Map())
    await consumer.close()
    await log.close()
  })
})

describe('damage', () => {
  /** A group with three commits, of which the second is damaged. */
  async function damaged() {
    const storage = new MemoryStorage()
    const log = await ordersLog(5, 1, { storage })
    for (const offset of [1, 2, 3]) await commitAs(log, GROUP, offset)
    await log.close()
    const path = segmentPath(OFFSETS, PARTITION, 0, '.log')
    await changeFile(storage, path, (bytes) => {
      bytes[Math.floor(bytes.length / 2)] ^= 1
    })
    return storage
  }

  test('is an error to everybody who asks, and never "no offset"; other groups go on', async () => {
    const storage = await damaged()
    const log = await openLog({ storage })
    for (let time = 0; time < 2; time++) {
      const asked = [
        log.describeGroup(GROUP),
        log.lag(GROUP),
        log.listGroups(),
        log.resetOffsets(GROUP, { to: 'latest', topics: [ORDERS] }),
      ]
      expect(await outcomesOf(asked)).toEqual(Array(4).fill('CORRUPT_MESSAGE'))
      const consumer = consumerOf(log)
      expect((await rejection(take(consumer, 1))).code).toBe('CORRUPT_MESSAGE')
      await consumer.close()
    }
    const other = Array.from({ length: 60 }, (_, i) => `group${i}`).find((id) => offsetsPartitionFor(id) !== PARTITION)!
    expect(await take(consumerOf(log, { groupId: other }), 1)).toEqual(['0/0'])
    await log.close()
    const reader = await openLog({ storage, readOnly: true })
    expect((await rejection(reader.lag(GROUP))).code).toBe('CORRUPT_MESSAGE')
    await reader.close()
  })

  test('is got rid of as the message says: what came after it counts', async () => {
    const log = await openLog({ storage: await damaged() })
    const { message } = await rejection(log.lag(GROUP))
    const advice = /log\.deleteRecords\('__consumer_offsets', \{ partition: (\d+), beforeOffset: (\d+) \}\)/.exec(
      message,
    )!
    await log.deleteRecords(OFFSETS, { partition: Number(advice[1]), beforeOffset: Number(advice[2]) })
    expect(await committedBy(log)).toEqual([3])
    expect(await take(consumerOf(log), 1)).toEqual(['0/3'])
    // from now on it is nobody's to change
    const again = rejection(log.deleteRecords(OFFSETS, { partition: PARTITION, beforeOffset: 1 }))
    expect((await again).code).toBe('INVALID_TOPIC_EXCEPTION')
    await log.close()
  })

  test('every byte that is flipped is found, or is of no account', async () => {
    const storage = new MemoryStorage()
    const log = await ordersLog(5, 1, { storage })
    for (const offset of [1, 2]) await commitAs(log, GROUP, offset)
    await log.close()
    const path = segmentPath(OFFSETS, PARTITION, 0, '.log')
    const { length } = await storage.readFile(path)
    for (let byte = 0; byte < length; byte += 3) {
      const disk = storage.clone()
      await changeFile(disk, path, (bytes) => {
        bytes[byte] ^= 0x10
      })
      const again = await openLog({ storage: disk })
      const result = await committedBy(again).then(
        (committed) => committed.join(),
        (error: { code: string }) => error.code,
      )
      expect(['2', 'CORRUPT_MESSAGE'], `byte ${byte}`).toContain(result)
      await again.close()
    }
  })
})

describe('offsetsRetentionMs', () => {
  const retention = { offsetsRetentionMs: 86_400_000 }

  test('takes the offsets of groups that have had no members for so long, and of no others', async () => {
    const { log, clock } = await fakeLog(3, 1, { groups: retention })
    await commitAs(log, 'outsider', 2)
    const member = consumerOf(log)
    const run = member.run(() => {})
    await untilLater(clock, () => member.assignment().length === 1)
    const left = consumerOf(log, { groupId: 'left' })
    const leaving = left.run(() => {})
    await untilLater(clock, () => left.assignment().length === 1)
    await clock.advanceSlowly(50_000_000)
    await left.close()
    await leaving
    await clock.advanceSlowly(40_000_000)
    await idle(20)
    expect((await log.listGroups()).map(({ groupId }) => groupId)).toEqual([GROUP, 'left'])
    await clock.advanceSlowly(50_000_000)
    await idle(20)
    expect(await log.listGroups()).toEqual([{ groupId: GROUP, state: 'Stable', members: 1 }])
    expect(await committedBy(log)).toEqual([3])
    await log.close()
    await run
    expect(clock.timerCount).toBe(0)
  })

  test('never takes a commit that is on its way', async () => {
    const gate = new SyncGate()
    gate.open()
    const storage = new FaultyStorage(new MemoryStorage())
    storage.syncGate = gate
    const { log, clock } = await fakeLog(3, 2, { groups: retention, storage })
    await commitAs(log, GROUP, 1)
    await clock.advanceSlowly(86_400_000 - 600_000)
    gate.close()
    clock.advance(600_001)
    const commit = commitAs(log, GROUP, 2)
    await gate.arrived()
    const expiry = log['coordinator'].expireOffsets()
    await idle(5)
    gate.open()
    await Promise.all([commit, expiry])
    expect(await committedBy(log)).toEqual([2, null])
    await log.close()
  })

  test('is off by default: nothing is taken', async () => {
    const { log, clock } = await fakeLog(3)
    await commitAs(log, GROUP, 2)
    clock.advance(10 * 365 * 86_400_000)
    await idle(20)
    expect(await committedBy(log)).toEqual([2])
    await log.close()
  })
})
