/** What a program asked of a log and what it was told: the log must hold what was acknowledged, whatever the disk did. */
import type { Consumer } from '../../src/client/consumer.ts'
import type { Varve } from '../../src/client/varve.ts'
import type { ConsumerRecord } from '../../src/codec/record.ts'
import { acknowledgesDurably } from '../../src/engine/flush.ts'
import type { CreateTopicOptions } from '../../src/engine/topic-admin.ts'
import type { TopicConfig } from '../../src/engine/topic-config.ts'
import {
  follows,
  isThere,
  mayHide,
  NEVER,
  placeOf,
  type CommitFact,
  type RecordFact,
  type TopicFact,
} from './io-facts.ts'

/** After a power cut only what is durable must be there; after a kill, all that was acknowledged. */
export type Survival = 'power cut' | 'kill'

/** What a call was told that failed. */
export interface Failure {
  what: string
  error: unknown
}

export class Ledger {
  readonly failures: Failure[] = []
  /** What every call gave, or the code of its error, in the order of the calls. */
  readonly results: string[] = []
  /** Called when a call has ended. */
  onStep: () => void = () => {}
  /** Called when the log is about to be closed. */
  beforeClose: () => void = () => {}
  /** Acknowledgements so far. */
  now = 0
  private records: RecordFact[] = []
  private topics: TopicFact[] = []
  private commits: CommitFact[] = []
  private calls = 0
  private handed = 0

  /** The same facts, to go on from. */
  fork(): Ledger {
    const other = new Ledger()
    Object.assign(other, { now: this.now, calls: this.calls, handed: this.handed })
    other.records = this.records.map((fact) => ({ ...fact }))
    other.topics = this.topics.map((fact) => ({
      ...fact,
      sizes: [...fact.sizes],
      changes: [...fact.changes],
      starts: [...fact.starts],
    }))
    other.commits = this.commits.map((fact) => ({ ...fact }))
    return other
  }

  /** Makes a call, and goes on when it fails. */
  async attempt<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
    const index = this.results.push('') - 1
    try {
      const result = await action()
      this.now += 1
      this.results[index] = `${what}: ${JSON.stringify(result) ?? 'done'}`
      return result
    } catch (error) {
      this.failures.push({ what, error })
      this.results[index] = `${what}: ${(error as { code?: string }).code ?? String(error)}`
      return undefined
    } finally {
      this.onStep()
    }
  }

  async createTopic(log: Varve, options: CreateTopicOptions): Promise<void> {
    const { name, partitions = 1, flush = 'group', cleanupPolicy } = options
    const fact: TopicFact = {
      name,
      life: this.topics.length,
      compacted: cleanupPolicy === 'compact',
      durably: acknowledgesDurably(flush),
      triedAt: this.now,
      createdAt: NEVER,
      deleteTriedAt: NEVER,
      deletedAt: NEVER,
      sizes: [{ count: partitions, ackedAt: NEVER }],
      changes: [],
      starts: [],
    }
    this.topics.push(fact)
    const made = await this.attempt(`create ${name}`, async () => {
      await log.createTopic({ valueCodec: 'string', ...options })
      fact.createdAt = fact.sizes[0].ackedAt = this.now + 1
      return name
    })
    // what was refused because it is there, or was not made, leaves the one before as it was
    if (made === undefined && this.topics.some((other) => other !== fact && other.name === name && isThere(other)))
      this.topics.splice(this.topics.indexOf(fact), 1)
  }

  /** Takes over directories whose records are known as those of another topic. */
  async adoptTopic(log: Varve, name: string, from: string, directory: string): Promise<void> {
    const life = this.topics.length
    const fresh = { name, life, triedAt: this.now, createdAt: NEVER, sizes: [], changes: [] }
    const fact: TopicFact = { ...this.topic(from)!, ...fresh }
    this.topics.push(fact)
    const copied = this.records.filter((record) => record.topic === from)
    const records = copied.map((record) => ({ ...record, topic: name, life }))
    this.records.push(...records)
    await this.attempt(`adopt ${name}`, async () => {
      const { partitions } = await log.adoptTopic({ name, directory, valueCodec: 'string', flush: 'group' })
      fact.createdAt = this.now + 1
      fact.sizes.push({ count: partitions.length, ackedAt: this.now + 1 })
      return partitions.length
    })
  }

  async deleteTopic(log: Varve, name: string): Promise<void> {
    const fact = this.topic(name)
    if (fact !== undefined) fact.deleteTriedAt = this.now
    await this.attempt(`delete ${name}`, async () => {
      await log.deleteTopic(name)
      fact!.deletedAt = this.now + 1
    })
  }

  async createPartitions(log: Varve, name: string, count: number): Promise<void> {
    const size = { count, ackedAt: NEVER }
    this.topic(name)?.sizes.push(size)
    await this.attempt(`${count} partitions of ${name}`, async () => {
      await log.createPartitions(name, count)
      size.ackedAt = this.now + 1
    })
  }

  async alterTopic(log: Varve, name: string, config: Partial<TopicConfig>): Promise<void> {
    const change = { config, ackedAt: NEVER }
    const fact = this.topic(name)
    fact?.changes.push(change)
    // while it is uncertain which mode holds, the weaker promise does
    if (fact !== undefined && config.flush !== undefined) fact.durably = false
    await this.attempt(`alter ${name}`, async () => {
      await log.alterTopic(name, config)
      change.ackedAt = this.now + 1
      if (config.flush !== undefined) fact!.durably = acknowledgesDurably(config.flush)
      if (acknowledgesDurably(config.flush ?? 'os')) this.isDurable(this.now + 1, name)
    })
  }

  /** Appends some records with one call; `null` among `values` is a tombstone. */
  async append(
    log: Varve,
    topic: string,
    partition: number,
    fillers: readonly (string | null)[],
    key: string | null = null,
  ): Promise<void> {
    const facts = this.handIn(topic, partition, fillers, key)
    const durably = this.isDurablyAcknowledged(topic)
    await this.attempt(`append ${fillers.length} to ${topic}-${partition}`, async () => {
      const records = facts.map(({ value }) => ({ partition, key, value }))
      const results =
        records.length === 1 ? [await log.append(topic, records[0])] : await log.appendBatch(topic, records)
      for (const [i, { offset }] of results.entries()) {
        facts[i].offset = offset
        facts[i].ackedAt = this.now + 1
        // the mode may have been changed meanwhile
        if (durably && this.isDurablyAcknowledged(topic)) facts[i].durableAt = this.now + 1
      }
      return results[0].offset
    })
  }

  /** Records that are about to be handed in with one call. */
  handIn(topic: string, partition: number, fillers: readonly (string | null)[], key: string | null): RecordFact[] {
    const call = ++this.calls
    const facts = fillers.map((filler): RecordFact => {
      const value = filler === null ? null : `${++this.handed}|${filler}`
      const life = this.topic(topic)?.life ?? -1
      const place = { topic, life, partition, key, value, call, callSize: fillers.length }
      return { ...place, offset: -1, ackedAt: NEVER, durableAt: NEVER }
    })
    this.records.push(...facts)
    return facts
  }

  async flush(log: Varve): Promise<void> {
    const covered = this.records.filter(({ ackedAt }) => ackedAt <= this.now)
    await this.attempt('flush', async () => {
      await log.flush()
      for (const fact of covered) fact.durableAt = Math.min(fact.durableAt, this.now + 1)
    })
  }

  async deleteRecords(log: Varve, topic: string, partition: number, offset: number): Promise<void> {
    const start = { partition, offset, triedAt: this.now, ackedAt: NEVER }
    this.topic(topic)?.starts.push(start)
    await this.attempt(`delete before ${offset} of ${topic}-${partition}`, async () => {
      const { logStartOffset } = await log.deleteRecords(topic, { partition, beforeOffset: offset })
      start.ackedAt = this.now + 1
      return logStartOffset
    })
  }

  /** @param topics of which records may go */
  async enforceRetention(log: Varve, topics: readonly string[]): Promise<void> {
    for (const name of topics)
      this.topic(name)?.starts.push({ partition: null, offset: NEVER, triedAt: this.now, ackedAt: NEVER })
    await this.attempt('retention', () => log.enforceRetention())
  }

  async commit(consumer: Consumer, groupId: string, record: ConsumerRecord): Promise<void> {
    const { topic, partition, offset } = record
    const fact = this.triedToCommit(groupId, topic, partition, offset + 1)
    await this.attempt(`commit ${offset + 1} of ${topic}-${partition}`, async () => {
      await consumer.commit(record)
      fact.ackedAt = this.now + 1
    })
  }

  /** A commit that may be made, or is made by itself; the caller sets `ackedAt` when he hears of it. */
  triedToCommit(groupId: string, topic: string, partition: number, offset: number | null): CommitFact {
    const fact = { groupId, topic, partition, offset, triedAt: this.now, ackedAt: NEVER }
    this.commits.push(fact)
    return fact
  }

  /** All that was acknowledged of a topic, or of all topics, survives a power cut. */
  isDurable(at = this.now, topic?: string): void {
    for (const fact of this.records) {
      if (topic !== undefined && fact.topic !== topic) continue
      if (fact.ackedAt <= at) fact.durableAt = Math.min(fact.durableAt, at)
    }
  }

  /** What a stop may have taken was never acknowledged, and what is found is there for good. */
  async restart(log: Varve): Promise<void> {
    for (const fact of this.records) fact.ackedAt = fact.durableAt = NEVER
    for (const { name } of await log.listTopics()) {
      for await (const { partition, offset, value } of log.read(name)) {
        const fact = this.records.find(
          (one) => one.topic === name && one.partition === partition && one.value === value,
        )
        if (fact === undefined) throw new Error(`nobody wrote ${String(value)} to ${name}-${partition}`)
        Object.assign(fact, { offset, ackedAt: this.now, durableAt: this.now })
      }
    }
  }

  /** Reads a topic and checks what it gives, without knowing what must be there. */
  async read(
    log: Varve,
    name: string,
    items: () => AsyncIterable<ConsumerRecord> = () => log.read(name),
    options: { partly?: boolean } = {},
  ): Promise<void> {
    const found: ConsumerRecord[] = []
    const places = await this.attempt(`read ${name}`, async () => {
      for await (const record of items()) found.push(record)
      return found.map((record) => placeOf(record))
    })
    this.checkFound(name, found, places === undefined || options.partly === true)
    if (places === undefined || !this.isDurablyAcknowledged(name)) return
    const ends = log.offsets(name).map(({ durableOffset }) => durableOffset)
    const early = found.find(({ partition, offset }) => offset >= ends[partition])
    if (early !== undefined) throw new Error(`${name}/${placeOf(early)} is seen and not durable`)
  }

  /** Checks a log that was opened after a stop at the moment `at`. */
  async check(log: Varve, survival: Survival, at = this.now): Promise<void> {
    const there = new Set((await log.listTopics()).map(({ name }) => name))
    for (const name of new Set(this.topics.map((topic) => topic.name))) {
      const facts = this.topics.filter((topic) => topic.name === name && topic.triedAt <= at)
      const must = facts.some(({ createdAt, deleteTriedAt }) => createdAt <= at && deleteTriedAt > at)
      const candidates = facts.filter(({ deletedAt }) => deletedAt > at)
      if (must && !there.has(name)) throw new Error(`topic ${name} was acknowledged and is gone`)
      if (candidates.length === 0 && there.has(name)) throw new Error(`topic ${name} is there, and should not be`)
      // which of two it is, if one was being deleted and another created, cannot be told
      if (candidates.length === 1 && there.has(name)) await this.checkTopic(log, candidates[0], survival, at)
    }
    await this.checkCommits(log, at)
  }

  private async checkTopic(log: Varve, topic: TopicFact, survival: Survival, at: number): Promise<void> {
    const { name } = topic
    const { partitions, config } = await log.describeTopic(name)
    const least = Math.max(0, ...topic.sizes.filter(({ ackedAt }) => ackedAt <= at).map(({ count }) => count))
    if (partitions.length < least) throw new Error(`${name} has ${partitions.length} partitions, not ${least}`)
    for (const key of new Set(topic.changes.flatMap((change) => Object.keys(change.config))) as Set<
      keyof TopicConfig
    >) {
      const changes = topic.changes.filter((change) => key in change.config)
      const last = changes.findLastIndex(({ ackedAt }) => ackedAt <= at)
      const allowed = changes.slice(Math.max(last, 0)).map((change) => JSON.stringify(change.config[key]))
      const found = JSON.stringify(config[key])
      if (last >= 0 && !allowed.includes(found)) throw new Error(`${key} of ${name} is ${found}`)
    }
    for (const { partition, logStartOffset } of partitions) {
      const starts = topic.starts.filter((start) => start.partition === partition && start.ackedAt <= at)
      const start = Math.max(0, ...starts.map(({ offset }) => offset))
      if (logStartOffset < start) throw new Error(`${name}-${partition} starts at ${logStartOffset}, not ${start}`)
    }
    const found: ConsumerRecord[] = []
    for await (const record of log.read(name)) found.push(record)
    this.checkFound(name, found, false)
    const places = new Map(found.map((record) => [placeOf(record), record]))
    const written = this.records.filter(({ life }) => life === topic.life)
    for (const fact of written) {
      if ((survival === 'kill' ? fact.ackedAt : fact.durableAt) > at) continue
      if (topic.starts.some((start) => mayHide(start, fact, at))) continue
      if (topic.compacted && written.some((later) => later.key === fact.key && follows(later, fact))) continue
      const record = places.get(placeOf(fact))
      if (record === undefined && fact.value === null) {
        const older = found.find(({ key }) => key === fact.key)
        if (older !== undefined) throw new Error(`${fact.key} of ${name} was deleted and is back`)
      } else if (record?.valueBytes?.toString() !== (fact.value ?? undefined))
        throw new Error(`${name}/${placeOf(fact)} must be ${fact.value}, is ${record?.valueBytes?.toString()}`)
    }
  }

  /** Every record is one that was handed in, once, in order, with the others of its call. */
  private checkFound(name: string, found: readonly ConsumerRecord[], isPart: boolean): void {
    const facts = this.records.filter((fact) => fact.topic === name)
    const mayLack = this.topics.some((topic) => topic.name === name && (topic.compacted || topic.starts.length > 0))
    const calls = new Map<number, number>()
    const last = new Map<number, number>()
    const seen = new Set<RecordFact>()
    for (const { partition, offset, valueBytes, key } of found) {
      const value = valueBytes?.toString() ?? null
      const isIt = (one: RecordFact) => one.partition === partition && one.value === value && one.key === key
      const fact = facts.find((one) => isIt(one) && !seen.has(one))
      if (fact === undefined) throw new Error(`${name}-${partition} gives ${value} at ${offset}, which is not its own`)
      if (offset <= (last.get(partition) ?? -1)) throw new Error(`${name}-${partition}: offset ${offset} comes late`)
      seen.add(fact)
      last.set(partition, offset)
      calls.set(fact.call, (calls.get(fact.call) ?? 0) + 1)
    }
    if (isPart || mayLack) return
    for (const [call, count] of calls) {
      const { callSize } = facts.find((fact) => fact.call === call)!
      if (count !== callSize) throw new Error(`${name}: ${count} of the ${callSize} records of one call`)
    }
  }

  private async checkCommits(log: Varve, at: number): Promise<void> {
    const ids = new Set(this.commits.filter(({ triedAt }) => triedAt <= at).map(({ groupId }) => groupId))
    if (ids.size === 0) return
    const known = new Set((await log.listGroups()).map(({ groupId }) => groupId))
    for (const groupId of ids) {
      const lags = known.has(groupId) ? await log.lag(groupId) : []
      const facts = this.commits.filter((fact) => fact.groupId === groupId && fact.triedAt <= at)
      for (const [topic, partition] of new Map(
        facts.map((f) => [`${f.topic}/${f.partition}`, [f.topic, f.partition]]),
      ).values()) {
        const own = facts.filter((fact) => fact.topic === topic && fact.partition === partition)
        const acked = own.findLastIndex(({ ackedAt }) => ackedAt <= at)
        const allowed = new Set(own.slice(Math.max(acked, 0)).map(({ offset }) => offset))
        if (acked < 0) allowed.add(null)
        const found = lags.find((lag) => lag.topic === topic && lag.partition === partition)?.committed ?? null
        if (allowed.has(found)) continue
        throw new Error(`${groupId} committed ${[...allowed].join(' or ')} of ${topic}-${partition}, found ${found}`)
      }
    }
  }

  /** Whether appends to a topic are acknowledged, and seen, only when they are durable. */
  isDurablyAcknowledged(name: string): boolean {
    return this.topic(name)?.durably ?? false
  }

  private topic(name: string): TopicFact | undefined {
    return this.topics.findLast((topic) => topic.name === name)
  }
}
