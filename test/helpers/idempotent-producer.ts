/** A log in whose topic `t` an idempotent producer of Kafka's protocol appends, and the snapshots that tell of it. */
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import type { VarveOptions } from '../../src/engine/open-options.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { clientBatch } from './client-batch.ts'
import { DIRECTORY, namesIn, openLog } from './logs.ts'

export const TOPIC = 't'
export const PARTITION = `${DIRECTORY}/${TOPIC}-0`

export async function opened(storage: Storage, options: Partial<VarveOptions> = {}, config: Partial<TopicConfig> = {}) {
  const log = await openLog({ storage, ...options })
  const isThere = (await log.listTopics()).length > 0
  if (!isThere) await log.createTopic({ name: TOPIC, valueCodec: 'string', ...config })
  const topic = log['engine'].topic(TOPIC)
  /** Sends a batch of a producer; gives its offset, or the error's code. */
  const send = (baseSequence: number, { producerId = 7, epoch = 0, values = ['x'] } = {}): Promise<number | string> => {
    const batch = clientBatch(values, { producerId, producerEpoch: epoch, baseSequence })
    return topic.appendReceived(topic.partition(0), batch, checkReceivedBatch(batch, 1_000_000, true)).then(
      ({ baseOffset }) => baseOffset,
      (error: { code: string }) => error.code,
    )
  }
  return { log, send }
}

export const snapshotPath = (offset: number) => `${PARTITION}/${String(offset).padStart(20, '0')}.snapshot`

export const snapshotsIn = async (storage: Storage) =>
  (await namesIn(storage, PARTITION)).filter((name) => name.endsWith('.snapshot')).map((name) => Number.parseInt(name))
