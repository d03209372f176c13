import { readFileSync } from 'node:fs'
import type { TopicPartition } from '../../src/group/assignors/assignor.ts'
import type { CommittedOffset } from '../../src/group/offset-records.ts'

/** What Kafka's classes made of consumer groups; see kafka-groups/README.md. Bytes are in hexadecimal. */
interface GoldenRecord {
  version: number
  key: string
  value: string
  groupId: string
}

export interface GoldenOffset extends GoldenRecord {
  keyVersion: number
  topic: string
  partition: number
  committed: CommittedOffset
  byCoordinator?: true
}

export interface GoldenMember {
  memberId: string
  instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  subscription: string
  assignment: string
}

export interface GoldenGroup extends GoldenRecord {
  snapshot: {
    generation: number
    protocolType: string
    protocol: string | null
    leader: string | null
    members: GoldenMember[]
  }
  currentStateTimestampMs: number
}

type GoldenPartitions = [topic: string, partition: number][]

/** One rebalance: members by id, and by assignor the members that got a topic's partitions, one letter each, - for none. */
export interface GoldenRound {
  topics: { [topic: string]: number }
  /** The generation is the one of which the member remembers what it owned. */
  members: { [memberId: string]: [instanceId: string | null, topics: string, generation: number] }
  /** Of the partitions before the first round, where that is not nobody. */
  owners?: { [topic: string]: string }
  range: { [topic: string]: string }
  roundrobin: { [topic: string]: string }
  sticky: { [topic: string]: string }
  'cooperative-sticky': { [topic: string]: string }
}

export const goldenRecords = read<{
  offsets: GoldenOffset[]
  groups: GoldenGroup[]
  others: { version: number; key: string }[]
  partitions: [groupId: string, partition: number][]
}>('records.json')

export const goldenProtocol = read<{
  subscriptions: {
    version: number
    topics: string[]
    ownedPartitions: GoldenPartitions
    generation: number
    rackId: string | null
    userData: string | null
    bytes: string
  }[]
  assignments: { version: number; partitions: GoldenPartitions; userData: string | null; bytes: string }[]
  userData: {
    partitions: GoldenPartitions
    generation: number
    sticky: string | null
    'cooperative-sticky': string | null
    range: string | null
    roundrobin: string | null
  }[]
}>('protocol.json')

const { scenarios, unbalanced } = read<{ scenarios: GoldenRound[][]; unbalanced: GoldenRound[] }>('assignments.json')

/** The rounds of each group. */
export const goldenScenarios = [...scenarios, ...unbalanced.map((round) => [round])]

export function asPartitions(partitions: GoldenPartitions): TopicPartition[] {
  return partitions.map(([topic, partition]) => ({ topic, partition }))
}

export function fromHex(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex')
}

export function toHex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex')
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`kafka-groups/${name}`, import.meta.url), 'utf8')) as T
}
