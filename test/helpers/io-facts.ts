/** What a ledger keeps: what was asked of a log, and when it was acknowledged. */
import type { TopicConfig } from '../../src/engine/topic-config.ts'

/** Moments are numbers of acknowledgements: 0 is the beginning, and what never happened is at Infinity. */
export const NEVER = Infinity

export interface RecordFact {
  topic: string
  /** Which of the topics of that name. */
  life: number
  partition: number
  key: string | null
  /** Null: a tombstone. */
  value: string | null
  /** Records of one call share a number, and are there together or not at all. */
  call: number
  callSize: number
  offset: number
  ackedAt: number
  durableAt: number
}

export interface TopicFact {
  name: string
  life: number
  compacted: boolean
  durably: boolean
  triedAt: number
  createdAt: number
  deleteTriedAt: number
  deletedAt: number
  /** Each number of partitions that was asked for. */
  sizes: { count: number; ackedAt: number }[]
  /** Each change of the configuration. */
  changes: { config: Partial<TopicConfig>; ackedAt: number }[]
  /** Each start that was asked for; `partition` null: of all, by retention. */
  starts: { partition: number | null; offset: number; triedAt: number; ackedAt: number }[]
}

export interface CommitFact {
  groupId: string
  topic: string
  partition: number
  /** Null: deleted. */
  offset: number | null
  triedAt: number
  ackedAt: number
}

export function isThere({ createdAt, deletedAt }: TopicFact): boolean {
  return createdAt < NEVER && deletedAt === NEVER
}

export function placeOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}/${offset}`
}

export function mayHide({ partition, offset, triedAt }: TopicFact['starts'][0], fact: RecordFact, at: number): boolean {
  return triedAt <= at && fact.offset < offset && (partition === null || partition === fact.partition)
}

/** Whether a record of the same key may stand behind another. */
export function follows(later: RecordFact, fact: RecordFact): boolean {
  return later.partition === fact.partition && later !== fact && (later.offset > fact.offset || later.call > fact.call)
}
