/** Logs with consumer groups, for the tests of the command line. */
import { Varve } from '../../src/client/varve.ts'
import { temporaryDirectory } from './run-cli.ts'

/** Timestamp of the first record of each partition; the others follow, a minute apart. */
export const FIRST_MS = Date.UTC(2026, 0, 31, 12)

/** Records in each partition. */
export const RECORDS = 10

/** A closed log with topic `t` of two partitions, ten records each, and groups that have committed at those offsets. */
export async function logWithGroups(groups: Record<string, number> = {}): Promise<string> {
  const directory = temporaryDirectory()
  await using log = await Varve.open({ directory, flush: 'os' })
  await log.createTopic({ name: 't', partitions: 2 })
  const records = Array.from({ length: 2 * RECORDS }, (_, i) => ({
    partition: i % 2,
    value: i,
    timestamp: FIRST_MS + 60_000 * (i >> 1),
  }))
  await log.appendBatch('t', records)
  for (const [groupId, offset] of Object.entries(groups)) {
    await log.resetOffsets(groupId, { to: { offset }, topics: ['t'], dryRun: false })
  }
  return directory
}

/** Starts a member of a group, and resolves when it owns partitions. */
export async function startMember(log: Varve, groupId: string, options: object = {}): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const consumer = log.consumer({ groupId, topics: ['t'], ...options, onAssigned: () => resolve() })
    consumer.run(() => {}).catch(reject)
  })
}

/** What the group has committed, by partition of topic `t`. */
export async function committedOffsets(directory: string, groupId: string): Promise<(number | null)[]> {
  await using log = await Varve.open({ directory, readOnly: true })
  return (await log.lag(groupId)).map(({ committed }) => committed)
}
