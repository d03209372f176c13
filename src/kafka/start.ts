import { tmpdir } from 'node:os'
import type { VarveOptions } from '../engine/open-options.ts'
import type { CreateTopicOptions } from '../engine/topic-admin.ts'
import { Varve } from '../client/varve.ts'
import { systemRandom } from '../environment.ts'
import { nodeStorage } from '../storage/node-storage.ts'
import { CLIENT_TOPIC } from './broker.ts'
import { listen, type KafkaServer, type ServeOptions } from './server.ts'

/** Options of `startKafka`. */
export interface StartOptions extends ServeOptions {
  /** Where its log is kept, and stays. Default: a temporary directory that goes when the server closes. */
  directory?: string
  /** Topics that are made unless they are there. Values are bytes and keys are hashed by murmur2, unless they say otherwise. */
  topics?: CreateTopicOptions[]
  /** Options of the log but for its directory. */
  logOptions?: Omit<VarveOptions, 'directory'>
}

/**
 * Opens a log and serves it: for tests, and wherever a Kafka is wanted that is there at once.
 *
 * ```ts
 * await using kafka = await startKafka({ topics: [{ name: 'orders', partitions: 4 }] })
 * new Kafka({ brokers: kafka.bootstrapServers })
 * ```
 *
 * Its `close()` closes the log too. @throws what `Varve.open`, `createTopic` and `serveKafka` throw
 */
export async function startKafka(options: StartOptions = {}): Promise<KafkaServer> {
  const { directory, topics = [], logOptions, ...serveOptions } = options
  const unique = Buffer.from(systemRandom.bytes(8)).toString('hex')
  const path = directory ?? `${tmpdir()}/varve-kafka-${unique}`
  const log = await Varve.open({ ...logOptions, directory: path })
  const close = async () => {
    await log.close()
    if (directory === undefined) await (logOptions?.storage ?? nodeStorage()).removeDirectory(path)
  }
  try {
    const known = new Set((await log.listTopics()).map(({ name }) => name))
    for (const topic of topics) if (!known.has(topic.name)) await log.createTopic({ ...CLIENT_TOPIC, ...topic })
    return await listen(log, serveOptions, close)
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}
