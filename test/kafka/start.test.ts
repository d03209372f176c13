/** A Kafka that is there at once, and leaves nothing. */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { startKafka } from '../../src/kafka/index.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { temporaryDirectory } from '../helpers/run-cli.ts'

test('it has the topics that were asked for, and takes its directory with it', async () => {
  const kafka = await startKafka({ topics: [{ name: 'orders', partitions: 4 }] })
  const { directory } = kafka.log
  await using client = await KafkaTestClient.connect(kafka.bootstrapServers[0])
  const { topics } = await client.send(metadata, 9, { topics: null })
  expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['orders', 4]])
  expect(existsSync(directory)).toBe(true)
  await kafka.close()
  await kafka.close()
  expect(existsSync(directory)).toBe(false)
})

test('a directory that was named stays, with what is in it', async () => {
  const directory = temporaryDirectory()
  const topics = [{ name: 'orders' }]
  {
    await using kafka = await startKafka({ directory, topics })
    await kafka.log.append('orders', { value: Buffer.from('x') })
  }
  await using again = await startKafka({ directory, topics })
  expect(again.log.offsets('orders')[0].logEndOffset).toBe(1)
})

test('where it cannot listen nothing is left open', async () => {
  await using kafka = await startKafka()
  const [, port] = kafka.bootstrapServers[0].split(':')
  const directory = temporaryDirectory()
  await expect(startKafka({ directory, port: Number(port) })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await using other = await startKafka({ directory })
  expect(other.bootstrapServers[0]).not.toBe(kafka.bootstrapServers[0])
})

test('it listens on IPv6, and on several ports as several nodes', async () => {
  await using kafka = await startKafka({ host: '::1', brokers: 3 })
  expect(kafka.bootstrapServers).toHaveLength(3)
  await using client = await KafkaTestClient.connect(kafka.bootstrapServers[2])
  expect((await client.send(metadata, 9, { topics: null })).brokers.map(({ host }) => host)).toEqual([
    '::1',
    '::1',
    '::1',
  ])
})
