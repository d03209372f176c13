/** What an open reads after an unclean stop: never more than what no checkpoint covers yet. */
import { expect, test } from 'vitest'
import { CheckpointFiles, type PartitionCheckpoint } from '../../src/storage/checkpoint.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { parseSegmentName } from '../../src/storage/segment-name.ts'
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

test('a recovery reads the tail that no checkpoint covers, once to check it and once to write it again, and nothing else', async () => {
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
      const storage = new FaultyStorage(image)
      const log = await openOn(storage, random, moment.wallMs)
      for (const { name, topicId } of await log.listTopics()) {
        for (const { partition, directory } of (await log.describeTopic(name)).partitions) {
          const known = checkpoint.partitions[`${topicId}/${partition}`]
          if (known === undefined) continue
          const where = `${moment.label}: ${name}-${partition}, seed ${random.seed}`
          const tail = await unsyncedTail(before, directory, known)
          let read = 0
          for (const { kind, path, position, length } of storage.calls) {
            if (kind !== 'read' || !path.startsWith(`${directory}/`) || !path.endsWith('.log')) continue
            const size = (await before.readFile(path).catch(() => Buffer.alloc(0))).length
            read += Math.max(0, Math.min(length!, size - position!))
          }
          const report = log.recovery.partitions.find((one) => one.topic === name && one.partition === partition)
          expect(report?.scannedBytes ?? 0, `bytes scanned, ${where}`).toBeLessThanOrEqual(tail)
          expect(read, `bytes read, ${where}`).toBeLessThanOrEqual(2 * tail)
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
