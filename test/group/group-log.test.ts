/** What replaying a partition of committed offsets gives. */
import { expect, test } from 'vitest'
import { GroupLog } from '../../src/group/group-log.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { GROUP, ORDERS, ordersLog } from '../helpers/consuming.ts'
import { GatedReads } from '../helpers/gated-reads.ts'
import { idle } from '../helpers/logs.ts'

test('of two replays at a time neither brings back what the other has replaced', async () => {
  const storage = new GatedReads(new MemoryStorage())
  const log = await ordersLog(5, 1, { storage })
  const commit = (offset: number) =>
    log.resetOffsets(GROUP, { offsets: [{ topic: ORDERS, partition: 0, offset }], dryRun: false })
  await commit(1)
  const [live] = await Promise.all(log['coordinator']['logs'].values())
  const replayed = new GroupLog(live.partition, log['engine'].clock)
  const gates: (() => void)[] = []
  storage.gate = (_, kind) => (kind === 'read' ? new Promise<void>((resolve) => gates.push(resolve)) : undefined)
  const first = replayed.replay()
  await idle()
  await commit(2)
  let isDone = false
  const both = Promise.all([first, replayed.replay()]).then(() => (isDone = true))
  while (!isDone) {
    await idle()
    // the read that came last ends first
    gates.pop()?.()
  }
  await both
  expect(replayed.images.get(GROUP)?.offsets.get(ORDERS)?.get(0)?.offset).toBe(2)
  storage.gate = () => undefined
  await log.close()
})
