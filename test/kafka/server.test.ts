/** A server over TCP: who may speak, and what becomes of those who do not speak Kafka. */
import { expect, test } from 'vitest'
import { apiVersions } from '../../src/kafka/apis/api-versions.ts'
import { serveKafka } from '../../src/kafka/server.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { KafkaTestClient } from '../helpers/kafka-client.ts'
import { openLog } from '../helpers/logs.ts'

test('a client is told which APIs there are, in every version of the question', async () => {
  await using log = await openLog({ storage: new MemoryStorage() })
  await using kafka = await serveKafka(log)
  await using client = await KafkaTestClient.connect(kafka.bootstrapServers[0])
  for (const version of [0, 1, 2, 3, 4]) {
    const answer = await client.send(apiVersions, version, { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' })
    expect(answer).toMatchObject({
      errorCode: 0,
      apiKeys: expect.arrayContaining([{ apiKey: 18, minVersion: 0, maxVersion: 4 }]),
    })
  }
})
