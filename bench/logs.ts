import { Varve, type CreateTopicOptions, type Flush } from '../src/index.ts'
import { disk } from './disk.ts'
import { passOver } from './loops.ts'
import { BATCH_RECORDS, batches } from './payloads.ts'
import type { Variant } from './workload.ts'

/** Opens a log with one topic `t` of raw values. */
export async function openLog(
  directory: string,
  flush: Flush,
  topic: Partial<CreateTopicOptions> = {},
): Promise<Varve> {
  const log = await Varve.open({ directory, flush, storage: disk.storage })
  if ((await log.listTopics()).length === 0) await log.createTopic({ name: 't', valueCodec: 'bytes', ...topic })
  return log
}

/** Opens a log, does something with it and closes it. */
export async function withLog<T>(
  directory: string,
  flush: Flush,
  action: (log: Varve) => Promise<T>,
  topic?: Partial<CreateTopicOptions>,
): Promise<T> {
  const log = await openLog(directory, flush, topic)
  try {
    return await action(log)
  } finally {
    await log.close()
  }
}

/** Writes so many records into topic `t`, in batches of 1,000. */
export async function fillLog(directory: string, records: number, recordBytes: number): Promise<void> {
  const all = batches(recordBytes)
  await withLog(directory, 'os', async (log) => {
    for (let done = 0, i = 0; done < records; done += BATCH_RECORDS, i++)
      await log.appendBatch('t', all[i % all.length])
  })
}

/** Ours: times `replay` of a log that was prepared; it returns how many records it saw. */
export function replayVariant(
  name: string,
  size: { recordBytes: number; records: number },
  replay: (log: Varve) => Promise<number>,
): Variant {
  return {
    name,
    run: (directory) => withLog(directory, 'os', (log) => passOver(size, () => replay(log))),
  }
}

/** Counts all records of topic `t` by batches; the value's bytes are taken. */
export async function countByBatches(log: Varve): Promise<number> {
  let count = 0
  for await (const batch of log.readBatches('t')) {
    for (const record of batch) if (record.valueBytes!.length > 0) count++
  }
  return count
}

/** Counts all records of topic `t` by `for await`; offsets are taken, values left undecoded. */
export async function countByRecords(log: Varve): Promise<number> {
  let count = 0
  for await (const record of log.read('t')) if (record.offset === count) count++
  return count
}
