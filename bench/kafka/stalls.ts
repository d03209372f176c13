/**
 * How long the worst requests that are legal keep the event loop: `npx tsx bench/kafka/stalls.ts [name]`.
 *
 * The server runs in a process of its own and watches its event loop; this one sends. Printed are the longest time that
 * the loop was kept and how long the request took. The aim is 50 ms.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { createTopics } from '../../src/kafka/apis/create-topics.ts'
import { deleteTopics } from '../../src/kafka/apis/delete-topics.ts'
import { describeConfigs } from '../../src/kafka/apis/describe-configs.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { joinGroup } from '../../src/kafka/apis/join-group.ts'
import { listOffsets } from '../../src/kafka/apis/list-offsets.ts'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { offsetCommit } from '../../src/kafka/apis/offset-commit.ts'
import { offsetFetch } from '../../src/kafka/apis/offset-fetch.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { startKafka } from '../../src/kafka/index.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { clientBatch } from '../../test/helpers/client-batch.ts'
import { KafkaTestClient } from '../../test/helpers/kafka-client.ts'
import { rawBatch, rawRecord } from '../../test/helpers/raw-batch.ts'

const MIB = 1024 * 1024
const WIDE_PARTITIONS = 1_000
const ITEMS = 49_000

/** The server's side. */
async function serve(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'varve-stalls-'))
  const maxMessageBytes = 100 * MIB
  const topics = [
    { name: 'wide', partitions: WIDE_PARTITIONS },
    { name: 'large', maxMessageBytes },
    { name: 'compacted', partitions: 90, cleanupPolicy: 'compact' as const, maxMessageBytes },
  ]
  const kafka = await startKafka({ directory, topics, logOptions: { flush: 'os' } })
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  process.on('message', (word) => {
    if (word === 'reset') delays.reset()
    if (word === 'tell') process.send!({ maxMs: delays.max / 1e6 })
    if (word === 'end')
      void kafka.close().then(() => {
        rmSync(directory, { recursive: true, force: true })
        process.disconnect()
      })
  })
  process.send!({ server: kafka.bootstrapServers[0] })
}

interface Case {
  name: string
  /** Sends it; what is made ready for it is made first. */
  run: (client: KafkaTestClient, server: string) => Promise<() => Promise<unknown>>
}

function producing(name: string, batches: readonly Buffer[]) {
  const partitionData = batches.map((batch, index) => ({ index, records: [batch] }))
  return { acks: -1, topicData: [{ name, topicId: ZERO_UUID, partitionData }] }
}

function batchOf(bytes: number): Buffer {
  return clientBatch(['x'.repeat(bytes - 100)])
}

/** Records of one byte, with the key `k`: as many as there is room for. */
function tinyRecords(bytes: number): Buffer {
  const records: Buffer[] = []
  let room = bytes
  for (let i = 0; room > 0; i++) {
    const record = rawRecord([0], 0, i, 1, 'k', 1, 'v', 0)
    records.push(record)
    room -= record.length
  }
  return rawBatch(Buffer.concat(records), { recordCount: records.length, baseTimestamp: 1_000 })
}

const indexes = (count: number) => Array.from({ length: count }, (_, i) => i)
const topicsOf = (from: number, count: number) =>
  indexes(count).map((i) => ({
    name: `made-${from + i}`,
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }))

const cases: Case[] = [
  {
    name: 'Produce: 100 MiB in 1,000 batches',
    run: async (client) => {
      const request = producing('wide', Array<Buffer>(WIDE_PARTITIONS).fill(batchOf((99 * MIB) / WIDE_PARTITIONS)))
      return () => client.send(produce, 9, request)
    },
  },
  {
    name: 'Produce: 49,000 batches of one record',
    run: async (client) => {
      const batch = clientBatch(['x'])
      const partitionData = indexes(ITEMS).map((i) => ({ index: i % WIDE_PARTITIONS, records: [batch] }))
      const topicData = [{ name: 'wide', topicId: ZERO_UUID, partitionData }]
      return () => client.send(produce, 9, { acks: -1, topicData })
    },
  },
  {
    name: 'Produce: one batch of 16 MiB',
    run: async (client) => {
      const request = producing('large', [batchOf(16 * MIB)])
      return () => client.send(produce, 9, request)
    },
  },
  {
    name: 'Produce: records of 1 byte, compacted, 90 batches of 1 MiB',
    run: async (client) => {
      const request = producing('compacted', Array<Buffer>(90).fill(tinyRecords(MIB)))
      return () => client.send(produce, 9, request)
    },
  },
  {
    name: 'Produce: records of 1 byte, compacted, one batch of 16 MiB',
    run: async (client) => {
      const request = producing('compacted', [tinyRecords(16 * MIB - 100)])
      return () => client.send(produce, 9, request)
    },
  },
  {
    name: 'Fetch: 49,000 partitions that are not there',
    run: async (client) => {
      const asked = { fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: MIB }
      const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
      const partitions = indexes(ITEMS).map((partition) => ({ partition, ...asked, ...unused }))
      return () => client.send(fetch, 12, { topics: [{ topic: 'none', topicId: ZERO_UUID, partitions }] })
    },
  },
  {
    name: 'Fetch: all of 1,000 partitions, 55 MiB',
    run: async (client) => {
      const asked = { fetchOffset: 0, currentLeaderEpoch: -1, partitionMaxBytes: MIB }
      const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
      const partitions = indexes(WIDE_PARTITIONS).map((partition) => ({ partition, ...asked, ...unused }))
      return () => client.send(fetch, 12, { topics: [{ topic: 'wide', topicId: ZERO_UUID, partitions }] })
    },
  },
  {
    name: 'ListOffsets: 49,000 times the end',
    run: async (client) => {
      const partitions = indexes(ITEMS).map((i) => ({
        partitionIndex: i % WIDE_PARTITIONS,
        currentLeaderEpoch: -1,
        timestamp: -1,
      }))
      return () => client.send(listOffsets, 7, { topics: [{ name: 'wide', partitions }] })
    },
  },
  {
    name: 'OffsetCommit: 49,000 partitions',
    run: async (client) => {
      const one = { committedOffset: 1, committedLeaderEpoch: -1, commitTimestamp: -1, committedMetadata: '' }
      const partitions = indexes(ITEMS).map((i) => ({ partitionIndex: i % WIDE_PARTITIONS, ...one }))
      const topics = [{ name: 'wide', topicId: ZERO_UUID, partitions }]
      return () => client.send(offsetCommit, 8, { groupId: 'g', generationIdOrMemberEpoch: -1, topics })
    },
  },
  {
    name: 'OffsetFetch: all of a group, 1,000 partitions',
    run: async (client) => async () => client.send(offsetFetch, 7, { groupId: 'g', topics: null }),
  },
  {
    name: 'CreateTopics: 500',
    run: async (client) => async () => client.send(createTopics, 7, { topics: topicsOf(0, 500) }),
  },
  {
    name: 'CreateTopics: one of 2,000 partitions',
    run: async (client) => {
      const topic = { ...topicsOf(9_000_000, 1)[0], numPartitions: 2_000 }
      return () => client.send(createTopics, 7, { topics: [topic] })
    },
  },
  {
    name: 'Metadata: all, 3,600 partitions',
    run: async (client) => async () => client.send(metadata, 12, { topics: null }),
  },
  {
    name: 'Metadata: 49,000 names that are not there',
    run: async (client) => {
      const topics = indexes(ITEMS).map((i) => ({ name: `none-${i}`, topicId: ZERO_UUID }))
      return () => client.send(metadata, 12, { topics, allowAutoTopicCreation: false })
    },
  },
  {
    name: 'DescribeConfigs: 500 topics',
    run: async (client) => {
      const resources = topicsOf(0, 500).map(({ name }) => ({
        resourceType: 2,
        resourceName: name,
        configurationKeys: null,
      }))
      return () => client.send(describeConfigs, 4, { resources, includeSynonyms: true, includeDocumentation: true })
    },
  },
  {
    name: 'DeleteTopics: 500',
    run: async (client) => {
      const topicNames = topicsOf(0, 500).map(({ name }) => name)
      return () => client.send(deleteTopics, 4, { topicNames })
    },
  },
  {
    name: 'JoinGroup: 1,000 members',
    run: async (_client, server) => {
      const clients = await Promise.all(indexes(1_000).map(() => KafkaTestClient.connect(server)))
      const request = {
        groupId: 'crowd',
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 1_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(1_000) }],
      }
      return async () => {
        await Promise.all(clients.map((one) => one.send(joinGroup, 3, request)))
        for (const one of clients) one.socket.destroy()
      }
    },
  },
]

async function measureAll(wanted: string): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv })
  const tell = async (word: string) => {
    const answer = once(child, 'message')
    child.send(word)
    return ((await answer) as [{ maxMs: number }])[0]
  }
  const [{ server }] = (await once(child, 'message')) as [{ server: string }]
  console.log('longest stall   took       request')
  for (const { name, run } of cases) {
    if (!name.includes(wanted)) continue
    await using client = await KafkaTestClient.connect(server)
    const send = await run(client, server)
    await new Promise((resolve) => setTimeout(resolve, 300))
    child.send('reset')
    const begun = performance.now()
    const outcome = await send().then(
      () => '',
      (error: Error) => ` (${error.message})`,
    )
    const ms = performance.now() - begun
    await new Promise((resolve) => setTimeout(resolve, 100))
    const { maxMs } = await tell('tell')
    console.log(`${maxMs.toFixed(0).padStart(10)} ms ${ms.toFixed(0).padStart(9)} ms   ${name}${outcome}`)
  }
  child.send('end')
  await once(child, 'exit')
}

if (process.send !== undefined) await serve()
else await measureAll(process.argv[2] ?? '')
