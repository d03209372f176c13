import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Varve } from '../../src/index.ts'
import { OFFSETS_TOPIC } from '../../src/engine/internal-topics.ts'
import { fillLog, withLog } from '../logs.ts'
import { passOver } from '../loops.ts'
import type { Sample, Variant, Workload } from '../workload.ts'

/** Many groups consume one topic, each all of it: what they store beside it, and how fast all of them are together. */
export function fanOut(recordBytes: number, records: number, groups: number): Workload {
  const variant = (name: string, count: number): Variant => ({
    name,
    run: (directory) => consumeInGroups(directory, { recordBytes, records }, count),
  })
  return {
    name: 'fan-out',
    recordBytes,
    variants: [variant(`${groups} groups`, groups), { ...variant('one group', 1), isFloor: true }],
    goals: [{ metric: 'topicBytes', floor: 'one group', atMost: 1 }],
  }
}

async function consumeInGroups(
  directory: string,
  { recordBytes, records }: { recordBytes: number; records: number },
  groups: number,
): Promise<Sample> {
  await fillLog(directory, records, recordBytes)
  const sample = await withLog(directory, 'group', (log) =>
    passOver({ recordBytes, records: records * groups }, async () => {
      const ids = Array.from({ length: groups }, (_, i) => `group-${i}`)
      const counts = await Promise.all(ids.map((groupId) => consumeAll(log, groupId, records)))
      return counts.reduce((sum, count) => sum + count, 0)
    }),
  )
  return {
    ...sample,
    topicBytes: logBytes(directory, (topic) => topic === 't'),
    offsetsBytes: logBytes(directory, (topic) => topic === OFFSETS_TOPIC),
  }
}

async function consumeAll(log: Varve, groupId: string, records: number): Promise<number> {
  const consumer = log.consumer({ groupId, topics: ['t'] })
  let count = 0
  await consumer.run(() => {
    if (++count === records) void consumer.close()
  })
  return count
}

/** Bytes of the segments of some topics; their names go before the partition's number. */
function logBytes(directory: string, isCounted: (topic: string) => boolean): number {
  const segments = readdirSync(directory)
    .filter((name) => isCounted(name.replace(/-\d+$/, '')) && /-\d+$/.test(name))
    .flatMap((partition) => readdirSync(join(directory, partition)).map((name) => join(directory, partition, name)))
  return segments.filter((path) => path.endsWith('.log')).reduce((sum, path) => sum + statSync(path).size, 0)
}
