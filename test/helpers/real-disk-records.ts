import type { Flush, FlushWindow } from '../../src/index.ts'
import type { Varve } from '../../src/client/varve.ts'

export const WINDOW: Required<FlushWindow> = { ms: 40, bytes: 30_000, records: 60 }

/** The topics of a process that works on a real disk. */
export const TOPICS: { [name: string]: { partitions: number; flush: Flush } } = {
  each: { partitions: 1, flush: 'each' },
  group: { partitions: 2, flush: 'group' },
  window: { partitions: 2, flush: WINDOW },
  os: { partitions: 2, flush: 'os' },
}

/** The value of the record that has this number: any other one differs from it, and no byte of it is free. */
export function valueOf(id: number): string {
  const length = (id * 7919) % 400
  return `${id}:${String.fromCharCode(97 + (id % 26)).repeat(length)}`
}

interface Acknowledged {
  id: number
  /** Monotonic ms of the engine's clock: the acknowledgement lies between them. */
  notBefore: number
  notAfter: number
}

/** What was lost of a topic at most, by what the flush mode promises. */
export interface Losses {
  records: { [topic: string]: number }
  acknowledged: { [topic: string]: number }
}

/**
 * What a process told before the power went, one line each: "open", "created <topic>", "deleting <topic>",
 * "deleted <topic>", "committed <offset>" and "acked <topic> <partition> <offset> <id> <not before> <not after>".
 */
export class RealDiskWitness {
  private readonly acked = new Map<string, Acknowledged[]>()
  private readonly topics = new Map<string, 'there' | 'deleting' | 'deleted'>()
  private committed = 0

  /**
   * @param before what was told before the power went
   * @param meanwhile what was told until a moment after that: it may be so
   */
  constructor(before: string, meanwhile: string) {
    // the last line may be half written: its end was told later
    for (const line of before.split('\n').slice(0, -1)) this.hear(line.split(' '))
    for (const [, name] of meanwhile.matchAll(/deleting (\w+)/g)) {
      if (this.topics.get(name) === 'there') this.topics.set(name, 'deleting')
    }
  }

  private hear([what, name, ...numbers]: string[]): void {
    if (what === 'created') this.topics.set(name, 'there')
    else if (what === 'deleting' || what === 'deleted') this.topics.set(name, what)
    else if (what === 'committed') this.committed = Number(name)
    else if (what === 'acked') {
      const [partition, offset, id, notBefore, notAfter] = numbers.map(Number)
      const key = `${name} ${partition}`
      const records = this.acked.get(key) ?? []
      this.acked.set(key, records)
      records[offset] = { id, notBefore, notAfter }
    }
  }

  /** Finds in a log what must have survived; throws where it does not, and counts what was lost. */
  async check(log: Varve): Promise<Losses> {
    const { damage } = log.recovery
    // a checkpoint that was being written is no damage to any partition
    const real = damage.filter(({ path }) => !/\/checkpoint-[ab]$/.test(path))
    must(real.length === 0, `damage: ${JSON.stringify(real)}`)
    const found = new Set((await log.listTopics()).map(({ name }) => name))
    for (const [name, state] of this.topics) {
      if (state !== 'deleting') must(found.has(name) === (state === 'there'), `topic ${name} must be ${state}`)
    }
    const losses: Losses = { records: {}, acknowledged: {} }
    for (const [topic, { partitions, flush }] of Object.entries(TOPICS)) {
      if (!found.has(topic)) continue
      for (let partition = 0; partition < partitions; partition++) {
        const acked = this.acked.get(`${topic} ${partition}`) ?? []
        const count = await countRecords(log, topic, partition, acked)
        const lost = acked.slice(count).filter((one) => one !== undefined)
        checkLost(`${topic}-${partition}`, flush, lost)
        losses.records[topic] = (losses.records[topic] ?? 0) + lost.length
        losses.acknowledged[topic] = (losses.acknowledged[topic] ?? 0) + acked.length
      }
    }
    if (this.committed > 0) {
      const { offsets } = await log.describeGroup('g')
      must((offsets[0].committed ?? 0) >= this.committed, `committed ${offsets[0].committed}, not ${this.committed}`)
    }
    return losses
  }
}

/** Reads a partition, which must be the first records that were handed in, all and in order; returns how many. */
async function countRecords(log: Varve, topic: string, partition: number, acked: Acknowledged[]): Promise<number> {
  let count = 0
  let lastId = -1
  for await (const { offset, value } of log.read(topic, { partition, from: 'earliest' })) {
    const where = `record ${offset} of ${topic}-${partition}`
    must(offset === count, `${where} must have offset ${count}`)
    const id = Number(/^\d+/.exec(value as string)?.[0])
    must(value === valueOf(id), `${where} must be as it was handed in, is ${String(value).slice(0, 40)}`)
    must(id > lastId, `${where}, number ${id}, must come after number ${lastId}`)
    must((acked[offset]?.id ?? id) === id, `${where} must be number ${acked[offset]?.id}, is ${id}`)
    lastId = id
    count++
  }
  return count
}

function checkLost(where: string, flush: Flush, lost: Acknowledged[]): void {
  if (lost.length === 0 || flush === 'os') return
  must(typeof flush === 'object', `${lost.length} acknowledged records of ${where} are lost`)
  must(lost.length <= WINDOW.records, `${lost.length} records of ${where} are lost`)
  const bytes = lost.reduce((sum, { id }) => sum + valueOf(id).length, 0)
  must(bytes <= WINDOW.bytes, `${bytes} bytes of ${where} are lost`)
  const ms = lost.at(-1)!.notBefore - lost[0].notAfter
  must(ms <= WINDOW.ms, `${ms} ms of ${where} are lost`)
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
