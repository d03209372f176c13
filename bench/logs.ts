import { Varve, type CreateTopicOptions, type Flush } from '../src/index.ts'

export const BATCH_RECORDS = 1000
const PAYLOAD_BYTES = 4 * 1024 * 1024

/** Payloads that are not all the same byte: as many as fit 4 MiB, used in turn. */
export function payloads(recordBytes: number): Buffer[] {
  let state = 0x9e3779b9
  return Array.from({ length: Math.max(Math.floor(PAYLOAD_BYTES / recordBytes), 16) }, () => {
    const bytes = Buffer.allocUnsafeSlow(recordBytes)
    for (let i = 0; i < recordBytes; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = state >>> 24
    }
    return bytes
  })
}

/** Batches of 1,000 records, used in turn. */
export function batches(recordBytes: number): { value: Buffer }[][] {
  const values = payloads(recordBytes)
  return Array.from({ length: 8 }, (_, batch) =>
    Array.from({ length: BATCH_RECORDS }, (_, i) => ({ value: values[(batch * BATCH_RECORDS + i) % values.length] })),
  )
}

/** Opens a log with one topic `t` of raw values. */
export async function openLog(
  directory: string,
  flush: Flush,
  topic: Partial<CreateTopicOptions> = {},
): Promise<Varve> {
  const log = await Varve.open({ directory, flush })
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
