import type { Flush } from '../src/index.ts'
import type { Workload } from './workload.ts'
import { compaction } from './workloads/compaction.ts'
import { commits } from './workloads/commits.ts'
import { consume } from './workloads/consume.ts'
import { endurance } from './workloads/endurance.ts'
import { eventsAppend, eventsReplay } from './workloads/events.ts'
import { fanOut } from './workloads/fan-out.ts'
import { fillBatch } from './workloads/fill-batch.ts'
import { fillEach } from './workloads/fill-each.ts'
import { fillGroup, fillInFlight } from './workloads/fill-group.ts'
import { fillOs } from './workloads/fill-os.ts'
import { fillWindow } from './workloads/fill-window.ts'
import { lossWindow } from './workloads/loss-window.ts'
import { manyPartitions } from './workloads/many-partitions.ts'
import { openPartitions, openPartitionsKilled } from './workloads/open-partitions.ts'
import { openClean, openKilled } from './workloads/open.ts'
import { readRandom } from './workloads/read-random.ts'
import { rebalanceJoin } from './workloads/rebalance-join.ts'
import { rebalance } from './workloads/rebalance.ts'
import { replayBatches } from './workloads/replay-batches.ts'
import { replayMemory } from './workloads/replay-memory.ts'
import { replayRecords } from './workloads/replay-records.ts'
import { replaySizes } from './workloads/replay-sizes.ts'

/** All that can be run, in order. */
export interface Suite {
  /** What runs when nothing is named. */
  usual: Workload[]
  /** What runs only when it is named. */
  onDemand: Workload[]
}

const SMALL = 100
const SIZES = [SMALL, 1024, 16 * 1024]
const REPLAY_SIZES = [16, 64, 256, 1024, 4096, 16 * 1024]
const IN_FLIGHT = [1, 4, 16, 64, 256, 1024]
const REPLAY_BYTES = 200_000_000
const CONSUMED_SIZES = [SMALL, 1024]
const COMMIT_MODES: Flush[] = ['each', 'group', { ms: 10 }, 'os']
const COMMIT_LOADS = [
  { inFlight: 1, groups: 1 },
  { inFlight: 256, groups: 1 },
  { inFlight: 256, groups: 8 },
]
const ENDURANCE_RECORDS = 100_000_000

/** The workloads of a full run, or the few and small ones of a smoke test. */
export function suite({ smoke }: { smoke: boolean }): Suite {
  const sizes = smoke ? [SMALL] : SIZES
  // what a record costs beside its bytes bounds how many of the small ones fit the time
  const replayed = (recordBytes: number, bytes = REPLAY_BYTES) =>
    smoke ? 200_000 : Math.floor(bytes / (recordBytes + 100) / 1000) * 1000
  const commitLoads = (smoke ? (['group'] as const) : COMMIT_MODES).flatMap((flush) =>
    COMMIT_LOADS.map((load) => ({ flush, ...load })),
  )
  const consumed = smoke ? sizes : CONSUMED_SIZES
  const prepared = smoke ? 200_000 : 1_000_000
  return {
    usual: [
      ...sizes.map(fillOs),
      ...sizes.map(fillBatch),
      ...sizes.map(fillGroup),
      ...sizes.map(fillEach),
      ...sizes.map(fillWindow),
      ...(smoke ? [16] : IN_FLIGHT).map((inFlight) => fillInFlight(SMALL, inFlight)),
      lossWindow(SMALL, smoke ? [10] : undefined),
      manyPartitions(SMALL),
      eventsAppend(),
      eventsReplay(smoke ? 20_000 : 200_000),
      ...sizes.map((bytes) => replayBatches(bytes, replayed(bytes))),
      ...sizes.map((bytes) => replayRecords(bytes, replayed(bytes))),
      ...(smoke ? [256] : REPLAY_SIZES).map((bytes) => replaySizes(bytes, replayed(bytes, REPLAY_BYTES / 2))),
      readRandom(SMALL, prepared),
      openClean(SMALL, prepared),
      openKilled(SMALL, prepared),
      openPartitions(SMALL, smoke ? 100 : 1000),
      openPartitionsKilled(SMALL, smoke ? 100 : 1000),
      ...commitLoads.map(commits),
      ...consumed.flatMap((bytes) => [1, 8].map((count) => consume(bytes, replayed(bytes), count))),
      fanOut(smoke ? SMALL : 1024, smoke ? 5_000 : 20_000, 50),
      rebalance(100, 1000),
      rebalanceJoin(smoke ? 10 : 100, smoke ? 100 : 1000),
      ...sizes.slice(0, 2).map((bytes) => compaction(bytes, replayed(bytes))),
      replayMemory(SMALL, smoke ? 1_000_000 : 10_000_000),
    ],
    onDemand: [endurance(SMALL, smoke ? 1_000_000 : ENDURANCE_RECORDS)],
  }
}
