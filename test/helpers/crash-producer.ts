/** An idempotent producer in a run that may end at any moment: what it has sent, and what it may send again. */
import type { Varve } from '../../src/client/varve.ts'
import { checkReceivedBatch } from '../../src/codec/received-batch.ts'
import { clientBatch } from './client-batch.ts'
import { must, same, type Moment, type PartitionMoment, type Survivors } from './crash-oracle.ts'

/** A batch that was handed in. */
export interface SentBatch {
  bytes: Buffer
  /** Of its first record. */
  offset: number
  /** Of its first record. */
  sequence: number
  records: { value: Buffer; timestamp: number }[]
}

/** So many of a producer's batches are known again. */
const KNOWN = 5
const MOST_BYTES = 1_000_000

/** The next batch of a producer whose last ones are `sent`. */
export function nextBatch(
  producerId: number,
  sent: readonly SentBatch[],
  offset: number,
  timestamp: number,
  values: Buffer[],
): SentBatch {
  const last = sent.at(-1)
  const sequence = last === undefined ? 0 : last.sequence + last.records.length
  const place = { producerId, producerEpoch: 0, baseSequence: sequence }
  const bytes = clientBatch(values, { baseTimestamp: timestamp, ...place })
  return { bytes, offset, sequence, records: values.map((value) => ({ value, timestamp })) }
}

/** Sends a batch; gives the offset that it has. */
export async function sendTo(log: Varve, topic: string, partition: number, { bytes }: SentBatch): Promise<number> {
  const to = log['engine'].topic(topic)
  const copy = Buffer.from(bytes)
  const header = checkReceivedBatch(copy, MOST_BYTES, true)
  return (await to.appendReceived(to.partition(partition), copy, header)).baseOffset
}

/** Those that may be sent again: they must be known, as long as the log holds them. */
export function repeatable(sent: readonly SentBatch[], start: number): SentBatch[] {
  return sent.slice(-KNOWN).filter(({ offset }) => offset >= start)
}

/** What was handed in when so many entries were, up to the offset `end`. */
export function sentBefore(sent: readonly SentBatch[], end: number, where: string): SentBatch[] {
  return sent.filter(({ offset, records }) => {
    must(
      offset >= end || offset + records.length <= end,
      () => `the batch at ${offset} of ${where} is there as a whole`,
    )
    return offset < end
  })
}

/** What a producer has sent again: where each batch is now, and which records it has added. */
export interface Resent {
  topic: string
  partition: number
  batches: SentBatch[]
  added: { offset: number; value: Buffer; timestamp: number }[]
}

/**
 * Sends again, after a recovery, all that was handed in and is lost, and some of what is not: nothing that survived is
 * doubled, nothing else refused.
 *
 * @returns what became of it; the ends in `survivors` are moved
 */
export async function sendAgain(log: Varve, moment: Moment, survivors: Map<string, Survivors[]>): Promise<Resent[]> {
  const found: Resent[] = []
  for (const [topic, partitions] of survivors) {
    const known = moment.topics.find(({ name }) => name === topic)
    for (const [partition, survivor] of partitions.entries()) {
      const one = known?.partitions[partition]
      if (one === undefined || one.sent.length === 0) continue
      found.push({ topic, partition, ...(await sendAgainTo(log, topic, partition, one, survivor)) })
    }
  }
  return found
}

async function sendAgainTo(
  log: Varve,
  topic: string,
  partition: number,
  { sent, entries, count }: PartitionMoment,
  survivor: Survivors,
): Promise<Pick<Resent, 'batches' | 'added'>> {
  const where = `${topic}-${partition}`
  const endOf = (records: number) => (records === 0 ? 0 : entries[records - 1].offset + 1)
  const handedIn = sentBefore(sent, endOf(count), where)
  const kept = sentBefore(handedIn, endOf(survivor.kept), where)
  const batches: SentBatch[] = []
  const added: Resent['added'] = []
  for (const batch of repeatable(kept, survivor.start)) {
    same(await sendTo(log, topic, partition, batch), batch.offset, `offset of the batch that is sent to ${where} again`)
    batches.push(batch)
  }
  for (const batch of handedIn.slice(kept.length)) {
    const offset = await sendTo(log, topic, partition, batch)
    same(offset, survivor.end, `offset of the batch that was lost, sent to ${where} again`)
    survivor.end += batch.records.length
    added.push(...batch.records.map((record, i) => ({ offset: offset + i, ...record })))
    batches.push({ ...batch, offset })
  }
  return { batches: batches.slice(-KNOWN), added }
}

/** After one more stop all of it is known. */
export async function checkKnown(log: Varve, resent: readonly Resent[]): Promise<void> {
  for (const { topic, partition, batches } of resent) {
    for (const batch of batches) {
      const offset = await sendTo(log, topic, partition, batch)
      same(offset, batch.offset, `offset of the batch that is sent to ${topic}-${partition} once more`)
    }
  }
}

/** Takes an id that nobody has had: they ascend. */
export async function takeProducerId(log: Varve, greatest: number): Promise<number> {
  const id = await log['engine'].producerIds.take()
  must(id > greatest, () => `a producer id after ${greatest}, found ${id}`)
  return id
}
