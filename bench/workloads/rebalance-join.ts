import { setTimeout } from 'node:timers/promises'
import type { Consumer, Varve } from '../../src/index.ts'
import { withLog } from '../logs.ts'
import type { Sample, Workload } from '../workload.ts'

/** A consumer joins a group of many in one process: from its start until all have their share and the group is stable. */
export function rebalanceJoin(members: number, partitions: number): Workload {
  return {
    name: 'rebalance-join',
    recordBytes: 0,
    detail: `${members} consumers, ${partitions} partitions`,
    prepare: (directory) => withLog(directory, 'group', async () => {}, { partitions }),
    variants: [
      {
        name: 'varve',
        run: (directory) => withLog(directory, 'group', (log) => timeJoin(log, members, partitions)),
      },
    ],
    goals: [],
    maxRuns: 3,
  }
}

async function timeJoin(log: Varve, members: number, partitions: number): Promise<Sample> {
  const consumers: Consumer[] = []
  const failures: unknown[] = []
  let movedPartitions = 0
  const join = () => {
    const onAssigned = (assigned: unknown[]) => void (movedPartitions += assigned.length)
    const consumer = log.consumer({ groupId: 'g', topics: ['t'], onAssigned })
    consumers.push(consumer)
    consumer.run(() => {}).catch((error: unknown) => failures.push(error))
  }
  const isSettled = () => {
    const shares = consumers.map((consumer) => consumer.assignment().length)
    const isDivided = shares.reduce((sum, share) => sum + share, 0) === partitions && !shares.includes(0)
    return isDivided && consumers.every((consumer) => consumer.health().status === 'running')
  }
  const settled = async () => {
    while (!isSettled()) {
      if (failures.length > 0) throw failures[0]
      await setTimeout(1)
    }
  }
  for (let i = 1; i < members; i++) join()
  await settled()
  movedPartitions = 0
  const startMs = performance.now()
  join()
  await settled()
  const ms = performance.now() - startMs
  const movedAgainstLeast = movedPartitions / Math.floor(partitions / members)
  const sample = { ms, movedPartitions, movedAgainstLeast }
  await Promise.all(consumers.map((consumer) => consumer.close()))
  return sample
}
