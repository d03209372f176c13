/** @platformatic/kafka with `groupProtocol: 'consumer'`, the newer group protocol, against a server of this process. */
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startKafka, type KafkaServer } from '../../src/kafka/index.ts'

const GROUP = 'billing'
const POLL_MS = 20

/** Members are heard of every 5 s, and a partition changes hands in two or three times that. */
const LONG_MS = 60_000

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(POLL_MS)
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
    await until(() => values().length >= sent)
    expect(second.values).toHaveLength(2)
    const described = await kafka.log.describeGroup(GROUP)
    expect(described).toMatchObject({ state: 'Stable', assignor: 'uniform', members: [{}, {}] })
    expect(await kafka.log.listGroups()).toEqual([{ groupId: GROUP, state: 'Stable', members: 2 }])
    await first.close()
    await until(() => second.partitions().length === 4)
    await send()
    await until(() => values().length >= sent)
    expect(
      values()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: sent }, (_, i) => i))
    await second.close()
    await producer.close()
    expect(await kafka.log.describeGroup(GROUP)).toMatchObject({ state: 'Empty', members: [] })
    const lag = await kafka.log.lag(GROUP)
    expect(lag.map(({ lag }) => lag)).toEqual([0, 0, 0, 0])
  },
)
