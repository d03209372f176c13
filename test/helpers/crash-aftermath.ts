import type { Varve } from '../../src/client/varve.ts'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'
import { atLeast, must, openOn, same, uniqueValue, type Moment, type Survivors } from './crash-oracle.ts'
import { checkKnown, sendAgain, takeProducerId } from './crash-producer.ts'
import { drawCut } from './power-cuts.ts'
import type { SeededRandom } from './seeded-random.ts'

const NOTHING_TO_RECOVER = JSON.stringify({ clean: true, scannedBytes: 0, cutBytes: 0, damage: [] })

/**
 * Goes on after a recovery: appends to every partition, stops, opens again, and finds the very same. Offsets that were
 * seen before go to nothing else, and what was just acknowledged is there: after a close in order, which leaves nothing
 * to recover, or after a flush and another power cut.
 */
export async function checkGoesOn(
  disk: MemoryStorage,
  log: Varve,
  random: SeededRandom,
  survivors: Map<string, Survivors[]>,
  moment: Moment,
): Promise<void> {
  const powerGoes = random.chance(0.5)
  const count = powerGoes ? random.between(1, 6) : 1
  const producerId = moment.producerId < 0 ? -1 : await takeProducerId(log, moment.producerId)
  const resent = await sendAgain(log, moment, survivors)
  const added = await appendToAll(log, random, survivors, count, moment.wallMs)
  for (const { topic, partition, added: records } of resent) added.get(`${topic}/${partition}`)!.unshift(...records)
  if (powerGoes) await log.flush()
  else await log.close()
  const again = await openOn(powerGoes ? disk.crash(drawCut(disk, random)) : disk, random, moment.wallMs)
  const { clean, scannedBytes, cutBytes, damage } = again.recovery
  if (powerGoes) same(clean, false, 'whether the second stop was clean')
  else same(JSON.stringify({ clean, scannedBytes, cutBytes, damage }), NOTHING_TO_RECOVER, 'the second open')
  if (producerId >= 0) await takeProducerId(again, producerId)
  await checkKnown(again, resent)
  same((await again.listTopics()).map(({ name }) => name).join(), [...survivors.keys()].sort().join(), 'topics')
  for (const [name, partitions] of survivors) {
    const description = await again.describeTopic(name)
    for (const [partition, { start, end, kept, leaderEpoch }] of partitions.entries()) {
      const where = `${name}-${partition} opened again`
      const now = description.partitions[partition]
      same(now.logStartOffset, start, `start of ${where}`)
      if (powerGoes) atLeast(now.logEndOffset, end + count, `end of ${where}`)
      else same(now.logEndOffset, end + count, `end of ${where}`)
      same(now.leaderEpoch, powerGoes ? leaderEpoch + 1 : leaderEpoch, `epoch of ${where}`)
      const one = moment.topics.find((topic) => topic.name === name)!.partitions[partition]
      const before = (one?.entries.slice(0, kept) ?? []).filter(({ offset }) => offset >= start)
      const wanted: Stored[] = [...before, ...added.get(`${name}/${partition}`)!]
      const found: Stored[] = []
      for await (const { offset, valueBytes, timestamp } of again.read(name, { partition, from: 'earliest' })) {
        found.push({ offset, value: valueBytes!, timestamp })
      }
      same(found.length, wanted.length, `records of ${where}`)
      for (const [i, { offset, value }] of wanted.entries()) {
        must(found[i].offset === offset && found[i].value.equals(value), () => `record ${i} of ${where} is as it was`)
      }
      await checkTimes(again, name, partition, wanted)
    }
  }
  await again.close()
}

interface Stored {
  offset: number
  value: Buffer
  timestamp: number
}

/** Appends so many records to each partition, one after the other, at the offsets that follow its end. */
async function appendToAll(
  log: Varve,
  random: SeededRandom,
  survivors: Map<string, Survivors[]>,
  count: number,
  wallMs: number,
): Promise<Map<string, Stored[]>> {
  const added = new Map<string, Stored[]>()
  for (const [name, partitions] of survivors) {
    for (const [partition, { end }] of partitions.entries()) {
      const records: Stored[] = []
      for (let i = 0; i < count; i++) {
        const value = uniqueValue(random, 40)
        const timestamp = wallMs + 1_000_000 + i
        const { offset } = await log.append(name, { partition, value, timestamp })
        same(offset, end + i, `next offset of ${name}-${partition}`)
        records.push({ offset, value, timestamp })
      }
      added.set(`${name}/${partition}`, records)
    }
  }
  return added
}

/** Reads from the times of some records: what the time index says must not lead past the first at that time or after. */
async function checkTimes(log: Varve, name: string, partition: number, records: readonly Stored[]): Promise<void> {
  const last = records.length - 1
  for (const at of new Set([Math.floor(last / 2), Math.max(last - 1, 0), last])) {
    const { timestamp } = records[at]
    const { value } = await log.read(name, { partition, from: { timestamp } }).next()
    const first = records.find((record) => record.timestamp >= timestamp)
    same(value?.offset, first?.offset, `first record of ${name}-${partition} at ${timestamp}`)
  }
}
