/** Records of one codec, there and back, by a client of another language, through three nodes. */
import { expect } from 'vitest'
import type { CompressionType } from '../../src/codec/compression.ts'
import { startKafka } from '../../src/kafka/start.ts'
import { drive, type Driver } from './driver.ts'
import { byPartition, embeddedRecords, SAMPLE_PARTITIONS, sampleRecords, storedCodecs, told } from './sample.ts'

/** What the client produces stands in the log as it was given, in its codec; the client, in a group, reads the same. */
export async function goRound(driver: Driver, codec: CompressionType, config: object): Promise<void> {
  await using kafka = await startKafka({ brokers: 3, topics: [{ name: 't', partitions: SAMPLE_PARTITIONS }] })
  const common = { servers: kafka.bootstrapServers.join(), topic: 't' }
  const records = sampleRecords()
  expect(await drive(driver, { do: 'produce', ...common, records, config })).toEqual({ left: 0 })
  expect((await embeddedRecords(kafka.log, 't')).map(told)).toEqual(byPartition(records))
  expect(await storedCodecs(kafka.log, 't')).toEqual([codec])
  const request = { do: 'consume', ...common, count: records.length, config: { 'group.id': 'g' } }
  const read = await drive(driver, request)
  expect(byPartition(read.records)).toEqual(byPartition(records))
  const each = records.length / SAMPLE_PARTITIONS
  expect((await kafka.log.lag('g')).map(({ committed }) => committed)).toEqual(Array(SAMPLE_PARTITIONS).fill(each))
}
