/**
 * Groups of the newer protocol: @platformatic/kafka with `groupProtocol: 'consumer'` against a server of this process, and
 * what Kafka's own kafka-dump-log makes of what is stored of one.
 */
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { internalsOf } from '../../src/client/internals.ts'
import { startKafka, type KafkaServer } from '../../src/kafka/index.ts'
import { Varve } from '../../src/client/varve.ts'
import { temporaryDirectory } from '../helpers/run-cli.ts'
import { findKafka, runJava } from './kafka.ts'

const GROUP = 'billing'
const POLL_MS = 20

/** Members are heard of every 5 s, and a partition changes hands in two or three times that. */
const LONG_MS = 60_000

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(POLL_MS)
}

async function consumerOn({ bootstrapServers }: KafkaServer) {
  const consumer = new Consumer({
    clientId: 'test',
    groupId: GROUP,
    groupProtocol: 'consumer',
    bootstrapBrokers: bootstrapServers,
    deserializers: stringDeserializers,
    autocommit: false,
    maxWaitTime: 100,
  })
  const stream = await consumer.consume({ topics: ['orders'], mode: 'committed', fallbackMode: 'earliest' })
  const values: string[] = []
  stream.on('data', (message) => {
    values.push(message.value)
    void message.commit()
  })
  const partitions = () => (consumer.assignments ?? []).flatMap((one) => one.partitions).sort((a, b) => a - b)
  const close = async () => {
    await stream.close()
    await consumer.close()
  }
  return { values, partitions, close }
}

test(
  'consumers divide partitions among themselves, and what one leaves the other goes on with',
  { timeout: LONG_MS },
  async () => {
    await using kafka = await startKafka({ topics: [{ name: 'orders', partitions: 4 }] })
    const { bootstrapServers: bootstrapBrokers } = kafka
    const producer = new Producer({ clientId: 'test', bootstrapBrokers, serializers: stringSerializers })
    const isAllCommitted = async () => (await kafka.log.lag(GROUP)).every(({ lag }) => lag === 0)
    let sent = 0
    const send = async () => {
      const messages = [0, 1, 2, 3].map((partition) => ({ topic: 'orders', partition, value: `${sent++}` }))
      await producer.send({ messages })
    }
    await send()
    const first = await consumerOn(kafka)
    await until(() => first.values.length === sent)
    expect(first.partitions()).toEqual([0, 1, 2, 3])
    const second = await consumerOn(kafka)
    await until(() => second.partitions().length === 2)
    expect(first.partitions()).toHaveLength(2)
    await send()
    const values = () => [...first.values, ...second.values]
    await until(() => new Set(values()).size === sent)
    await until(() => second.values.length === 2)
    const described = await kafka.log.describeGroup(GROUP)
    expect(described).toMatchObject({ state: 'Stable', assignor: 'uniform', members: [{}, {}] })
    expect(await kafka.log.listGroups()).toEqual([{ groupId: GROUP, state: 'Stable', members: 2 }])
    // what is not committed when it leaves comes again
    await until(isAllCommitted)
    await first.close()
    await until(() => second.partitions().length === 4)
    await send()
    await until(() => new Set(values()).size === sent)
    // this client gives out also what a fetch brings that was under way when the partition went to another member
    const distinct = [...new Set(values().map(Number))].sort((a, b) => a - b)
    expect(distinct).toEqual(Array.from({ length: sent }, (_, i) => i))
    await until(isAllCommitted)
    await second.close()
    await producer.close()
    expect(await kafka.log.describeGroup(GROUP)).toMatchObject({ state: 'Empty', members: [] })
  },
)

const kafkaTools = findKafka()

// reason: without Java and Maven there is no Kafka to ask; findKafka says so on the console
test.skipIf(kafkaTools.missing !== undefined)("Kafka's own tool reads what is stored of a group", async () => {
  const directory = temporaryDirectory()
  const log = await Varve.open({ directory })
  const { topicId } = await log.createTopic({ name: 'orders', partitions: 2 })
  const { coordinator } = internalsOf('a test', log)
  const who = { instanceId: 'one', rackId: 'here', clientId: 'test', clientHost: '/127.0.0.1', requiresMemberId: true }
  const said = {
    rebalanceTimeoutMs: 9,
    topics: ['orders'],
    pattern: 'or.*',
    assignor: 'range',
    owned: new Set<string>(),
  }
  await coordinator.modernHeartbeat(GROUP, { memberId: 'a', epoch: 0, ...who, ...said })
  const other = { ...who, instanceId: null, ...said }
  await coordinator.modernHeartbeat(GROUP, { memberId: 'b', epoch: 0, ...other })
  await coordinator.modernHeartbeat(GROUP, { memberId: 'a', epoch: 2, ...who, ...said, owned: null })
  await coordinator.modernHeartbeat(GROUP, { memberId: 'b', epoch: -1, ...other })
  await log.close()
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.startsWith('__consumer_offsets') && path.endsWith('.log'))
    .map((path) => join(directory, path))
    .filter((path) => statSync(path).size > 0)
  const dump = ['--offsets-decoder', '--files', files.join()]
  const dumped = runJava(kafkaTools, 'org.apache.kafka.tools.DumpLogSegments', ...dump)
  const latest = new Map<string, unknown>()
  for (const [, key, value] of dumped.matchAll(/key: (\{.*\}) payload: (.*)/g))
    latest.set(key, value === '<DELETE>' ? null : (JSON.parse(value) as { data: unknown }).data)
  const keyOf = (type: number, memberId?: string) =>
    JSON.stringify({ type: `${type}`, data: { groupId: GROUP, memberId } })
  const partitions = (...numbers: number[]) => [{ topicId, partitions: numbers }]
  const current = { memberEpoch: 2, previousMemberEpoch: 2, state: 1 }
  expect(Object.fromEntries(latest)).toEqual({
    [keyOf(3)]: { epoch: 4 },
    [keyOf(5, 'a')]: {
      instanceId: 'one',
      rackId: 'here',
      clientId: 'test',
      clientHost: '/127.0.0.1',
      subscribedTopicNames: ['orders'],
      subscribedTopicRegex: 'or.*',
      rebalanceTimeoutMs: 9,
      serverAssignor: 'range',
    },
    [keyOf(6)]: { assignmentEpoch: 3 },
    [keyOf(7, 'a')]: { topicPartitions: partitions(0) },
    [keyOf(8, 'a')]: { ...current, assignedPartitions: partitions(0), partitionsPendingRevocation: partitions(1) },
    [keyOf(5, 'b')]: null,
    [keyOf(7, 'b')]: null,
    [keyOf(8, 'b')]: null,
  })
})
