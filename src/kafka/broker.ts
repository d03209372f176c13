import { BufferPool } from '../codec/buffer-pool.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import type { Clock } from '../environment.ts'
import type { Topic } from '../engine/topic.ts'
import { VarveError } from '../errors.ts'
import {
  FENCED_LEADER_EPOCH,
  Refusal,
  UNKNOWN_LEADER_EPOCH,
  UNKNOWN_TOPIC_ID,
  UNKNOWN_TOPIC_OR_PARTITION,
} from './error-codes.ts'
import type { Partition } from '../engine/partition.ts'
import { ZERO_UUID } from './protocol/schema.ts'
import type { VarveInternals } from '../client/internals.ts'
import type { Api } from './api.ts'
import { FetchSessions } from './fetch-sessions.ts'
import type { KafkaLimits } from './limits.ts'
import { QueuedBytes } from './queued-bytes.ts'

/** What topics start with that a Kafka client makes: bytes are what it sends, and murmur2 is what its keys are hashed by. */
export const CLIENT_TOPIC = { valueCodec: 'bytes', partitioner: 'murmur2' } as const

/** Buffers for large requests and answers that are kept while nobody uses them. */
const SPARE_BUFFER_BYTES = 32 * 1024 * 1024

const OWN_FAILURES: ReadonlySet<string> = new Set(['KAFKA_STORAGE_ERROR', 'DISK_FULL'])
/** A failure is not told again within it. */
const TOLD_AGAIN_MS = 60_000
/** So many failures are remembered as told. */
const TOLD_MAX = 100

/** Where one node id can be reached. */
export interface KafkaNode {
  nodeId: number
  host: string
  port: number
}

/** What is the same for all connections: the log, who serves it where, and what is allowed. */
export class Broker {
  /** By their keys. */
  readonly apis: ReadonlyMap<number, Api>
  readonly engine: LogEngine
  readonly clock: Clock
  readonly queued: QueuedBytes
  readonly buffers = new BufferPool(SPARE_BUFFER_BYTES)
  readonly fetchSessions: FetchSessions
  /** In the order of their ids; the first one is the controller, and coordinates all groups. */
  readonly nodes: KafkaNode[] = []
  private readonly waiting = new Set<() => void>()
  private isClosing = false
  /** When failures were told. */
  private readonly told = new Map<string, number>()

  constructor(
    readonly log: VarveInternals,
    apis: readonly Api[],
    readonly limits: KafkaLimits,
    readonly settings: BrokerSettings,
    /** Told in one line what a client has done that no client should, or what has failed that should not. */
    readonly warn: (message: string) => void,
  ) {
    this.apis = new Map(apis.map((api) => [api.key, api]))
    this.engine = log.engine
    this.clock = log.engine.clock
    this.fetchSessions = new FetchSessions(log.engine.random)
    this.queued = new QueuedBytes(limits.maxQueuedBytes)
  }

  /** What ApiVersions answers. */
  get advertised(): { apiKey: number; minVersion: number; maxVersion: number }[] {
    return [...this.apis.values()].map(({ key, advertised: [minVersion, maxVersion] }) => ({
      apiKey: key,
      minVersion,
      maxVersion,
    }))
  }

  /** The topics that clients see. */
  topics(): Iterable<Topic> {
    return this.engine.topics.values()
  }

  topicNamed(name: string): Topic | undefined {
    return this.engine.topics.get(name)
  }

  topicById(topicId: string): Topic | undefined {
    const record = this.engine.catalog.get(topicId)
    return record === undefined ? undefined : this.engine.topics.get(record.name)
  }

  /**
   * The topic that a request names, by name or, in later versions, by id.
   *
   * @returns Kafka's number of the error where there is none
   */
  find(name: string | null, topicId: string): Topic | number {
    if (topicId !== ZERO_UUID) return this.topicById(topicId) ?? UNKNOWN_TOPIC_ID
    return this.topicNamed(name ?? '') ?? UNKNOWN_TOPIC_OR_PARTITION
  }

  /** Makes a topic for a client that expects it to be there. */
  async createTopic(name: string): Promise<Topic> {
    await this.log.varve.createTopic({ ...CLIENT_TOPIC, name, partitions: this.settings.defaultPartitions })
    return this.engine.topic(name)
  }

  /** The node that leads a partition: they take turns, as Kafka spreads them. */
  leaderOf(partition: number): KafkaNode {
    return this.nodes[partition % this.nodes.length]
  }

  /** Calls `wake` when the server begins to close: whoever waits answers at once. */
  onClosing(wake: () => void): () => void {
    if (this.isClosing) wake()
    else this.waiting.add(wake)
    return () => void this.waiting.delete(wake)
  }

  /** Ends all waiting. */
  close(): void {
    this.isClosing = true
    for (const wake of this.waiting) wake()
    this.waiting.clear()
  }

  /**
   * Errors of the log are answers. What fails here (the disk, a damaged file) is told besides, now and then, for a client
   * hears only a number; and so is what else gets here, a mistake in this program.
   */
  reportUnexpected(api: string, error: unknown): void {
    if (error instanceof Refusal) return
    if (error instanceof VarveError) {
      if (isOwnFailure(error) && !this.wasToldLately(error.message)) this.warn(`${api}: ${error.message}`)
      return
    }
    this.warn(`${api} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }

  private wasToldLately(message: string): boolean {
    const now = this.clock.monotonicMs()
    if (now - (this.told.get(message) ?? -Infinity) < TOLD_AGAIN_MS) return true
    if (this.told.size >= TOLD_MAX) this.told.clear()
    this.told.set(message, now)
    return false
  }
}

function isOwnFailure({ code, details }: VarveError): boolean {
  return OWN_FAILURES.has(code) || (code === 'CORRUPT_MESSAGE' && details.path !== undefined)
}

/** What a server says of itself, and does of its own accord. */
export interface BrokerSettings {
  clusterId: string
  /** A client that asks for a topic that is not there gets it. */
  autoCreateTopics: boolean
  /** Of a topic that is made so, or with -1 partitions. */
  defaultPartitions: number
}

/** Kafka's number of what is wrong with the leader epoch that a client believes in (-1: it does not say); 0: nothing. */
export function leaderEpochFault({ log }: Partition, leaderEpoch: number): number {
  if (leaderEpoch < 0 || leaderEpoch === log.leaderEpoch) return 0
  return leaderEpoch < log.leaderEpoch ? FENCED_LEADER_EPOCH : UNKNOWN_LEADER_EPOCH
}
