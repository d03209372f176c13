import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { metadata } from '../../src/kafka/apis/metadata.ts'
import { produce } from '../../src/kafka/apis/produce.ts'
import { clientBatch } from '../../test/helpers/client-batch.ts'
import { KafkaTestClient } from '../../test/helpers/kafka-client.ts'
import { BUILT, type BenchServer } from './servers.ts'

const TRIES = 500
const PAUSE_MS = 10
const NO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** From the start of a server's process to the first acknowledged record in a topic that was not there. Milliseconds. */
export async function startToFirstProduce(server: BenchServer): Promise<number> {
  const called = performance.now()
  await using client = await KafkaTestClient.connect(server.bootstrap)
  const topics = [{ topicId: NO_TOPIC_ID, name: 'first' }]
  const partitionData = [{ index: 0, records: [clientBatch(['v'])] }]
  const topicData = [{ name: 'first', topicId: NO_TOPIC_ID, partitionData }]
  for (let i = 0; i < TRIES; i++) {
    const known = await client.send(metadata, 9, { topics, allowAutoTopicCreation: true })
    if (known.topics[0].errorCode === 0) {
      const { responses } = await client.send(produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
      if (responses[0].partitionResponses[0].errorCode === 0) return server.startMs + performance.now() - called
    }
    await sleep(PAUSE_MS)
  }
  throw new Error(`${server.name} takes no record`)
}

/** What the first `startKafka()` of a program takes, with a topic and without loading the module. Milliseconds. */
export function startInProcess(): number {
  const program = `
    import { startKafka } from ${JSON.stringify(new URL('kafka/index.js', BUILT).href)}
    const started = performance.now()
    const kafka = await startKafka({ topics: [{ name: 't', partitions: 4 }] })
    console.log(performance.now() - started)
    await kafka.close()
  `
  const words = ['--input-type=module', '--eval', program]
  return Number(execFileSync(process.execPath, words, { encoding: 'utf8' }))
}
