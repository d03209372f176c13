/** A log served from the command line, until it is interrupted. */
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { fetch } from '../../src/kafka/apis/fetch.ts'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { ZERO_UUID } from '../../src/kafka/protocol/schema.ts'
import { clientBatch } from '../helpers/client-batch.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { resultOf, runCli, startCli, temporaryDirectory, varve } from '../helpers/run-cli.ts'

test('it says where it listens, serves, and ends in order when it is interrupted', async () => {
  const directory = temporaryDirectory()
  const child = startCli(['serve', '--port', '0', '--brokers', '2', '--partitions', '3', '--json', '-d', directory])
  const ending = resultOf(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { bootstrapServers } = JSON.parse(line.toString()) as { bootstrapServers: string[] }
  expect(bootstrapServers).toHaveLength(2)
  {
    await using client = await KafkaTestClient.connect(bootstrapServers[1])
    const topics = [{ name: 'made', topicId: ZERO_UUID }]
    const answer = await client.send(metadata, 9, { topics, allowAutoTopicCreation: true })
    expect(answer.topics[0].partitions).toHaveLength(3)
    client.socket.write('GET / HTTP/1.1\r\n\r\n')
    await once(client.socket, 'close')
  }
  child.kill('SIGTERM')
  const { code, stderr } = await ending
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^varve: connection of 127.0.0.1:\d+ closed: .*speaks HTTP.*\n$/),
  ])
  const { topics } = JSON.parse(await varve(['topic', 'list', '--json', '-d', directory])) as {
    topics: { name: string }[]
  }
  expect(topics.map(({ name }) => name)).toEqual(['made'])
})

test('whoever waits when it is interrupted is answered, and what was produced before is there', async () => {
  const directory = temporaryDirectory()
  await varve(['topic', 'create', 't', '-d', directory])
  const child = startCli(['serve', '--port', '0', '-d', directory])
  const ending = resultOf(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  await using client = await KafkaTestClient.connect(line.toString().trim())
  const partitionData = [{ index: 0, records: [clientBatch(['kept'])] }]
  const unused = { lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: ZERO_UUID, highWatermark: -1 }
  const asked = { partition: 0, fetchOffset: 1, currentLeaderEpoch: -1, partitionMaxBytes: 1 << 20, ...unused }
  await client.send(produce, 9, { acks: -1, topicData: [{ name: 't', topicId: ZERO_UUID, partitionData }] })
  const topics = [{ topic: 't', topicId: ZERO_UUID, partitions: [asked] }]
  const waiting = client.send(fetch, 12, { topics, maxWaitMs: 600_000, minBytes: 1 })
  // on a connection of its own: that of the fetch waits
  await using other = await KafkaTestClient.connect(line.toString().trim())
  await other.send(apiVersions, 0)
  child.kill('SIGTERM')
  expect((await waiting).responses[0].partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 1 })
  expect(await ending).toMatchObject({ code: 0, stderr: '' })
})

test('where it cannot listen it says why, and what to do', async () => {
  const directory = temporaryDirectory()
  const child = startCli(['serve', '--port', '0', '-d', directory])
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = line.toString().trim().split(':')[1]
  await using client = await KafkaTestClient.connect(`127.0.0.1:${port}`)
  expect((await client.send(apiVersions, 0)).errorCode).toBe(0)
  const other = await runCli(['serve', '--port', port, '-d', temporaryDirectory()])
  expect([other.code, other.stderr]).toEqual([
    1,
    expect.stringContaining('another program listens there: choose another --port'),
  ])
  const held = await runCli(['serve', '--port', '0', '-d', directory])
  expect([held.code, held.stderr]).toEqual([1, expect.stringContaining(`process ${child.pid}`)])
})
