import { expect } from 'vitest'
import type { Varve } from '../../src/index.ts'

/** What a process told: that something is about to be done, after which it may or may not be so, or that it is done. */
export type Fact =
  | { is: 'creating' | 'growing'; topic: string; partitions: number }
  | { is: 'created' | 'grown' | 'deleting' | 'deleted' | 'compacting'; topic: string }
  | { is: 'appending'; topic: string; values: string[] }
  | { is: 'appended'; topic: string; partition: number; offset: number; key?: string; value: string }
  /** Records before an offset may go; null: any of sealed segments. */
  | { is: 'cutting'; topic: string; partition: number; before: number | null }
  /** Records before `start` are gone for good, and no others. */
  | { is: 'cut'; topic: string; partition: number; start: number }
  | { is: 'committing' | 'committed'; group: string; topic: string; partition: number; offset: number }

interface Stored {
  key?: string
  value: string
}

interface KnownPartition {
  /** By offset, ascending: what was acknowledged, or read. */
  records: Map<number, Stored>
  start: number
  mayGoBefore: number
}

interface KnownTopic {
  state: 'creating' | 'there' | 'deleting'
  partitions: KnownPartition[]
  /** Partitions that may be there or not. */
  mayGrowTo: number
  underWay: Set<string>
  compacted: boolean
}

/** What must be found in a log whose last process was killed, by what that process had told until then. */
export class ExactWitness {
  private readonly topics = new Map<string, KnownTopic>()
  /** By "<group> <topic> <partition>": what the group may have committed, the last acknowledged one first. */
  private readonly commits = new Map<string, (number | null)[]>()
  /** Topics of which a directory may be left that belongs to none; those of groups are made when one is first used. */
  private readonly interrupted = new Set(['__consumer_offsets'])
  appended = 0
  /** Records that are there although nobody was told so. */
  unacknowledged = 0

  static from(text: string): ExactWitness {
    const witness = new ExactWitness()
    const lines = text.split('\n').slice(0, -1)
    for (const line of lines) witness.hear(JSON.parse(line) as Fact)
    return witness
  }

  hear(fact: Fact): void {
    const topic = this.topics.get(fact.topic)!
    switch (fact.is) {
      case 'creating':
        this.topics.set(fact.topic, newTopic(fact.partitions))
        break
      case 'created':
        topic.state = 'there'
        break
      case 'growing':
        topic.mayGrowTo = fact.partitions
        break
      case 'grown':
        while (topic.partitions.length < topic.mayGrowTo) topic.partitions.push(newPartition())
        break
      case 'deleting':
        topic.state = 'deleting'
        break
      case 'deleted':
        this.topics.delete(fact.topic)
        break
      case 'compacting':
        topic.compacted = true
        break
      case 'appending':
        // those of an append that has failed may still be there
        for (const value of fact.values) topic.underWay.add(value)
        break
      case 'appended':
        this.appended += 1
        topic.underWay.delete(fact.value)
        topic.partitions[fact.partition].records.set(fact.offset, { key: fact.key, value: fact.value })
        break
      case 'cutting':
        topic.partitions[fact.partition].mayGoBefore = fact.before ?? Infinity
        break
      case 'cut':
        Object.assign(topic.partitions[fact.partition], { start: fact.start, mayGoBefore: fact.start })
        break
      case 'committing':
      case 'committed': {
        const key = `${fact.group} ${fact.topic} ${fact.partition}`
        const before = fact.is === 'committed' ? [] : (this.commits.get(key) ?? [null])
        this.commits.set(key, [...before, fact.offset])
      }
    }
  }

  /** Finds all of it in a log; what else is there is known from now on. */
  async check(log: Varve): Promise<void> {
    const { damage, unknownDirectories } = log.recovery
    expect(damage).toEqual([])
    for (const [name, topic] of this.topics) if (isChanging(topic)) this.interrupted.add(name)
    for (const { topic } of unknownDirectories) expect([...this.interrupted], 'interrupted changes').toContain(topic)
    const found = new Map((await log.listTopics()).map(({ name, partitions }) => [name, partitions.length]))
    for (const name of found.keys()) expect([...this.topics.keys()], 'topics that there may be').toContain(name)
    for (const [name, topic] of this.topics) {
      const partitions = found.get(name)
      if (partitions === undefined) {
        expect(topic.state, `topic ${name} is gone`).not.toBe('there')
        this.topics.delete(name)
        continue
      }
      topic.state = 'there'
      expect([topic.partitions.length, topic.mayGrowTo], `partitions of ${name}`).toContain(partitions)
      while (topic.partitions.length < partitions) topic.partitions.push(newPartition())
      topic.mayGrowTo = partitions
      for (const partition of topic.partitions.keys()) await this.checkPartition(log, name, partition, topic)
    }
    await this.checkGroups(log)
  }

  private async checkPartition(log: Varve, name: string, partition: number, topic: KnownTopic): Promise<void> {
    const known = topic.partitions[partition]
    const where = `${name}-${partition}`
    const { logStartOffset } = log.offsets(name)[partition]
    expect(logStartOffset, `start of ${where}`).toBeGreaterThanOrEqual(known.start)
    const found = new Map<number, Stored>()
    let last = logStartOffset - 1
    for await (const { offset, key, value } of log.read(name, { partition, from: 'earliest' })) {
      expect(offset, `order in ${where}`).toBeGreaterThan(last)
      last = offset
      found.set(offset, { key: key ?? undefined, value: value as string })
    }
    const greatest = Math.max(-1, ...known.records.keys())
    for (const [offset, record] of found) {
      const before = known.records.get(offset)
      if (before === undefined) {
        expect(topic.underWay.delete(record.value), `'${record.value}' at ${offset} of ${where}, once`).toBe(true)
        expect(offset, `offset of '${record.value}' in ${where}`).toBeGreaterThan(greatest)
        this.unacknowledged += 1
      } else expect(record, `record ${offset} of ${where}`).toEqual(before)
    }
    for (const [offset, record] of known.records) {
      if (found.has(offset)) continue
      const isReplaced = topic.compacted && [...found].some(([other, { key }]) => other > offset && key === record.key)
      const mayBeGone = isReplaced || (offset < known.mayGoBefore && offset < logStartOffset)
      expect(mayBeGone, `record ${offset} of ${where} is missing: ${record.value}`).toBe(true)
    }
    expect(log.offsets(name)[partition].logEndOffset, `end of ${where}`).toBeGreaterThan(Math.max(greatest, last))
    // offsets that were given stay given, also those of records that compaction took
    for (const [offset, record] of found) known.records.set(offset, record)
    known.start = known.mayGoBefore = logStartOffset
  }

  private async checkGroups(log: Varve): Promise<void> {
    const groups = new Set((await log.listGroups()).map(({ groupId }) => groupId))
    for (const [key, allowed] of this.commits) {
      const [group, topic, partition] = key.split(' ')
      const offsets = groups.has(group) ? (await log.describeGroup(group)).offsets : []
      const own = offsets.find((one) => one.topic === topic && one.partition === Number(partition))
      const committed = own?.committed ?? null
      expect(allowed, `what ${group} has committed of ${topic}-${partition}`).toContain(committed)
      this.commits.set(key, [committed])
    }
  }

  /** Appends a record to every partition, and commits: all at offsets that nothing had before. */
  async goOn(log: Varve): Promise<void> {
    const all = [...this.topics].flatMap(([topic, { partitions }]) =>
      partitions.map(async ({ records }, partition) => {
        const value = `after the kill ${topic}-${partition}`
        const { offset } = await log.append(topic, { partition, key: 'key after', value })
        const isNew = [...records.keys()].every((before) => before < offset)
        expect(isNew, `${offset} of ${topic}-${partition} is new`).toBe(true)
        this.hear({ is: 'appended', topic, partition, offset, key: 'key after', value })
      }),
    )
    await Promise.all(all)
    const name = [...this.topics.keys()][0]
    if (name === undefined) return
    const { logEndOffset } = log.offsets(name)[0]
    const offsets = [{ topic: name, partition: 0, offset: logEndOffset }]
    await log.resetOffsets('after', { offsets, dryRun: false })
    this.hear({ is: 'committed', group: 'after', ...offsets[0] })
  }
}

function isChanging({ state, partitions, mayGrowTo }: KnownTopic): boolean {
  return state !== 'there' || mayGrowTo > partitions.length
}

function newTopic(partitions: number): KnownTopic {
  return {
    state: 'creating',
    partitions: Array.from({ length: partitions }, newPartition),
    mayGrowTo: partitions,
    underWay: new Set(),
    compacted: false,
  }
}

function newPartition(): KnownPartition {
  return { records: new Map(), start: 0, mayGoBefore: 0 }
}
