import type { Consumer, Flush, Varve } from '../../src/index.ts'
import { encodeOffsetKey, encodeOffsetValue } from '../../src/group/offset-records.ts'
import { offsetsPartitionFor } from '../../src/group/offsets-partition.ts'
import { withLog } from '../logs.ts'
import { inFlightFor } from '../loops.ts'
import type { Workload } from '../workload.ts'

/** How commits come: so many at any moment, by consumers of so many groups. */
export interface CommitLoad {
  flush: Flush
  inFlight: number
  groups: number
}

const GOAL = 0.8
const RECORDS = 1000
const OFFSETS_PARTITIONS = 50

/**
 * Commits by consumers; the floor is ours, appending a record of the same size to as many partitions as the groups' offsets
 * are kept in.
 */
export function commits({ flush, inFlight, groups }: CommitLoad): Workload {
  const ids = groupIds(groups)
  const { key, value } = storedCommit(ids[0])
  const load = { recordBytes: key.length + value.length, inFlight }
  const mode = typeof flush === 'object' ? flush.ms : flush
  const about = { inFlight, flush: mode }
  const modeName = typeof flush === 'object' ? `{ ms: ${flush.ms} }` : `'${flush}'`
  return {
    name: 'commits',
    recordBytes: load.recordBytes,
    detail: `${modeName}, ${inFlight} in flight, ${groups === 1 ? 'one group' : `${groups} groups`}`,
    variants: [
      {
        ...about,
        name: 'commit',
        run: (directory, scale) =>
          withLog(directory, flush, async (log) => {
            const consumers = await join(log, ids)
            const commit = (i: number) =>
              consumers[i % groups].commit({ topic: 't', partition: 0, offset: i % RECORDS })
            const sample = await inFlightFor(scale, load, commit)
            await Promise.all(consumers.map((consumer) => consumer.close()))
            return sample
          }),
      },
      {
        ...about,
        name: 'append',
        isFloor: true,
        run: (directory, scale) =>
          withLog(directory, flush, async (log) => {
            await log.createTopic({ name: 'floor', partitions: groups, valueCodec: 'bytes' })
            const all = Array.from({ length: groups }, (_, partition) => ({ partition, key, value }))
            // their files are made at the first append: that is not what is measured
            await log.appendBatch('floor', all)
            return inFlightFor(scale, load, (i) => log.append('floor', all[i % groups]))
          }),
      },
    ],
    goals: [
      // many in flight are the processor's matter, and a commit is more work than an append: that syncs are shared is judged
      { metric: 'recordsPerSecond', floor: 'append', atLeast: GOAL, toldOnly: inFlight > 1 },
      ...(flush === 'group' && inFlight > 1
        ? [{ metric: 'recordsPerSync' as const, floor: 'append', atLeast: GOAL }]
        : []),
    ],
  }
}

/** Ids of groups whose offsets are all kept in partitions of their own, so that none shares a sync with another. */
function groupIds(count: number): string[] {
  const found = new Map<number, string>()
  for (let i = 0; found.size < count; i++) {
    const id = `group-${String(i).padStart(3, '0')}`
    const partition = offsetsPartitionFor(id, OFFSETS_PARTITIONS)
    if (!found.has(partition)) found.set(partition, id)
  }
  return [...found.values()]
}

/** What one commit stores. */
function storedCommit(groupId: string): { key: Buffer; value: Buffer } {
  const committed = { offset: 1, leaderEpoch: -1, metadata: '', commitTimestampMs: 0, expireTimestampMs: -1 }
  return { key: encodeOffsetKey(groupId, 't', 0), value: encodeOffsetValue(committed) }
}

/** One consumer for each group, with the only partition of `t`, waiting for a record that never comes. */
async function join(log: Varve, ids: readonly string[]): Promise<Consumer[]> {
  const records = Array.from({ length: RECORDS }, () => ({ value: Buffer.alloc(1) }))
  await log.appendBatch('t', records)
  return Promise.all(
    ids.map(
      (groupId) =>
        new Promise<Consumer>((resolve, reject) => {
          const consumer: Consumer = log.consumer({
            groupId,
            topics: ['t'],
            autoOffsetReset: 'latest',
            onAssigned: () => resolve(consumer),
          })
          consumer.batches().next().catch(reject)
        }),
    ),
  )
}
