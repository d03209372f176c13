/** Fetch, and offsets by time and epoch. */
import { deleteRecords } from '../../../src/kafka/apis/delete-records.ts'
import { fetch } from '../../../src/kafka/apis/fetch.ts'
import { listOffsets } from '../../../src/kafka/apis/list-offsets.ts'
import { offsetForLeaderEpoch } from '../../../src/kafka/apis/offset-for-leader-epoch.ts'
import { produce } from '../../../src/kafka/apis/produce.ts'
import { clientBatch } from '../../helpers/client-batch.ts'
import { NO_TOPIC, produceTo } from './produce.ts'
import type { Partly, Scenario, World } from './world.ts'

type FetchPartition = Partly<{
  partition: number
  fetchOffset: number
  partitionMaxBytes: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
}>

/** Batches of 10 records; the one at offset 10 n has the time 1000 n. */
async function fill(world: World, name: string, batches: number): Promise<void> {
  for (let i = 0; i < batches; i++) {
    const batch = clientBatch(
      Array.from({ length: 10 }, (_, at) => `v${at}`),
      { baseTimestamp: i * 1_000 },
    )
    const { responses } = await world.quietly(produce, 9, { acks: -1, topicData: produceTo(name, batch) })
    const { errorCode } = responses[0].partitionResponses[0]
    if (errorCode !== 0) throw new Error(`${name} cannot be filled: ${errorCode}`)
  }
}

function fetchOf(topic: string, partitions: FetchPartition[], topicId?: string) {
  const asked = partitions.map((one) => ({ partitionMaxBytes: 1_000_000, ...one }))
  return [{ topic, topicId, partitions: asked }]
}

const sizes: Scenario = {
  name: 'Fetch, how much',
  async run(world) {
    await world.createTopic('f-size', 2)
    await fill(world, 'f-size', 4)
    const ask = (question: string, one: FetchPartition, more: object = {}, version = 11) =>
      world.ask(question, fetch, version, {
        maxWaitMs: 1,
        minBytes: 0,
        topics: fetchOf('f-size', [{ partition: 0, ...one }]),
        ...more,
      })
    for (const version of [4, 5, 7, 9, 11, 12]) await ask(`version ${version}`, { fetchOffset: 0 }, {}, version)
    await ask('inside a batch', { fetchOffset: 15 })
    await ask('the end', { fetchOffset: 40 })
    await ask('beyond the end', { fetchOffset: 41 })
    await ask('offset -1', { fetchOffset: -1 })
    await ask('one byte of a partition', { fetchOffset: 0, partitionMaxBytes: 1 })
    await ask('no byte of a partition', { fetchOffset: 0, partitionMaxBytes: 0 })
    await ask('-1 bytes of a partition', { fetchOffset: 0, partitionMaxBytes: -1 })
    await ask('one byte in all', { fetchOffset: 0 }, { maxBytes: 1 })
    await ask('no byte in all', { fetchOffset: 0 }, { maxBytes: 0 })
    await ask('one batch and a half', { fetchOffset: 0, partitionMaxBytes: 250 })
    await ask('read committed', { fetchOffset: 0 }, { isolationLevel: 1 })
    await ask('isolation 2', { fetchOffset: 0 }, { isolationLevel: 2 })
    await ask('as a replica', { fetchOffset: 0 }, { replicaId: 1 })
    await ask('as a replica that is not there', { fetchOffset: 0 }, { replicaId: 7 })
    await ask('as a debugging consumer', { fetchOffset: 0 }, { replicaId: -2 })
    await ask('leader epoch of now', { fetchOffset: 0, currentLeaderEpoch: 0 })
    await ask('a later leader epoch', { fetchOffset: 0, currentLeaderEpoch: 1 })
    await ask('partition 2', { partition: 2, fetchOffset: 0 })
    await ask('partition -1', { partition: -1, fetchOffset: 0 })
    await ask('last epoch 0', { fetchOffset: 20, lastFetchedEpoch: 0 }, {}, 12)
    await ask('last epoch 5', { fetchOffset: 20, lastFetchedEpoch: 5 }, {}, 12)
    const parts = fetchOf('f-size', [
      { partition: 0, fetchOffset: 0, partitionMaxBytes: 1 },
      { partition: 1, fetchOffset: 0 },
    ])
    await ask('two partitions, one empty', {}, { topics: parts })
    await ask(
      'a partition twice',
      {},
      {
        topics: fetchOf('f-size', [
          { partition: 0, fetchOffset: 0 },
          { partition: 0, fetchOffset: 30 },
        ]),
      },
    )
    await ask('unknown topic', {}, { topics: fetchOf('f-none', [{ partition: 0, fetchOffset: 0 }]) })
    await ask('no topic', {}, { topics: [] })
    await world.quietly(deleteRecords, 2, {
      timeoutMs: 5_000,
      topics: [{ name: 'f-size', partitions: [{ partitionIndex: 0, offset: 15 }] }],
    })
    await ask('before the start', { fetchOffset: 14 })
    await ask('the start', { fetchOffset: 15 })
  },
}

const byId: Scenario = {
  name: 'Fetch by id',
  async run(world) {
    const topicId = await world.createTopic('f-id')
    await fill(world, 'f-id', 1)
    const ask = (question: string, version: number, topics: ReturnType<typeof fetchOf>, more: object = {}) =>
      world.ask(question, fetch, version, { maxWaitMs: 1, minBytes: 0, topics, ...more })
    const zero = [{ partition: 0, fetchOffset: 0 }]
    for (const version of [13, 14, 15, 16, 17, 18]) await ask(`version ${version}`, version, fetchOf('', zero, topicId))
    await ask('unknown id', 17, fetchOf('', zero, NO_TOPIC))
    await ask('no id', 17, fetchOf('', zero))
    await ask('known and unknown', 17, [...fetchOf('', zero, topicId), ...fetchOf('', zero, NO_TOPIC)])
    await ask('another cluster', 17, fetchOf('', zero, topicId), { clusterId: 'another' })
  },
}

const sessions: Scenario = {
  name: 'Fetch sessions',
  async run(world) {
    await world.createTopic('f-session', 2)
    await fill(world, 'f-session', 2)
    const ask = (
      question: string,
      sessionId: number,
      sessionEpoch: number,
      topics: ReturnType<typeof fetchOf>,
      more: object = {},
    ) => world.ask(question, fetch, 11, { maxWaitMs: 1, minBytes: 0, sessionId, sessionEpoch, topics, ...more })
    const both = fetchOf(
      'f-session',
      [0, 1].map((partition) => ({ partition, fetchOffset: 0 })),
    )
    const begun = await ask('begins', 0, 0, both)
    const id = begun!.sessionId
    await ask('goes on where there is more', id, 1, [])
    await ask('goes on at the end', id, 2, fetchOf('f-session', [{ partition: 0, fetchOffset: 20 }]))
    await fill(world, 'f-session', 1)
    await ask('goes on with news', id, 3, [])
    await ask('epoch that was', id, 3, [])
    await ask('epoch too great', id, 9, [])
    await ask('goes on after wrong epochs', id, 4, fetchOf('f-session', [{ partition: 0, fetchOffset: 30 }]))
    await ask('forgets one', id, 5, [], { forgottenTopicsData: [{ topic: 'f-session', partitions: [0] }] })
    await ask('an unknown partition joins', id, 6, fetchOf('f-session', [{ partition: 7, fetchOffset: 0 }]))
    await ask('the unknown partition again', id, 7, [])
    await ask('an offset out of range joins', id, 8, fetchOf('f-session', [{ partition: 0, fetchOffset: 99 }]))
    await ask('the offset out of range again', id, 9, [])
    await ask('unknown session', id + 1, 1, [])
    await ask('session 0 goes on', 0, 1, both)
    await ask('ends', id, -1, [])
    await ask('after its end', id, 10, [])
    await ask('begins empty', 0, 0, [])
    await ask('none', 0, -1, both)
    await ask('epoch -2', 0, -2, both)
    const again = await ask('begins a second time', 0, 0, both)
    await ask('begins with an id', again!.sessionId, 0, both)
    await ask('the id that was given up', again!.sessionId, 1, [])
  },
}

const times: Scenario = {
  name: 'ListOffsets',
  async run(world) {
    await world.createTopic('l', 2)
    await fill(world, 'l', 3)
    const ask = (question: string, version: number, name: string, partition: object, more: object = {}) =>
      world.ask(question, listOffsets, version, {
        topics: [{ name, partitions: [{ partitionIndex: 0, ...partition }] }],
        ...more,
      })
    for (const version of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      await ask(`version ${version}`, version, 'l', { timestamp: 1_000 })
    for (const timestamp of [-1, -2, -3, -4, -5, -6, -7, -100, 0, 999, 1_001, 2_000, 2_001]) {
      await ask(`time ${timestamp}`, 11, 'l', { timestamp })
      if (timestamp < 0) await ask(`time ${timestamp}, nothing there`, 11, 'l', { timestamp, partitionIndex: 1 })
    }
    for (const timestamp of [-3, -4, -5, -6]) await ask(`time ${timestamp}, before its version`, 6, 'l', { timestamp })
    await ask('time 0, nothing there', 7, 'l', { timestamp: 0, partitionIndex: 1 })
    await ask('read committed', 7, 'l', { timestamp: -1 }, { isolationLevel: 1 })
    await ask('isolation 2', 7, 'l', { timestamp: -1 }, { isolationLevel: 2 })
    await ask('leader epoch 0', 7, 'l', { timestamp: -1, currentLeaderEpoch: 0 })
    await ask('leader epoch 1', 7, 'l', { timestamp: -1, currentLeaderEpoch: 1 })
    await ask('partition 2', 7, 'l', { timestamp: -1, partitionIndex: 2 })
    await ask('partition -1', 7, 'l', { timestamp: -1, partitionIndex: -1 })
    await ask('unknown topic', 7, 'l-none', { timestamp: -1 })
    await ask('as a replica', 7, 'l', { timestamp: -1 }, { replicaId: 1 })
    await ask('as a debugging consumer', 7, 'l', { timestamp: -1 }, { replicaId: -2 })
    await world.ask('a partition twice', listOffsets, 7, {
      topics: [{ name: 'l', partitions: [-1, -2].map((timestamp) => ({ partitionIndex: 0, timestamp })) }],
    })
    await world.ask('no topic', listOffsets, 7)
  },
}

const epochs: Scenario = {
  name: 'OffsetForLeaderEpoch',
  async run(world) {
    await world.createTopic('e')
    await fill(world, 'e', 1)
    const ask = (question: string, version: number, topic: string, one: object, more: object = {}) =>
      world.ask(question, offsetForLeaderEpoch, version, {
        topics: [{ topic, partitions: [{ partition: 0, ...one }] }],
        ...more,
      })
    for (const version of [2, 3, 4]) await ask(`version ${version}`, version, 'e', { leaderEpoch: 0 })
    await ask('epoch 1', 4, 'e', { leaderEpoch: 1 })
    await ask('epoch -1', 4, 'e', { leaderEpoch: -1 })
    await ask('current epoch 0', 4, 'e', { leaderEpoch: 0, currentLeaderEpoch: 0 })
    await ask('current epoch 1', 4, 'e', { leaderEpoch: 0, currentLeaderEpoch: 1 })
    await ask('partition 1', 4, 'e', { leaderEpoch: 0, partition: 1 })
    await ask('unknown topic', 4, 'e-none', { leaderEpoch: 0 })
    await ask('as a consumer', 4, 'e', { leaderEpoch: 0 }, { replicaId: -1 })
  },
}

const deletions: Scenario = {
  name: 'DeleteRecords',
  async run(world) {
    await world.createTopic('d', 2)
    await fill(world, 'd', 2)
    await world.createTopic('d-compacted', 1, { 'cleanup.policy': 'compact' })
    await world.createTopic('d-both', 1, { 'cleanup.policy': 'compact,delete' })
    const ask = (question: string, name: string, partitionIndex: number, offset: number, version = 2) =>
      world.ask(question, deleteRecords, version, {
        timeoutMs: 5_000,
        topics: [{ name, partitions: [{ partitionIndex, offset }] }],
      })
    for (const version of [0, 1, 2]) await ask(`version ${version}`, 'd', 0, version + 1, version)
    await ask('inside a batch', 'd', 0, 15)
    await ask('what is gone', 'd', 0, 5)
    await ask('beyond the end', 'd', 0, 21)
    await ask('offset -2', 'd', 0, -2)
    await ask('all', 'd', 0, -1)
    await ask('all again', 'd', 0, -1)
    await ask('all of nothing', 'd', 1, -1)
    await ask('offset 0 of nothing', 'd', 1, 0)
    await ask('unknown topic', 'd-none', 0, 0)
    await ask('unknown partition', 'd', 2, 0)
    await ask('compacted', 'd-compacted', 0, 0)
    await ask('compacted and deleted', 'd-both', 0, 0)
    await ask('the internal topic', '__consumer_offsets', 0, 0)
    const topics = [-1, 0].map((timestamp) => ({ name: 'd', partitions: [{ partitionIndex: 0, timestamp }] }))
    await world.ask('afterwards', listOffsets, 7, { topics: topics.slice(0, 1) })
    await world.ask('by time afterwards', listOffsets, 7, { topics: topics.slice(1) })
  },
}

export const fetchScenarios = [sizes, byId, sessions, times, epochs, deletions]
