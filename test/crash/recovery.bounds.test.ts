/** What an open reads after an unclean stop: never more than what no checkpoint covers yet. */
import { expect, test } from 'vitest'
import { CheckpointFiles, type PartitionCheckpoint } from '../../src/storage/checkpoint.ts'
import { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { parseSegmentName, segmentFileName } from '../../src/storage/segment-name.ts'
import { DIRECTORY, openOn } from '../helpers/crash-oracle.ts'
import { REAL_SCALE } from '../helpers/crash-scale.ts'
import { CrashScript } from '../helpers/crash-script.ts'
import { FaultyStorage } from '../helpers/faulty-storage.ts'
import { namesIn } from '../helpers/logs.ts'
import { drawCut } from '../helpers/power-cuts.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const RUNS = Number(process.env['RECOVERY_RUNS'] ?? 10)
const STATES_PER_RUN = 60

/** Bytes of a partition's log that lie behind what the checkpoint says is durable. */
async function unsyncedTail(disk: MemoryStorage, directory: string, known: PartitionCheckpoint): Promise<number> {
  let bytes = 0
  for (const name of await namesIn(disk, directory)) {
    const file = parseSegmentName(name)
    if (file?.suffix !== '.log' || file.baseOffset < known.durableSegment) continue
    const { length } = await disk.readFile(`${directory}/${name}`)
    bytes += file.baseOffset === known.durableSegment ? Math.max(0, length - known.durablePosition) : length
  }
  return bytes
}

test('a recovery checks the tail that no checkpoint covers, and nothing else', async () => {
  const random = new SeededRandom()
  console.log(
    `recovery bounds: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; RECOVERY_RUNS sets the runs)`,
  )
  let [states, tails, scanned] = [0, 0, 0]
  for (let run = 0; run < RUNS; run++) {
    const script = new CrashScript(random, ['group', 'os', 'each', { ms: 20 }], REAL_SCALE)
    await script.run(30)
    for (let i = 0; i < STATES_PER_RUN; i++) {
      const { disk, moment } = random.pick(script.points)
      const image = disk.crash(drawCut(disk, random, REAL_SCALE.sectors))
      const { checkpoint, damaged } = await new CheckpointFiles(image, DIRECTORY).load()
      // a checkpoint that the power cut damaged is not known to be the newest: that recovery is measured as well
      if (checkpoint === null || damaged.length > 1) continue
      states += 1
      const before = image.clone()
      const log = await openOn(image, random, moment.wallMs)
      for (const { name, topicId } of await log.listTopics()) {
        for (const { partition, directory } of (await log.describeTopic(name)).partitions) {
          const known = checkpoint.partitions[`${topicId}/${partition}`]
          if (known === undefined) continue
          const tail = await unsyncedTail(before, directory, known)
          const report = log.recovery.partitions.find((one) => one.topic === name && one.partition === partition)
          const where = `${moment.label}: ${name}-${partition}, seed ${random.seed}`
          expect(report?.scannedBytes ?? 0, where).toBeLessThanOrEqual(tail)
          tails += tail
          scanned += report?.scannedBytes ?? 0
        }
      }
      await log.close()
    }
  }
  console.log(`recovery bounds: ${states} states, ${tails} bytes not covered, ${scanned} scanned`)
  expect(scanned).toBeGreaterThan(0)
})

test('after a power cut an open reads what became durable since the last checkpoint, however large the segment is', async () => {
  const disk = new MemoryStorage()
  const log = await openOn(disk, new SeededRandom(1), 0)
  await log.createTopic({ name: 't', valueCodec: 'bytes', segmentBytes: 2 ** 30 })
  const value = Buffer.alloc(32 * 1024)
  for (let mebibytes = 0; mebibytes < 80; mebibytes++) {
    await log.appendBatch(
      't',
      Array.from({ length: 32 }, () => ({ value, timestamp: mebibytes })),
    )
  }
  const left = new FaultyStorage(disk.crash())
  const again = await openOn(left, new SeededRandom(1), 0)
  expect(again.offsets('t')[0].logEndOffset).toBe(80 * 32)
  // to append needs the indexes of the last segment
  await again.append('t', { value })
  const path = `${DIRECTORY}/t-0/${segmentFileName(0, '.log')}`
  const reads = left.calls.filter((call) => call.kind === 'read' && call.path === path)
  const size = (await disk.readFile(path)).length
  const bytes = reads.reduce((sum, { position, length }) => sum + Math.min(length!, size - position!), 0)
  console.log(`recovery bounds: ${bytes} of ${size} bytes read`)
  // checked, written again and indexed: at most three times a checkpoint's interval, where 80 MiB are there
  expect(bytes).toBeLessThan(52 * 2 ** 20)
})
