/** Batches as a Kafka client sends them. */
import { compress, compressionIds, type CompressionType } from '../../src/codec/compression.ts'
import { rawBatch, rawRecord, resealed, type RawBatch } from './raw-batch.ts'

export interface ClientBatch extends RawBatch {
  compression?: CompressionType
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
}

/** A batch with a record of each value; each has the key `k`, unless `keys` says otherwise. */
export function clientBatch(
  values: readonly (string | Buffer)[],
  { compression = 'none', producerId = -1, producerEpoch = -1, baseSequence = -1, ...fields }: ClientBatch = {},
  keys: readonly (string | null)[] = values.map(() => 'k'),
): Buffer {
  const records = values.map((value, i) => {
    const key = keys[i]
    return rawRecord([0], 0, i, ...(key === null ? [-1] : [key.length, key]), value.length, value, 0)
  })
  const attributes = (fields.attributes ?? 0) | compressionIds[compression]
  const body = compress(compression, Buffer.concat(records))
  const batch = rawBatch(body, { baseTimestamp: 1_000, recordCount: values.length, ...fields, attributes })
  batch.writeBigInt64BE(BigInt(producerId), 43)
  batch.writeInt16BE(producerEpoch, 51)
  batch.writeInt32BE(baseSequence, 53)
  return resealed(batch)
}

/** A batch but for the two fields that a broker fills in: base offset and leader epoch. */
export function withoutPlace(batch: Buffer): string {
  return `${batch.toString('hex', 8, 12)} ${batch.toString('hex', 16)}`
}
