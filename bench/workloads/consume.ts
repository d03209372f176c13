import type { Consumer, ConsumerOptions, Varve } from '../../src/index.ts'
import { countByRecords, withLog } from '../logs.ts'
import { passOver } from '../loops.ts'
import { Observation } from '../observation.ts'
import { BATCH_RECORDS, batches } from '../payloads.ts'
import type { Sample, Variant, Workload } from '../workload.ts'

interface Size {
  recordBytes: number
  records: number
}

const GOAL = 0.7

let groups = 0

/**
 * A new group consumes a log from its beginning in three ways; the floor is ours, read without a group. From the moment at
 * which the consumer has its partitions to its last record.
 */
export function consume(recordBytes: number, records: number, partitions: number): Workload {
  const size = { recordBytes, records }
  const variant = (name: string, consumeAll: ConsumeAll): Variant => ({
    name,
    run: (directory) => withLog(directory, 'group', (log) => timeConsumer(log, size, consumeAll)),
  })
  return {
    name: 'consume',
    recordBytes,
    detail: partitions === 1 ? 'one partition' : `${partitions} partitions`,
    prepare: (directory) => fillPartitions(directory, size, partitions),
    variants: [
      variant('run', byRun),
      variant('for await', byRecords),
      variant('batches', byBatches),
      {
        name: 'read',
        isFloor: true,
        run: (directory) => withLog(directory, 'group', (log) => passOver(size, () => countRead(log, partitions))),
      },
    ],
    goals: [
      { metric: 'recordsPerSecond', floor: 'read', atLeast: GOAL },
      { metric: 'recordsPerSecond', variant: 'for await', floor: 'read', atLeast: GOAL },
      { metric: 'recordsPerSecond', variant: 'batches', floor: 'read', atLeast: GOAL },
    ],
  }
}

/** Resolves when so many records have passed; whatever is left to do is done by closing the consumer. */
type ConsumeAll = (consumer: Consumer, records: number) => Promise<void>

function byRun(consumer: Consumer, records: number): Promise<void> {
  let count = 0
  return new Promise((resolve, reject) => {
    // oxlint-disable-next-line typescript/require-await -- a handler that waits for nothing is what is measured
    const handler = async () => {
      if (++count === records) resolve()
    }
    consumer.run(handler).catch(reject)
  })
}

async function byRecords(consumer: Consumer, records: number): Promise<void> {
  let count = 0
  for await (const record of consumer) if (record.offset >= 0 && ++count === records) return
}

async function byBatches(consumer: Consumer, records: number): Promise<void> {
  let count = 0
  for await (const batch of consumer.batches()) {
    for (const record of batch) if (record.valueBytes!.length > 0) count++
    if (count === records) return
  }
}

async function timeConsumer(log: Varve, { recordBytes, records }: Size, consumeAll: ConsumeAll): Promise<Sample> {
  let observation: Observation | null = null
  const options: ConsumerOptions = {
    groupId: `group-${groups++}`,
    topics: ['t'],
    onAssigned: () => {
      observation = new Observation()
    },
  }
  const consumer = log.consumer(options)
  await consumeAll(consumer, records)
  const sample = observation!.stop(records, recordBytes)
  await consumer.close()
  return sample
}

async function countRead(log: Varve, partitions: number): Promise<number> {
  if (partitions === 1) return countByRecords(log)
  let count = 0
  for await (const record of log.read('t')) if (record.offset >= 0) count++
  return count
}

async function fillPartitions(directory: string, { recordBytes, records }: Size, partitions: number): Promise<void> {
  const all = batches(recordBytes)
  await withLog(
    directory,
    'os',
    async (log) => {
      for (let done = 0, i = 0; done < records; done += BATCH_RECORDS, i++) {
        const partition = i % partitions
        await log.appendBatch(
          't',
          all[i % all.length].map((record) => ({ ...record, partition })),
        )
      }
    },
    { partitions },
  )
}
